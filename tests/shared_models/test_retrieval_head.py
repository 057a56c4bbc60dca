"""Heads on a frozen encoder: what they are given, and that they learn from it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from shared_models import retrieval_training
from shared_models.clip_encoder import clip_encoder, encoded
from shared_models.clip_windows import scaled_greys
from shared_models.recipe import Recipe
from shared_models.retrieval_head import (
    ACCURACY,
    HeadTask,
    compared,
    comparing_head,
    published_head,
    published_reading,
    same_view,
    tripled,
    tripled_pairs,
)
from shared_models.retrieval_pairs import Pairs
from shared_models.training import train

CLIPS = np.random.default_rng(0).integers(0, 256, (6, 5, 16, 16), dtype=np.uint8)
ROWS = np.arange(6)


def _encoder() -> torch.nn.ModuleDict:
    torch.manual_seed(0)
    return clip_encoder(width=2, dense=8, projected=6)


def _pairs(count: int, seed: int) -> tuple[np.ndarray, Pairs]:
    """Codes that point one of four ways, and pairs of them."""
    random = np.random.default_rng(seed)
    ways = random.integers(0, 4, count)
    codes = np.eye(6)[ways] + random.normal(0, 0.05, (count, 6))
    first, second = random.integers(0, count, (2, 4 * count))
    return codes, Pairs(first, second, ways[first] == ways[second])


def test_published_the_encoder_reads_both_clips_in_a_row() -> None:
    encoder = _encoder()
    found = published_reading(encoder, CLIPS)(ROWS[:2], ROWS[2:4])
    row = torch.from_numpy(scaled_greys(np.concatenate([CLIPS[:2], CLIPS[2:4]], axis=1)))
    with torch.no_grad():
        assert torch.allclose(found, encoded(encoder.eval(), row), atol=1e-5)


def test_what_is_published_can_be_the_same_of_two_that_differ() -> None:
    """A mean of two does not tell them from two others of that mean: the reason for ours."""
    seen = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    mean = (seen[0] + seen[1]) / 2
    assert np.array_equal(mean, seen[2])
    apart = compared(seen)
    assert not torch.equal(apart(np.array([0]), np.array([1])), apart(np.array([2]), np.array([2])))


def test_ours_does_not_care_for_order_or_length() -> None:
    codes = np.random.default_rng(1).normal(size=(6, 4))
    read = compared(codes)
    assert torch.equal(read(ROWS[:3], ROWS[3:]), read(ROWS[3:], ROWS[:3]))
    assert torch.allclose(compared(3 * codes)(ROWS[:3], ROWS[3:]), read(ROWS[:3], ROWS[3:]), atol=1e-5)
    assert not read(ROWS, ROWS)[:, :4].any()


def test_it_learns_to_compare() -> None:
    codes, pairs = _pairs(200, 0)
    torch.manual_seed(0)
    head = comparing_head(codes.shape[1], (16,))
    task = HeadTask(head, compared(codes), pairs, pairs)
    train(task, Recipe(epochs=8, batch=32, rate=1e-2, seed=0, metric=ACCURACY), device="cpu")
    others, held = _pairs(100, 1)
    said = same_view(head, compared(others), held.first, held.second)
    assert ((said > 1 / 2) == held.same).mean() > 0.95
    assert said.min() >= 0
    assert said.max() <= 1


def test_heads_fit_what_they_are_given() -> None:
    encoder = _encoder()
    assert same_view(published_head(encoder), published_reading(encoder, CLIPS), ROWS, ROWS).shape == (6,)
    said = retrieval_training.codes(encoder, CLIPS)
    assert same_view(comparing_head(said.shape[1]), compared(said), ROWS, ROWS).shape == (6,)
    assert same_view(comparing_head(said.shape[1]), compared(said), ROWS[:0], ROWS[:0]).shape == (0,)


def test_pairs_come_thrice_as_they_are_erased_and_mirrored() -> None:
    clips = tripled(CLIPS, seed=0)
    assert clips.shape == (18, 5, 16, 16)
    assert np.array_equal(clips[:6], CLIPS)
    assert ((clips[6:12] == 0).sum(axis=(1, 2, 3)) > (CLIPS == 0).sum(axis=(1, 2, 3))).all()
    assert np.array_equal(clips[12:], CLIPS[..., ::-1])
    pairs = tripled_pairs(Pairs(np.array([0]), np.array([5]), np.array([True])), 6)
    assert pairs.first.tolist() == [0, 6, 12]
    assert pairs.second.tolist() == [5, 11, 17]
    assert pairs.same.all()


@pytest.mark.parametrize("held", [None, Pairs(ROWS[:0], ROWS[:0], np.zeros(0, np.bool_))])
def test_without_validation_there_is_no_figure(held: Pairs | None) -> None:
    codes, pairs = _pairs(8, 0)
    assert HeadTask(comparing_head(codes.shape[1]), compared(codes), pairs, held).validate() == {}
