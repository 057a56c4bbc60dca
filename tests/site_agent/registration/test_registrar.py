"""Experts of registration side by side: whose pairs are whose is seen in their shares."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from federated.enrolment import Kit
from federated.errors import ConsiliumError, DataError
from shared_models.image_reference import COUNTS, MEAN
from shared_models.registration_measures import folded_percent
from site_agent.frame_pairs import ShownPair, frame_pairs, shown_pairs
from site_agent.home import SiteHome
from site_agent.panel import Expert
from site_agent.registration.registrar import Registrar, registrar_of
from site_agent.tasks.registration import train
from site_agent.truth import clips_of
from tests.site_agent.registration_making import BATCH, SIZE, registration_home
from tests.site_agent.sources.conftest import Exported, exported

__all__ = ["exported"]


@pytest.fixture
def home(tmp_path: Path, kit: Kit, exported: Exported) -> SiteHome:
    return registration_home(tmp_path / "site", kit, exported("camus", **SIZE)[0])


@pytest.fixture
def own(home: SiteHome) -> Expert:
    return train(home, BATCH).expert


@pytest.fixture
def pair(home: SiteHome) -> ShownPair:
    return _pairs(home).__next__()


def _pairs(home: SiteHome) -> Iterator[ShownPair]:
    return shown_pairs(home, frame_pairs(home, clips_of(home.archive, fold="test")))


def _stranger(own: Expert) -> Expert:
    """An expert to whom every pair is foreign, and that says the opposite."""
    counts = np.zeros_like(own.state[COUNTS])
    counts[160] = 100
    change = {MEAN: own.state[MEAN] + 50, COUNTS: counts, "patch.weight": -own.state["patch.weight"]}
    return replace(own, site="beta", state=dict(own.state) | change)


def test_a_field_is_of_the_images_size_and_folds_nowhere(home: SiteHome, own: Expert) -> None:
    registrar = registrar_of(home)
    assert list(registrar.experts) == ["ada"]
    for shown in _pairs(home):
        found = registrar.register(shown.moving, shown.fixed)
        assert found.field.shape == (2, *shown.moving.shape)
        assert found.field.dtype == np.float32
        assert found.weights == {"ada": 1.0}
        assert 0 < found.p["ada"] <= 1
        assert folded_percent(found.field) == 0


def test_an_expert_to_whom_a_pair_is_foreign_has_the_least_share(pair: ShownPair, own: Expert) -> None:
    alone = Registrar({"ada": own}).register(pair.moving, pair.fixed)
    both = Registrar({"ada": own, "beta": _stranger(own)}).register(pair.moving, pair.fixed)
    assert both.weights["beta"] == pytest.approx((1 / 101) / (1 / 101 + both.p["ada"]))
    assert sum(both.weights.values()) == pytest.approx(1)
    assert abs(alone.field).max() > 0.1
    lengths = [float(np.linalg.norm(each.field)) for each in (both, alone)]
    assert lengths[0] / lengths[1] == pytest.approx(1 - 2 * both.weights["beta"], abs=0.05), "the opposite, by share"


def test_equals_say_what_one_says_and_opposites_nothing(pair: ShownPair, own: Expert) -> None:
    alone = Registrar({"ada": own}).register(pair.moving, pair.fixed)
    twice = Registrar({"ada": own, "bea": replace(own, site="bea")}).register(pair.moving, pair.fixed)
    np.testing.assert_allclose(twice.field, alone.field, atol=1e-4)
    assert twice.weights == {"ada": 0.5, "bea": 0.5}
    turned = replace(own, site="bea", state=dict(own.state) | {"patch.weight": -own.state["patch.weight"]})
    still = Registrar({"ada": own, "bea": turned}).register(pair.moving, pair.fixed)
    np.testing.assert_allclose(still.field, 0, atol=1e-5)


def test_only_those_are_asked_that_are_named(pair: ShownPair, own: Expert) -> None:
    registrar = Registrar({"ada": own, "beta": _stranger(own)})
    assert registrar.register(pair.moving, pair.fixed, ("beta",)).weights == {"beta": 1.0}
    with pytest.raises(ConsiliumError, match="no expert 'gamma', there are ada, beta"):
        registrar.register(pair.moving, pair.fixed, ("gamma",))


def test_a_network_sees_the_pair_at_its_own_side(pair: ShownPair, own: Expert) -> None:
    """The same field in twice as many pixels, as long as the greys are those of blocks of pixels."""
    small, large = (
        Registrar({"ada": own}).register(*(image.repeat(by, 0).repeat(by, 1) for image in _blocks(pair)))
        for by in (1, 2)
    )
    middle = large.field[:, ::2, ::2] / 2
    assert abs(middle - small.field).max() < 0.2 * abs(small.field).max()


def _blocks(pair: ShownPair) -> tuple[np.ndarray, np.ndarray]:
    from shared_models.scaling import resized

    return resized(pair.moving, 32), resized(pair.fixed, 32)


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_images_without_contrast_are_taken(own: Expert, grey: int) -> None:
    image = np.full((40, 50), grey, np.uint8)
    assert np.isfinite(Registrar({"ada": own}).register(image, image).field).all()


def test_what_is_no_pair_is_told(own: Expert) -> None:
    registrar, image = Registrar({"ada": own}), np.zeros((40, 50), np.uint8)
    with pytest.raises(DataError, match="pair: moving and fixed image are 40x50 and 50x40 pixels; bring them to one"):
        registrar.register(image, image.T)
    for wrong in (image[0], image[:1], image.astype(float), image[None]):
        with pytest.raises(DataError, match="fixed image: is "):
            registrar.register(image, wrong)


def test_without_an_expert_it_says_how_to_get_one(home: SiteHome) -> None:
    with pytest.raises(ConsiliumError, match="no expert of registration is here; consilium site train --task regis"):
        registrar_of(home)
