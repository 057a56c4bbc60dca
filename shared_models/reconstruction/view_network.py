"""The whole network: every view is encoded; either all views become one before they are decoded, or after.

Of a missing view nothing is encoded. In its place the fusing layer has zero features; the merger gives it no weight.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from shared_models.phantom.volumes import PLANE_PIXELS
from shared_models.reconstruction.decoder import Decoder
from shared_models.reconstruction.encoder import Encoder, fusing_layer
from shared_models.reconstruction.merger import Merger, merged
from shared_models.reconstruction.refiner import Refiner


@dataclass(frozen=True)
class Reconstruction:
    """Probabilities that there is tissue, of B hearts.

    Attributes:
        coarse: (B, E, E, E) of all views, before the refiner.
        refined: (B, E, E, E) after it: the answer.
    """

    coarse: torch.Tensor
    refined: torch.Tensor


class ViewNetwork(nn.Module):
    """Volumes of hearts from their views.

    Attributes:
        views: by name, in the order of their channels.
        size: E, voxels a side.
        encoder, decoder, refiner: see there.
        fusing: makes one of all views' features; None where views are merged.
        merger: scores the views' volumes; None where features are fused, since a soft-max over one view is 1.
    """

    def __init__(
        self, views: tuple[str, ...], size: int, encoder: Encoder, decoder: Decoder, refiner: Refiner, *, fused: bool
    ) -> None:
        super().__init__()
        self.views, self.size = views, size
        self.encoder, self.decoder, self.refiner = encoder, decoder, refiner
        self.fusing = fusing_layer(len(views)) if fused else None
        self.merger = None if fused else Merger(size)

    def forward(self, planes: torch.Tensor, present: torch.Tensor | None = None) -> Reconstruction:
        """Of (B, V, 224, 224) planes in [0, 1], as `named_views.arranged` lays them out.

        Args:
            planes: what is where a view is missing does not matter.
            present: (B, V) which views are there; None for all.

        Raises:
            ValueError: planes of another shape, or a heart without any view.
        """
        given = self._present(planes, present)
        features = _spread(self.encoder(planes.flatten(0, 1) if given is None else planes[given]), planes, given)
        coarse = self._fused(features) if self.fusing else self._merged(features, given)
        return Reconstruction(coarse, self.refiner(coarse))

    def _present(self, planes: torch.Tensor, present: torch.Tensor | None) -> torch.Tensor | None:
        wanted = (len(self.views), PLANE_PIXELS, PLANE_PIXELS)
        if planes.ndim != 4 or tuple(planes.shape[1:]) != wanted:
            raise ValueError(f"the network takes planes of {wanted} a heart, these are {tuple(planes.shape)}")
        if present is None:
            return None
        if not bool(present.any(dim=1).all()):
            raise ValueError("of one heart no view is given")
        return None if bool(present.all()) else present

    def _fused(self, features: torch.Tensor) -> torch.Tensor:
        assert self.fusing is not None
        return self._volumes(self.fusing(features)[:, 0])[0][:, 0]

    def _merged(self, features: torch.Tensor, given: torch.Tensor | None) -> torch.Tensor:
        """One view of all hearts at a time where nothing is learnt, so that memory does not grow with the views."""
        flat = features.flatten(0, 1) if given is None else features[given]
        learning = self.training or torch.is_grad_enabled()
        parts = [flat] if learning else flat.split(len(features))
        each = [self._volumes(part) for part in parts]
        coarse, scores = (_spread(torch.cat(one), features, given)[:, :, 0] for one in zip(*each, strict=True))
        return merged(coarse, scores, given)

    def _volumes(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(n, 1, E, E, E) coarse volumes, and their scores where there is a merger."""
        coarse, raw = self.decoder(features)
        return coarse, coarse if self.merger is None else self.merger(raw)


def _spread(values: torch.Tensor, like: torch.Tensor, given: torch.Tensor | None) -> torch.Tensor:
    """(n, ...) of the views that are there as (B, V, ...), zero where one is missing."""
    if given is None:
        return values.unflatten(0, like.shape[:2])
    whole = values.new_zeros((*like.shape[:2], *values.shape[1:]))
    return whole.index_put((given,), values)
