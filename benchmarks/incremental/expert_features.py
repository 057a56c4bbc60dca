"""Rules of statistics on features that expert networks have learnt, beside those of the shared front end.

The base expert learns at the first site and is frozen before anybody else arrives, so that nothing of exactness is
lost; or all experts so far are stacked, and every site sums anew at every arrival.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from benchmarks.incremental.closed_form import ClosedForm
from benchmarks.incremental.contestant import Answered, Contestant, Fold, Site, Start
from benchmarks.incremental.linear_rules import Linear
from benchmarks.incremental.network_experts import Panel, expert_bytes
from federated.canonical import digest
from federated.fusion.discriminant import tuned_discriminant
from federated.fusion.scattered_discriminant import tuned_scattered_discriminant
from federated.manifest import FrontEndCard
from federated.statistics import Array

Made = Callable[[Start], Contestant]


class OnExperts:
    """A rule on features of the base expert alone, or of all experts so far, each of unit length."""

    def __init__(self, start: Start, *, rule: Made, everybody: bool) -> None:
        self.start, self.rule, self.everybody = start, rule, everybody
        self.panel = Panel(start)
        self.sites: list[Site] = []
        self.inner: Contestant | None = None
        self.before: Counter[str] = Counter()

    def arrive(self, site: Site) -> float:
        """Its expert where experts are asked for; then the rule, anew where the features have become more."""
        self.sites.append(site)
        grown = self.everybody or not self.panel.experts
        if grown:
            self._count()
            self.panel.add(site)
            self.inner = self.rule(self._start())
        assert self.inner is not None
        seconds = sum(self.inner.arrive(self._seen(each)) for each in (self.sites if grown else [site]))
        return seconds + self.panel.taken()

    def _count(self) -> None:
        """What was shared of fewer features is shared all the same."""
        self.before.update(self.inner.sent() if self.inner else {})

    def _start(self) -> Start:
        names = "-".join(self.panel.experts)
        local = self.sites[0].folds["train"].local
        width = local.features.shape[1] + sum(expert.features for expert in self.panel.experts.values())
        card = FrontEndCard(name="experts", config={}, digest=digest(names.encode()), features=width)
        return replace(self.start, front_end=card, folder=self.start.folder / f"on-{names}")

    def _seen(self, site: Site) -> Site:
        return Site(site.name, {name: self._fold(fold) for name, fold in site.folds.items()})

    def _fold(self, fold: Fold) -> Fold:
        """The shared front end's features last, since the last of all is the constant one."""
        said = self.panel.consulted(fold).features.astype(np.float64)
        parts = [_unit(said[:, place]) for place in range(said.shape[1])] if len(said) else []
        features = np.hstack([*parts, fold.local.features]) if parts else self._nothing(fold)
        return Fold(fold.images, replace(fold.local, features=features))

    def _nothing(self, fold: Fold) -> Array:
        width = fold.local.features.shape[1] + sum(expert.features for expert in self.panel.experts.values())
        return np.zeros((0, width))

    def answer(self, fold: Fold, site: str) -> Answered:
        """As the rule does."""
        assert self.inner is not None
        found = self.inner.answer(self._fold(fold), site)
        return replace(found, seconds=found.seconds + self.panel.taken())

    def sent(self) -> Mapping[str, int]:
        """What the rule shares, and the experts that all others ask."""
        experts, own = expert_bytes(self.panel), self.inner.sent() if self.inner else {}
        return {name: own[name] + self.before[name] + experts.get(name, 0) for name in own}

    def received(self) -> Mapping[str, int]:
        """What the rule sends, and the experts of others."""
        experts, own = expert_bytes(self.panel), self.inner.received() if self.inner else {}
        return {name: own[name] + sum(experts.values()) - experts.get(name, 0) for name in own}


def _unit(features: Array) -> Array:
    length = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(features / np.where(length > 0, length, 1.0))


_LDA: Made = partial(Linear, fit=tuned_discriminant)
_SCATTERED: Made = partial(Linear, fit=tuned_scattered_discriminant)
EXPERT_FEATURES: dict[str, Made] = {
    "closed form, base expert's features beside": partial(OnExperts, rule=ClosedForm, everybody=False),
    "closed form, all experts' features beside": partial(OnExperts, rule=ClosedForm, everybody=True),
    "streaming LDA, base expert's features beside": partial(OnExperts, rule=_LDA, everybody=False),
    "streaming LDA, all experts' features beside": partial(OnExperts, rule=_LDA, everybody=True),
    "discriminant with scatter, base expert's features beside": partial(OnExperts, rule=_SCATTERED, everybody=False),
    "discriminant with scatter, all experts' features beside": partial(OnExperts, rule=_SCATTERED, everybody=True),
}
