"""Contours as they come back from a site's home, against the phantom's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from deploy.phantom.acquisition import Shot
from deploy.phantom.exports import unity
from deploy.phantom.exports.camus_clips import half_beats
from deploy.phantom.exports.layout import ExportOrder, patient_of, record
from deploy.phantom.seeds import share_of
from federated.enrolment import Kit
from federated.errors import DataError
from site_agent.contour_truth import (
    NO_CURVE,
    OTHER_VIEW,
    ContouredCase,
    contoured_cases,
    find_contoured,
    of_chords,
    of_curve,
)
from site_agent.home import SiteHome
from site_agent.intake.quarantine import item_names
from site_agent.truth import clips_of
from tests.site_agent.sources.conftest import Exported, exported
from tests.site_agent.truth_making import heart_home, redrawn, take_in

__all__ = ["exported"]

NEAR = 4.0  # pixels of an image of 128


def _home(folder: Path, kit: Kit, exported: Exported, name: str) -> tuple[SiteHome, ExportOrder]:
    root, order = exported(name, patients=3, frames=8, size=128)
    home = heart_home(folder / "site", kit)
    take_in(home, root)
    return home, order


def _named(home: SiteHome, cases: list[ContouredCase]) -> Iterator[tuple[str, ContouredCase]]:
    names = item_names(home.archive)
    return ((names[each.case.key], each) for each in cases)


def _far(found: np.ndarray, true: np.ndarray) -> float:
    """Mean distance of points from the border of the phantom, which the cut of the sector does not touch."""
    return float(np.linalg.norm(found - true, axis=1).mean())


def test_points_from_masks_lie_where_the_phantom_has_its_contour(tmp_path: Path, kit: Kit, exported: Exported) -> None:
    home, order = _home(tmp_path, kit, exported, "camus")
    found = dict(_named(home, [each for each in contoured_cases(home) if each.moment == "ED"]))
    compared = 0
    for number in (1, 2, 3):
        for beat in half_beats(order, number):
            true = beat.clip.contours[beat.diastole].astype(np.float64)
            if np.isfinite(true).all():
                (each,) = [case for name, case in found.items() if f"patient{number:04d}_{beat.view}" in name]
                assert _far(each.points, true) < NEAR
                assert each.spacing_mm == pytest.approx(beat.clip.take.spacing_mm, rel=1e-3)
                compared += 1
    assert compared >= 3


def test_points_from_curves_are_those_of_the_apical_views(tmp_path: Path, kit: Kit, exported: Exported) -> None:
    home, order = _home(tmp_path, kit, exported, "unity")
    found = [each.points for each in contoured_cases(home)]
    wanted = []
    for number in (1, 2, 3):
        for view in ("A4C", "A2C", "A3C"):
            phase = share_of(order.seed, number, view, "phase")
            clip = record(order, number, patient_of(order, number), Shot(view), unity.MACHINE, frames=(phase,))
            if np.isfinite(clip.contours[0]).all():
                wanted.append(clip.contours[0].astype(np.float64))
    assert len(found) == len(wanted) >= 5
    for true in wanted:
        assert min(_far(points, true) for points in found) < 1.0


def test_points_from_chords_lie_along_the_ventricle(tmp_path: Path, kit: Kit, exported: Exported) -> None:
    home, order = _home(tmp_path, kit, exported, "echonet-dynamic")
    found = contoured_cases(home)
    assert {each.moment for each in found} == {"ED", "ES"}
    assert len(found) == 6
    size = np.array([112.0, 112.0])
    for number in (1, 2, 3):
        clip = record(order, number, patient_of(order, number), Shot("A4C"), "godwit", size=(112, 112))
        true = clip.contours[clip.take.end_diastole].astype(np.float64)
        if np.isfinite(true).all():
            assert min(_far(each.points, true) for each in found if (each.points < size).all()) < NEAR


def test_chords_are_read_whichever_way_they_were_drawn() -> None:
    depth = np.linspace(0.25, 9.75, 20)
    half = 3 * np.sqrt(1 - (1 - depth / 10) ** 2)  # half an ellipse, apex at 0
    chords = np.stack([20 - half, 5 + depth, 20 + half, 5 + depth], axis=1)
    axis = np.array([[20.0, 5.0, 20.0, 15.0]])
    curve = of_chords(np.concatenate([axis, chords]))
    np.testing.assert_allclose(curve[20], [20, 5])
    np.testing.assert_allclose(curve[[0, -1]], [[20 - half[-1], 14.75], [20 + half[-1], 14.75]])
    turned = chords[::-1].copy()
    turned[::3] = turned[::3][:, [2, 3, 0, 1]]
    np.testing.assert_allclose(of_chords(np.concatenate([axis[:, [2, 3, 0, 1]], turned])), curve)
    with pytest.raises(ValueError, match="too few"):
        of_chords(np.concatenate([axis, chords[:3]]))


def test_a_curve_begins_on_the_left() -> None:
    curve = np.stack([np.linspace(9, 1, 9), np.abs(np.linspace(-4, 4, 9))], axis=1)
    assert of_curve(curve)[0].tolist() == [1.0, 4.0]
    assert of_curve(curve[::-1])[0].tolist() == [1.0, 4.0]
    with pytest.raises(ValueError, match="6 points"):
        of_curve(curve[:6])


def test_what_has_no_outline_is_left_out_and_counted(tmp_path: Path, kit: Kit, exported: Exported) -> None:
    home, _ = _home(tmp_path, kit, exported, "camus")
    before = find_contoured(home)
    (clip, *_) = clips_of(home.archive)
    closed = np.full((128, 128), 2, np.uint8)  # myocardium all around
    closed[40:60, 40:60] = 1
    redrawn(home.archive, "camus", {0: closed, 1: np.zeros_like(closed)}, clip.key)
    after = find_contoured(home)
    assert after.left_out[NO_CURVE] == before.left_out[NO_CURVE] + 2
    assert len(after.cases) == len(before.cases) - 2


def test_drawings_in_other_views_only_say_so(tmp_path: Path, kit: Kit, exported: Exported) -> None:
    home, _ = _home(tmp_path, kit, exported, "camus")
    count = len(contoured_cases(home, fold="train"))
    assert 0 < count < len(contoured_cases(home))
    assert contoured_cases(home, fold="test") == []
    with home.archive.catalogue.transaction() as connection:
        connection.execute("UPDATE clips SET view = '399306005'")
    with pytest.raises(DataError, match=rf"no image has a contour .*24 {OTHER_VIEW}; take in apical") as caught:
        contoured_cases(home)
    assert "\n" not in str(caught.value)


def test_nothing_drawn_at_all_says_so(tmp_path: Path, kit: Kit, exported: Exported) -> None:
    home, _ = _home(tmp_path, kit, exported, "tmed2")
    with pytest.raises(DataError, match="no image has a contour of the left ventricle; take in"):
        contoured_cases(home)
