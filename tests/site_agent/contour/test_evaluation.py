"""Experts of contours measured on held-back patients."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from federated.enrolment import Kit
from federated.errors import ConsiliumError, DataError
from site_agent.contour.evaluation import Judged, evaluate, figures, tables
from site_agent.contour.tracer import Traced
from site_agent.contour_truth import contoured_cases
from site_agent.home import SiteHome
from site_agent.tasks.contour import train
from tests.site_agent.contour_making import BATCH, SIZE, contour_home
from tests.site_agent.sources.conftest import Exported, exported

__all__ = ["exported"]


@pytest.fixture
def home(tmp_path: Path, kit: Kit, exported: Exported) -> SiteHome:
    return contour_home(tmp_path / "site", kit, exported("camus", **SIZE)[0])


def test_every_view_is_measured_on_the_test_fold(home: SiteHome) -> None:
    train(home, BATCH)
    found = evaluate(home)
    truth = contoured_cases(home, fold="test")
    assert found.images == len(truth)
    assert found.patients == len({each.case.patient for each in truth})
    assert {(fit.by, fit.view) for fit in found.fits} == {("ada", each.view) for each in truth}
    assert found.shares == {"ada": 1.0}
    for table in tables(home, found):
        assert all(len(row) == len(table.columns) for row in table.rows)


def test_whose_expert_is_not_here_is_told_with_those_that_are(home: SiteHome) -> None:
    train(home, BATCH)
    assert {fit.by for fit in evaluate(home, ["ada"]).fits} == {"ada"}
    with pytest.raises(ConsiliumError, match="--by: there is no expert 'average', there are ada"):
        evaluate(home, ["average"])


def test_who_says_what_was_drawn_is_perfect_and_a_shift_is_measured(home: SiteHome) -> None:
    truth = contoured_cases(home, fold="test")
    perfect = figures({"ada": [Judged(each, Traced(each.points, 0.0, {}, {"ada": 1.0})) for each in truth]})
    for fit in perfect.fits:
        assert fit.contour_mm.value == fit.apex_mm.value == fit.landmarks_percent.value == 0
        assert (fit.dice.value, fit.crossed) == (1, 0)
    moved = [Judged(each, Traced(each.points + np.array([3.0, 4.0]), 0.0, {}, {"ada": 1.0})) for each in truth]
    spacing = np.mean([each.spacing_mm for each in truth if each.view == truth[0].view])
    fit = next(fit for fit in figures({"ada": moved}).fits if fit.view == truth[0].view)
    assert fit.base_1_mm.value == pytest.approx(5 * spacing)
    assert fit.contour_mm.value is not None
    assert 0 < fit.contour_mm.value < 5 * spacing


def test_points_through_which_no_curve_leads_are_counted(home: SiteHome) -> None:
    truth = contoured_cases(home, fold="test")
    none = figures({"ada": [Judged(each, Traced(np.zeros((7, 2)), 0.0, {}, {"ada": 1.0})) for each in truth]})
    assert sum(fit.crossed for fit in none.fits) == len(truth)
    assert all(fit.dice.value is None for fit in none.fits)


def test_without_test_patients_it_says_so(tmp_path: Path, kit: Kit, exported: Exported) -> None:
    home = contour_home(tmp_path / "few", kit, exported("camus", **SIZE | {"patients": 2})[0])
    with pytest.raises(DataError, match="no test patient has an image with a contour"):
        evaluate(home)
