"""Who is asked for a heart: the network of a file, or the experts that are at a site."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from site_agent.reconstruction.heart import Reconstructor, Target
from site_agent.reconstruction.network_file import read_network

if TYPE_CHECKING:
    from site_agent.home import SiteHome
    from site_agent.reconstruction.reconstructor import Reconstructor as Experts

USUAL_CUBE_MM = 148.0  # edge of the cubes about the phantom's hearts, on average


@dataclass(frozen=True)
class Chosen:
    """Who is asked.

    Attributes:
        reconstructor: makes the volume.
        target: what the volume is of.
        cube_mm: edge of the cube about a usual heart.
    """

    reconstructor: Reconstructor
    target: Target
    cube_mm: float


@dataclass(frozen=True)
class Panel:
    """All experts of reconstruction that are here, as one."""

    experts: Experts

    def volume(self, views: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
        """(E, E, E) probabilities, those of all experts fused.

        Raises:
            ConsiliumError: a view that no expert was built for.
        """
        return self.experts.volume(views).probabilities


def of_file(weights: Path) -> Chosen:
    """The network of a file.

    Raises:
        ConsiliumError: it holds none.
    """
    saved = read_network(weights)
    return Chosen(saved, saved.card.target, saved.card.cube_mm)


def of_home(home: SiteHome) -> Chosen:
    """The experts that are here, whose hearts are as large as the site's own, on average.

    Raises:
        ConsiliumError: there is none.
    """
    from site_agent.hearts import hearts_of
    from site_agent.reconstruction.reconstructor import reconstructor_of

    experts = reconstructor_of(home)
    cubes = [heart.spacing_mm * len(heart.target) for heart in hearts_of(home)]
    return Chosen(Panel(experts), "heart", float(np.mean(cubes)) if cubes else USUAL_CUBE_MM)
