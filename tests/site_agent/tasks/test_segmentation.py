"""What a site learns and sends of the structures that were drawn in its images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from federated.disclosure import Limits
from federated.enrolment import Kit
from federated.errors import DataError, DisclosureError
from federated.manifest import WeightsManifest, unpack_tensors
from shared_models.image_reference import reference_in
from shared_models.registry import state_form
from site_agent.drafts import check_draft
from site_agent.home import SiteHome
from site_agent.local_experts import kept
from site_agent.policy import permissive_policy
from site_agent.tasks.segmentation import (
    TASK,
    draft,
    lesson,
    selection,
    structures_of,
    train,
)
from site_agent.truth import LA, LV, MYOCARDIUM, masked_cases
from tests.site_agent.segmentation_making import segmentation_home
from tests.site_agent.sources.conftest import Exported, exported

__all__ = ["exported"]

SIZE = {"patients": 8, "frames": 8, "size": 64}
BATCH = "b0001"
OPEN = permissive_policy("test", "ada")


@pytest.fixture
def home(tmp_path: Path, kit: Kit, exported: Exported) -> SiteHome:
    return segmentation_home(tmp_path / "site", kit, exported("camus", **SIZE)[0])


def test_structures_are_the_federations_own(home: SiteHome) -> None:
    assert structures_of(home) == (LV, MYOCARDIUM, LA)


def test_a_lesson_has_the_folds_that_are_learnt_from(home: SiteHome) -> None:
    taught = lesson(home, BATCH)
    assert taught.structures == (LV, MYOCARDIUM, LA)
    assert set(taught.folds) <= {"train", "validation", "calibration"}
    assert {value for each in taught.folds["train"] for value in np.unique(each.mask)} == {0, 1, 2, 3}
    assert {row.label for row in taught.selection.folds["train"]} == {LV, MYOCARDIUM, LA}


def test_a_structure_of_too_few_patients_is_taught_as_background(home: SiteHome) -> None:
    patients = sorted({each.case.patient for each in masked_cases(home, [LA], fold="train")})
    with pytest.raises(DisclosureError, match="no label has 99 training patients"):
        lesson(home, BATCH, Limits(cell=99, batch=1))
    assert lesson(home, BATCH, Limits(cell=len(patients), batch=1)).structures == (LV, MYOCARDIUM, LA)


def test_it_is_trained_once_and_carries_its_reference(home: SiteHome) -> None:
    first = train(home, BATCH)
    assert len(first.history) == 2
    changed = first.path.stat().st_mtime_ns
    again = train(home, BATCH)
    assert again.path == first.path
    assert again.path.stat().st_mtime_ns == changed
    assert [each.path for each in kept(home, TASK)] == [first.path]
    assert reference_in(first.expert.state).patients > 0
    assert not first.path.with_suffix("").exists()


def test_other_settings_are_another_expert_in_its_place(home: SiteHome) -> None:
    first = train(home, BATCH)
    home.config = home.config.model_copy(
        update={"segmentation": home.config.segmentation.model_copy(update={"epochs": 1})}
    )
    second = train(home, BATCH)
    assert second.path != first.path
    assert [each.path for each in kept(home, TASK)] == [second.path]


def test_what_leaves_is_the_network_with_counts_by_structure(home: SiteHome) -> None:
    sent = draft(home, "weights", BATCH, OPEN)
    check_draft(sent, federation="test", site="ada", vocabulary=home.vocabulary)
    manifest = sent.manifest
    assert isinstance(manifest, WeightsManifest)
    assert (manifest.architecture, manifest.task, manifest.labels) == ("unet", "segmentation", (LV, MYOCARDIUM, LA))
    assert manifest.config["classes"] == 4
    rows = selection(home, BATCH, OPEN).folds["train"]
    assert manifest.patients[LV] == len({row.patient for row in rows if row.label == LV})
    state = unpack_tensors(sent.tensors, manifest)
    form = {name: (str(array.dtype), array.shape) for name, array in state.items()}
    assert form == state_form("unet", **manifest.config)
    assert draft(home, "weights", BATCH, OPEN).digest == sent.digest


def test_without_a_mask_there_is_nothing_to_learn(home: SiteHome) -> None:
    with pytest.raises(DataError, match="b0007: no training patient has an image with a mask; take in"):
        lesson(home, "b0007")
