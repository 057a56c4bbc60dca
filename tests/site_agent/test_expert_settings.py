from __future__ import annotations

import pytest
from pydantic import ValidationError

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
