"""Linear heads on the shared front end: each site's own, pooled in some way, and one for all sites."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from benchmarks.incremental.contestant import Answered, Contestant, Fold, Site, Start
from benchmarks.incremental.kept import Arrays, kept
from benchmarks.incremental.probabilities import answered, best_temperature
from deploy.demo.baselines import Head, SiteFolds, train
from federated.fusion.experts import Consulted, Pooled
from federated.fusion.pooling import confidence_routing, max_logit, max_softmax, score_sum
from federated.statistics import Array

FLOAT = 4  # bytes


def head_of(start: Start, site: Site) -> tuple[Head, float]:
    """The head that a site trains alone, and the seconds that it took if it was found ready."""
    found, seconds = kept(start.folder / f"head-{site.name}.npz", partial(_trained, [site], start.seed))
    return _head(found), seconds


def _trained(sites: list[Site], seed: int, begin: Head | None = None) -> Arrays:
    head = train([folds_of(site) for site in sites], seed=seed, start=begin)
    return {"labels": np.array(head.labels), "weights": head.weights, "bias": head.bias}


def _head(arrays: Arrays) -> Head:
    return Head(tuple(arrays["labels"].tolist()), arrays["weights"], arrays["bias"])


def folds_of(site: Site) -> SiteFolds:
    """The site's features, as the demonstration's baselines read them."""
    return SiteFolds(site.name, {name: fold.local for name, fold in site.folds.items()})


def consulted(heads: Mapping[str, Head], features: Array, means: Mapping[str, Array] | None = None) -> Consulted:
    """What the heads say of (n, M) features; with mean features of the sites, discrepancies as well."""
    shared = np.broadcast_to(features[:, None, :], (len(features), len(heads), features.shape[1]))
    return Consulted(
        names=tuple(heads),
        labels=tuple(head.labels for head in heads.values()),
        features=shared,
        logits=tuple(features @ head.weights + head.bias for head in heads.values()),
        discrepancy=None if means is None else np.stack([features - means[name] for name in heads], axis=1),
    )


class Experts:
    """Every site's own head, and a rule that pools what they say; nobody learns anything together."""

    def __init__(self, start: Start, *, pool: Callable[[Consulted], Pooled]) -> None:
        self.start, self.pool = start, pool
        self.sites: list[Site] = []
        self.heads: dict[str, Head] = {}
        self.temperature = 1.0

    def arrive(self, site: Site) -> float:
        """Its head, and the temperature at which everybody's validation images are most likely."""
        self.sites.append(site)
        self.heads[site.name], seconds = head_of(self.start, site)
        self.temperature = best_temperature(self.start.vocabulary, self._labels(), self.sites, self._scores)
        return seconds

    def _labels(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(label for head in self.heads.values() for label in head.labels))

    def _scores(self, fold: Fold, site: str) -> Array:  # noqa: ARG002
        return self.pool(consulted(self.heads, fold.local.features)).scores

    def answer(self, fold: Fold, site: str) -> Answered:  # noqa: ARG002
        """All heads on every image."""
        pooled = self.pool(consulted(self.heads, fold.local.features))
        return answered(
            self.start.vocabulary,
            pooled.labels,
            pooled.scores,
            self.temperature,
            weights=pooled.weights,
            contributions=pooled.contributions,
        )

    def sent(self) -> Mapping[str, int]:
        """Heads."""
        return {name: head_bytes(head) for name, head in self.heads.items()}

    def received(self) -> Mapping[str, int]:
        """Nothing but releases."""
        return dict.fromkeys(self.heads, 0)


class SiteAlone:
    """Every site is answered by its own head; one that never arrived, by none."""

    def __init__(self, start: Start) -> None:
        self.start = start
        self.heads: dict[str, Head] = {}
        self.temperatures: dict[str, float] = {}

    def arrive(self, site: Site) -> float:
        """Its head."""
        self.heads[site.name], seconds = head_of(self.start, site)
        labels = self.heads[site.name].labels
        self.temperatures[site.name] = best_temperature(self.start.vocabulary, labels, [site], self._scores)
        return seconds

    def _scores(self, fold: Fold, site: str) -> Array:
        return fold.local.features @ self.heads[site].weights + self.heads[site].bias

    def answer(self, fold: Fold, site: str) -> Answered:
        """Told whose images they are."""
        if site in self.heads:
            scores = self._scores(fold, site)
            return answered(self.start.vocabulary, self.heads[site].labels, scores, self.temperatures[site])
        nothing = np.full((len(fold.local.labels), 1), -np.inf)
        return Answered(self.start.vocabulary.codes[:1], nothing, np.full(nothing.shape, np.nan))

    def sent(self) -> Mapping[str, int]:
        """Nothing."""
        return dict.fromkeys(self.heads, 0)

    def received(self) -> Mapping[str, int]:
        """Nothing."""
        return dict.fromkeys(self.heads, 0)


class OneHead:
    """One head: trained anew on everything at every arrival, or on the newcomer alone, from where it was."""

    def __init__(self, start: Start, *, everything: bool) -> None:
        self.start, self.everything = start, everything
        self.sites: list[Site] = []
        self.head: Head | None = None
        self.temperature = 1.0

    def arrive(self, site: Site) -> float:
        """Trains the head."""
        self.sites.append(site)
        learnt, begin = (self.sites, None) if self.everything else ([site], self.head)
        self.head = _head(_trained(learnt, self.start.seed, begin))
        self.temperature = best_temperature(self.start.vocabulary, self.head.labels, learnt, self._scores)
        return 0.0

    def _scores(self, fold: Fold, site: str) -> Array:  # noqa: ARG002
        assert self.head is not None
        return fold.local.features @ self.head.weights + self.head.bias

    def answer(self, fold: Fold, site: str) -> Answered:
        """The head's answer."""
        assert self.head is not None
        return answered(self.start.vocabulary, self.head.labels, self._scores(fold, site), self.temperature)

    def sent(self) -> Mapping[str, int]:
        """Its images where everything is combined; else the head that it passes on."""
        assert self.head is not None
        if self.everything:
            return {site.name: case_bytes(site) for site in self.sites}
        return dict.fromkeys((site.name for site in self.sites), head_bytes(self.head))

    def received(self) -> Mapping[str, int]:
        """Nothing where everything is combined; else the head of the one before."""
        assert self.head is not None
        passed = 0 if self.everything else head_bytes(self.head)
        return {site.name: passed if number else 0 for number, site in enumerate(self.sites)}


def head_bytes(head: Head) -> int:
    """Of a linear head in single precision."""
    return FLOAT * (head.weights.size + head.bias.size)


def case_bytes(site: Site) -> int:
    """Of a site's training and validation images, one a pixel; of a table's rows, their features."""
    folds = (site.folds["train"], site.folds["validation"])
    return sum(fold.images.nbytes or FLOAT * fold.local.features.size for fold in folds)


JOINT = "combine and retrain (linear head)"
SITE_ALONE = "site alone (linear head)"
MAX_SOFTMAX = "max-softmax of site heads"
HEADS: dict[str, Callable[[Start], Contestant]] = {
    JOINT: partial(OneHead, everything=True),
    "fine-tune in turn (linear head)": partial(OneHead, everything=False),
    SITE_ALONE: SiteAlone,
    "max-logit of site heads": partial(Experts, pool=max_logit),
    MAX_SOFTMAX: partial(Experts, pool=max_softmax),
    "confidence routing of site heads": partial(Experts, pool=confidence_routing),
    "score sum of site heads": partial(Experts, pool=score_sum),
}
