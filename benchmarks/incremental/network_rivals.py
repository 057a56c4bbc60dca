"""One network for all sites: what the experts of the source paper are compared with (Bransby et al., a.6).

All are the same small-image ResNet-18, trained by the same recipe; they differ in whose images it sees, when, and in
what holds the old knowledge. Where a rule has a strength, it is chosen at every arrival among a few by the accuracy on
the validation patients of all arrived sites, to which every candidate network travels.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np

from benchmarks.incremental.contestant import Answered, Contestant, Fold, Site, Start
from benchmarks.incremental.heads import case_bytes
from benchmarks.incremental.kept import kept
from benchmarks.incremental.network_images import (
    ARCHITECTURE,
    config_of,
    every_label,
    placed,
    recipe_of,
    said,
    state_bytes,
    training_examples,
    validation_examples,
)
from benchmarks.incremental.probabilities import answered, best_temperature
from federated.statistics import Array
from shared_models.anchoring import CONSOLIDATIONS, PROXIMITIES, Anchor, Anchoring, anchor_of
from shared_models.continual import Penalty, accuracy, joined, learn, open_network, widen
from shared_models.distillation import STRENGTHS, Distillation
from shared_models.expert_training import Examples, train_expert
from shared_models.federated_rounds import LOCAL_EPOCHS, Member, federated_rounds
from shared_models.fisher import IMAGES, fisher_diagonal
from shared_models.views import ExpertNetwork, State, frozen_expert, load_state

if TYPE_CHECKING:
    import torch

Columns = Literal["own", "all"]
"""Over which classes a member's cross-entropy is taken: those that it labels, or all that somebody does."""
Choice = tuple[float, Columns]


class NetworkRival(ABC):
    """What they have in common.

    Attributes:
        sites: that have arrived.
        labels: of the network's outputs.
        network: as it is by now.
        up, down: bytes by site.
    """

    network: ExpertNetwork

    def __init__(self, start: Start) -> None:
        self.start, self.sites, self.labels = start, list[Site](), tuple[str, ...]()
        self.recipe = recipe_of(start.setting, start.seed)
        self.up, self.down = Counter[str](), Counter[str]()
        self.temperature = 1.0

    def arrive(self, site: Site) -> float:
        """Trains the network, and finds its temperature."""
        self.sites.append(site)
        self.up[site.name], self.down[site.name] = 0, 0
        seconds = self._learn(site)
        self.temperature = best_temperature(self.start.vocabulary, self.labels, self._judges(), self._scores)
        return seconds

    @abstractmethod
    def _learn(self, site: Site) -> float:
        """Trains, and returns the seconds of what was found ready."""

    def _judges(self) -> Sequence[Site]:
        """Sites whose validation patients may be asked."""
        return self.sites

    def _scores(self, fold: Fold, site: str) -> Array:  # noqa: ARG002
        return said(self.network, fold)

    def answer(self, fold: Fold, site: str) -> Answered:
        """The network's answer; it is not told where images come from."""
        return answered(self.start.vocabulary, self.labels, self._scores(fold, site), self.temperature)

    def sent(self) -> Mapping[str, int]:
        """As each rule says."""
        return self.up

    def received(self) -> Mapping[str, int]:
        """As each rule says."""
        return self.down


class CombineAndRetrain(NetworkRival):
    """A new network from all images of all sites at every arrival: every site sends its images."""

    def _learn(self, site: Site) -> float:
        self.up[site.name] += case_bytes(site)
        self.labels = every_label(self.sites, self.start.vocabulary.codes)
        names = sorted(each.name for each in self.sites)
        found, seconds = kept(self.start.folder / f"combined-{'-'.join(names)}.npz", self._trained)
        config = config_of(site, self.start.setting, len(self.labels))
        self.network = placed(frozen_expert(ARCHITECTURE, config, found))
        return seconds

    def _trained(self) -> State:
        sites = sorted(self.sites, key=lambda site: site.name)
        checks = _checks(sites, self.labels)
        network = train_expert(
            ARCHITECTURE,
            config_of(sites[0], self.start.setting, len(self.labels)),
            joined([training_examples(site, self.labels) for site in sites]),
            recipe=self.recipe,
            validation=joined(checks) if checks else None,
        )
        return network.state()


class FineTuneConstant(NetworkRival):
    """The newcomer goes on with the backbone of the one before, under a classifier of its own labels alone."""

    def _learn(self, site: Site) -> float:
        begin = self.network.state() if self.labels else None
        self.labels = site.labels
        self.network = train_expert(
            ARCHITECTURE,
            config_of(site, self.start.setting, len(self.labels)),
            training_examples(site, self.labels),
            recipe=self.recipe,
            validation=validation_examples(site, self.labels),
            start=begin,
        )
        self.down[site.name] += state_bytes(begin or {})
        self.up[site.name] += state_bytes(self.network.state())
        return 0.0

    def _judges(self) -> Sequence[Site]:
        return self.sites[-1:]


class FineTuneExpand(NetworkRival):
    """The newcomer goes on with the network, to which outputs for its new labels are added; nothing holds the old.

    Attributes:
        strengths: of what holds the old knowledge, to choose from.
    """

    def __init__(self, start: Start, *, strengths: Sequence[float] = (0.0,)) -> None:
        super().__init__(start)
        self.strengths = tuple(strengths)

    def _learn(self, site: Site) -> float:
        if len(self.sites) == 1:
            return self._first(site)
        before, size = deepcopy(self.network), self._travels()
        self._widen(site)
        candidates = [self._taught(site, self._penalty(before, strength)) for strength in self.strengths]
        self.network = best(candidates, _checks(self.sites, self.labels))
        self.down[site.name] += size
        self._leave(site)
        return 0.0

    def _first(self, site: Site) -> float:
        """Without anything old, all rules of this kind do the same."""
        self.labels = site.labels
        path = self.start.folder / f"expanding-{site.name}.npz"
        found, seconds = kept(path, lambda: self._taught(site, None).state())
        self.network = self._new(site)
        load_state(self.network.network, found)
        placed(self.network)
        self._leave(site)
        return seconds

    def _new(self, site: Site) -> ExpertNetwork:
        return open_network(ARCHITECTURE, config_of(site, self.start.setting, len(self.labels)), self.start.seed)

    def _widen(self, site: Site) -> None:
        self.labels = (*self.labels, *(label for label in site.labels if label not in self.labels))
        widen(self.network, len(self.labels), self.start.seed)

    def _taught(self, site: Site, penalty: Penalty | None) -> ExpertNetwork:
        network = deepcopy(self.network) if len(self.sites) > 1 else self._new(site)
        learn(
            network,
            training_examples(site, self.labels),
            columns=[self.labels.index(label) for label in site.labels],
            recipe=self.recipe,
            validation=validation_examples(site, self.labels),
            penalty=penalty,
        )
        return network

    def _leave(self, site: Site) -> None:
        """What the newcomer sends on; where there is a choice, every earlier site is asked about each candidate."""
        size = state_bytes(self.network.state())
        choices = len(self.strengths) if len(self.sites) > 1 else 1
        self.up[site.name] += choices * size
        if choices > 1:
            for each in self.sites[:-1]:
                self.down[each.name] += choices * size

    def _travels(self) -> int:
        """Bytes that the newcomer is given."""
        return state_bytes(self.network.state())

    def _penalty(self, before: ExpertNetwork, strength: float) -> Penalty | None:  # noqa: ARG002
        return None

    def _judges(self) -> Sequence[Site]:
        return self.sites if len(self.strengths) > 1 else self.sites[-1:]


class WithoutForgetting(FineTuneExpand):
    """Learning without forgetting: on the newcomer's images, the network shall say of old labels what it said."""

    def _penalty(self, before: ExpertNetwork, strength: float) -> Penalty | None:
        return Distillation(before.network, strength)


class Consolidated(FineTuneExpand):
    """Elastic weight consolidation: every site leaves, beside the network, what its weights were worth to it."""

    def __init__(self, start: Start, *, strengths: Sequence[float] = CONSOLIDATIONS) -> None:
        super().__init__(start, strengths=strengths)
        self.anchors: tuple[Anchor, ...] = ()

    def _penalty(self, before: ExpertNetwork, strength: float) -> Penalty | None:  # noqa: ARG002
        return Anchoring(self.anchors, strength)

    def _leave(self, site: Site) -> None:
        super()._leave(site)
        self.anchors = (*self.anchors, anchor_of(self.network.network, self._fisher(site)))
        self.up[site.name] += _anchor_bytes(self.anchors[-1:]) // 2  # its weights are the network's

    def _fisher(self, site: Site) -> Mapping[str, torch.Tensor]:
        import torch

        given = training_examples(site, self.labels)
        rows = np.random.default_rng(self.start.seed).permutation(len(given.labels))[:IMAGES]
        shown = self.network.given(given.images[rows], given.mean, given.deviation)
        columns = [self.labels.index(label) for label in site.labels]
        return fisher_diagonal(self.network.network, shown, columns, torch.Generator().manual_seed(self.start.seed))

    def _travels(self) -> int:
        return super()._travels() + _anchor_bytes(self.anchors)


class Rounds(NetworkRival):
    """Federated averaging among all sites that have arrived, from the network that there is, at every arrival.

    Every member passes over its images as often as an expert does. Sites keep their images and take part for ever.

    Attributes:
        choices: of the proximity (0 is FedAvg) and of the columns, to choose from.
    """

    def __init__(self, start: Start, *, choices: Sequence[Choice]) -> None:
        super().__init__(start)
        self.choices = tuple(choices)
        self.rounds = max(1, start.setting.expert_epochs // LOCAL_EPOCHS)

    def _learn(self, site: Site) -> float:
        self.labels = (*self.labels, *(label for label in site.labels if label not in self.labels))
        if len(self.sites) == 1:
            config = config_of(site, self.start.setting, len(self.labels))
            self.network = open_network(ARCHITECTURE, config, self.start.seed)
        else:
            widen(self.network, len(self.labels), self.start.seed)
        self.network = best([self._averaged(*choice) for choice in self.choices], _checks(self.sites, self.labels))
        travelled = state_bytes(self.network.state()) * self.rounds * len(self.choices)
        for each in self.sites:
            self.up[each.name] += travelled
            self.down[each.name] += travelled
        return 0.0

    def _averaged(self, proximity: float, columns: Columns) -> ExpertNetwork:
        network, recipe = deepcopy(self.network), replace(self.recipe, epochs=LOCAL_EPOCHS)
        members = [self._member(site, columns) for site in self.sites]
        federated_rounds(network, members, recipe, rounds=self.rounds, proximity=proximity)
        return network

    def _member(self, site: Site, columns: Columns) -> Member:
        chosen = self.labels if columns == "all" else site.labels
        return Member(
            training_examples(site, self.labels),
            validation_examples(site, self.labels),
            tuple(self.labels.index(label) for label in chosen),
        )


def best(candidates: Sequence[ExpertNetwork], checks: Sequence[Examples]) -> ExpertNetwork:
    """The candidate with the best accuracy on all validation images over all outputs; the first of equals."""
    if len(candidates) == 1 or not checks:
        return candidates[0]
    classes = range(int(candidates[0].config["classes"]))
    found = [accuracy(candidate, checks, classes) for candidate in candidates]
    return candidates[int(np.argmax(found))]


def _checks(sites: Sequence[Site], labels: Sequence[str]) -> list[Examples]:
    found = [validation_examples(site, labels) for site in sites]
    return [given for given in found if given is not None]


def _anchor_bytes(anchors: Sequence[Anchor]) -> int:
    """Of weights and their importance."""
    return sum(2 * weights.numel() * weights.element_size() for one in anchors for weights in one.weights.values())


COMBINED = "combine and retrain (network)"
NETWORK_RIVALS: dict[str, Callable[[Start], Contestant]] = {
    COMBINED: CombineAndRetrain,
    "fine-tune constant (network)": FineTuneConstant,
    "fine-tune expand (network)": FineTuneExpand,
    "learning without forgetting (network)": partial(WithoutForgetting, strengths=STRENGTHS),
    "elastic weight consolidation (network)": Consolidated,
    "FedAvg (network)": partial(Rounds, choices=[(0.0, "own"), (0.0, "all")]),
    "FedProx (network)": partial(Rounds, choices=[(mu, "own") for mu in PROXIMITIES]),
}
