from __future__ import annotations

from typing import get_args

import pytest
from pydantic import ValidationError

from shared_models.backgrounds import BACKGROUNDS
from shared_models.registry import state_form
from site_agent.expert_settings import ExpertSettings


def test_a_site_sends_a_linear_head_unless_it_names_a_network() -> None:
    assert not ExpertSettings().is_network
    assert ExpertSettings(architecture="small_resnet18").is_network


@pytest.mark.parametrize(
    "settings",
    [
        ExpertSettings(architecture="small_resnet18", side=16, width=4),
        ExpertSettings(architecture="timm", name="resnet10t", side=32),
    ],
)
def test_what_it_names_can_be_built(settings: ExpertSettings) -> None:
    assert ("neural_mean_feature") in state_form(settings.architecture, **settings.config(3))


@pytest.mark.parametrize(("architecture", "name"), [("timm", ""), ("small_resnet18", "resnet18")])
def test_a_name_belongs_to_timm_and_to_nothing_else(architecture: str, name: str) -> None:
    with pytest.raises(ValidationError, match="'timm' needs the name of a network"):
        ExpertSettings.model_validate({"architecture": architecture, "name": name})


def test_every_background_can_be_asked_for_and_none_is_done_unasked() -> None:
    assert get_args(ExpertSettings.model_fields["augment"].annotation) == tuple(BACKGROUNDS)
    assert ExpertSettings().augment == "none"


@pytest.mark.parametrize("given", [{"augment_share": 0.5}, {"augment_strength": 1.0}])
def test_a_share_or_a_strength_is_of_something(given: dict[str, float]) -> None:
    assert ExpertSettings.model_validate({"augment": "backmix", **given}).augment == "backmix"
    with pytest.raises(ValidationError, match="no 'augment' that it is of"):
        ExpertSettings.model_validate(given)
