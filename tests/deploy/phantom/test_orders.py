"""What cannot be made is told in one line, before anything is drawn."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from deploy.phantom.acquisition import Shot
from deploy.phantom.orders import (
    Pictures,
    SiteOrder,
    check_order,
    check_pictures,
    choose,
    mix_named,
    shots_named,
    site_order,
)
from federated.errors import ConsiliumError
from shared_models.phantom.views import VIEWS

OPTION = "--population", "healthy=3,dilated=1"
ORDER = SiteOrder("north", 3, {Shot("A4C"): 1.0})


def test_all_views_are_meant_where_none_is_named() -> None:
    assert [shot.name for shot in shots_named("", contrast=False)] == list(VIEWS)
    assert [shot.name for shot in shots_named("A4C, PLAX", contrast=True)] == [
        "A4C",
        "A4C+contrast",
        "PLAX",
        "PLAX+contrast",
    ]
    assert list(shots_named("A2C+contrast", contrast=False)) == [Shot("A2C", contrast=True)]


@pytest.mark.parametrize(
    ("views", "says"),
    [
        ("A4C,A9C", "there is no view 'A9C'; known are A2C"),
        ("A4C+colour", "there is no view"),
        ("A4C,A4C", "names a view twice"),
    ],
)
def test_views_that_are_none(views: str, says: str) -> None:
    with pytest.raises(ConsiliumError, match=says.replace("+", r"\+")):
        shots_named(views, contrast=False)


def test_a_mix_is_shares_that_add_up() -> None:
    assert mix_named("healthy", *OPTION) == {"healthy": 1.0}
    assert mix_named("healthy=3, dilated=1", *OPTION) == {"healthy": 0.75, "dilated": 0.25}
    for wrong in ("healthy=x", "healthy=0", "healthy=-1", "healthy=nan", "healthy=inf", ","):
        with pytest.raises(ConsiliumError, match=r"--population: .* is no mix; as in"):
            mix_named(wrong, *OPTION)


def test_choosing_follows_the_shares() -> None:
    shares = {"a": 0.25, "b": 0.75}
    assert [choose(shares, number) for number in (0.0, 0.2499, 0.25, 0.99, 1.0)] == ["a", "a", "b", "b", "b"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"site": "North Ward"}, "--site: 'North Ward' is no name"),
        ({"patients": 0}, "--patients: 0 is not from 1 to 99999"),
        ({"machines": {"acme": 1.0}}, "--machine: there is no machine 'acme'; known are albatross"),
        ({"populations": {"martian": 1.0}}, "--population: there is no 'martian'; known are healthy"),
        ({"ejection_fraction": 95.0}, "--ejection-fraction: ejection fraction of 95 % is none of a beating heart"),
        ({"ejection_fraction": float("nan")}, "--ejection-fraction: "),
    ],
)
def test_orders_that_cannot_be_filled(change: dict[str, Any], says: str) -> None:
    check_order(ORDER)
    with pytest.raises(ConsiliumError) as told:
        check_order(replace(ORDER, **change))
    assert str(told.value).startswith(says)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("change", "says"),
    [({"frames": 0}, "--frames: 0"), ({"size": 8}, "--size: 8"), ({"size": 9999}, "--size"), ({"seed": -1}, "--seed")],
)
def test_pictures_that_cannot_be_made(change: dict[str, Any], says: str) -> None:
    check_pictures(Pictures(1))
    with pytest.raises(ConsiliumError, match=says):
        check_pictures(replace(Pictures(1), **change))


def test_a_ready_made_hospital_brings_what_it_has_and_can_be_changed() -> None:
    ready = site_order("beryl", 4)
    assert [shot.name for shot in ready.shots] == ["A2C", "A4C"]
    assert ready.machines == {"eider": 1.0}
    changed = site_order("beryl", 4, views="PLAX", machine="curlew", population="healthy", ejection_fraction=40.0)
    assert list(changed.shots) == [Shot("PLAX")]
    assert (changed.machines, changed.populations) == ({"curlew": 1.0}, {"healthy": 1.0})
    assert changed.ejection_fraction == 40.0
    assert len(site_order("elsewhere", 4).shots) == len(VIEWS)
