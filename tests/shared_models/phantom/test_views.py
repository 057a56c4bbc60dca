from __future__ import annotations

import pytest

from shared_models.phantom.views import VIEWS, view_named

APICAL, PARASTERNAL = ["A2C", "A3C", "A4C", "A5C"], ["PLAX", "PLAX-AV", "PSAX-AV", "PSAX-MV", "PSAX-PM", "PSAX-APEX"]
NAMES = [*APICAL, *PARASTERNAL, "RV-INFLOW", "SC-4C", "SC-IVC"]


def test_the_standard_views_are_all_there_under_their_own_name():
    assert list(VIEWS) == NAMES
    assert all(view_named(name).name == name for name in NAMES)


def test_codes_are_unique_and_private_ones_are_told_from_dicoms():
    codes = [view.code for view in VIEWS.values()]
    assert len(set(codes)) == len(codes)
    assert {view.name for view in VIEWS.values() if view.private} == {"PLAX-AV", "PSAX-APEX", "SC-IVC"}
    assert view_named("A4C").code == "399214001"  # DICOM CID 12226
    assert view_named("A2C").code == "399232001"
    assert view_named("PLAX").code == "399139001"


@pytest.mark.parametrize("name", NAMES)
def test_family_and_window_go_with_the_name(name):
    view = view_named(name)
    window = {"A": "apical", "P": "parasternal", "R": "parasternal", "S": "subcostal"}[name[0]]
    assert view.window == window
    assert (
        view.family
        in {
            "A": {"apical-two", "apical-three", "apical-four", "apical-five"},
            "P": {"plax", "psax"},
            "R": {"rv-inflow"},
            "S": {"subcostal"},
        }[name[0]]
    )
    assert view.meaning.split()[0] in {"apical", "parasternal", "right", "subcostal"}


@pytest.mark.parametrize("name", ["A6C", "a4c", ""])
def test_an_unknown_view_is_told_in_one_line_with_the_known_ones(name):
    with pytest.raises(ValueError, match=f"there is no view '{name}'; known are A2C, A3C") as told:
        view_named(name)
    assert "\n" not in str(told.value)
