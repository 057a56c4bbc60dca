"""Figures of a candidate are those that the counts of its reports give, worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest

from federated.assessment import MEASURES, NO_RELEASE_BEFORE, Assessment, Finding, Judged, Reported, assess, recalls
from federated.canonical import digest
from federated.change_plan import OF_LABELS, OF_SITES, ChangePlan, Criterion, Measure, Planned
from federated.manifest import manifest_digest

SITES = ("ada", "ben")
LABELS = ("plax", "a4c", "a2c", "psax")
COUNTS = {  # right and wrong answers by label; wrong ones go to the next label
    "ada": {"plax": (8, 2), "a4c": (5, 5), "a2c": (10, 0)},
    "ben": {"a4c": (9, 1), "psax": (3, 1)},
}


def _confusion(counts: dict[str, tuple[int, int]]) -> Any:
    found = np.zeros((len(LABELS), len(LABELS)), np.int64)
    for label, (right, wrong) in counts.items():
        row = LABELS.index(label)
        found[row, row], found[row, (row + 1) % len(LABELS)] = right, wrong
    return found


@pytest.fixture
def judged(federation: Any) -> Judged:
    """A candidate of two sites whose reports count what is written above."""
    built = federation.candidate(SITES)
    assert built.manifest.labels == LABELS
    reports = {}
    for site, (_, manifest, tensors) in federation.reports(built, SITES).items():
        counted = tensors | {"confusion": _confusion(COUNTS[site])}
        reports[site] = Reported(digest(site.encode()), manifest, counted)
    return Judged(built.manifest, reports)


@pytest.fixture
def before(judged: Judged) -> Judged:
    """The same model, with which nobody was ever wrong."""
    perfect = {
        site: replace(each, tensors=each.tensors | {"confusion": np.diag(each.tensors["confusion"].sum(axis=1))})
        for site, each in judged.reports.items()
    }
    return Judged(judged.manifest, perfect)


def _planned(*criteria: Criterion, may: tuple[Any, ...] = ()) -> Planned:
    plan = ChangePlan(federation="test", name="plan", may_change=may, criteria=criteria)
    return Planned(plan=plan, digest=digest(repr(plan).encode()))


def _found(judged: Judged, before: Judged | None = None, **criterion: Any) -> Finding:
    (finding,) = assess(_planned(Criterion(**criterion)), judged, before).findings
    return finding


@pytest.mark.parametrize(
    ("criterion", "found", "note"),
    [
        ({"measure": "balanced-accuracy", "site": "ada"}, (0.8 + 0.5 + 1.0) / 3, ""),
        ({"measure": "balanced-accuracy", "site": "ben"}, (0.9 + 0.75) / 2, ""),
        ({"measure": "balanced-accuracy"}, (0.8 + 14 / 20 + 1.0 + 0.75) / 4, ""),
        ({"measure": "balanced-accuracy", "each": "site"}, (0.8 + 0.5 + 1.0) / 3, "ada"),
        ({"measure": "recall", "label": "a4c"}, 0.7, ""),
        ({"measure": "recall", "label": "a4c", "site": "ada"}, 0.5, ""),
        ({"measure": "recall", "each": "label"}, 0.7, "a4c"),
        ({"measure": "reporting-sites"}, 2.0, ""),
        ({"measure": "calibrated-sites"}, 2.0, ""),
    ],
)
def test_figures_are_those_of_the_counts(judged: Judged, criterion: dict[str, Any], found: float, note: str) -> None:
    finding = _found(judged, at_least=0.0, **criterion)
    assert finding.found == pytest.approx(found, abs=1e-9)
    assert (finding.ok, finding.note) == (True, note)
    assert not _found(judged, at_least=found + 1e-6, **criterion).ok


def test_a_drop_is_against_the_release_before(judged: Judged, before: Judged) -> None:
    drops = {"ada": (0.2 + 0.5 + 0.0) / 3, "ben": (0.1 + 0.25) / 2}
    for site, drop in drops.items():
        assert _found(judged, before, measure="drop", site=site, at_most=1.0).found == pytest.approx(drop, abs=1e-9)
    worst = _found(judged, before, measure="drop", each="site", at_most=0.2)
    assert worst.found == pytest.approx(drops["ada"], abs=1e-9)
    assert (worst.note, worst.ok) == ("ada", False)
    worst = _found(judged, before, measure="drop", each="label", at_most=0.3)
    assert worst.found == pytest.approx(0.3)
    assert (worst.note, worst.ok) == ("a4c", True)
    assert _found(before, judged, measure="drop", at_most=0.0).found == pytest.approx(-(0.2 + 0.3 + 0.25) / 4)


def test_what_was_not_there_before_cannot_have_fallen(judged: Judged, before: Judged) -> None:
    alone = Judged(
        before.manifest.model_copy(update={"sites": before.manifest.sites[:1]}), {"ada": before.reports["ada"]}
    )
    assert _found(judged, alone, measure="drop", each="site", at_most=1.0).note == "ada"
    assert _found(judged, alone, measure="drop", each="label", at_most=1.0).found is None  # psax was counted by nobody


def test_without_a_release_before_there_is_nothing_to_compare(judged: Judged) -> None:
    for measure in ("drop", "changed-sites"):
        finding = _found(judged, None, measure=measure, at_most=0.0)
        assert (finding.found, finding.ok, finding.note) == (None, True, NO_RELEASE_BEFORE)


def test_what_nobody_counted_is_not_met(judged: Judged) -> None:
    silent = Judged(judged.manifest, {"ada": judged.reports["ada"]})
    finding = _found(silent, measure="balanced-accuracy", each="site", at_most=1.0)
    assert (finding.found, finding.ok, finding.note) == (None, False, "ben")
    nobody: tuple[dict[str, Any], ...] = ({"measure": "recall", "label": "sub"}, {"measure": "answered", "site": "cem"})
    for criterion in nobody:
        finding = _found(judged, at_least=0.0, **criterion)
        assert (finding.found, finding.ok, finding.note) == (None, False, "nobody counted")


def test_both_limits_are_looked_at(judged: Judged) -> None:
    """The smallest figure is within them, the largest is not."""
    assert not _found(judged, measure="recall", each="label", at_least=0.1, at_most=0.9).ok


def test_the_share_answered_counts_patients_whom_their_own_site_does_not_refuse(judged: Judged) -> None:
    """One patient in forty lies far below the others: p = 2/41 < 0.05 = alpha."""
    for site, own in (("ada", 1), ("ben", 0)):
        counts = np.zeros(320, np.int64)
        counts[200], counts[3] = 40 - own, own
        judged.reports[site].tensors["calibration.clip"] = counts
    assert judged.manifest.alpha == 0.05
    assert _found(judged, measure="answered", site="ada", at_least=0.0).found == pytest.approx(39 / 40)
    assert _found(judged, measure="answered", site="ben", at_least=0.0).found == 1.0
    assert _found(judged, measure="answered", at_least=0.0).found == pytest.approx(79 / 80)
    judged.reports["ada"].tensors["calibration.clip"] = np.zeros(320, np.int64)
    assert _found(judged, measure="calibrated-sites", at_least=1.0).found == 1.0


def test_patients_are_those_that_sites_say(judged: Judged) -> None:
    each = [one.manifest.validation_patients for one in judged.reports.values()]
    assert _found(judged, measure="validation-patients", at_least=1.0).found == sum(each)
    assert _found(judged, measure="validation-patients", each="site", at_least=1.0).found == min(each)


def test_a_site_made_of_something_else_is_counted(judged: Judged, before: Judged) -> None:
    other = judged.manifest.sites[0].model_copy(update={"contributions": (digest(b"new"),)})
    changed = Judged(judged.manifest.model_copy(update={"sites": (other, *judged.manifest.sites[1:])}), judged.reports)
    assert _found(changed, before, measure="changed-sites", at_most=0.0).found == 1.0
    found = assess(_planned(Criterion(measure="answered", at_least=0.0), may=("rule",)), changed, before)
    assert (found.changes, found.outside) == (("contributions",), ("contributions",))
    allowed = assess(_planned(Criterion(measure="answered", at_least=0.0), may=("contributions",)), changed, before)
    assert (allowed.changes, allowed.outside) == (("contributions",), ())


def test_an_assessment_is_computed_again_to_the_same_bytes(judged: Judged, before: Judged) -> None:
    plan = _planned(
        *(
            Criterion(measure=name, at_least=0.0, label="a4c" if name == "recall" else None)
            for name in get_args(Measure)
        )
    )
    one, two = (assess(plan, judged, before) for _ in range(2))
    assert one.to_bytes() == two.to_bytes()
    assert Assessment.model_validate_json(one.to_bytes()) == one
    assert (one.candidate, one.before) == (manifest_digest(judged.manifest), manifest_digest(before.manifest))
    assert one.reports == {site: digest(site.encode()) for site in SITES}
    judged.reports["ada"].tensors["confusion"][0, 0] += 1
    assert assess(plan, judged, before).digest != one.digest


def test_failed_criteria_are_told(judged: Judged) -> None:
    plan = _planned(Criterion(measure="answered", at_least=0.0), Criterion(measure="balanced-accuracy", at_least=0.99))
    assert [each.criterion.measure for each in assess(plan, judged, None).failed] == ["balanced-accuracy"]


def test_labels_of_nobody_have_no_recall(judged: Judged) -> None:
    assert set(recalls(judged, "ben")) == {"a4c", "psax"}
    assert recalls(judged, "cem") == {}


def test_every_measure_is_known_to_the_plan() -> None:
    assert set(MEASURES) == set(get_args(Measure))
    assert OF_LABELS < OF_SITES < set(MEASURES)
