"""The house's plan holds: imports run one way, an auditor needs only the base install, functions stay short."""

from __future__ import annotations

import ast
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import federated

ROOT = Path(__file__).resolve().parents[1]
MAY_IMPORT = {
    "federated": set(),
    "shared_models": set(),
    "site_agent": {"federated", "shared_models"},
    "server": {"federated", "shared_models"},
    "deploy": {"federated", "shared_models", "site_agent", "server"},
    "consilium": {"federated", "shared_models", "site_agent", "server", "deploy"},
}
BASE_INSTALL = {
    "cryptography",
    "cyclonedx",
    "jinja2",
    "numpy",
    "packageurl",  # of cyclonedx
    "pydantic",
    "pydantic_core",
    "rfc8785",
    "rich",
    "safetensors",
    "scipy",
    "securesystemslib",
    "starlette",
    "tomli_w",
    "typer",
    "uvicorn",
}
EXTRAS = {"passphrases.py": {"keyring"}}  # asked for inside a function, with one line where it is not installed
FLOWER_MODULES = {"site_agent/flower_app.py", "site_agent/flower_executor.py", "server/flower_app.py"}
HEAVY = {
    "PIL",
    "av",
    "cyclonedx",
    "flwr",
    "grpc",
    "jinja2",
    "keyring",
    "matplotlib",
    "nibabel",
    "psutil",
    "pydicom",
    "skimage",
    "sklearn",
    "sqlalchemy",
    "starlette",
    "threadpoolctl",
    "timm",
    "torch",
    "torchvision",
    "uvicorn",
}
COMMANDS = ("consilium", "federated.commands", "site_agent.commands", "server.commands", "deploy.phantom.commands")
MAX_FUNCTION_LINES = 60
MAX_FILE_LINES = 400
IMPORT_WITHOUT = """
import importlib, sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {heavy!r}:
            raise ModuleNotFoundError(f"not in the base install: {{name}}", name=name)

sys.meta_path.insert(0, Missing())
for module in {modules!r}:
    importlib.import_module(module)
"""


def _sources(package: str) -> list[Path]:
    return [ROOT / "consilium.py"] if package == "consilium" else sorted((ROOT / package).rglob("*.py"))


def _imported(tree: ast.AST) -> Iterator[str]:
    """Top-level names of everything a module imports, inside functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def _imports_of(path: Path) -> set[str]:
    return set(_imported(ast.parse(path.read_text(encoding="utf-8"))))


def _modules_of_federated() -> list[str]:
    return sorted(module.name for module in pkgutil.walk_packages(federated.__path__, "federated."))


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_run_one_way(package: str) -> None:
    ours = set(MAY_IMPORT) | {"tests", "benchmarks"}
    allowed = MAY_IMPORT[package] | {package}
    wrong = {str(path.relative_to(ROOT)): (_imports_of(path) & ours) - allowed for path in _sources(package)}
    assert not {path: names for path, names in wrong.items() if names}


def test_federated_imports_nothing_but_the_base_install() -> None:
    allowed = BASE_INSTALL | {"federated"} | set(sys.stdlib_module_names)
    wrong = {path.name: _imports_of(path) - allowed - EXTRAS.get(path.name, set()) for path in _sources("federated")}
    assert not {path: names for path, names in wrong.items() if names}


def test_flower_is_imported_in_three_modules_only() -> None:
    paths = [path for package in MAY_IMPORT for path in _sources(package) if "flwr" in _imports_of(path)]
    assert {str(path.relative_to(ROOT)) for path in paths} <= FLOWER_MODULES


def test_federated_loads_with_the_base_install_alone() -> None:
    modules = [*_modules_of_federated(), "consilium"]
    assert "federated.envelope" in modules
    code = IMPORT_WITHOUT.format(heavy=HEAVY - BASE_INSTALL, modules=modules)
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("module", COMMANDS)
def test_commands_load_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*sorted({HEAVY!r} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert result.stdout.split() == []


@pytest.mark.parametrize("package", [*MAY_IMPORT, "benchmarks"])
def test_files_and_functions_can_be_taken_in_at_one_sitting(package: str) -> None:
    too_long = []
    for path in _sources(package):
        text = path.read_text(encoding="utf-8")
        if text.count("\n") > MAX_FILE_LINES:
            too_long.append(str(path))
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > MAX_FUNCTION_LINES:
                    too_long.append(f"{path}:{node.lineno} {node.name} has {lines} lines")
    assert not too_long
