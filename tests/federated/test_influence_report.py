from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from federated import influence_report as module
from federated.errors import ContractError
from federated.influence_report import InfluenceReport, influence_report
from federated.labelled_images import LabelledImages


def _images(federation: Any) -> LabelledImages:
    folds = {name: federation.folds[name]["test"] for name in sorted(federation.folds)}
    joined = {
        what: tuple(value for fold in folds.values() for value in getattr(fold, what))
        for what in ("patients", "labels")
    }
    return LabelledImages(
        np.concatenate([fold.features for fold in folds.values()]),
        tuple(map(str, range(len(joined["labels"])))),
        tuple(name for name, fold in folds.items() for _ in fold.labels),
        joined["patients"],
        joined["labels"],
        (),
    )


@pytest.fixture(scope="module")
def report(federation: Any) -> InfluenceReport:
    return influence_report(federation.model(federation.release()), _images(federation))


def test_the_parts_agree_with_each_other(report: InfluenceReport) -> None:
    assert (report.images, report.patients) == (288, 72)
    accuracy = report.sites[0].accuracy_with
    assert sum(site.shapley or 0 for site in report.sites) == pytest.approx(accuracy)
    assert {site.site: site.changed for site in report.sites} == {
        site.site: sum(row.changed for row in report.withdrawals if row.site == site.site) for site in report.sites
    }
    assert (
        len(report.changed) == sum(row.changed for row in report.answers) == sum(site.changed for site in report.sites)
    )
    for site in report.sites:
        cells = [row for row in report.withdrawals if row.site == site.site]
        without = sum(row.accuracy_after * row.images for row in cells) / report.images
        assert without == pytest.approx(site.accuracy_without)


def test_golden_numbers(report: InfluenceReport) -> None:
    """Every label but `sub` is taught twice."""
    assert [site.shapley for site in report.sites] == pytest.approx([1 / 3] * 3)
    assert [site.accuracy_without for site in report.sites] == pytest.approx([1, 1, 8 / 9])
    assert [site.changed for site in report.sites] == [0, 0, 32]
    row = next(row for row in report.answers if (row.label, row.site) == ("psax", "cem"))
    shown = (row.contribution, row.evidence, row.removal, row.shapley)
    assert shown == pytest.approx((0.504735, 0.283504, -0.089442, 0.447290), abs=1e-5)
    faithful = {(row.displayed, row.against): row.faithfulness.pooled.value for row in report.faithful}
    assert faithful["contribution", "size"] == pytest.approx(0.931096, abs=1e-5)
    assert faithful["contribution", "drop"] == pytest.approx(0.869344, abs=1e-5)


def test_with_too_many_sites_there_are_no_shapley_values(federation: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_SITES", 2)
    report = influence_report(federation.model(federation.release()), _images(federation))
    assert {site.shapley for site in report.sites} == {None}
    assert {row.shapley for row in report.answers} == {None}
    assert report.sites[2].accuracy_without < report.sites[2].accuracy_with


def test_where_nobody_says_what_images_show_there_is_no_accuracy(federation: Any, report: InfluenceReport) -> None:
    images = replace(_images(federation), labels=())
    found = influence_report(federation.model(federation.release()), images)
    assert (found.sites, found.withdrawals) == ((), ())
    assert (found.answers, found.changed, found.faithful) == (report.answers, report.changed, report.faithful)


def test_clips_are_judged_by_their_own_calibration(federation: Any) -> None:
    model, images = federation.model(federation.release()), replace(_images(federation), unit="clip")
    found = influence_report(model, images)
    best = model.tree.best(model.answer(images.features, "clip").scores)
    told = {row.label: row.answers for row in found.answers}
    assert told == {label: int((best == column).sum()) for column, label in enumerate(model.labels) if label in told}
    assert found.unit == "clip"


def test_no_image_is_one_line(federation: Any) -> None:
    nothing = LabelledImages(np.zeros((0, 24)), (), (), (), (), ())
    with pytest.raises(ContractError, match="features: there is no image in them"):
        influence_report(federation.model(federation.release()), nothing)
