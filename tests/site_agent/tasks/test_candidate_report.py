"""What a site reports on a candidate: counts over held-back patients, and covariances only of many."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest

from federated.disclosure import Limits, evaluate
from federated.errors import ContractError
from federated.fused_model import FusedModel
from federated.local_fold import LocalFold
from federated.manifest import unpack_tensors
from federated.report import check_report
from site_agent.catalogue import Catalogue
from site_agent.drafts import Draft, check_draft
from site_agent.home import SiteHome
from site_agent.mailbox import Inbox
from site_agent.policy import Policy
from site_agent.tasks.candidate_report import ANY_LABEL, report, step_cells

if TYPE_CHECKING:
    from tests.site_agent.conftest import Federation


@pytest.fixture
def ada(federation: Federation) -> SiteHome:
    """A site with a candidate in its inbox that holds a contribution of its own."""
    home = federation.hospital("ada", {"dark": 24, "light": 24})
    federation.exchange(home)
    federation.coordinator.propose()
    (parcel,) = federation.coordinator.outgoing("ada")
    Inbox(home).put(parcel.to_bytes())
    return home


def _limits(cell: int, batch: int) -> Limits:
    return Limits(cell=cell, batch=batch, gram_share=1e9, difference=1, dominance=1.0)


def _model(home: SiteHome) -> FusedModel:
    (opened,) = Inbox(home).unread()
    return FusedModel.from_release(opened.manifest, opened.tensors)


def _report(home: SiteHome, policy: Policy) -> Draft:
    made = report(home, _model(home), ["b0001"], policy)
    check_draft(made, federation="shades", site="ada", vocabulary=home.vocabulary)
    check_report(made.manifest, unpack_tensors(made.tensors, made.manifest), _model(home).manifest)  # type: ignore[arg-type]
    return made


def _patients(home: SiteHome, fold: str) -> int:
    return len({case.patient for case in Catalogue(home.catalogue_path).cases(fold=fold)})


def test_counts_are_of_the_sites_own_held_back_patients(federation: Federation, ada: SiteHome) -> None:
    made = _report(ada, federation.allow(ada))
    manifest: Any = made.manifest
    tensors = unpack_tensors(made.tensors, manifest)
    assert manifest.calibration_patients == _patients(ada, "calibration")
    assert manifest.validation_patients == _patients(ada, "validation")
    everyone = _patients(ada, "train") + manifest.validation_patients + manifest.calibration_patients
    assert tensors["calibration.clip"].sum() == everyone  # too few for a fold of their own: cross-fitted
    assert manifest.cross_fitted_patients == everyone - manifest.calibration_patients
    assert tensors["confusion"].sum() == len({c.clip for c in Catalogue(ada.catalogue_path).cases(fold="validation")})


def test_a_candidate_gives_the_same_report_again(federation: Federation, ada: SiteHome) -> None:
    policy = federation.allow(ada)
    assert _report(ada, policy).digest == _report(ada, policy).digest


def test_covariances_stay_where_patients_are_too_few_for_them(federation: Federation, ada: SiteHome) -> None:
    policy = federation.allow(ada, report={"limits": Limits(cell=5, batch=5, difference=1)})
    made = _report(ada, policy)
    assert getattr(made.manifest, "labels", None) == ()
    assert made.facts.features is None
    assert "train" not in made.facts.folds
    assert all(check.passed for check in evaluate(made.facts, policy.report.limits, []))


def test_covariances_go_along_where_the_limit_allows(federation: Federation, ada: SiteHome) -> None:
    made = _report(ada, federation.allow(ada, report={"limits": _limits(3, 3)}))
    assert getattr(made.manifest, "labels", None) == ("dark", "light")
    assert made.facts.features == _model(ada).space.size  # under 60


def test_a_fold_of_too_few_patients_is_left_out(federation: Federation, ada: SiteHome) -> None:
    assert _patients(ada, "calibration") == 6
    made = _report(ada, federation.allow(ada, report={"limits": _limits(2, 9)}))
    assert _patients(ada, "validation") == 8
    assert getattr(made.manifest, "calibration_patients", None) == 0
    assert getattr(made.manifest, "validation_patients", None) == 0


def test_refusal_scores_count_over_all_labels_together(federation: Federation, ada: SiteHome) -> None:
    """Three calibration patients a label are enough where six together are asked for."""
    made = _report(ada, federation.allow(ada, report={"limits": _limits(6, 6)}))
    assert len(made.facts.cells["calibration", ANY_LABEL]) == 6
    assert getattr(made.manifest, "calibration_patients", None) == 6
    assert getattr(made.manifest, "validation_patients", None) == 0  # counted by label, four each


def test_patients_with_a_label_that_was_not_contributed_calibrate_nothing(federation: Federation) -> None:
    home = federation.join("ada")
    federation.take_in(home, {"dark": 24, "light": 4})
    strict = {"limits": _limits(5, 5)}
    policy = federation.allow(home, statistics=strict)
    assert federation.exchange(home) == ["statistics accepted"]
    federation.coordinator.propose()
    (parcel,) = federation.coordinator.outgoing("ada")
    Inbox(home).put(parcel.to_bytes())
    dark = {c.patient for c in Catalogue(home.catalogue_path).cases(fold="calibration") if c.label == "dark"}
    assert getattr(_report(home, policy).manifest, "calibration_patients", None) == len(dark)


def test_clips_of_two_patients_with_one_name_stay_apart(federation: Federation) -> None:
    from federated.local_fold import LocalFold
    from site_agent.catalogue import Case
    from site_agent.tasks import candidate_report

    home = federation.hospital("ada", {"dark": 4})
    cases = Catalogue(home.catalogue_path).cases()
    alike = [Case(**{**vars(case), "clip": "clip 1"}) for case in cases]
    plain = SimpleNamespace(manifest=SimpleNamespace(panel=None))
    local = candidate_report._local(home, cast(FusedModel, plain), alike)
    assert isinstance(local, LocalFold)
    assert len(set(local.clips)) == len({case.patient for case in cases})


def test_a_candidate_without_this_site_is_refused(federation: Federation, ada: SiteHome) -> None:
    model = _model(ada)
    sites = tuple(site.model_copy(update={"name": "ben"}) for site in model.manifest.sites)
    model.manifest = model.manifest.model_copy(update={"sites": sites})
    with pytest.raises(ContractError, match="not part of the candidate"):
        report(ada, model, ["b0001"], federation.allow(ada))


def test_validation_scores_standardise_to_the_sites_own_scale(federation: Federation, ada: SiteHome) -> None:
    made = _report(ada, federation.allow(ada))
    standard = unpack_tensors(made.tensors, made.manifest)["standard.clip"]
    assert standard.shape == (3, 2)
    assert (standard[:, 1] > 0).all()
    assert np.isfinite(standard).all()


@pytest.fixture
def by_level(nested: Federation) -> SiteHome:
    """A site that labels some images finely and others coarsely, with a candidate in its inbox."""
    home = nested.hospital("ada", {"dark": 20, "striped": 20, "light": 8})
    nested.exchange(home)
    nested.coordinator.propose()
    (parcel,) = nested.coordinator.outgoing("ada")
    Inbox(home).put(parcel.to_bytes())
    return home


def test_steps_down_are_reported_with_their_patients(nested: Federation, by_level: SiteHome) -> None:
    made = _report(by_level, nested.allow(by_level))
    assert getattr(made.manifest, "steps", None) == ("light",)
    told = made.facts.cells["steps", "light"]  # of all three folds: too few for a fold of their own, so cross-fitted
    cases = [case for case in Catalogue(by_level.catalogue_path).cases() if case.fold != "test"]
    assert told == {case.patient for case in cases if case.label != "light"}
    counts = unpack_tensors(made.tensors, made.manifest)["steps.clip"]
    assert counts.shape[0] == 1
    assert len(told) / 2 <= counts.sum() <= len(told)


def test_steps_of_too_few_patients_stay(nested: Federation, by_level: SiteHome) -> None:
    patients = len(_report(by_level, nested.allow(by_level)).facts.cells["steps", "light"])
    for limits, steps in ((_limits(2, patients), ("light",)), (_limits(2, patients + 1), ())):
        policy = nested.allow(by_level, report={"limits": limits})
        folds = {
            "train": LocalFold(np.zeros((0, 500)), (), (), (), np.zeros(0)),
            "validation": LocalFold(np.zeros((0, 500)), (), (), (), np.zeros(0)),
            "calibration": LocalFold(
                np.zeros((patients, 500)),
                ("dark",) * patients,
                tuple(f"p{number}" for number in range(patients)),
                tuple(f"c{number}" for number in range(patients)),
                np.ones(patients),
            ),
        }
        found = step_cells(_model(by_level), folds, policy.report.limits)
        assert tuple(concept for _, concept in found) == steps
