from __future__ import annotations

from typing import get_args

import pytest
from pydantic import ValidationError

from shared_models.averaged_models import averaged_model
from shared_models.place_encoder import LEVELS
from shared_models.registration_expert import SIMILARITY, SMOOTHNESS
from site_agent.network_settings import (
    EncoderSettings,
    NetworkSettings,
    ReconstructionSettings,
    RegistrationSettings,
)


def test_the_defaults_build_a_network() -> None:
    settings = NetworkSettings()
    assert settings.side % 2 ** (settings.levels - 1) == 0


@pytest.mark.parametrize("change", [{"side": 8}, {"width": 0}, {"epochs": 0}, {"rate": 0.0}, {"x": 1}])
def test_what_cannot_be_is_refused(change: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        NetworkSettings.model_validate(change)


def test_the_usual_encoder_has_pixels_for_its_cells() -> None:
    settings = EncoderSettings()
    assert settings.cells <= settings.side // 2**LEVELS


@pytest.mark.parametrize(
    "change", [{"temperature": 0.0}, {"temperature": 2}, {"beside": -1}, {"cells": 0}, {"dense": 256}]
)
def test_settings_that_no_encoder_has_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        EncoderSettings.model_validate(change)


def test_every_similarity_that_may_be_set_is_one() -> None:
    from shared_models.registration.similarity import SIMILARITIES

    known = get_args(RegistrationSettings.model_fields["similarity"].annotation)
    assert set(known) == set(SIMILARITIES)
    assert (RegistrationSettings().similarity, RegistrationSettings().smoothness) == (SIMILARITY, SMOOTHNESS)


@pytest.mark.parametrize("change", [{"smoothness": -1}, {"similarity": "l1"}, {"side": 8}, {"levels": 4}])
def test_settings_that_no_network_of_registration_has_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        RegistrationSettings.model_validate(change)


def test_the_usual_network_of_reconstruction_is_the_one_of_rounds() -> None:
    settings, options = ReconstructionSettings().model_dump(), averaged_model("pix2vox").options
    shared = set(settings) & set(options)
    assert shared == {"size", "views", "trunk", "shrink", "bottleneck"}
    assert {name: settings[name] for name in shared} == {name: options[name] for name in shared}


def test_views_are_brought_into_the_order_of_their_channels() -> None:
    assert ReconstructionSettings(views=" A2C, PLAX,A4C").views == "PLAX,A4C,A2C"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"views": "A4C,A9C"}, "there is no view 'A9C', there are RV inflow, PLAX"),
        ({"views": ""}, "there is no view ''"),
        ({"views": "A4C,A4C"}, "a view is named twice"),
        ({"size": 48}, "Input should be 32, 64 or 128"),
        ({"shrink": 3}, "Input should be 1, 2"),
        ({"trunk": "vgg"}, "Input should be 'resnet50'"),
        ({"bottleneck": 0}, "greater than or equal to 1"),
    ],
)
def test_settings_that_no_reconstruction_has_are_refused(change: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        ReconstructionSettings.model_validate(change)
