"""An expert that reconstructs hearts: Pix2Vox++ with room for what a site's pictures of them look like to it.

A heart's features are those that the encoder gives, as means over the places of a picture and over the pictures that
are there; by them others tell how in-distribution a heart is (`image_reference`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from shared_models.batch_norm_rounds import AVERAGED, require_way
from shared_models.reconstruction.pix2vox import BOTTLENECK, FEATURES, LEAST_CHANNELS, TRUNKS, pix2vox

if TYPE_CHECKING:
    import torch

    from shared_models.reconstruction.reconstruction_training import Shown
    from shared_models.reconstruction.view_network import ViewNetwork

AT_ONCE = 8  # hearts by which statistics are taken


def reconstruction_expert(
    size: int,
    views: str,
    fused: bool = True,
    trunk: str = TRUNKS[0],
    shrink: int = 1,
    bottleneck: int = BOTTLENECK,
    batch_norm: str = AVERAGED,
) -> ViewNetwork:
    """A network of `pix2vox`, whose options these are, with an empty reference.

    No layer depends on `batch_norm`, one of `batch_norm_rounds.WAYS`: it tells what becomes of batch norms in rounds.

    Raises:
        TypeError, ValueError: as there, or no such way.
    """
    from shared_models.image_reference import with_reference

    require_way(batch_norm)
    network = pix2vox(size, views, fused, trunk, shrink, bottleneck)
    with_reference(network, max(LEAST_CHANNELS, FEATURES // shrink))
    return network


@dataclass(frozen=True)
class Rebuilding:
    """What a network makes of n hearts.

    Attributes:
        probabilities: (n, E, E, E) that there is tissue.
        features: (n, D).
    """

    probabilities: NDArray[np.float32]
    features: NDArray[np.float32]


def rebuilt(network: ViewNetwork, hearts: Sequence[Shown]) -> Rebuilding:
    """Volumes and features of hearts that may lack views, in evaluation mode.

    Raises:
        ValueError: planes or views that do not fit the network.
    """
    from shared_models.reconstruction.reconstruction_training import reconstructed

    seen: list[NDArray[Any]] = []

    def keep(_module: torch.nn.Module, _given: Any, found: torch.Tensor) -> None:
        seen.append(found.float().mean(dim=(2, 3)).cpu().numpy())

    watch = network.encoder.register_forward_hook(keep)
    try:
        probabilities = reconstructed(network, hearts)
    finally:
        watch.remove()
    if not seen:
        return Rebuilding(probabilities, np.zeros((0, network.get_buffer("reference_mean").numel()), np.float32))
    ends = np.cumsum([len(heart.views) for heart in hearts])[:-1]
    each = [part.mean(axis=0) for part in np.split(np.concatenate(seen), ends)]
    return Rebuilding(probabilities, np.stack(each).astype(np.float32))


def with_own_statistics(
    network: ViewNetwork, hearts: Sequence[Shown], watch: Callable[[int], None] = lambda _done: None
) -> ViewNetwork:
    """The network, its batch norms' running statistics taken anew from hearts that it was built for.

    `watch` is told how many hearts have been shown.

    Raises:
        ValueError: no heart, or planes or views that do not fit the network.
    """
    import torch

    from shared_models.batch_norm_rounds import re_estimate
    from shared_models.reconstruction.named_views import arranged

    device = next(network.parameters()).device

    def show(rows: Sequence[int]) -> None:
        each = [arranged(network.views, hearts[row].views, hearts[row].planes) for row in rows]
        network(*(torch.from_numpy(np.stack(part)).to(device) for part in zip(*each, strict=True)))
        watch(rows[-1] + 1)

    re_estimate(network, len(hearts), show, AT_ONCE)
    return network
