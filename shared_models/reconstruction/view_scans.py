"""Ultrasound images along the nine planes of reconstruction: where a transducer stands to see such a plane.

The planes are defined by landmarks and not by acoustic windows; each borrows the window of a standard view. The
transducer is slid along the skin into the plane: over the apex, or to the chest beside the sternum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared_models.phantom.anatomy import UPWARD
from shared_models.phantom.heart import Heart
from shared_models.phantom.machines import Machine
from shared_models.phantom.planes import Plane, standard_plane
from shared_models.phantom.scanner import Scanner
from shared_models.phantom.shapes import radial
from shared_models.phantom.study import depths
from shared_models.phantom.surroundings import PARASTERNAL
from shared_models.phantom.views import view_named
from shared_models.phantom.volumes import PLANE_PIXELS

REFERENCE: Mapping[str, str] = {  # whose window is borrowed
    "RV inflow": "A4C",  # right atrium, ventricle and outflow: no chest window sees that plane
    "PLAX": "PLAX",
    "PSAX aortic": "PSAX-AV",
    "PSAX mitral": "PSAX-MV",
    "PSAX papillary": "PSAX-PM",
    "PSAX low": "PSAX-APEX",
    "A4C": "A4C",
    "A5C": "A3C",  # through apex, left atrium and aortic valve: the apical long axis
    "A2C": "A2C",
}


@dataclass(frozen=True)
class Scan:
    """What a machine shows.

    Attributes:
        image: (224, 224) greys.
        cut: where it lies, its origin mid-picture.
        spacing_mm: edge of a pixel.
    """

    image: NDArray[np.uint8]
    cut: Plane
    spacing_mm: float


def transducer(heart: Heart, view: str, cut: Plane) -> Plane:
    """The same plane as a transducer sees it that stands on the skin where the view's window is, facing mid-picture.

    Args:
        heart: whose skin.
        view: one of `NINE_PLANES`.
        cut: the plane, its origin mid-picture.

    Raises:
        ValueError: there is no such view.
    """
    if view not in REFERENCE:
        raise ValueError(f"there is no view '{view}' to reconstruct from; known are {', '.join(REFERENCE)}")
    window, normal = standard_plane(heart, REFERENCE[view]), cut.normal
    outward = UPWARD if view_named(REFERENCE[view]).window == "apical" else radial(PARASTERNAL)
    within = outward - (outward @ normal) * normal
    origin = window.origin - ((window.origin - cut.origin) @ normal) * normal
    origin += within * ((window.origin - origin) @ outward) / (within @ within)
    down = (cut.origin - origin) / np.linalg.norm(cut.origin - origin)
    right = np.cross(normal, down)
    return Plane(origin, right if right @ window.right > 0 else -right, down)


def scan(heart: Heart, view: str, cut: Plane, machine: Machine | str, phase: float, seed: int) -> Scan:
    """A plane as a machine shows it.

    Raises:
        ValueError: an unknown view or machine.
    """
    plane = transducer(heart, view, cut)
    start, depth = depths(heart, view_named(REFERENCE[view]))
    scanner = Scanner(machine, plane, size=(PLANE_PIXELS, PLANE_PIXELS), start_mm=start, depth_mm=depth, seed=seed)
    right, down = (scanner.pixel_mm[0, 0] + scanner.pixel_mm[-1, -1]) / 2
    middle = Plane(plane.origin + right * plane.right + down * plane.down, plane.right, plane.down)
    return Scan(scanner.frame(heart, phase), middle, scanner.spacing_mm)
