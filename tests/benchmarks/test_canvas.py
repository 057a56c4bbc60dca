"""A figure becomes a PNG of its size, and nothing is left half written."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from benchmarks.canvas import DOTS, canvas, save


def test_a_figure_is_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(b"older")
    figure = canvas(2, 1)
    figure.subplots().plot([0, 1])
    save(figure, path)
    with Image.open(path) as picture:
        assert (picture.format, picture.size) == ("PNG", (2 * DOTS, DOTS))
    assert list(tmp_path.iterdir()) == [path]
