"""Where the experts of contours that are here see the left ventricle's border in images, fused image by image.

Every expert sees an image at its own side; its seven points are brought back to the image's pixels, and count by how
in-distribution the image is for it. Where an image is foreign to all, all count alike.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from federated.fusion.probability_maps import shares_of
from site_agent.asked_experts import Experts, asked, panel
from site_agent.tasks.contour import ARCHITECTURE, REFERENCE, TASK

if TYPE_CHECKING:
    from site_agent.home import SiteHome
    from site_agent.panel import Expert

Gray = NDArray[np.uint8]
Points = NDArray[np.float64]


@dataclass(frozen=True)
class Traced:
    """What is seen in one image.

    Attributes:
        points: (7, 2) pixels, x then y, from the left end of the base over the apex to the right end.
        apart: mean distance in pixels of the experts' points from these, by share.
        p: expert -> how in-distribution the image is for it.
        shares: expert -> share of the points that comes from it; they add up to one.
    """

    points: Points
    apart: float
    p: Mapping[str, float]
    shares: Mapping[str, float]


def tracer_of(home: SiteHome) -> Tracer:
    """All experts of contours that are here.

    Raises:
        ConsiliumError: there is none.
    """
    return Tracer(panel(home, TASK, ARCHITECTURE))


class Tracer(Experts):
    """Experts of contours."""

    def trace(self, images: Sequence[Gray], names: Collection[str] = ()) -> list[Traced]:
        """What the experts, or those named, see in images (H, W) of any sizes."""
        chosen = asked(self.experts, names)
        read = {name: self._read(name, expert, images) for name, expert in chosen.items()}
        weighed = self.weighed({name: each.features for name, each in read.items()}, REFERENCE)
        found = []
        for row, image in enumerate(images):
            said = {
                name: in_pixels(read[name].points[row], int(expert.config["side"]), image.shape)
                for name, expert in chosen.items()
            }
            p, weights = weighed.of(row)
            found.append(fused(said, weights, p))
        return found

    def _read(self, name: str, expert: Expert, images: Sequence[Gray]) -> Any:
        from shared_models.contour_training import contours
        from shared_models.scaling import resized

        side = int(expert.config["side"])
        return contours(self.network(name), np.stack([resized(image, side) for image in images]))


def fused(said: Mapping[str, Points], weights: Mapping[str, float], p: Mapping[str, float]) -> Traced:
    """The weighted mean of experts' (7, 2) points; where all weights are 0, the plain mean."""
    shares = shares_of(weights)
    points = np.sum([shares[name] * own for name, own in said.items()], axis=0)
    apart = sum(shares[name] * float(np.linalg.norm(own - points, axis=1).mean()) for name, own in said.items())
    return Traced(points, apart, p, shares)


def in_pixels(points: Points, side: int, shape: tuple[int, ...]) -> Points:
    """Pixels of a (side, side) image as those of the (H, W) image that it was stretched from."""
    return np.asarray((points + 0.5) * (np.array([shape[1], shape[0]]) / side) - 0.5)
