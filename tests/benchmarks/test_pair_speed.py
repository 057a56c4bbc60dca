"""Every way comes to the same field, every operation has its kind, and a quick run has all rows."""

from __future__ import annotations

import pytest
import torch

from benchmarks.pair_speed import (
    GROUPS,
    HALF,
    LAST,
    MOVED,
    OWN_GRID,
    QUICK,
    REST,
    TRANSFORMS,
    WAYS,
    group_of,
    measure,
    multiply_adds,
    prepared,
    timed,
)
from benchmarks.pair_transforms import by_transforms
from shared_models.registration.band_limited import band_limited


@pytest.mark.parametrize(
    ("before", "after"), [((8, 12, 10), (32, 48, 40)), ((32, 20, 16), (16, 10, 8)), ((9, 6), (18, 7))]
)
def test_transforms_say_what_products_say(before: tuple[int, ...], after: tuple[int, ...]) -> None:
    values = torch.rand(2, 3, *before, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(by_transforms(values, after), band_limited(values, after), atol=1e-5, rtol=1e-4)


def test_all_ways_come_to_the_same_field() -> None:
    network, pair = prepared("Diff-Fourier-Net+", (32, 32, 32))
    fields = {way: timed(network, pair, way, 1).field for way in QUICK.ways}
    assert float(fields[LAST].norm(dim=1).max()) > MOVED / 2
    for way, field in fields.items():
        usual = fields[OWN_GRID if way == TRANSFORMS else LAST]
        assert float((field - usual).norm(dim=1).max()) < {HALF: 0.1, OWN_GRID: 1.0}.get(way, 1e-3), way


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ("aten::mkldnn_convolution", "convolutions"),
        ("aten::grid_sampler_3d", "warps"),
        ("aten::bmm", "matrix products"),
        ("aten::leaky_relu_", "activations"),
        ("aten::copy_", "copies"),
        ("aten::add", REST),
    ],
)
def test_operations_have_their_kind(operation: str, kind: str) -> None:
    assert group_of(operation) == kind


def test_products_are_counted() -> None:
    network, pair = prepared("Fourier-Net", (16, 16, 16))
    first = 2 * 8 * 27 * 16**3  # from two images to eight channels
    assert multiply_adds(network, pair) > first


def test_a_quick_run_has_every_way_and_share() -> None:
    found = measure(quick=True)
    ways = [row["way"] for row in found.rows if str(row["table"]).startswith("Ways")]
    assert ways == [way for way in WAYS if way in QUICK.ways]
    (shares,) = (row for row in found.rows if str(row["table"]).startswith("Where"))
    percent = {name: float(str(shares[name])) for name in (*GROUPS, REST)}
    assert sum(percent.values()) == pytest.approx(100)
    assert percent["convolutions"] > percent["activations"]
