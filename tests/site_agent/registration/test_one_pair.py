"""A shift that is known, found by descent and by a network; and what settings cannot be."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from federated.errors import ConsiliumError
from shared_models.registration.fourier_net import FourierNet
from shared_models.registration.similarity import SIMILARITIES
from site_agent.registration.grids import picture_grid
from site_agent.registration.image_files import GreyImage
from site_agent.registration.one_pair import SMOOTHNESS, Settings, normalised, register_pair
from site_agent.registration.placement import PlacedPair, placed
from tests.site_agent.registration.image_making import blob

SIZE = (32, 40)


def pair_of(moving: NDArray[np.float64], fixed: NDArray[np.float64]) -> PlacedPair:
    grid = picture_grid(*SIZE, None)
    return placed(GreyImage("moving", moving, grid), GreyImage("fixed", fixed, grid))


def test_a_spot_is_followed_along_both_axes() -> None:
    found = register_pair(pair_of(blob(SIZE, (2, -3)), blob(SIZE, (0, 0))), Settings("mse", steps=40))
    assert found.field.shape == (2, *SIZE)
    assert found.field[:, 15:17, 19:21].mean(axis=(1, 2)) == pytest.approx([2, -3], abs=0.4)
    assert found.after < found.before / 10
    assert 2 <= found.steps <= 80


@pytest.mark.parametrize("similarity", ["mse", "local_ncc"])
@pytest.mark.parametrize("diffeomorphic", [False, True])
def test_forces_follow_a_spot(similarity: str, diffeomorphic: bool) -> None:
    settings = Settings(similarity, diffeomorphic=diffeomorphic, way="forces")
    found = register_pair(pair_of(blob(SIZE, (2, -3)), blob(SIZE, (0, 0))), settings)
    assert found.field[:, 15:17, 19:21].mean(axis=(1, 2)) == pytest.approx([2, -3], abs=0.4)
    assert found.after < found.before
    assert found.steps == 40


def test_a_network_is_asked_and_refined() -> None:
    torch.manual_seed(0)
    network = FourierNet(2, 2).eval()
    pair = pair_of(blob(SIZE, (2, 0)), blob(SIZE, (0, 0)))
    asked = register_pair(pair, Settings("mse"), network)
    assert asked.steps == 0
    refined = register_pair(pair, Settings("mse", refine=5), network)
    assert refined.steps == 5
    assert refined.after < asked.after
    with pytest.raises(ConsiliumError, match=r"moving to fixed: images of 2 dimensions, and a network of 3"):
        register_pair(pair, Settings("mse"), FourierNet(3, 2).eval())


def test_greys_lie_between_nought_and_one() -> None:
    values = np.concatenate([np.linspace(0, 100, 1001), [10_000.0]])
    found = normalised(values)
    assert (found.min(), found.max()) == (0, 1)
    assert found[500] == pytest.approx(0.5, abs=0.02)
    lone = normalised(np.array([0.0] * 1000 + [5.0]))
    assert (lone[0], lone[-1]) == (0, 1)


def test_every_similarity_has_its_smoothness() -> None:
    assert SMOOTHNESS.keys() == SIMILARITIES.keys()
    assert Settings("mse", 0.5).weight == 0.5
    assert Settings("mse").weight == SMOOTHNESS["mse"]


def test_settings_that_cannot_be() -> None:
    with pytest.raises(ConsiliumError, match="the similarity 'ssd': is not known; there are mse, local_ncc"):
        Settings("ssd")
    with pytest.raises(ConsiliumError, match="--steps: is 0; 1 or more"):
        Settings(steps=0)
    with pytest.raises(ConsiliumError, match="--smoothness: is -1; 0 or more"):
        Settings(smoothness=-1)
    with pytest.raises(ConsiliumError, match="--by 'force': is no way; there are descent, forces"):
        Settings(way="force")
    with pytest.raises(ConsiliumError, match="'self_similarity': is not known; there are mse"):
        Settings("self_similarity", way="forces")
    with pytest.raises(ConsiliumError, match="--smoothness: is 0; forces want some"):
        Settings(smoothness=0, way="forces")
