"""What the experts of reconstruction that are here make of a heart's views, fused, each site's share told.

Every expert is shown those of the views that it was built for. Its probabilities are brought to the finest volume of
all, and count by how in-distribution the heart's pictures are for it; where they are foreign to all, all count alike.
The global model of rounds whose batch norms are re-estimated is first shown the site's own training hearts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from federated.errors import DataError
from federated.fusion.probability_maps import shares_of
from site_agent.asked_experts import Experts, asked, network_of, panel
from site_agent.heart_planes import named
from site_agent.hearts import HOW, Heart, hearts_of
from site_agent.progress import Bar
from site_agent.tasks.blocks import TRAIN
from site_agent.tasks.reconstruction import ARCHITECTURE, TASK

if TYPE_CHECKING:
    import torch

    from shared_models.reconstruction.view_network import ViewNetwork
    from shared_models.reconstruction_expert import Rebuilding
    from site_agent.home import SiteHome
    from site_agent.panel import Expert

Volume = NDArray[np.float32]
MOST_SHOWN = 64  # training hearts by which batch norms are re-estimated


@dataclass(frozen=True)
class Rebuilt:
    """What is made of one heart.

    Attributes:
        probabilities: (E, E, E) that there is tissue.
        p: expert -> how in-distribution the pictures are for it.
        weights: expert -> share of the probabilities that comes from it; they add up to one.
    """

    probabilities: Volume
    p: Mapping[str, float]
    weights: Mapping[str, float]


@dataclass(frozen=True)
class Pictures:
    """Views of one heart by name, with their (V, 224, 224) planes."""

    views: tuple[str, ...]
    planes: NDArray[np.float32]


def reconstructor_of(home: SiteHome) -> Reconstructor:
    """All experts of reconstruction that are here.

    Raises:
        ConsiliumError: there is none.
    """
    return Reconstructor(panel(home, TASK, ARCHITECTURE), lambda: hearts_of(home, fold=TRAIN))


@dataclass(frozen=True)
class Reconstructor(Experts):
    """Experts of reconstruction.

    Attributes:
        own: the site's training hearts, read where a global model needs them.
    """

    own: Callable[[], Sequence[Heart]] = tuple

    def views(self, names: Collection[str] = ()) -> tuple[str, ...]:
        """For which the experts, or those named, were built, in the order of channels."""
        from shared_models.reconstruction.named_views import in_order

        return in_order(list({view for each in asked(self.experts, names).values() for view in views_of(each)}))

    def volume(self, views: Mapping[str, NDArray[np.float32]], names: Collection[str] = ()) -> Rebuilt:
        """What the experts, or those named, make of one heart.

        Args:
            views: name of a view -> (224, 224) grey in [0, 1].
            names: of experts; where none is named all sites', without the average of rounds.

        Raises:
            ConsiliumError: no picture or one that cannot be, a view that no expert was built for, no expert of a name,
                or a global model that would have to be shown hearts where there are none.
        """
        self._require(views, names)
        chosen = asked(self.experts, names)
        given = {name: _of(expert, views) for name, expert in chosen.items()}
        made = {name: self._made(name, pictures) for name, pictures in given.items() if pictures is not None}
        p, weights = self.weighed({name: each.features for name, each in made.items()}).of(0)
        return fused({name: each.probabilities[0] for name, each in made.items()}, weights, p)

    def _require(self, views: Mapping[str, NDArray[np.float32]], names: Collection[str]) -> None:
        from shared_models.reconstruction.named_views import in_order

        try:
            in_order(list(views))
        except ValueError as error:
            raise DataError(str(error), where="views") from error
        known = self.views(names)
        if strange := [view for view in views if view not in known]:
            raise DataError(f"no expert was built for view '{strange[0]}', but for {', '.join(known)}", where="views")

    def _made(self, name: str, pictures: Pictures) -> Rebuilding:
        """Of one expert."""
        from shared_models.reconstruction_expert import rebuilt

        try:
            return rebuilt(cast("ViewNetwork", self.network(name)), [pictures])
        except ValueError as error:
            raise DataError(str(error), where="views") from error

    def _ready(self, expert: Expert) -> torch.nn.Module:
        network = network_of(expert)
        return self._adapted(cast("ViewNetwork", network)) if needs_own(expert) else network

    def _adapted(self, network: ViewNetwork) -> ViewNetwork:
        from shared_models.reconstruction_expert import with_own_statistics

        hearts = [kept for heart in self.own() if (kept := heart.only(network.views))][:MOST_SHOWN]
        if not hearts:
            raise DataError(
                "the global model must first be shown training hearts of this site, and there are none",
                where="average",
                cure=f"{HOW}, or ask for rounds with batch_norm=averaged",
            )
        bar = Bar("own hearts for the global model", len(hearts))
        try:
            return with_own_statistics(network, hearts, bar.at)
        finally:
            bar.close()


def views_of(expert: Expert) -> tuple[str, ...]:
    """For which an expert was built."""
    return named(str(expert.config["views"]))


def needs_own(expert: Expert) -> bool:
    """Whether it is a global model whose batch norms have seen nothing."""
    from shared_models.batch_norm_rounds import RE_ESTIMATED

    return expert.config.get("batch_norm") == RE_ESTIMATED


def _of(expert: Expert, views: Mapping[str, NDArray[np.float32]]) -> Pictures | None:
    """Those of the pictures that an expert was built for."""
    names = tuple(name for name in views if name in views_of(expert))
    return Pictures(names, np.stack([views[name] for name in names])) if names else None


def fused(said: Mapping[str, Volume], weights: Mapping[str, float], p: Mapping[str, float]) -> Rebuilt:
    """The weighted mean of experts' volumes at the finest of their sizes; where all weights are 0, the plain mean."""
    shares, size = shares_of(weights), max(len(volume) for volume in said.values())
    parts = [share * _finer(said[name], size) for name, share in shares.items()]
    return Rebuilt(np.sum(parts, axis=0, dtype=np.float32), p, shares)


def _finer(volume: Volume, size: int) -> Volume:
    """Every voxel as the several that it stands for."""
    for axis in range(3):
        volume = np.repeat(volume, size // volume.shape[axis], axis=axis)
    return volume
