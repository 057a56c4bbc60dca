"""Six hospitals with the label sets of the source paper; what is none of them is refused in one line."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shared_models.phantom.hospitals import HOSPITALS, label_of, overlay_key, parted
from shared_models.phantom.views import VIEWS


def test_label_sets_are_those_of_the_source_paper() -> None:
    sizes = [(each.role, len(each.labels)) for each in HOSPITALS.values()]
    arriving = [("base", 8), ("arriving", 2), ("arriving", 11), ("arriving", 4)]
    assert sizes == [*arriving, ("external", 15), ("external", 15)]
    base, two, wide, contrast, *outside = (set(each.labels) for each in HOSPITALS.values())
    assert two < base < wide
    assert wide - base == {"RV-INFLOW", "SC-4C", "SC-IVC"}
    assert not contrast & wide
    assert outside == [wide | contrast] * 2


def test_every_hospital_has_machines_and_a_mix_of_its_own() -> None:
    kinds = {(*each.machines.items(), *each.populations.items()) for each in HOSPITALS.values()}
    assert len(kinds) == len(HOSPITALS)
    assert HOSPITALS["agate"].populations == {"healthy": 1.0}
    assert HOSPITALS["quartz"].populations["healthy"] < 0.2  # cardiomyopathy
    arriving = [each for each in HOSPITALS.values() if each.role != "external"]
    plain = {machine for each in arriving if each.name != "diorite" for machine in each.machines}
    assert set(HOSPITALS["diorite"].machines) <= plain  # else the machine would tell that there is contrast
    assert "dunlin" not in plain  # nobody trains on what half of quartz's images look like
    for each in HOSPITALS.values():
        assert len(each.labels) == 2 or len({each.balance.get(label, 1.0) for label in each.labels}) > 1


def test_labels_are_plain_codes() -> None:
    assert label_of("A4C") == "399214001"
    assert label_of("A4C+contrast") == "399214001+contrast"
    assert label_of("SC-IVC") == "SC-IVC"
    assert parted("PLAX+contrast") == ("PLAX", True)
    names = [view + ending for view in VIEWS for ending in ("", "+contrast")]
    assert len({label_of(name) for name in names}) == len({overlay_key(name) for name in names}) == 2 * len(VIEWS)


@pytest.mark.parametrize("name", ["A9C", "A9C+contrast", "A4C+colour"])
def test_an_unknown_view_has_no_label(name: str) -> None:
    for asked in (label_of, overlay_key):
        with pytest.raises(ValueError, match=r"there is no view 'A.C.*'; known are A2C, .*SC-IVC$"):
            asked(name)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"machines": {"emu": 1.0}}, "there is no machine 'emu'"),
        ({"machines": {"eider": 0.5, "dunlin": 0.4}}, "eider and dunlin of beryl do not add up to 1"),
        ({"labels": ("A2C", "A4D")}, "there is no view 'A4D'"),
        ({"labels": ("A2C", "A4C", "A2C")}, "each of its labels once"),
        ({"labels": ()}, "one at least"),
        ({"balance": {"PLAX": 0.5}}, "a share of PLAX, which it does not label"),
        ({"balance": {"A2C": 1.5}}, "a share of beryl is not above 0 and at most 1"),
        ({"populations": {"healthy": 0.5, "dilated": 0.4}}, "healthy and dilated of beryl do not add up to 1"),
        ({"populations": {"athletes": 1.0}}, "there is no population 'athletes'; known are healthy"),
    ],
)
def test_what_is_no_hospital_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(HOSPITALS["beryl"], **change)
