"""Which pairs of a batch's clips teach, and whether an expert is sent."""

from __future__ import annotations

from pathlib import Path
from sqlite3 import connect

import pytest

from federated.disclosure import Limits
from federated.enrolment import Kit
from federated.errors import DataError
from site_agent.frame_pairs import FramePair, frame_pairs
from site_agent.home import SiteHome
from site_agent.tasks.clip_lesson import ClipLesson, clip_lesson, is_sent
from site_agent.truth import clips_of
from tests.site_agent.registration_making import BATCH, SIZE, registration_home
from tests.site_agent.sources.conftest import Exported, exported

__all__ = ["exported"]

FREE = Limits(cell=1, batch=1)


@pytest.fixture
def home(tmp_path: Path, kit: Kit, exported: Exported) -> SiteHome:
    return registration_home(tmp_path / "site", kit, exported("camus", **SIZE)[0])


def _lesson(home: SiteHome, *, unlabelled: bool) -> ClipLesson[FramePair]:
    return clip_lesson(home, BATCH, FREE, frame_pairs, unlabelled=unlabelled, nothing="nothing moves")


def _unlabel(home: SiteHome, which: str) -> None:
    with connect(home.catalogue_path) as catalogue:
        catalogue.execute(f"UPDATE clips SET label = NULL WHERE {which}")


def test_rows_of_the_filters_are_the_pairs_that_are_learnt_from(home: SiteHome) -> None:
    taught = _lesson(home, unlabelled=True)
    assert "test" not in taught.folds
    for fold, pairs in taught.folds.items():
        assert [pair.case for pair in pairs] == taught.selection.folds[fold]
        assert {pair.clip.fold for pair in pairs} == {fold}


def test_clips_that_nobody_labelled_teach_only_where_they_may(home: SiteHome) -> None:
    first = clips_of(home.archive, fold="train")[0].id
    _unlabel(home, f"id = {first}")
    with_all, labelled = (_lesson(home, unlabelled=each) for each in (True, False))
    assert {pair.clip.id for pair in with_all.folds["train"]} - {pair.clip.id for pair in labelled.folds["train"]} == {
        first
    }
    assert with_all.labels == labelled.labels
    assert "" not in with_all.labels


def test_an_expert_is_sent_in_a_federation_of_its_task_where_a_clip_has_a_label(home: SiteHome) -> None:
    assert is_sent(home, "registration", BATCH)
    assert not is_sent(home, "retrieval", BATCH)
    _unlabel(home, "1")
    assert not is_sent(home, "registration", BATCH)
    with pytest.raises(DataError, match="batch b0001: nothing moves; take in clips"):
        _lesson(home, unlabelled=False)
