"""Masks laid as the network was taught: a known similarity, and phantom images whose picture of walls is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from federated.errors import DataError
from shared_models.phantom import labels as label
from shared_models.phantom.planes import Plane
from shared_models.phantom.volumes import NINE_PLANES, nine_cuts, picture_mm, wall_pictures
from shared_models.reconstruction.shape_examples import shape_patient
from shared_models.reconstruction.view_scans import transducer
from site_agent.reconstruction.echo_views import (
    APEX,
    BASE,
    POOLS,
    Similarity,
    fitted,
    layout_of,
    segmented_view,
    wall_picture,
)
from site_agent.reconstruction.view_names import Named
from site_agent.truth import LA, LV, MYOCARDIUM, RA, RV

PIXEL_MM, SIDE = 0.8, 256
POINTS = np.array([[0.0, 0.0], [40.0, 3.0], [7.0, 22.0]])


def masks_of(view: str, seed: int) -> tuple[dict[str, np.ndarray], np.ndarray, float]:
    """True masks as an ultrasound machine lays the view, the picture of walls, and the edge of its pixels."""
    heart = shape_patient(seed).heart
    cut = nine_cuts(heart)[NINE_PLANES.index(view)]
    taken: Plane = transducer(heart, view, cut)
    down, right = np.meshgrid(np.arange(SIDE) * PIXEL_MM, (np.arange(SIDE) - SIDE / 2) * PIXEL_MM, indexing="ij")
    marks = heart.labels(taken.points(right, down), 0.0).reshape(SIDE, SIDE)
    masks = {code: marks == value for code, (value, _) in POOLS.items()} | {MYOCARDIUM: marks == label.MYOCARDIUM}
    return masks, wall_pictures(heart, [cut])[0], picture_mm(heart)


@dataclass(frozen=True)
class Truth:
    """A segmenter that knows, and what it sees."""

    masks: dict[str, np.ndarray]

    @property
    def labels(self) -> np.ndarray:
        return np.add.reduce([mask * np.uint8(value) for value, mask in enumerate(self.masks.values(), start=1)])

    def mask(self, structure: str) -> np.ndarray:
        return self.masks[structure]

    def look(self, images: Sequence[np.ndarray]) -> list[Truth]:
        return [self] * len(images)


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return 2 * float((one & other).sum()) / float(one.sum() + other.sum())


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_similarity_is_found_again(mirrored: bool) -> None:
    turn = np.array([[np.cos(0.6), -np.sin(0.6)], [np.sin(0.6), np.cos(0.6)]]) @ np.diag(
        [1.0, -1.0 if mirrored else 1.0]
    )
    known = Similarity(1.7, turn, np.array([5.0, -8.0]))
    onto = known.scale * POINTS @ known.turn.T + known.shift
    found = fitted(POINTS, onto, mirrored=mirrored)
    assert found.scale == pytest.approx(1.7)
    np.testing.assert_allclose(found.turn, turn, atol=1e-12)
    np.testing.assert_allclose(found.shift, known.shift, atol=1e-10)
    np.testing.assert_allclose(found.back(onto), POINTS, atol=1e-10)


@pytest.mark.parametrize("mirrored", [False, True])
def test_two_points_are_enough_when_the_side_is_known(mirrored: bool) -> None:
    found = fitted(POINTS[:2], POINTS[:2] * 2, mirrored=mirrored)
    assert np.linalg.det(found.turn) == pytest.approx(-1 if mirrored else 1)
    assert found.scale == pytest.approx(2)


def test_points_that_are_one_fit_nothing() -> None:
    with pytest.raises(ValueError, match="all one"):
        fitted(POINTS[[0, 0]], POINTS[:2], mirrored=False)


def test_views_show_the_chambers_that_they_are_known_for() -> None:
    assert set(layout_of("A4C").spots) == {LV, LA, RV, RA, APEX, BASE}
    assert set(layout_of("A2C").spots) >= {LV, LA, APEX, BASE}
    assert not {APEX, BASE} & set(layout_of("PSAX mitral").spots)  # there it is round
    apex, base = layout_of("A2C").spots[APEX], layout_of("A2C").spots[BASE]
    assert apex[1] < base[1] < layout_of("A2C").spots[LA][1]


@pytest.mark.parametrize("view", ["A4C", "A2C"])
def test_true_masks_become_the_picture_of_walls(view: str) -> None:
    masks, truth, pixel = masks_of(view, 21)
    walls, scale, doubts = wall_picture(masks, view)
    assert doubts == ()
    assert PIXEL_MM / scale == pytest.approx(pixel, rel=0.1)
    assert dice(walls == 1, truth == 1) > 0.7
    mirrored = {code: mask[:, ::-1] for code, mask in masks.items()}
    assert dice(wall_picture(mirrored, view)[0] == 1, truth == 1) < 0.6


def test_an_image_becomes_a_picture_that_knows_its_size(tmp_path: Path) -> None:
    masks, _, pixel = masks_of("A4C", 21)
    image = np.random.default_rng(1).integers(1, 200, (SIDE, SIDE), dtype=np.uint8)
    path = tmp_path / "scan.png"
    Image.fromarray(image).save(path)
    read = segmented_view(Named("A4C", path), Truth(masks), PIXEL_MM)
    assert (read.view, read.plane.shape, read.origin is None) == ("A4C", (224, 224), False)
    assert read.pixel_mm == pytest.approx(pixel, rel=0.1)
    assert segmented_view(Named("A4C", path), Truth(masks), None).pixel_mm is None
    with pytest.raises(DataError) as error:
        segmented_view(Named("A4C", path), Truth(dict.fromkeys(masks, np.zeros((SIDE, SIDE), bool))), None)
    assert str(error.value).startswith(f"{path}: of A4C, no chamber and no wall were found")


def test_a_chamber_that_was_not_found_is_doubted() -> None:
    masks, _, _ = masks_of("A4C", 21)
    masks[RA] = np.zeros_like(masks[RA])
    walls, _, doubts = wall_picture(masks, "A4C")
    assert doubts == ("no right atrium was found",)
    assert 4 not in walls


def test_too_little_is_one_line() -> None:
    masks, _, _ = masks_of("A4C", 21)
    nothing = np.zeros((SIDE, SIDE), bool)
    with pytest.raises(
        DataError, match=r"of A4C, left ventricle, left atrium.* and no wall were found; the left ventricle with"
    ):
        wall_picture(masks | {MYOCARDIUM: nothing}, "A4C")
    with pytest.raises(DataError, match="of A4C, left atrium and the wall were found"):
        wall_picture(masks | {LV: nothing, RV: nothing, RA: nothing}, "A4C")
    walls, _, doubts = wall_picture(masks | {LA: nothing, RV: nothing, RA: nothing}, "A4C")
    assert len(doubts) == 3
    assert dice(walls == 1, wall_picture(masks, "A4C")[0] == 1) > 0.6  # by the left ventricle alone
