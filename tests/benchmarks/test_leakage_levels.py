"""What is known exactly is known exactly, and what is not is not."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.leakage_levels import by_kind_and_level
from benchmarks.lung_data import Images, Shot
from federated.disclosure import Limits
from federated.manifest import SITE_KINDS


@pytest.fixture
def images() -> Images:
    """Thirty patients with two images each, of whom each is unlike the others."""
    rng = np.random.default_rng(3)
    shots = tuple(
        Shot("here", f"p{row // 2}", ("sick", "well")[row // 2 % 2], f"c{row}", "convex", row) for row in range(60)
    )
    own = np.repeat(rng.normal(size=(30, 8)), 2, axis=0) + 0.1 * rng.normal(size=(60, 8))
    return Images(shots, np.column_stack([own, np.ones(60)]))


def test_each_kind_has_its_figure(images: Images) -> None:
    rows = by_kind_and_level(images, "here", 0.8, 0.7)
    told = {(row["kind"], row["what is told"]): row["figure"] for row in rows}
    assert len(told) == len(rows)
    kinds = {name for row in rows for name in str(row["kind"]).split(", ")}
    assert kinds >= set(SITE_KINDS) - {"synthetic", "consultation"}
    exact = [float(figure or 0) for (_, what), figure in told.items() if "distance" in str(what)]
    assert len(exact) == 3
    assert max(exact) < 1e-12


def test_one_image_is_the_leading_direction_and_five_patients_blur_each_other(images: Images) -> None:
    figures = {str(row["what is told"]): row["figure"] for row in by_kind_and_level(images, "here", 0.8, 0.7)}
    (cosine,) = [figure for what, figure in figures.items() if "cosine" in what]
    (few,) = [figure for what, figure in figures.items() if "five patients" in what]
    assert cosine == pytest.approx(1.0)
    assert isinstance(few, float)
    assert 0.2 < few < 0.8
    assert figures["fewest patients behind a count"] == Limits().cell
