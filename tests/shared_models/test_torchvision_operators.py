from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
USE = """
from shared_models import torchvision_operators as operators
torchvision = operators.load_torchvision()
assert operators.load_torchvision() is torchvision
"""


def run(code: str, *, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Runs code in a fresh interpreter, with a made-up torchvision first on its path if one is given."""
    head = f"import sys; sys.path[:0] = {[str(part) for part in (path, ROOT) if part]!r}\n"
    return subprocess.run([sys.executable, "-c", head + code], capture_output=True, text=True, check=False, timeout=100)


def made_up(folder: Path, text: str) -> Path:
    (folder / "torchvision").mkdir()
    (folder / "torchvision" / "__init__.py").write_text(text)
    (folder / "torchvision" / "part.py").write_text("")
    return folder


def test_transforms_and_timm_work_whatever_build_is_installed() -> None:
    code = """
import torch
from torchvision.transforms import v2
image = torch.arange(48, dtype=torch.float32).reshape(3, 4, 4)
assert torch.equal(v2.functional.horizontal_flip(image), image.flip(-1))
import timm
assert timm.is_model("resnet18")
"""
    result = run(USE + code)
    assert result.returncode == 0, result.stderr


def test_the_operators_are_declared_once_for_exactly_that_error(tmp_path: Path) -> None:
    fails_once = """
import torch, torchvision.part
try:
    torch.ops.torchvision.nms
except AttributeError:
    raise RuntimeError("operator torchvision::nms does not exist") from None
"""
    check = """
import torch
assert len(operators._declared) == 1
assert torch.ops.torchvision.qnms is not None
assert torchvision.part is sys.modules["torchvision.part"]
"""
    result = run(USE + check, path=made_up(tmp_path, fails_once))
    assert result.returncode == 0, result.stderr


def test_on_a_matched_build_nothing_is_declared(tmp_path: Path) -> None:
    check = """
assert operators._declared == []
assert "torch" not in sys.modules
"""
    result = run(USE + check, path=made_up(tmp_path, "version = 'matched'"))
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    "error", ["RuntimeError('operator torchvision::roi_align does not exist')", "ImportError('libcudart.so')"]
)
def test_any_other_error_goes_through(tmp_path: Path, error: str) -> None:
    result = run(USE, path=made_up(tmp_path, f"raise {error}"))
    assert result.returncode == 1
    assert result.stderr.strip().endswith(error.partition("'")[2].rstrip("')"))
