"""The pictures of the phantom's page are drawn from the phantom itself and stay small."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import phantom_pictures


def test_every_picture_of_the_page_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import Image

    monkeypatch.setattr(phantom_pictures, "SIZE", (96, 128))
    phantom_pictures.main(tmp_path)
    page = Path("docs/phantom.md").read_text(encoding="utf-8")
    drawn = sorted(path.name for path in tmp_path.iterdir())
    assert len(drawn) == 4
    for name in drawn:
        assert f"pictures/{name}" in page
        pixels = np.asarray(Image.open(tmp_path / name).convert("L"))
        assert pixels.std() > 20
        assert (Path("docs/pictures") / name).stat().st_size < 400_000
