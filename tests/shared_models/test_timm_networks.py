from __future__ import annotations

import pytest

from shared_models.timm_networks import first_line, timm_network


def test_a_network_of_timm_with_its_options() -> None:
    network = timm_network("test_resnet", 3, in_chans=1, drop_rate=0.25)
    assert (network.num_classes, network.in_chans, network.drop_rate) == (3, 1, 0.25)


@pytest.mark.parametrize("name", ["resnet_of_mine", "hf-hub:timm/resnet18", ""])
def test_names_that_are_not_timms_own_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"timm has no architecture '{name}'"):
        timm_network(name, 2)


def test_what_timm_does_not_make_is_told_in_one_line() -> None:
    with pytest.raises(ValueError, match=r"'test_resnet' cannot be made .*depth_of_mine"):
        timm_network("test_resnet", 2, depth_of_mine=3)


def test_an_error_in_one_line() -> None:
    assert first_line(ValueError("first \nsecond")) == "first"
    assert first_line(AssertionError()) == "AssertionError"
