"""A beating heart and what surrounds it, as a scene that a scanner can look at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shared_models.phantom.anatomy import Anatomy
from shared_models.phantom.echoes import Echoes
from shared_models.phantom.motion import Located, Motion
from shared_models.phantom.population import Parameters
from shared_models.phantom.scene import Points, Tissue
from shared_models.phantom.structures import Distances, distances, structure_labels
from shared_models.phantom.surroundings import surround

CHUNK = 65536  # points at a time: what is computed of them stays in the cache


class Heart:
    """Anatomy, motion and surroundings of one heart; a `Scene`."""

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        self.anatomy = Anatomy(parameters)
        self.motion = Motion(self.anatomy)
        self.surroundings = surround(self.anatomy)
        self._echoes = Echoes(self.anatomy, self.surroundings)

    def labels(self, points: Points, phase: float) -> NDArray[np.uint8]:
        """(N,) label values at (N, 3) points."""
        parts = np.split(points, range(CHUNK, len(points), CHUNK))
        return np.concatenate([self.labelled(self.motion.locate(part, phase))[1] for part in parts])

    def labelled(self, found: Located) -> tuple[Distances, NDArray[np.uint8]]:
        """Signed distances to the walls, measured where the tissue is at end-diastole, and label values."""
        here = distances(self.anatomy, found)
        return here, structure_labels(found, here)

    def tissue(self, points: Points, phase: float, *, contrast: bool = False) -> Tissue:
        """What echoes at (N, 3) points."""
        found = self.motion.locate(points, phase)
        return self._echoes.tissue(found, *self.labelled(found), phase, contrast=contrast)
