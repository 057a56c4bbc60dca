"""The loss: what two images are unlike by where a field leads, and how rough the field is."""

from __future__ import annotations

import pytest
import torch

from shared_models.registration.fields import identity_grid, to_normalised
from shared_models.registration.network import Estimate
from shared_models.registration.registration_loss import RegistrationLoss
from shared_models.registration.similarity import SIMILARITIES, mse
from shared_models.registration.smoothness import smoothness


def shifted() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A moving ramp, a fixed one two voxels on, and the field between them, normalised."""
    field = torch.zeros(1, 2, 9, 12)
    field[:, 1] = 2
    ramp = torch.arange(12.0).expand(1, 1, 9, 12)
    return ramp, (ramp + 2).clamp(max=11), to_normalised(field)


def test_the_true_field_costs_nothing() -> None:
    moving, fixed, field = shifted()
    loss = RegistrationLoss("mse", 1.0)
    assert loss(Estimate(field, field), moving, fixed, "border").item() == pytest.approx(0, abs=1e-9)
    assert loss(Estimate(-field, -field), moving, fixed, "border").item() > 4
    outside = loss(Estimate(field, field), moving, fixed, "zeros").item()
    assert outside == pytest.approx(2 / 12 * 11**2, rel=1e-3)  # two columns of nothing


def test_what_is_regularised_is_to_be_smooth() -> None:
    moving, fixed, field = shifted()
    rough = 0.3 * identity_grid((9, 12), field)
    found = RegistrationLoss("mse", 0.5)(Estimate(field, rough), moving, fixed, "border").item()
    assert found == pytest.approx(0.5 * smoothness(rough).item(), abs=1e-6)
    assert found > 0


@pytest.mark.parametrize("name", SIMILARITIES)
def test_every_similarity_is_least_for_equal_images(name: str) -> None:
    images = torch.rand(1, 1, 16, 20, generator=torch.Generator().manual_seed(0))
    still = torch.zeros(1, 2, 16, 20)
    loss = RegistrationLoss(name, 0.0)
    away = to_normalised(torch.ones(1, 2, 16, 20))
    assert loss.unlikeness(still, images, images, "border") < loss.unlikeness(away, images, images, "border")


def test_names_are_those_of_the_functions() -> None:
    assert SIMILARITIES["mse"] is mse
    assert all(each.__name__ == name for name, each in SIMILARITIES.items())


def test_what_is_no_loss() -> None:
    with pytest.raises(
        ValueError, match="there is no similarity 'ncc', there are mse, local_ncc, self_similarity, band"
    ):
        RegistrationLoss("ncc", 1.0)
    for weight in (-0.1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="smoothness of weight"):
            RegistrationLoss("mse", weight)
