"""What is alike among a site's own images is found, by an encoder and without one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from federated.enrolment import Kit
from federated.errors import ConsiliumError, DataError
from site_agent import asked_experts
from site_agent.asked_experts import AVERAGE
from site_agent.home import SiteHome
from site_agent.local_experts import new_network
from site_agent.panel import Expert
from site_agent.retrieval.evaluation import evaluate
from site_agent.retrieval.similar import (
    Encoders,
    cosines,
    encoders_of,
    has_encoder,
    home_cases,
    images_of,
    similar,
    told,
)
from site_agent.tasks.retrieval import train
from tests.site_agent.retrieval_making import SIZE, retrieval_home, retrieval_kit
from tests.site_agent.sources.conftest import Exported, exported

__all__ = ["exported"]


@pytest.fixture
def home(tmp_path: Path, exported: Exported, kit: Kit) -> SiteHome:
    return retrieval_home(tmp_path / "site", kit, exported("muscle", **SIZE)[0])


def _frame(home: SiteHome, row: int) -> np.ndarray:
    case = home_cases(home)[row]
    return home.archive.cache.frames(case.key, [case.place])[0]


@pytest.mark.parametrize("encoder", [False, True])
def test_an_image_is_most_like_itself(home: SiteHome, encoder: bool) -> None:
    if encoder:
        train(home, "b0001")
    assert has_encoder(home) is encoder
    case = home_cases(home)[20]
    hits = similar(home, [_frame(home, 20)], 5)
    assert len(hits) == 5
    assert hits[0].case.id == case.id
    assert hits[0].similarity == pytest.approx(1, abs=1e-4)
    assert [hit.similarity for hit in hits] == sorted((hit.similarity for hit in hits), reverse=True)
    assert len({hit.case.id for hit in hits}) == 5, "a clip counts once"
    first = told(home, hits)[0]
    assert first.name.endswith(tuple(f"section {number}" for number in (1, 2)))
    assert (first.patient, first.label) == (case.patient, case.label)
    assert np.array_equal(images_of(home, hits)[0], home.archive.cache.frames(case.key, [hits[0].case.place])[0])


def test_encoders_share_a_frame_among_them(home: SiteHome) -> None:
    train(home, "b0001")
    encoders = encoders_of(home)
    weights = encoders.weights({name: encoders.codes(name, [_frame(home, 0)]) for name in encoders.experts})
    assert weights.tolist() == [[1.0]]


def test_the_network_of_rounds_answers_only_where_it_is_named(home: SiteHome) -> None:
    train(home, "b0001")
    (own,) = encoders_of(home).experts.values()
    both, frame = Encoders({"ada": own, AVERAGE: own}), _frame(home, 0)
    said = {name: both.codes(name, [frame]) for name in both.experts}
    assert both.weights(said).tolist() == [[1.0, 0.0]]
    assert both.weights(said, [AVERAGE]).tolist() == [[0.0, 1.0]]
    assert {name: told["share"] for name, told in both.told([frame]).items()} == {"ada": 1}
    assert set(both.told([frame], ["ada", AVERAGE])) == {"ada", AVERAGE}
    with pytest.raises(ConsiliumError, match="--by: there is no expert 'beta', there are ada"):
        similar(home, [frame], 3, ["beta"])


@pytest.mark.parametrize("own", [True, False])
def test_an_encoder_of_another_architecture_that_came_answers_too(
    home: SiteHome, monkeypatch: pytest.MonkeyPatch, own: bool
) -> None:
    if own:
        train(home, "b0001")
    config = {"side": 32, "width": 2, "levels": 2, "stride": 2, "cells": 2, "dense": 8, "projected": 8}
    state = {name: tensor.numpy() for name, tensor in new_network("clip_encoder", config, seed=1).state_dict().items()}
    came = Expert("sha256:" + "0" * 64, "bea", 1, "clip_encoder", dict(config), ("THIGH-L",), state)
    monkeypatch.setattr(asked_experts, "received", lambda _: [came])
    encoders, frame = encoders_of(home), _frame(home, 20)
    assert list(encoders.experts) == (["ada", "bea"] if own else ["bea"])
    (hit,) = similar(home, [frame], 1)
    assert hit.case.id == home_cases(home)[20].id
    assert hit.similarity == pytest.approx(1, abs=1e-4)
    assert [each.by for each in evaluate(home).found] == (["ada", "bea", "all, fused"] if own else ["bea"])


def test_cosines() -> None:
    found = cosines(np.array([[1.0, 0.0], [0.0, 0.0]]), np.array([[2.0, 0.0], [0.0, 3.0], [-1.0, 0.0]]))
    assert found.tolist() == [[1.0, 0.0, -1.0], [0.0, 0.0, 0.0]]


def test_a_site_without_images_or_encoders(tmp_path: Path, kit: Kit) -> None:
    empty = SiteHome.create(tmp_path / "empty", retrieval_kit(kit))
    with pytest.raises(DataError, match="has no images yet"):
        similar(empty, [np.zeros((8, 8), np.uint8)], 3)
    with pytest.raises(ConsiliumError, match="no expert of retrieval is here"):
        encoders_of(empty)
