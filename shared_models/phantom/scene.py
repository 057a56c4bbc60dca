"""What a scanner may ask of whatever lies before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float32]
Values = NDArray[np.float32]


@dataclass(frozen=True)
class Tissue:
    """Acoustic properties at N points.

    Attributes:
        scatter: (N,) root mean square of the backscattered amplitude; 1 is myocardium.
        interface: (N,) amplitude of a specular echo met square, peaked at the boundary; 1 is the endocardium.
        normal: (N, 3) unit normals of that boundary.
        absorption: (N,) one-way loss in dB/cm/MHz; bone and lung take so much that they cast shadows.
        material: (N, 3) mm, where this piece of tissue lies at end-diastole: scatterers are fixed to it.
        blood: (N,) whether the scatterers stay together from frame to frame (tissue) or not (blood).
    """

    scatter: Values
    interface: Values
    normal: Points
    absorption: Values
    material: Points
    blood: NDArray[np.bool_]


class Scene(Protocol):
    """Something to be scanned."""

    def tissue(self, points: Points, phase: float, *, contrast: bool) -> Tissue:
        """What lies at (N, 3) points in mm; `contrast` fills the left ventricle with microbubbles."""

    def labels(self, points: Points, phase: float) -> NDArray[np.uint8]:
        """(N,) label values, 1 to 7: a scene knows nothing of the sector."""
