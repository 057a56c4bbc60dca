"""Experts of segmentation measured on held-back patients."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from federated.enrolment import Kit
from federated.errors import ConsiliumError, DataError
from site_agent.asked_experts import AVERAGE
from site_agent.expert_figures import FUSED
from site_agent.home import SiteHome
from site_agent.segmentation import evaluation as segmentation_evaluation
from site_agent.segmentation.evaluation import EjectionFraction, evaluate
from site_agent.segmentation.segmenter import Seen, Segmenter, segmenter_of
from site_agent.tasks.segmentation import train
from site_agent.truth import LA, LV, MYOCARDIUM, masked_cases
from tests.site_agent.segmentation_making import segmentation_home
from tests.site_agent.sources.conftest import Exported, exported

__all__ = ["exported"]

SIZE = {"patients": 8, "frames": 8, "size": 96}
STRUCTURES = (LV, MYOCARDIUM, LA)


@pytest.fixture
def home(tmp_path: Path, kit: Kit, exported: Exported) -> SiteHome:
    home = segmentation_home(tmp_path / "site", kit, exported("camus", **SIZE)[0])
    train(home, "b0001")
    return home


@dataclass(frozen=True)
class _Knowing(Segmenter):
    """Says what the expert drew."""

    home: SiteHome | None = None

    def look(self, images, names=()):  # noqa: ARG002
        drawn = {each.image.tobytes(): each.mask for each in masked_cases(self.home, STRUCTURES)}
        return [Seen(STRUCTURES, drawn[image.tobytes()], {}, {}, {}) for image in images]


def test_every_structure_is_measured_on_the_test_fold(home: SiteHome) -> None:
    found = evaluate(home)
    assert found.patients == len({each.case.patient for each in masked_cases(home, STRUCTURES, fold="test")})
    assert {fit.structure for fit in found.fits} == set(STRUCTURES)
    assert {fit.by for fit in found.fits} == {"ada"}
    for fit in found.fits:
        assert fit.dice.value is None or 0 <= fit.dice.value <= 1
        assert fit.missed <= fit.images


def test_the_network_of_rounds_is_measured_and_counts_only_where_it_is_named(
    home: SiteHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own,) = segmenter_of(home).experts.values()
    both = Segmenter({"ada": own, AVERAGE: own})
    monkeypatch.setattr(segmentation_evaluation, "segmenter_of", lambda _: both)
    whole, alone = evaluate(home), evaluate(home, [AVERAGE])
    assert {fit.by for fit in whole.fits} == {"ada", AVERAGE, FUSED}
    assert set(whole.shares[LV]) == {"ada"}
    assert {fit.by for fit in alone.fits} == {AVERAGE}
    assert set(alone.shares[LV]) == {AVERAGE}
    with pytest.raises(ConsiliumError, match="--by: there is no expert 'beta', there are ada, average"):
        evaluate(home, ["beta"])


def test_who_says_what_was_drawn_is_perfect_and_near_the_true_ejection_fraction(
    home: SiteHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    experts = segmenter_of(home).experts
    monkeypatch.setattr(segmentation_evaluation, "segmenter_of", lambda home: _Knowing(experts, home))
    found = evaluate(home)
    assert all(fit.dice.value == 1 and fit.hausdorff_mm.value == 0 and not fit.missed for fit in found.fits)
    (fraction,) = found.ejection_fractions
    assert isinstance(fraction, EjectionFraction)
    assert fraction.patients == found.patients
    assert fraction.error.value is not None
    assert fraction.error.value < 8


def test_without_test_patients_it_says_so(tmp_path: Path, kit: Kit, exported: Exported) -> None:
    few = {"patients": 2, "frames": 8, "size": 64}
    home = segmentation_home(tmp_path / "few", kit, exported("camus", **few)[0])
    with pytest.raises(DataError, match="no test patient has an image with a mask"):
        evaluate(home)
