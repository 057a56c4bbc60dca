"""What a site learns and sends of the contours that were drawn in its images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from federated.disclosure import Limits
from federated.enrolment import Kit
from federated.errors import ConsiliumError, DataError, DisclosureError
from federated.manifest import WeightsManifest, unpack_tensors
from shared_models.image_reference import reference_in
from shared_models.registry import state_form
from site_agent.contour_truth import contoured_cases
from site_agent.drafts import check_draft
from site_agent.home import SiteHome
from site_agent.local_experts import kept
from site_agent.network_settings import NetworkSettings
from site_agent.policy import permissive_policy
from site_agent.tasks.contour import REFERENCE, TASK, contoured_of, draft, lesson, selection, train
from tests.site_agent.contour_making import BATCH, SETTINGS, SIZE, contour_home
from tests.site_agent.sources.conftest import Exported, exported

__all__ = ["exported"]

FOUR, TWO = "399214001", "399232001"
OPEN = permissive_policy("test", "ada")


@pytest.fixture
def home(tmp_path: Path, kit: Kit, exported: Exported) -> SiteHome:
    return contour_home(tmp_path / "site", kit, exported("camus", **SIZE)[0])


def test_a_lesson_has_views_as_labels(home: SiteHome) -> None:
    taught = lesson(home, BATCH)
    assert set(taught.views) == {FOUR, TWO}
    assert set(taught.folds) <= {"train", "validation", "calibration"}
    assert {row.label for row in taught.selection.folds["train"]} == {FOUR, TWO}
    rows = [(row.key, row.frame) for row in taught.selection.folds["train"]]
    assert [(each.case.key, each.case.frame) for each in taught.folds["train"]] == rows


def test_images_of_any_size_are_brought_to_one_with_their_points(home: SiteHome) -> None:
    cases = contoured_cases(home)[:3]
    found = contoured_of(cases, 32)
    assert found.images.shape == (3, 32, 32)
    height, width = cases[0].image.shape
    assert found.points[0] == pytest.approx((cases[0].points + 0.5) * (32 / np.array([width, height])) - 0.5)


def test_it_is_trained_once_and_carries_its_reference(home: SiteHome) -> None:
    first = train(home, BATCH)
    changed = first.path.stat().st_mtime_ns
    again = train(home, BATCH)
    assert (again.path, again.path.stat().st_mtime_ns) == (first.path, changed)
    assert [each.path for each in kept(home, TASK)] == [first.path]
    assert reference_in(first.expert.state, REFERENCE).patients > 0
    assert reference_in(first.expert.state, REFERENCE).mean.any()


def test_what_leaves_is_the_network_with_counts_by_view(home: SiteHome) -> None:
    sent = draft(home, "weights", BATCH, OPEN)
    check_draft(sent, federation="test", site="ada", vocabulary=home.vocabulary)
    manifest = sent.manifest
    assert isinstance(manifest, WeightsManifest)
    assert (manifest.architecture, manifest.task) == ("contour_network", "contour")
    assert set(manifest.labels) == {FOUR, TWO}
    rows = selection(home, BATCH, OPEN).folds["train"]
    assert manifest.patients[FOUR] == len({row.patient for row in rows if row.label == FOUR})
    state = unpack_tensors(sent.tensors, manifest)
    form = {name: (str(array.dtype), array.shape) for name, array in state.items()}
    assert form == state_form("contour_network", **manifest.config)
    assert draft(home, "weights", BATCH, OPEN).digest == sent.digest


def test_views_of_too_few_patients_do_not_leave(home: SiteHome) -> None:
    with pytest.raises(DisclosureError, match="no label has 99 training patients"):
        lesson(home, BATCH, Limits(cell=99, batch=1))


def test_without_a_contour_there_is_nothing_to_learn(tmp_path: Path, kit: Kit, exported: Exported) -> None:
    home = contour_home(tmp_path / "none", kit, exported("tmed2", patients=2, size=64)[0])
    with pytest.raises(DataError, match=r"no image has a contour of the left ventricle.*take in apical views"):
        lesson(home, BATCH)


def test_one_patient_alone_is_learnt_from_or_refused_in_one_line(tmp_path: Path, kit: Kit, exported: Exported) -> None:
    home = contour_home(tmp_path / "one", kit, exported("camus", **SIZE | {"patients": 1})[0])
    fold = contoured_cases(home)[0].case.fold
    if fold == "train":
        assert reference_in(train(home, BATCH).expert.state, REFERENCE).patients == 0
    else:
        with pytest.raises(DataError, match="no training patient has an image with a contour"):
            train(home, BATCH)


def test_a_side_that_the_network_cannot_take_is_told_in_one_line(tmp_path: Path, kit: Kit, exported: Exported) -> None:
    settings = NetworkSettings(**SETTINGS.model_dump() | {"side": 20})
    home = contour_home(tmp_path / "odd", kit, exported("camus", **SIZE)[0], settings)
    with pytest.raises(ConsiliumError, match=r"take a multiple of 8; mend \[contour\] of config.toml"):
        train(home, BATCH)
