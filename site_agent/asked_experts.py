"""Experts of a task that are here, own and of other sites, asked together and weighed image by image.

Each counts by how in-distribution an image is for it. Those who trace, segment, register, reconstruct and look for what
is alike are such experts.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from federated.contract import Tensors
from federated.errors import ConsiliumError, ContractError
from federated.in_distribution import p_values
from site_agent.local_experts import kept, new_network
from site_agent.panel import BROKEN, Expert, received

if TYPE_CHECKING:
    import torch

    from site_agent.home import SiteHome

Floats = NDArray[np.floating[Any]]
UNKNOWN = 0.5
AVERAGE = "average"


@dataclass(frozen=True)
class Weighed:
    """What K experts count in each of n images.

    Attributes:
        names: of the experts.
        p: (n, K) how in-distribution an image is for each.
        weights: (n, K) with what each counts: its p, or one half where no patient calibrated it.
    """

    names: tuple[str, ...]
    p: Floats
    weights: Floats

    def of(self, row: int) -> tuple[dict[str, float], dict[str, float]]:
        """Of one image, by name: p, and weights."""
        p, weights = (dict(zip(self.names, part[row].tolist(), strict=True)) for part in (self.p, self.weights))
        return p, weights


@dataclass(frozen=True)
class Experts:
    """Those of a task.

    Attributes:
        experts: by name, own ones first.
    """

    experts: Mapping[str, Expert]
    _networks: dict[str, torch.nn.Module] = field(default_factory=dict, init=False, repr=False, compare=False)

    def network(self, name: str) -> torch.nn.Module:
        """Of an expert, in evaluation mode; made when it is first asked for."""
        if name not in self._networks:
            self._networks[name] = self._ready(self.experts[name])
        return self._networks[name]

    def _ready(self, expert: Expert) -> torch.nn.Module:
        return network_of(expert)

    def weighed(self, features: Mapping[str, Floats], prefix: str = "") -> Weighed:
        """By (n, D) features that experts have of n images; a prefix is that of their references."""
        states = [self.experts[name].state for name in features]
        p = np.stack(
            [p_values_of(state, features[name], prefix) for name, state in zip(features, states, strict=True)], 1
        )
        return Weighed(tuple(features), p, np.where([is_calibrated(state, prefix) for state in states], p, UNKNOWN))


def panel(home: SiteHome, task: str, *architectures: str) -> dict[str, Expert]:
    """As `experts_here`, of which there is one at least.

    Raises:
        ConsiliumError: there is none, or a file is damaged.
    """
    experts = experts_here(home, task, *architectures)
    if not experts:
        raise ConsiliumError(
            f"no expert of {task} is here", where=str(home.path), cure=f"consilium site train --task {task}"
        )
    return experts


def experts_here(home: SiteHome, task: str, *architectures: str) -> dict[str, Expert]:
    """Own experts of a task and those of other sites of some architectures, by a name for each.

    A name is the site's, numbered where it has several.

    Last, under a name of its own, comes the global model of the newest run of rounds that ended.

    Raises:
        ConsiliumError: a file is damaged.
    """
    own = [each.expert for each in kept(home, task)]
    others = [expert for expert in received(home) if expert.architecture in architectures]
    experts, last = [*own, *others], _averaged(home, architectures)
    sites = [expert.site for expert in experts]
    numbers = [sites[:place].count(site) + 1 for place, site in enumerate(sites)]
    several = {site for site in sites if sites.count(site) > 1}
    names = [f"{site}-{number}" if site in several else site for site, number in zip(sites, numbers, strict=True)]
    return dict(zip(names, experts, strict=True)) | ({AVERAGE: last} if last else {})


def _averaged(home: SiteHome, architectures: Collection[str]) -> Expert | None:
    """The global model of the newest run of rounds of some architectures, if one ended."""
    from site_agent.averaging import load_average

    names = [f"sha256:{path.stem}" for path in home.averages.glob("*.parcel")]
    ended = [(manifest, state) for manifest, state in (load_average(home, name) for name in names)]
    runs = [each for each in ended if each[0].plan.model in architectures]
    if not runs:
        return None
    manifest, state = max(runs, key=lambda each: each[0].run)
    plan = manifest.plan
    return Expert("", AVERAGE, 0, plan.model, dict(plan.config), plan.labels, state)


def asked(experts: Mapping[str, Expert], names: Collection[str] = ()) -> dict[str, Expert]:
    """Experts by name; where none is named all sites', and the average of rounds, which is no site's, if it is alone.

    Raises:
        ConsiliumError: one of the names is none.
    """
    if strange := set(names) - set(experts):
        raise ConsiliumError(f"there is no expert '{min(strange)}', there are {', '.join(experts)}", where="--by")
    chosen = set(names) or set(experts) - {AVERAGE} or set(experts)
    return {name: expert for name, expert in experts.items() if name in chosen}


def network_of(expert: Expert) -> torch.nn.Module:
    """An expert's network in evaluation mode, with its state.

    Raises:
        ContractError: it cannot be built here, or its state is of another network.
    """
    from shared_models.views import load_state

    try:
        network = new_network(expert.architecture, expert.config, seed=0)
        load_state(network, expert.state)
    except BROKEN as error:
        raise ContractError(str(error), where=f"expert of {expert.site}") from error
    return network.eval()


def p_values_of(state: Tensors, features: Floats, prefix: str = "") -> Floats:
    """(n,) conformal p-values of (n, D) features under the reference in an expert's state; 1 where it has none."""
    from shared_models.image_reference import reference_in

    known = reference_in(state, prefix)
    return p_values(np.asarray(known.scores(features), dtype=np.float64), known.counts)


def is_calibrated(state: Tensors, prefix: str = "") -> bool:
    """Whether any patient calibrated an expert; of one that none did nothing is known."""
    from shared_models.image_reference import reference_in

    return reference_in(state, prefix).patients > 0
