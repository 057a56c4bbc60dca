"""What the experts of segmentation that are here see in images, fused image by image, each site's share told.

Every expert sees an image at its own side, its map is brought back to the image's size, and counts by how
in-distribution the image is for it. What is fused is cleaned up: of every structure its large pieces, without holes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from federated.fusion.probability_maps import ExpertMap, FusedMap, fuse_maps
from site_agent.asked_experts import Experts, asked, panel
from site_agent.tasks.segmentation import ARCHITECTURE, TASK

if TYPE_CHECKING:
    from site_agent.home import SiteHome
    from site_agent.panel import Expert

Gray = NDArray[np.uint8]
Maps = NDArray[np.float32]


@dataclass(frozen=True)
class Seen:
    """What is seen in one image.

    Attributes:
        structures: codes; value n of the labels is the n-th.
        labels: (H, W), cleaned up.
        shares: structure -> expert -> share of its probability.
        p: expert -> how in-distribution the image is for it.
        weights: expert -> with what it counts.
    """

    structures: tuple[str, ...]
    labels: Gray
    shares: Mapping[str, Mapping[str, float]]
    p: Mapping[str, float]
    weights: Mapping[str, float]

    def mask(self, structure: str) -> NDArray[np.bool_]:
        """(H, W) where a structure is; nowhere if no expert knows it."""
        if structure not in self.structures:
            return np.zeros(self.labels.shape, dtype=np.bool_)
        return self.labels == 1 + self.structures.index(structure)


def segmenter_of(home: SiteHome) -> Segmenter:
    """All experts of segmentation that are here.

    Raises:
        ConsiliumError: there is none.
    """
    return Segmenter(panel(home, TASK, ARCHITECTURE))


class Segmenter(Experts):
    """Experts of segmentation."""

    def look(self, images: Sequence[Gray], names: Collection[str] = ()) -> list[Seen]:
        """What the experts, or those named, see in images (H, W) of any sizes."""
        from shared_models.segmentation import enlarged

        chosen = asked(self.experts, names)
        read = {name: self._read(name, expert, images) for name, expert in chosen.items()}
        weighed = self.weighed({name: each.features for name, each in read.items()})
        found = []
        for row, image in enumerate(images):
            size = image.shape[0], image.shape[1]
            maps = {
                name: ExpertMap(expert.labels, enlarged(read[name].probabilities[row], size))
                for name, expert in chosen.items()
            }
            p, weights = weighed.of(row)
            found.append(_seen(fuse_maps(maps, weights), p, weights))
        return found

    def _read(self, name: str, expert: Expert, images: Sequence[Gray]) -> Any:
        from shared_models.scaling import resized
        from shared_models.segmentation import segmented

        side = int(expert.config["side"])
        return segmented(self.network(name), np.stack([resized(image, side) for image in images]))


def _seen(fused: FusedMap, p: Mapping[str, float], weights: Mapping[str, float]) -> Seen:
    from shared_models.mask_components import LARGE, largest_pieces

    labels = largest_pieces(fused.labels, range(1, 1 + len(fused.structures)), least=LARGE)
    return Seen(fused.structures, labels, fused.shares, p, weights)
