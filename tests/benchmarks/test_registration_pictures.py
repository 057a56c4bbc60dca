"""Pictures show every method whose cost is known, at its cost and overlap; and a pair before and after a field."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.canvas import canvas
from benchmarks.registration_cells import Scores
from benchmarks.registration_classical import identity
from benchmarks.registration_cost import Cost
from benchmarks.registration_learned import LEARNED
from benchmarks.registration_ours import OURS
from benchmarks.registration_peers import AFFINE, CLASSICAL, DEMONS, NETWORKS, SYN
from benchmarks.registration_pictures import FAMILIES, _grid, _overlaid, overlap_over_cost
from benchmarks.registration_report import Asked
from benchmarks.registration_starts import Started
from shared_models.registration.pairs import Pair

PATIENTS = [("a", "b"), ("b", "c"), ("c", "a")]


def test_every_method_is_of_one_family() -> None:
    members = [name for family in FAMILIES for name in family.methods]
    assert sorted(members) == sorted([*CLASSICAL, *NETWORKS])


def test_everyone_stands_at_what_a_pair_costs_and_how_well_labels_lie() -> None:
    found = {name: [[Scores(each, [good], None, 0.0, 0.9) for each in PATIENTS]] for name, good in GOOD.items()}
    asked = Asked("hippocampus", "hippocampus", PATIENTS, found, {})
    costs = {name: Cost([seconds], 1) for name, seconds in SECONDS.items()}
    (axes,) = overlap_over_cost(asked, "hippocampus, 48x64x48", costs).axes
    drawn = {str(bars.get_label()): bars[0].get_xydata()[0] for bars in axes.containers}
    assert set(drawn) == set(SECONDS)
    for name, (seconds, overlap) in drawn.items():
        assert (seconds, overlap) == pytest.approx((SECONDS[name], 100 * GOOD[name]))
    assert axes.get_xlabel() == "seconds of a pair of 48x64x48 voxels, one thread"


GOOD = {AFFINE: 0.6, SYN: 0.7, DEMONS: 0.65, next(iter(LEARNED)): 0.69, next(iter(OURS)): 0.72}
SECONDS = {name: 0.1 * place for place, name in enumerate(GOOD) if place}


def test_a_pair_is_drawn_where_the_field_leads() -> None:
    rows = np.arange(16.0)[:, None, None] + np.zeros((16, 16, 16))
    image, labels = (rows / 16).astype(np.float32), (rows > 8).astype(np.uint8)
    pair = Pair("a to b", image, image, (1.0, 1.0, 1.0), labels, labels)
    one, field = Started(pair, identity(3), image, ("a", "b")), np.zeros((3, 16, 16, 16), np.float32)
    field[0] = 4.0  # along the first axis, which the slice does not show
    figure = canvas(4, 4)
    shown, grid = figure.subplots(1, 2)
    _overlaid(shown, one, field, (1,))
    _grid(grid, field)
    np.testing.assert_allclose(np.asarray(shown.images[0].get_array()), np.full((16, 16), 12 / 16), rtol=1e-5)
    assert shown.texts[0].get_text() == "Dice 42.9 %"  # seven rows of each, of which three are shared
    lines = [line.get_xydata() for line in grid.lines]
    assert len(lines) == 2 * 6
    np.testing.assert_allclose(lines[0], np.stack([np.arange(16), np.zeros(16)], axis=1))
