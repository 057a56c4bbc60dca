"""Pictures are written whole, with a line for every method and a cell for every site and class."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from deploy.demo.plots import accuracy_over_arrivals, parts_by_class
from deploy.demo.results import Part
from tests.deploy.demo.test_table import SETTING, sample_arrival


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Figures that were saved."""
    figures: list[Figure] = []
    save = Figure.savefig

    def spy(self: Figure, *args: object, **options: object) -> None:
        figures.append(self)
        save(self, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Figure, "savefig", spy)
    return figures


def test_accuracy_over_arrivals(tmp_path: Path, drawn: list[Figure]) -> None:
    accuracy_over_arrivals([sample_arrival(1), sample_arrival(2)], SETTING, tmp_path / "accuracy.png")
    left, right = drawn[0].axes
    assert left.get_legend_handles_labels()[1] == ["fused experts", "site alone"]
    assert right.get_legend_handles_labels()[1] == ["north", "south", "west"]
    assert left.get_title(loc="left") == "Clips of all sites that have arrived (phantom)"
    assert [label.get_text() for label in left.get_xticklabels()] == ["north\n+ A view, B view", "south\nno new label"]
    with Image.open(tmp_path / "accuracy.png") as image:
        assert np.asarray(image.convert("L")).std() > 5
    assert [path.name for path in tmp_path.iterdir()] == ["accuracy.png"]


def test_parts_by_class(tmp_path: Path, drawn: list[Figure]) -> None:
    parts = [
        Part(site="north", label="a", weight=1.0, contribution=-0.25, clips=3),
        Part(site="north", label="b", weight=None, contribution=None, clips=0),
        Part(site="south", label="a", weight=0.5, contribution=0.75, clips=3),
        Part(site="south", label="b", weight=0.0, contribution=0.0, clips=0),
    ]
    parts_by_class(parts, SETTING, tmp_path / "parts.png")
    weights, contributions = drawn[0].axes
    assert [label.get_text() for label in weights.get_xticklabels()] == ["A view\n(3)", "B view\n(0)"]
    assert [text.get_text() for text in weights.texts] == ["1.00", "–", "0.50", "0.00"]
    assert [text.get_text() for text in contributions.texts] == ["-0.25", "–", "0.75", "0.00"]
