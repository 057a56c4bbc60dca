"""Where the experts of registration that are here see tissue of one image in another, fused pair by pair.

Every expert sees a pair at its own side and says a velocity, which is brought to the image's size. What is averaged are
these velocities, each by how in-distribution the pair is for its expert; the field is the exponential of their mean,
which folds nowhere, as theirs do not (`shared_models.registration_expert`). Where a pair is foreign to all, all count
alike.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from federated.errors import DataError
from federated.fusion.probability_maps import shares_of
from site_agent.asked_experts import Experts, asked, panel
from site_agent.tasks.registration import ARCHITECTURE, TASK

if TYPE_CHECKING:
    from shared_models.registration_expert import Velocities
    from site_agent.home import SiteHome
    from site_agent.panel import Expert

Gray = NDArray[np.uint8]
LEAST_SIDE = 2  # pixels


@dataclass(frozen=True)
class Registered:
    """Where tissue of the fixed image is in the moving one.

    Attributes:
        field: (2, H, W) pixels, down and to the right, on the fixed image's grid: warped(p) = moving(p + field(p)).
        p: expert -> how in-distribution the pair is for it.
        weights: expert -> share of the velocity that comes from it; they add up to one.
    """

    field: NDArray[np.float32]
    p: Mapping[str, float]
    weights: Mapping[str, float]


def registrar_of(home: SiteHome) -> Registrar:
    """All experts of registration that are here.

    Raises:
        ConsiliumError: there is none.
    """
    return Registrar(panel(home, TASK, ARCHITECTURE))


class Registrar(Experts):
    """Experts of registration."""

    def register(self, moving: Gray, fixed: Gray, names: Collection[str] = ()) -> Registered:
        """What the experts, or those named, see in a pair of images (H, W) of one size.

        Raises:
            DataError: images of different sizes, or none at all.
            ConsiliumError: there is no expert of a name.
        """
        from shared_models.registration_expert import mean_field, velocity_at

        size = _size(moving, fixed)
        chosen = asked(self.experts, names)
        said = {name: self._said(name, expert, moving, fixed) for name, expert in chosen.items()}
        p, weights = self.weighed({name: each.features for name, each in said.items()}).of(0)
        shares = shares_of(weights)
        field = mean_field([velocity_at(said[name].velocities, size) for name in shares], list(shares.values()))
        return Registered(field, p, shares)

    def _said(self, name: str, expert: Expert, moving: Gray, fixed: Gray) -> Velocities:
        from shared_models.registration_expert import velocities
        from shared_models.scaling import resized

        side = int(expert.config["side"])
        return velocities(self.network(name), resized(moving, side)[None], resized(fixed, side)[None])


def _size(moving: Gray, fixed: Gray) -> tuple[int, int]:
    """H and W of a pair.

    Raises:
        DataError: it is none.
    """
    for name, image in (("moving", moving), ("fixed", fixed)):
        if image.ndim != 2 or image.dtype != np.uint8 or min(image.shape) < LEAST_SIDE:
            what = f"is {image.dtype} of {image.shape}: grey levels from 0 to 255 of 2 pixels a side or more are taken"
            raise DataError(what, where=f"{name} image")
    if moving.shape != fixed.shape:
        said = " and ".join(f"{image.shape[0]}x{image.shape[1]}" for image in (moving, fixed))
        raise DataError(f"moving and fixed image are {said} pixels", where="pair", cure="bring them to one grid first")
    return moving.shape[0], moving.shape[1]
