"""From ultrasound images to the pictures of walls that a network of reconstruction was taught.

Experts of segmentation find chambers and wall. Where the chambers' middles and the left ventricle's ends lie tells how
the image is to be turned, scaled and shifted until they lie as in the phantom's picture of that view: the similarity
that fits best in least squares (Umeyama, IEEE PAMI 1991). Walls of atria and right ventricle are not segmented; they
are laid about their pools as thick as the phantom's. What comes of it is a picture to look at, and nothing that was
measured.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from federated.errors import DataError
from shared_models.phantom import labels as label
from shared_models.phantom.anatomy import ATRIAL_WALL
from shared_models.phantom.volumes import PLANE_PIXELS
from shared_models.reconstruction.named_views import planes_of
from site_agent.reconstruction.pictures import Picture
from site_agent.reconstruction.view_names import Named
from site_agent.truth import LA, LV, MYOCARDIUM, RA, RV

if TYPE_CHECKING:
    from shared_models.phantom.heart import Heart

Mask = NDArray[np.bool_]
Points = NDArray[np.float64]
POOLS: Mapping[str, tuple[int, str]] = {
    LV: (label.LV, "left ventricle"),
    LA: (label.LA, "left atrium"),
    RV: (label.RV, "right ventricle"),
    RA: (label.RA, "right atrium"),
}
PATIENTS = range(8)  # of the phantom, whose pictures say how a view is laid
LEAST_PIXELS = 300  # of a pool in the phantom's picture of a view, on average, to count as shown there
LONG = 1.4  # how many times as long as wide a left ventricle is at least whose ends count
APEX, BASE = "apex", "base"
FEWEST = 2  # points by which an image is laid


class Seen(Protocol):
    """What was found in an image."""

    @property
    def labels(self) -> NDArray[np.uint8]:
        """(H, W) numbers of structures, 0 for none."""

    def mask(self, structure: str) -> Mask:
        """(H, W) where the structure of a code is."""


class Segmenter(Protocol):
    """Whatever finds structures in images."""

    def look(self, images: Sequence[NDArray[np.uint8]]) -> Sequence[Seen]:
        """What is in each."""


@dataclass(frozen=True)
class Layout:
    """How the phantom's picture of a view lies, on average.

    Attributes:
        spots: code of each pool that the view shows -> (2,) its middle, pixels to the right and down; where the left
            ventricle is long, its ends too.
        turned_over: whether an ultrasound image of the view is its mirror image.
        atrial_wall, ventricular_wall: thickness of the atria's walls and of the right ventricle's, pixels.
    """

    spots: Mapping[str, Points]
    turned_over: bool
    atrial_wall: float
    ventricular_wall: float


@dataclass(frozen=True)
class Similarity:
    """q = scale * turn p + shift, of (2,) points, to the right and down."""

    scale: float
    turn: Points
    shift: Points

    def back(self, points: Points) -> Points:
        """The points p of (n, 2) points q."""
        return (points - self.shift) @ self.turn / self.scale


def segmented_view(named: Named, segmenter: Segmenter, pixel_mm: float | None) -> Picture:
    """The picture of walls of an ultrasound image.

    Args:
        named: the file; of a clip the first frame that a site would learn from counts.
        segmenter: what finds chambers and wall.
        pixel_mm: edge of the file's pixels; None to go by what it says of itself.

    Raises:
        DataError: the file cannot be read, or too little was found in it.
    """
    from shared_models.reconstruction.shape_examples import WALL_GREYS
    from site_agent.overlay import overlay
    from site_agent.predict import shown_in
    from site_agent.sources.index import Row

    row = Row(str(named.path), named.path.name, named.path.absolute(), "", "", "", "", None, None)
    try:
        shown = next(iter(shown_in(row.path, [row])))
        seen = segmenter.look([shown.image])[0]
        walls, scale, doubts = wall_picture({code: seen.mask(code) for code in (*POOLS, MYOCARDIUM)}, named.view)
    except DataError as error:
        raise DataError(error.what, where=str(named.path), cure=error.cure) from error
    if pixel_mm is not None:
        pixel_mm *= 1.0 if shown.box is None else (shown.box[2] - shown.box[0] + 1) / shown.image.shape[1]
    elif shown.spacing_mm is not None:
        pixel_mm = float(np.sqrt(shown.spacing_mm[0] * shown.spacing_mm[1]))
    return Picture(
        named.view,
        named.path,
        planes_of(WALL_GREYS[walls]),
        None if pixel_mm is None else pixel_mm / scale,
        doubts,
        overlay(shown.image, seen.labels, None),
    )


def wall_picture(masks: Mapping[str, Mask], view: str) -> tuple[NDArray[np.uint8], float, tuple[str, ...]]:
    """The picture of walls of a view from masks (H, W) of its structures by code.

    Returns:
        (224, 224) numbers of walls as in `WALL_NAMES`; how many of its pixels one of the image's is wide; what was not
        found though the view shows it.

    Raises:
        DataError: no myocardium was found, or too few of the pools that the view shows.
    """
    layout = layout_of(view)
    shown = [code for code in POOLS if code in layout.spots]
    found = [code for code in shown if masks[code].any()]
    spots = spots_of(masks, found) if masks[MYOCARDIUM].any() else {}
    both = [name for name in layout.spots if name in spots]
    if len(both) < FEWEST:
        names = ", ".join(POOLS[code][1] for code in found) or "no chamber"
        wall = "the wall" if masks[MYOCARDIUM].any() else "no wall"
        cure = f"the left ventricle with its wall, or its wall and two chambers, are needed to lay an image as {view}"
        raise DataError(f"of {view}, {names} and {wall} were found", cure=cure)
    onto = np.array([layout.spots[name] for name in both])
    fit = fitted(np.array([spots[name] for name in both]), onto, mirrored=layout.turned_over)
    laid = {code: _laid(mask, fit) for code, mask in masks.items()}
    doubts = tuple(f"no {POOLS[code][1]} was found" for code in shown if code not in found)
    return _walls(laid, layout), fit.scale, doubts


def spots_of(masks: Mapping[str, Mask], pools: Collection[str]) -> dict[str, Points]:
    """Middles of pools by code, and the ends of a long left ventricle: twice the deviation along its axis away.

    Args:
        masks: (H, W) of every pool and of the myocardium.
        pools: which of them count.
    """
    spots = {code: _middle(masks[code]) for code in pools}
    if LV not in spots:
        return spots
    places = np.argwhere(masks[LV])[:, ::-1] - spots[LV]
    spread, axes = np.linalg.eigh(places.T @ places / len(places))
    if spread[1] < LONG**2 * spread[0]:
        return spots
    toward_apex = spots[LV] - spots[LA] if LA in spots else _middle(masks[MYOCARDIUM]) - spots[LV]
    reach = 2 * np.sqrt(spread[1]) * axes[:, 1] * (1 if axes[:, 1] @ toward_apex >= 0 else -1)
    return spots | {APEX: spots[LV] + reach, BASE: spots[LV] - reach}


def fitted(points: Points, onto: Points, *, mirrored: bool) -> Similarity:
    """The similarity that brings (n, 2) points nearest to others, with a reflection or without.

    Raises:
        ValueError: all points are one.
    """
    middle, middle_onto = points.mean(axis=0), onto.mean(axis=0)
    spread = float(((points - middle) ** 2).sum())
    if not spread:
        raise ValueError("points that are all one say nothing of size and direction")
    left, lengths, right = np.linalg.svd((onto - middle_onto).T @ (points - middle))
    sign = (-1.0 if mirrored else 1.0) * np.sign(np.linalg.det(left) * np.linalg.det(right))
    turn = left @ np.diag([1.0, sign]) @ right
    scale = float(lengths @ [1.0, sign]) / spread
    return Similarity(scale, turn, middle_onto - scale * turn @ middle)


@lru_cache(maxsize=9)
def layout_of(view: str) -> Layout:
    """How the pictures of a view lie in some of the phantom's patients."""
    from shared_models.phantom.volumes import picture_mm
    from shared_models.reconstruction.shape_examples import shape_patient

    hearts = [shape_patient(seed).heart for seed in PATIENTS]
    drawn = [_masks(heart, view) for heart in hearts]
    shown = [code for code in POOLS if np.mean([masks[code].sum() for masks, _ in drawn]) >= LEAST_PIXELS]
    each = [spots_of(masks, [code for code in shown if masks[code].any()]) for masks, _ in drawn]
    names = [name for name in (*shown, APEX, BASE) if sum(name in spots for spots in each) > len(each) / 2]
    pixel = float(np.mean([picture_mm(heart) for heart in hearts]))
    return Layout(
        {name: np.mean([spots[name] for spots in each if name in spots], axis=0) for name in names},
        bool(np.mean([over for _, over in drawn]) > 0.5),
        ATRIAL_WALL / pixel,
        float(np.mean([heart.parameters.rv_wall for heart in hearts])) / pixel,
    )


def _masks(heart: Heart, view: str) -> tuple[dict[str, Mask], bool]:
    """What the network's picture of a heart shows, and whether an ultrasound image of it is its mirror image."""
    from shared_models.phantom.volumes import NINE_PLANES, nine_cuts, picture_mm
    from shared_models.reconstruction.view_scans import transducer

    cut = nine_cuts(heart)[NINE_PLANES.index(view)]
    steps = (np.arange(PLANE_PIXELS) + 0.5 - PLANE_PIXELS / 2) * picture_mm(heart)
    down, right = np.meshgrid(steps, steps, indexing="ij")
    marks = heart.labels(cut.points(right, down), 0.0).reshape(down.shape)
    taken = transducer(heart, view, cut)
    turn = np.array([[a @ b for b in (cut.right, cut.down)] for a in (taken.right, taken.down)])
    masks = {code: marks == value for code, (value, _) in POOLS.items()}
    return masks | {MYOCARDIUM: marks == label.MYOCARDIUM}, bool(np.linalg.det(turn) < 0)


def _middle(mask: Mask) -> Points:
    rows, columns = np.nonzero(mask)
    return np.array([columns.mean(), rows.mean()])


def _laid(mask: Mask, fit: Similarity) -> Mask:
    from scipy.ndimage import map_coordinates

    rows, columns = np.indices((PLANE_PIXELS, PLANE_PIXELS))
    points = fit.back(np.stack([columns.ravel(), rows.ravel()], axis=1).astype(np.float64))
    values = map_coordinates(mask.astype(np.float32), [points[:, 1], points[:, 0]], order=1)
    return np.asarray(values.reshape(PLANE_PIXELS, PLANE_PIXELS) >= 0.5)


def _walls(laid: Mapping[str, Mask], layout: Layout) -> NDArray[np.uint8]:
    """Numbers of walls; they are laid outside all pools, one over the other as the phantom does."""
    from scipy.ndimage import distance_transform_edt

    free = ~np.any([laid[code] for code in POOLS], axis=0)
    walls = np.zeros((PLANE_PIXELS, PLANE_PIXELS), np.uint8)
    for number, code, thick in (
        (4, RA, layout.atrial_wall),
        (3, LA, layout.atrial_wall),
        (2, RV, layout.ventricular_wall),
    ):
        if laid[code].any():
            walls[free & (distance_transform_edt(~laid[code]) <= thick)] = number
    walls[free & laid[MYOCARDIUM]] = 1
    return walls
