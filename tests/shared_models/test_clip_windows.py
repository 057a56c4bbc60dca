"""Windows of clips, and which of them are held still."""

from __future__ import annotations

import numpy as np
import pytest

from shared_models.clip_windows import at_side, scaled_greys, standard_windows, starts, still, windows


def _frames(count: int, side: int = 8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, side, side), dtype=np.uint8)


def test_windows_follow_each_other_and_the_rest_is_left() -> None:
    frames = _frames(27)
    found = windows(frames)
    assert found.shape == (2, 10, 8, 8)
    assert np.array_equal(found[1], frames[10:20])
    assert starts(27, 10, 5).tolist() == [0, 5, 10, 15]
    assert windows(frames[:9]).shape == (0, 10, 8, 8)


def test_a_frozen_picture_is_still_for_all_a_coding_adds_and_a_moving_one_is_not() -> None:
    frozen = np.repeat(_frames(1), 10, axis=0)[None]
    noisy = frozen.copy()
    noisy[0, 3, 0, 0] ^= 1
    assert still(np.concatenate([frozen, noisy, _frames(10)[None]])).tolist() == [True, True, False]


def test_every_frame_runs_from_black_to_white() -> None:
    clips = np.stack([_frames(3) // 4 + 20, np.full((3, 8, 8), 7, np.uint8)])
    found = scaled_greys(clips)
    assert found[0].min(axis=(1, 2)).tolist() == [0.0] * 3
    assert found[0].max(axis=(1, 2)).tolist() == [1.0] * 3
    assert not found[1].any()


@pytest.mark.parametrize(
    ("held", "standard"),
    [
        ("..hh", "..ss"),
        (".hh.", ".ss."),
        ("h.hh.", "..ss."),
        ("hh......", "........"),
        ("....", "...."),
        ("hhhh", "ssss"),
    ],
)
def test_the_standard_view_are_the_last_windows_held(held: str, standard: str) -> None:
    found = standard_windows(np.array([letter == "h" for letter in held]))
    assert "".join("s" if each else "." for each in found) == standard


def test_another_side() -> None:
    assert at_side(_frames(3, 16), 4).shape == (3, 4, 4)
