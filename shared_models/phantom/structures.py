"""Which structure of a heart lies at a point: signed distances to the cavities and walls, and labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared_models.phantom import labels as label
from shared_models.phantom.anatomy import ATRIAL_WALL, TRICUSPID_HEIGHT, VESSEL_WALL, Anatomy
from shared_models.phantom.motion import Located
from shared_models.phantom.shapes import Array, dtype_of


@dataclass(frozen=True)
class Distances:
    """Signed distances in mm to cavities and walls at N points, measured where the tissue is at end-diastole."""

    endocardium: Array
    epicardium: Array
    rv_endocardium: Array
    rv_epicardium: Array
    rv_outflow: Array
    left_atrium: Array
    right_atrium: Array
    aorta: Array


def distances(anatomy: Anatomy, found: Located) -> Distances:
    """What is carved where two would overlap: the atria leave room for the aorta's wall, the right one for the left."""
    x, y, z, layers = found.x, found.y, found.z, found.layers
    epicardium = anatomy.epicardial_distance(found.radius, found.angle, z)
    rv_endocardium, rv_epicardium = anatomy.outer_distances(found.radius, epicardium, layers)
    aorta = anatomy.aorta.distance(x, y, z)
    left = np.maximum(anatomy.left_atrium.distance(x, y, z), VESSEL_WALL - aorta)
    left = np.maximum(left, z)
    right = np.maximum(anatomy.right_atrium.distance(x, y, z), VESSEL_WALL - aorta)
    right = np.maximum(np.maximum(right, ATRIAL_WALL - left), z - dtype_of(z)(TRICUSPID_HEIGHT))
    return Distances(
        endocardium=anatomy.endocardial_distance(found.radius, found.angle, z),
        epicardium=epicardium,
        rv_endocardium=rv_endocardium,
        rv_epicardium=rv_epicardium,
        rv_outflow=np.maximum(anatomy.rv_outflow.distance(x, y, z), VESSEL_WALL - aorta),
        left_atrium=left,
        right_atrium=right,
        aorta=aorta,
    )


def structure_labels(found: Located, here: Distances) -> NDArray[np.uint8]:
    """(N,) label values; every point gets one, the last of these that claims it."""
    marks = np.full(len(found.z), label.BACKGROUND, np.uint8)
    above = found.z >= 0
    marks[here.rv_outflow < 0] = label.RV
    marks[here.right_atrium < 0] = label.RA
    marks[here.left_atrium < 0] = label.LA
    marks[(here.rv_endocardium < 0) & (here.epicardium >= 0) & (found.z >= TRICUSPID_HEIGHT)] = label.RV
    marks[(here.aorta < 0) & ~above] = label.AORTA
    marks[above & (here.epicardium < 0)] = label.MYOCARDIUM
    marks[above & (here.endocardium < 0)] = label.LV
    return marks


def in_rv_wall(found: Located, here: Distances) -> NDArray[np.bool_]:
    """(N,) whether a point lies in the right ventricle's free wall."""
    return (here.rv_epicardium < 0) & (here.rv_endocardium >= 0) & (here.epicardium >= 0) & (found.z >= 0)
