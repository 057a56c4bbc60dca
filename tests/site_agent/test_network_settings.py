from __future__ import annotations

import pytest
from pydantic import ValidationError

from site_agent.network_settings import NetworkSettings


def test_the_defaults_build_a_network() -> None:
    settings = NetworkSettings()
    assert settings.side % 2 ** (settings.levels - 1) == 0


@pytest.mark.parametrize("change", [{"side": 8}, {"width": 0}, {"epochs": 0}, {"rate": 0.0}, {"x": 1}])
def test_what_cannot_be_is_refused(change: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        NetworkSettings.model_validate(change)
