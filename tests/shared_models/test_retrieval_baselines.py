"""What retrieval is compared with: it learns, or correlates, as it should."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from shared_models.clip_encoder import clip_encoder
from shared_models.recipe import Recipe
from shared_models.retrieval_baselines import (
    SupervisedTask,
    correlation_scores,
    pair_network,
    supervised_scores,
)
from shared_models.retrieval_head import ACCURACY
from shared_models.retrieval_pairs import Pairs
from shared_models.training import train

SIDE = 16


def _clips(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Fine stripes or coarse ones."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 2, count)
    columns = np.arange(SIDE) / SIDE
    wave = np.sin(2 * np.pi * (np.array([5, 2])[coarse][:, None] * columns + random.uniform(0, 1, (count, 1))))
    clips = 128 + 80 * wave[:, None, None, :] + random.normal(0, 10, (count, 2, SIDE, SIDE))
    return clips.clip(0, 255).astype(np.uint8), coarse


def _pairs(kinds: np.ndarray, count: int, seed: int) -> Pairs:
    first, second = np.random.default_rng(seed).integers(0, len(kinds), (2, count))
    return Pairs(first, second, kinds[first] + kinds[second] == 2)


def test_the_network_learns_pairs() -> None:
    clips, kinds = _clips(48, 0)
    torch.manual_seed(0)
    network = pair_network(clip_encoder(width=4, dense=16, projected=8, stride=2, cells=2), 8)
    pairs = _pairs(kinds, 160, 0)
    task = SupervisedTask(network, clips, pairs, pairs)
    before = task.validate()[ACCURACY]
    recipe = Recipe(epochs=6, batch=16, rate=5e-3, seed=0, optimiser="adam", metric=ACCURACY)
    done = train(task, recipe, device="cpu")
    assert done.history[done.best_epoch - 1][ACCURACY] > max(0.85, before)
    others, held = _clips(24, 1)
    test = _pairs(held, 60, 1)
    assert ((supervised_scores(network, others)(test.first, test.second) > 1 / 2) == test.same).mean() > 0.8


def test_no_figure_without_validation() -> None:
    clips, kinds = _clips(4, 0)
    network = pair_network(clip_encoder(width=2, dense=4, projected=4), 4)
    assert SupervisedTask(network, clips, _pairs(kinds, 4, 0)).validate() == {}


def test_a_frame_correlates_with_itself_whatever_its_gain() -> None:
    random = np.random.default_rng(0)
    frame = random.integers(20, 120, (SIDE, SIDE), dtype=np.uint8)
    clips = np.stack([frame, 2 * frame + 5, 255 - frame, random.integers(0, 256, frame.shape, np.uint8)])[:, None]
    scores = correlation_scores(clips)
    found = scores(np.zeros(4, np.int64), np.arange(4))
    assert found[:3] == pytest.approx([1, 1, -1], abs=1e-5)
    assert abs(found[3]) < 0.3


def test_a_frame_that_is_moved_is_found_where_moving_is_allowed() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE), dtype=np.uint8)
    clips = np.stack([frame, np.roll(frame, 2, axis=1)])[:, None]
    one, other = np.array([0]), np.array([1])
    assert correlation_scores(clips)(one, other)[0] < 0.5
    assert correlation_scores(clips, shift=2)(one, other)[0] == pytest.approx(1, abs=1e-5)


def test_smoothing_takes_away_grain() -> None:
    random = np.random.default_rng(0)
    plain = np.zeros((SIDE, SIDE)) + 100 * (np.arange(SIDE) > 7)
    clips = np.stack([plain + random.normal(60, 40, plain.shape) for _ in range(2)])[:, None].clip(0, 255)
    rough, smooth = (
        correlation_scores(clips.astype(np.uint8), each)(np.array([0]), np.array([1]))[0] for each in (0.0, 1.5)
    )
    assert smooth > rough


def test_a_frame_of_one_grey_correlates_with_nothing() -> None:
    clips = np.full((2, 1, 8, 8), 9, np.uint8)
    assert correlation_scores(clips)(np.array([0]), np.array([1]))[0] == 0
