"""What a site learns and sends of motion in its clips."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from sqlite3 import connect

import numpy as np
import pytest
from PIL import Image

from federated.disclosure import Limits
from federated.enrolment import Kit
from federated.errors import ConsiliumError, DataError, DisclosureError
from federated.manifest import WeightsManifest, unpack_tensors
from shared_models.image_reference import reference_in
from shared_models.registration.registration_training import DICE, FOLDED, SIMILARITY, RegistrationTask
from shared_models.registry import state_form
from site_agent.drafts import check_draft
from site_agent.home import SiteHome
from site_agent.intake.ingest import ingest
from site_agent.local_experts import kept
from site_agent.network_settings import RegistrationSettings
from site_agent.policy import permissive_policy
from site_agent.tasks.registration import TASK, draft, lesson, selection, train
from site_agent.truth import clips_of
from tests.site_agent.registration_making import BATCH, SETTINGS, SIZE, registration_home
from tests.site_agent.sources.conftest import Exported, exported

__all__ = ["exported"]

OPEN = permissive_policy("test", "ada")


@pytest.fixture
def home(tmp_path: Path, kit: Kit, exported: Exported) -> SiteHome:
    return registration_home(tmp_path / "site", kit, exported("camus", **SIZE)[0])


def test_a_lesson_has_the_folds_that_are_learnt_from_and_no_patient_in_two(home: SiteHome) -> None:
    taught = lesson(home, BATCH)
    assert taught.labels == ("399214001", "399232001")
    assert set(taught.folds) <= {"train", "validation", "calibration"}
    patients = {fold: {pair.clip.patient for pair in pairs} for fold, pairs in taught.folds.items()}
    assert sum(map(len, patients.values())) == len(set.union(*patients.values()))
    with pytest.raises(DisclosureError, match="no label has 99 training patients"):
        lesson(home, BATCH, Limits(cell=99, batch=1))


def test_it_is_trained_once_judged_by_validation_patients_and_carries_its_reference(home: SiteHome) -> None:
    first = train(home, BATCH)
    assert "validation" in lesson(home, BATCH).folds
    assert [set(epoch) >= {SIMILARITY, FOLDED, DICE} for epoch in first.history] == 2 * [True]
    assert train(home, BATCH).path == first.path
    assert [each.path for each in kept(home, TASK)] == [first.path]
    held = {pair.clip.patient for pair in lesson(home, BATCH).folds["validation"]}
    assert reference_in(first.expert.state).patients == len(held) > 0, "the data set calibrates by nobody else"


def test_a_training_that_was_stopped_goes_on_to_the_same_network(
    home: SiteHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(home, BATCH)
    whole.path.unlink()
    validate, judged = RegistrationTask.validate, list[int]()

    def stopped(task: RegistrationTask) -> Mapping[str, float]:
        judged.append(1)
        if len(judged) == SETTINGS.epochs:
            raise KeyboardInterrupt
        return validate(task)

    monkeypatch.setattr(RegistrationTask, "validate", stopped)
    with pytest.raises(KeyboardInterrupt):
        train(home, BATCH)
    again = train(home, BATCH)
    assert len(judged) == SETTINGS.epochs + 1, "the first epoch is not learnt again"
    assert again.history == whole.history
    assert all(np.array_equal(again.expert.state[name], array) for name, array in whole.expert.state.items())


def test_what_leaves_is_the_network_with_counts_by_label(home: SiteHome) -> None:
    sent = draft(home, "weights", BATCH, OPEN)
    check_draft(sent, federation="test", site="ada", vocabulary=home.vocabulary)
    manifest = sent.manifest
    assert isinstance(manifest, WeightsManifest)
    assert (manifest.architecture, manifest.task) == ("diff_fourier_net", "registration")
    assert manifest.config == {"side": SETTINGS.side, "width": SETTINGS.width}
    rows = selection(home, BATCH, OPEN).folds["train"]
    assert manifest.patients == {
        label: len({row.patient for row in rows if row.label == label}) for label in manifest.labels
    }
    state = unpack_tensors(sent.tensors, manifest)
    form = {name: (str(array.dtype), array.shape) for name, array in state.items()}
    assert form == state_form("diff_fourier_net", **manifest.config)
    assert draft(home, "weights", BATCH, OPEN).digest == sent.digest


def test_what_was_trained_is_what_leaves_also_where_clips_have_no_label(home: SiteHome) -> None:
    with connect(home.catalogue_path) as catalogue:
        first = "SELECT clips.id FROM clips JOIN patients ON patient = pseudonym WHERE patients.fold = 'train' LIMIT 1"
        catalogue.execute(f"UPDATE clips SET label = NULL WHERE id = ({first})")
    assert len(lesson(home, BATCH).folds["train"]) > len(lesson(home, BATCH, unlabelled=False).folds["train"])
    path = train(home, BATCH).path
    written = path.stat().st_mtime_ns
    draft(home, "weights", BATCH, OPEN)
    assert [(each.path, each.path.stat().st_mtime_ns) for each in kept(home, TASK)] == [(path, written)]


def test_stills_teach_nothing(home: SiteHome, tmp_path: Path) -> None:
    folder = tmp_path / "stills" / "399214001"
    folder.mkdir(parents=True)
    image = home.archive.cache.frames(clips_of(home.archive)[0].key)[0]
    for number in range(3):
        Image.fromarray(image + number).save(folder / f"{number}.png")
    ingest(home.archive, home.image_vocabulary, home.label_map, folder.parent)
    with pytest.raises(DataError, match=r"no training patient has a clip .*, and a still does not move; take in clips"):
        lesson(home, "b0002")


def test_a_width_that_takes_too_much_memory_is_told_with_the_settings(home: SiteHome) -> None:
    settings = RegistrationSettings(side=512, width=64)
    home.config = home.config.model_copy(update={"registration": settings})
    with pytest.raises(ConsiliumError, match=r"numbers an image in one layer.*; mend \[registration\] of config.toml"):
        train(home, BATCH)
