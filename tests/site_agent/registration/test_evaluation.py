"""Experts of registration on held-back patients."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from federated.enrolment import Kit
from federated.errors import ConsiliumError, DataError
from federated.vocabulary import builtin_vocabulary
from site_agent.frame_pairs import frame_pairs, shown_pairs
from site_agent.home import SiteHome
from site_agent.registration.evaluation import evaluate, figures, judge, judged, tables
from site_agent.registration.registrar import Registered, Registrar
from site_agent.tasks.registration import train
from site_agent.truth import clips_of
from tests.site_agent.registration_making import BATCH, SIZE, registration_home
from tests.site_agent.sources.conftest import Exported, exported

__all__ = ["exported"]


@pytest.fixture
def home(tmp_path: Path, kit: Kit, exported: Exported) -> SiteHome:
    return registration_home(tmp_path / "site", kit, exported("camus", **SIZE)[0])


def test_experts_are_measured_on_the_test_fold(home: SiteHome) -> None:
    with pytest.raises(ConsiliumError, match="no expert of registration is here"):
        evaluate(home)
    train(home, BATCH)
    found = evaluate(home)
    pairs = frame_pairs(home, clips_of(home.archive, fold="test"))
    assert (found.pairs, found.patients) == (len(pairs), len({pair.clip.patient for pair in pairs}))
    (one,) = found.fits
    assert (one.by, one.pairs, one.carried) == ("ada", len(pairs), len(pairs))
    assert found.shares == {"ada": 1.0}
    assert one.folded_percent.value == 0
    assert one.before.value is not None
    assert one.after.value is not None
    assert 0 < one.before.value < 1
    assert 0 < one.after.value < 1
    assert one.after != one.before
    assert one.dice.value is not None
    assert [len(table.rows) for table in tables(home, found)] == [1, 1, 0]
    assert all(len(row) == len(table.columns) for table in tables(home, found) for row in table.rows)


def test_several_experts_are_also_measured_together(home: SiteHome) -> None:
    expert = train(home, BATCH).expert
    registrar = Registrar({"ada": expert, "bea": replace(expert, site="bea")})
    pairs = frame_pairs(home, clips_of(home.archive, fold="test"))[:3]
    alone, fused = judge(home, registrar, pairs, ("bea",)), judge(home, registrar, pairs)
    found = figures({"bea": alone, "all, fused": fused})
    assert found.shares == {"ada": 0.5, "bea": 0.5}
    assert found.fits[0].after.value == pytest.approx(found.fits[1].after.value, abs=1e-4)


def test_a_field_that_is_known_is_judged_by_what_it_does(home: SiteHome) -> None:
    """A frame shifted by three pixels, with its label map; the field brings all of it back."""
    shown = next(shown_pairs(home, frame_pairs(home, clips_of(home.archive))))
    assert shown.labels is not None
    moved = replace(
        shown, moving=np.roll(shown.fixed, 3, axis=1), labels=(np.roll(shown.labels[1], 3, axis=1), shown.labels[1])
    )
    field = np.zeros((2, *shown.fixed.shape), np.float32)
    field[1] = 3
    found = judged(moved, Registered(field, {"a": 1.0}, {"a": 1.0}))
    assert found.before < 0.5
    assert found.after > 0.9
    assert found.dice_before < 0.9
    assert found.dice == pytest.approx(1, abs=0.01)
    assert found.folded_percent == 0
    without = judged(replace(moved, labels=None), Registered(field, {"a": 1.0}, {"a": 1.0}))
    assert np.isnan([without.dice, without.dice_before]).all()
    (fit,) = figures({"a": [found, without]}).fits
    assert (fit.pairs, fit.carried) == (2, 1)
    assert fit.dice.value == pytest.approx(found.dice)


def test_a_site_without_clips(tmp_path: Path, kit: Kit) -> None:
    told = kit.model_copy(update={"task": "registration", "vocabulary": builtin_vocabulary("heart")})
    with pytest.raises(DataError, match="no test patient has a clip"):
        evaluate(SiteHome.create(tmp_path / "empty", told))
