"""What a site learns and sends of the hearts whose volume it knows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from federated.disclosure import Limits
from federated.errors import DataError, DisclosureError
from federated.manifest import WeightsManifest, unpack_tensors
from shared_models.image_reference import reference_in
from shared_models.registry import state_form
from site_agent.drafts import check_draft
from site_agent.heart_planes import CODES
from site_agent.hearts import hearts_of
from site_agent.home import SiteHome
from site_agent.local_experts import kept
from site_agent.policy import permissive_policy
from site_agent.tasks.reconstruction import TASK, draft, lesson, selection, train, views_of
from tests.site_agent.reconstruction_making import BATCH, TINY, VIEWS, reconstruction_home, write_hearts

OPEN = permissive_policy("test", "ada")
A4C, A2C = CODES["A4C"], CODES["A2C"]


@pytest.fixture
def home(tmp_path: Path) -> SiteHome:
    root = write_hearts(tmp_path / "hearts", 5)
    write_hearts(root, 1, first=5, views=("PLAX", "A4C"))
    return reconstruction_home(tmp_path / "site", root)


def test_a_lesson_has_the_folds_that_are_learnt_from_and_the_views_asked_for(home: SiteHome) -> None:
    taught = lesson(home, BATCH)
    assert (taught.views, taught.codes) == (VIEWS, (A4C, A2C))
    assert set(taught.folds) <= {"train", "validation", "calibration"}
    assert {view for hearts in taught.folds.values() for heart in hearts for view in heart.views} == set(VIEWS)
    rows = taught.selection.folds["train"]
    assert len(rows) == sum(len(heart.views) for heart in taught.folds["train"])
    assert {row.label for row in rows} == {A4C, A2C}


def test_a_view_of_too_few_patients_is_none_that_the_network_is_built_for(home: SiteHome) -> None:
    home.config = home.config.model_copy(update={"reconstruction": TINY.model_copy(update={"views": "PLAX,A4C"})})
    of_plax = {heart.case.patient for heart in hearts_of(home, fold="train") if "PLAX" in heart.views}
    assert len(of_plax) < len({heart.case.patient for heart in hearts_of(home, fold="train")})
    assert lesson(home, BATCH, Limits(cell=len(of_plax) + 1, batch=1)).views == ("A4C",)
    with pytest.raises(DisclosureError, match="no label has 99 training patients"):
        lesson(home, BATCH, Limits(cell=99, batch=1))


def test_it_is_trained_once_and_carries_its_reference(home: SiteHome) -> None:
    first = train(home, BATCH)
    assert len(first.history) == TINY.epochs
    changed = first.path.stat().st_mtime_ns
    assert train(home, BATCH).path == first.path
    assert first.path.stat().st_mtime_ns == changed
    assert [each.path for each in kept(home, TASK)] == [first.path]
    reference = reference_in(first.expert.state)
    patients = {heart.case.patient for heart in lesson(home, BATCH).folds["calibration"]}
    assert reference.patients == len(patients) > 0
    assert not np.allclose(reference.mean, 0)
    home.config = home.config.model_copy(update={"reconstruction": TINY.model_copy(update={"rate": 1e-4})})
    second = train(home, BATCH)
    assert [each.path for each in kept(home, TASK)] == [second.path]
    assert second.path != first.path


def test_what_leaves_is_the_network_with_counts_by_view(home: SiteHome) -> None:
    sent = draft(home, "weights", BATCH, OPEN)
    check_draft(sent, federation="test", site="ada", vocabulary=home.vocabulary)
    manifest = sent.manifest
    assert isinstance(manifest, WeightsManifest)
    assert (manifest.architecture, manifest.task, manifest.labels) == ("pix2vox", TASK, (A4C, A2C))
    assert manifest.config["views"] == "A4C,A2C"
    rows = selection(home, BATCH, OPEN).folds["train"]
    assert manifest.patients[A4C] == len({row.patient for row in rows if row.label == A4C})
    assert manifest.images[A2C] == sum(row.label == A2C for row in rows)
    state = unpack_tensors(sent.tensors, manifest)
    form = {name: (str(array.dtype), array.shape) for name, array in state.items()}
    assert form == state_form("pix2vox", **manifest.config)
    assert draft(home, "weights", BATCH, OPEN).digest == sent.digest


def test_without_a_heart_there_is_nothing_to_learn(home: SiteHome) -> None:
    with pytest.raises(DataError, match="b0007: no training patient has a heart with a picture of A4C or A2C; take in"):
        lesson(home, "b0007")


def test_a_volume_that_is_coarser_than_the_networks_is_told(home: SiteHome) -> None:
    home.config = home.config.model_copy(update={"reconstruction": TINY.model_copy(update={"size": 64})})
    with pytest.raises(DataError, match="hearts: a volume has 32 voxels a side, the network makes 64; set a smaller"):
        lesson(home, BATCH)


def test_views_that_the_federation_does_not_know_are_not_taught(home: SiteHome) -> None:
    (home.path / "vocabulary.toml").write_text(
        'name = "one"\n[[concepts]]\ncode = "399232001"\nscheme = "SCT"\nmeaning = "A2C"\n'
        '[[concepts]]\ncode = "x"\nscheme = "99LOCAL"\nmeaning = "x"\n'
    )
    assert views_of(home) == ("A2C",)
    home.config = home.config.model_copy(update={"reconstruction": TINY.model_copy(update={"views": "A4C"})})
    with pytest.raises(DataError, match="the federation's labels hold none of the views A4C"):
        views_of(home)
