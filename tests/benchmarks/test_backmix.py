"""The course of it, on few patients and without the breasts' data."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks import backmix, backmix_training
from benchmarks.backmix import FULL, QUICK, drawn, measure, plan
from benchmarks.backmix_breast import STRANGE, TAUGHT, Site
from benchmarks.backmix_images import MACHINES_AWAY, NONE, OTHERS, SAME, Pictures
from benchmarks.backmix_report import BLANKED, UNMARKED
from benchmarks.backmix_training import METHODS

FEW = replace(QUICK, patients=2, validation=1, tested=1, seeds=1, few=1)


def _breasts(_side: int) -> dict[str, Site]:
    random = np.random.default_rng(0)
    pictures = Pictures(
        random.integers(0, 255, (40, 16, 16)).astype(np.uint8),
        (np.arange(40) % 2).astype(np.int64),
        np.ones((40, 16, 16), dtype=np.bool_),
        np.arange(40),
    )
    site = Site(pictures, tuple(map(str, range(40))), found=40, sure=30, outside=0.25)
    return {TAUGHT: site, STRANGE: site}


def test_what_is_asked_differs_in_pictures_and_machines_alone() -> None:
    hospital = drawn(0, FEW)
    assert set(hospital.asked) == {SAME, OTHERS, NONE, MACHINES_AWAY}
    same, others, none = (hospital.asked[name] for name in (SAME, OTHERS, NONE))
    assert np.array_equal(same.labels, others.labels)
    inside = same.sectors & others.sectors
    assert (same.images[inside] == none.images[inside]).mean() > 0.95
    assert not np.array_equal(same.images, none.images)
    assert not np.array_equal(hospital.train.images, hospital.unmarked.images)


def test_every_method_at_every_share_and_what_is_the_same_only_once() -> None:
    planned = [(method.name, share) for method, share in plan(FULL, 0)]
    assert len(planned) == len(set(planned))
    fewer = {(method.name, share) for method in METHODS[1:] for share in (0.5, 0.2, 0.1, 0.05)}
    whole = {(method.name, 1.0) for method in METHODS[:-1]} | {(BLANKED, 1.0), (UNMARKED, 1.0)}
    assert set(planned) == fewer | whole
    assert {(method.name, share) for method, share in plan(FULL, FULL.few)} == whole


def test_it_is_measured_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backmix, "QUICK", FEW)
    monkeypatch.setattr(backmix, "sites", _breasts)
    monkeypatch.setattr(backmix_training, "STEPS", 2)
    measured = measure(quick=True)
    tables = list(dict.fromkeys(str(row["table"]) for row in measured.rows))
    assert len(tables) == 5
    assert tables[-1] == "Breasts of two real sites, taught at one, %, 1 seeds"
    assert sum(row["table"] == tables[0] for row in measured.rows) == len(list(plan(FEW, 0))) - 6 * len(FEW.shares)
    assert "40 of 40 sectors found, 30 of them good enough" in measured.notes[1]
