"""What a site learns and sends of its clips."""

from __future__ import annotations

from pathlib import Path
from sqlite3 import connect

import numpy as np
import pytest

from federated.disclosure import Limits
from federated.enrolment import Kit
from federated.errors import ConsiliumError, DataError, DisclosureError
from federated.manifest import WeightsManifest, unpack_tensors
from shared_models.image_reference import reference_in
from shared_models.place_encoder import CELLS, SIDE, TEMPERATURE, WIDTH, place_encoder
from shared_models.registry import state_form
from site_agent.drafts import check_draft
from site_agent.home import SiteHome
from site_agent.intake.ingest import ingest
from site_agent.local_experts import kept
from site_agent.network_settings import EncoderSettings
from site_agent.policy import permissive_policy
from site_agent.tasks.retrieval import GAP, TASK, different, draft, frames_of, lesson, pairs_of, selection, train
from site_agent.truth import clips_of
from tests.site_agent.retrieval_making import SIZE, retrieval_home
from tests.site_agent.sources.conftest import Exported, exported

__all__ = ["exported"]

BATCH = "b0001"
OPEN = permissive_policy("test", "ada")


@pytest.fixture
def home(tmp_path: Path, kit: Kit, exported: Exported) -> SiteHome:
    return retrieval_home(tmp_path / "site", kit, exported("muscle", **SIZE)[0])


def test_pairs_are_neighbouring_frames_of_one_clip(home: SiteHome) -> None:
    clips = clips_of(home.archive)
    pairs = pairs_of(home, clips)
    assert len(clips) == SIZE["patients"] * 3 * 2
    assert len(pairs) == len(clips) * (SIZE["frames"] - GAP)
    assert {pair.places[1] - pair.places[0] for pair in pairs} == {GAP}
    pair = pairs[3]
    shown = frames_of(home, [pair], 64)[0]
    cached = home.archive.cache.frames(pair.clip.key)
    assert np.array_equal(shown, cached[list(pair.places)])


def test_of_a_picture_that_is_held_a_clip_teaches_one_pair() -> None:
    shown = np.random.default_rng(0).integers(0, 256, (7, 2, 8, 8), dtype=np.uint8)
    shown[[1, 2, 4, 6], 1] = shown[[1, 2, 4, 6], 0]
    assert different(shown, np.array([1, 1, 1, 1, 2, 2, 2])).tolist() == [0, 1, 3, 4, 5]


def test_the_usual_settings_are_those_that_were_measured(home: SiteHome) -> None:
    settings = EncoderSettings()
    assert (settings.side, settings.width, settings.cells) == (SIDE, WIDTH, CELLS)
    assert settings.temperature == TEMPERATURE
    home.config = home.config.model_copy(update={"retrieval": settings})
    found = train(home, BATCH)
    assert len(found.history) == settings.epochs
    assert {name: array.shape for name, array in found.expert.state.items()} == {
        name: tuple(tensor.shape) for name, tensor in place_encoder().state_dict().items()
    }


def test_more_cells_than_the_side_has_are_told_with_the_settings(home: SiteHome) -> None:
    home.config = home.config.model_copy(update={"retrieval": EncoderSettings(side=32, cells=16)})
    with pytest.raises(ConsiliumError, match=r"cells 16; 1 to 8 are taken; mend \[retrieval\] of config.toml"):
        train(home, BATCH)


def test_a_lesson_has_the_folds_that_are_learnt_from(home: SiteHome) -> None:
    taught = lesson(home, BATCH)
    assert taught.labels == ("THIGH-L", "THIGH-R")
    assert set(taught.folds) <= {"train", "validation", "calibration"}
    patients = {fold: {pair.clip.patient for pair in pairs} for fold, pairs in taught.folds.items()}
    assert sum(map(len, patients.values())) == len(set.union(*patients.values()))
    with pytest.raises(DisclosureError, match="no label has 99 training patients"):
        lesson(home, BATCH, Limits(cell=99, batch=1))


def test_it_is_trained_once_and_carries_its_reference(home: SiteHome) -> None:
    first = train(home, BATCH)
    assert len(first.history) == 2
    assert train(home, BATCH).path == first.path
    assert [each.path for each in kept(home, TASK)] == [first.path]
    assert reference_in(first.expert.state).patients > 0


def test_what_leaves_is_the_network_with_counts_by_label(home: SiteHome) -> None:
    sent = draft(home, "weights", BATCH, OPEN)
    check_draft(sent, federation="test", site="ada", vocabulary=home.vocabulary)
    manifest = sent.manifest
    assert isinstance(manifest, WeightsManifest)
    assert (manifest.architecture, manifest.task, manifest.labels) == (
        "place_encoder",
        "retrieval",
        ("THIGH-L", "THIGH-R"),
    )
    rows = selection(home, BATCH, OPEN).folds["train"]
    assert manifest.patients["THIGH-L"] == len({row.patient for row in rows if row.label == "THIGH-L"})
    state = unpack_tensors(sent.tensors, manifest)
    form = {name: (str(array.dtype), array.shape) for name, array in state.items()}
    assert form == state_form("place_encoder", **manifest.config)
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
    from PIL import Image

    folder = tmp_path / "stills" / "THIGH-L"
    folder.mkdir(parents=True)
    for number in range(3):
        grey = np.random.default_rng(number).integers(0, 256, (64, 64), dtype=np.uint8)
        Image.fromarray(grey).save(folder / f"{number}.png")
    ingest(home.archive, home.image_vocabulary, home.label_map, folder.parent)
    with pytest.raises(DataError, match=r"no training patient has a clip .*, and stills have none; take in clips"):
        lesson(home, "b0002")
