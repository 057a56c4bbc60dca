"""Pairs of frames of clips: which there are, and what is learnt from."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from federated.enrolment import Kit
from site_agent.frame_pairs import MOST, frame_pairs, images_at, learnt_pairs, shown_pairs
from site_agent.home import SiteHome
from site_agent.truth import Clip, clips_of, masks_of
from tests.site_agent.registration_making import SIZE, registration_home
from tests.site_agent.sources.conftest import Exported, exported

__all__ = ["exported"]


@pytest.fixture
def home(tmp_path: Path, kit: Kit, exported: Exported) -> SiteHome:
    return registration_home(tmp_path / "site", kit, exported("camus", **SIZE)[0])


def _clip(home: SiteHome) -> Clip:
    return clips_of(home.archive)[0]


def test_every_frame_is_paired_with_end_diastole_of_its_own_clip(home: SiteHome) -> None:
    clips = clips_of(home.archive)
    pairs = frame_pairs(home, clips)
    frames = {clip.id: len(home.archive.cache.frames(clip.key)) for clip in clips}
    assert Counter(pair.clip.id for pair in pairs) == {clip: count - 1 for clip, count in frames.items()}
    for pair in pairs:
        numbers = home.archive.cache.read(pair.clip.key, "numbers").tolist()
        assert pair.clip.moment(numbers[pair.places[1]]) == "ED"
        assert pair.places[0] != pair.places[1]
        assert (pair.case.id, pair.case.patient) == (pair.clip.id, pair.clip.patient)
        assert (pair.case.place, pair.case.label) == (pair.places[0], pair.clip.label)


def test_where_nobody_said_so_end_diastole_is_the_first_frame(home: SiteHome) -> None:
    pairs = frame_pairs(home, [replace(_clip(home), frames={})])
    assert {pair.places[1] for pair in pairs} == {0}


def test_of_a_long_clip_some_frames_are_kept_and_both_ends_of_the_beat(
    home: SiteHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = np.arange(100, 180)
    monkeypatch.setattr(type(home.archive.cache), "read", lambda *_: numbers)
    clip = replace(_clip(home), frames={107: ("x", "ED"), 133: ("y", "ES")})
    places = [pair.places for pair in frame_pairs(home, [clip])]
    assert {fixed for _, fixed in places} == {7}
    assert len(places) == MOST + 1
    assert {0, 33, 79} < {moving for moving, _ in places}
    assert places == sorted(places)


def test_a_still_has_no_pair(home: SiteHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(home.archive.cache), "read", lambda *_: np.array([0]))
    assert frame_pairs(home, [_clip(home)]) == []


def test_images_of_a_clip_are_held_once_and_pairs_are_of_both_ways(home: SiteHome) -> None:
    clips = clips_of(home.archive)[:2]
    pairs = frame_pairs(home, clips)
    held = learnt_pairs(home, pairs, 96)
    assert held.labels is None
    assert len(held.images) == len(pairs) + len(clips)
    assert held.pairs.shape == (2 * len(pairs), 2)
    assert np.array_equal(held.pairs[: len(pairs)], held.pairs[len(pairs) :, ::-1])
    moving, fixed = images_at(home, pairs, 96)
    for row, (first, second) in enumerate(held.pairs[: len(pairs)]):
        assert np.array_equal(np.rint(held.images[first] * 255), moving[row])
        assert np.array_equal(np.rint(held.images[second] * 255), fixed[row])


def test_label_maps_come_with_pairs_of_which_both_frames_have_one(
    home: SiteHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = _clip(home)
    pairs = frame_pairs(home, [clip])
    shown = list(shown_pairs(home, pairs))
    assert all(each.labels is not None and each.labels[0].shape == each.moving.shape for each in shown)
    (name,) = masks_of(home.archive, clip)
    hidden = pairs[0].places[0]
    from site_agent import frame_pairs as module

    drawn = module.drawn_frames
    monkeypatch.setattr(module, "drawn_frames", lambda *given: (one for one in drawn(*given) if one[1] != hidden))
    held = learnt_pairs(home, pairs, 32, drawn=True)
    assert name == "camus"
    assert held.labels is not None
    with_map = [all(held.labels[number].any() for number in numbers) for numbers in held.pairs[: len(pairs)]]
    assert with_map == [False] + [True] * (len(pairs) - 1)
    assert not held.labels[held.pairs[0]].any(), "of a pair with one map there is none"
    assert len(held.images) == len(pairs) + 2, "end-diastole stands there with its map and without"


def test_what_is_no_structure_is_no_label(home: SiteHome, monkeypatch: pytest.MonkeyPatch) -> None:
    from site_agent import frame_pairs as module

    module._structures.cache_clear()
    monkeypatch.setitem(module.STRUCTURES, "camus", {1: "left ventricle"})
    (first, *_) = shown_pairs(home, frame_pairs(home, [_clip(home)]))
    module._structures.cache_clear()
    assert first.labels is not None
    assert set(np.unique(first.labels[0])) == {0, 1}
