"""What an arrival costs, in small: every size and arrival has a row, and bytes are those of what is sent."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from benchmarks import arrivals
from benchmarks.claims import Measured


@pytest.fixture(scope="module")
def measured() -> Measured:
    return arrivals.measure(quick=True)


def test_every_arrival_but_the_first_has_a_row(measured: Measured) -> None:
    assert [(row["images a site"], row["earlier sites"]) for row in measured.rows] == [
        (images, earlier) for images in (100, 200) for earlier in range(1, arrivals.SITES)
    ]
    assert all(float(row[name] or 0) > 0 for row in measured.rows for name in ("closed form, s", "gate, s"))
    assert len(measured.claims) == 4


def test_the_gate_sends_more_the_more_images_there_are_and_the_closed_form_does_not(measured: Measured) -> None:
    few, many = (next(row for row in measured.rows if row["images a site"] == images) for images in (100, 200))
    assert few["closed form, kB a site"] == many["closed form, kB a site"]
    head = 4 * 65 * arrivals.LABELS_A_SITE / 1e3
    shared = [float(row["gate, kB a site"] or 0) - head for row in (few, many)]
    assert shared == pytest.approx([4 * 64 * 120 / 1e3, 4 * 64 * 240 / 1e3])


def test_the_sites_are_what_they_are_said_to_be() -> None:
    sites = arrivals._sites(200, 16)
    assert [len(site.labels) for site in sites] == [arrivals.LABELS_A_SITE] * arrivals.SITES
    assert set().union(*(site.labels for site in sites)) == set(arrivals._labels())
    train = sites[0].folds["train"].local
    assert set(Counter(train.patients).values()) == {arrivals.IMAGES_A_PATIENT}
    assert np.all(train.features[:, -1] == 1)
    assert train.weights.sum() == pytest.approx(len(set(train.patients)))
    assert not set(train.patients) & set(sites[0].folds["calibration"].local.patients)
