"""How well experts of reconstruction do on patients who were held back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from federated.errors import DataError
from site_agent.hearts import Heart, hearts_of
from site_agent.home import SiteHome
from site_agent.reconstruction import evaluation
from site_agent.reconstruction.evaluation import Judged, evaluate, figures, judge, tables
from site_agent.reconstruction.reconstructor import Rebuilt, Reconstructor, reconstructor_of
from tests.site_agent.reconstruction_making import ball, reconstruction_home, write_hearts


def _judged(heart: Heart, found: np.ndarray, patient: str, **weights: float) -> Judged:
    case = replace(heart.case, patient=patient)
    return Judged(replace(heart, cases=(case,)), Rebuilt(found.astype(np.float32), weights, weights))


def test_figures_are_those_of_known_solids(home: SiteHome) -> None:
    heart = replace(hearts_of(home)[0], target=ball(8), spacing_mm=2.0)
    smaller = np.where(ball(6), 0.9, 0.35 * ball(8))
    found = figures(
        {
            "ada": [_judged(heart, smaller, "p", ada=1.0), _judged(heart, ball(8), "q", ada=1.0)],
            "all, fused": [_judged(heart, 0.1 * ball(8), "p", ada=0.75, ben=0.25)],
        }
    )
    ada, fused = found.fits
    alone = ball(6).sum() / ball(8).sum()
    assert (ada.hearts, ada.patients, ada.missed) == (2, 2, 0)
    assert ada.iou.value == pytest.approx((alone + 1) / 2)
    assert ada.peak_iou.value == pytest.approx(1.0)
    assert ada.threshold == 0.2
    assert ada.hausdorff_95_mm.value == pytest.approx(2.0, abs=1.0), "half of 2 voxels of 2 mm, and of none"
    assert (fused.iou.value, fused.missed, fused.hausdorff_95_mm.value) == (0.0, 1, None)
    assert (found.hearts, found.patients, found.shares) == (1, 1, {"ada": 0.75, "ben": 0.25})


def test_each_expert_alone_and_all_are_measured_on_the_test_fold(
    home: SiteHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own,) = reconstructor_of(home).experts.values()
    monkeypatch.setattr(
        evaluation, "reconstructor_of", lambda _: Reconstructor({"ada": own, "beta": replace(own, site="beta")})
    )
    found = evaluate(home)
    assert [fit.by for fit in found.fits] == ["ada", "beta", "all, fused"]
    assert found.hearts == len(hearts_of(home, fold="test")) == 1
    assert found.shares == {"ada": 0.5, "beta": 0.5}
    assert [fit.by for fit in evaluate(home, ("ada",)).fits] == ["ada"]
    figures_table, shares = tables(home, found)
    assert len(figures_table.columns) == len(figures_table.rows[0])
    assert shares.rows == [("ada", "50 %"), ("beta", "50 %")]


def test_hearts_without_a_view_that_is_known_are_not_judged(home: SiteHome) -> None:
    other = [replace(heart, views=("PLAX", "PSAX low")) for heart in hearts_of(home, fold="test")]
    with pytest.raises(DataError, match="no heart shows A4C or A2C"):
        judge(reconstructor_of(home), other)


def test_without_a_heart_that_was_held_back_nothing_is_measured(tmp_path: Path) -> None:
    home = reconstruction_home(tmp_path / "site", write_hearts(tmp_path / "hearts", 1))
    with pytest.raises(DataError, match="no test patient has a heart with its volume"):
        evaluate(home)
