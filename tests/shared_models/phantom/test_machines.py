from __future__ import annotations

from itertools import combinations

import pytest

from shared_models.phantom.machines import MACHINES, machine_named, without_marks

HEART = [machine for machine in MACHINES.values() if machine.geometry != "linear"]


def test_a_machine_that_nobody_has_is_refused_in_one_line():
    with pytest.raises(ValueError, match=r"there is no machine 'dodo'; known are albatross") as error:
        machine_named("dodo")
    assert "\n" not in str(error.value)


def test_machines_for_the_heart_are_six_or_more_and_no_two_see_alike():
    assert len(HEART) >= 6
    for one, other in combinations(HEART, 2):
        assert (one.width_deg, one.depth_mm) != (other.width_deg, other.depth_mm)
        assert one.dynamic_range_db != other.dynamic_range_db or one.frequency_mhz != other.frequency_mhz


def test_settings_lie_where_those_of_real_machines_do():
    for machine in HEART:
        assert 60 <= machine.width_deg <= 100
        assert 120 <= machine.depth_mm <= 200
        assert 1.6 <= machine.frequency_mhz <= 3.4
        assert 0 <= machine.persistence < 1


def test_the_wavelength_is_that_of_what_is_listened_to():
    assert machine_named("bittern").wavelength_mm == pytest.approx(1.54 / 3.2)
    assert machine_named("eider").wavelength_mm == pytest.approx(1.54 / 3.4)


def test_a_machine_can_go_without_marks():
    bare = without_marks(machine_named("bittern"))
    assert bare.marks == ()
    assert bare.name == "bittern"
