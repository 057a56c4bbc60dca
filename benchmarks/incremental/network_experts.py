"""Expert networks as in the source paper: one a site, frozen, consulted by everybody; and the rules that fuse them.

The first site's expert is the base, from whose weights every later one starts. Experts, and what each sees in a fold,
are kept in the folder, since many rules ask the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from benchmarks.incremental.contestant import Answered, Contestant, Fold, Site, Start
from benchmarks.incremental.gated import CrossHeads
from benchmarks.incremental.heads import FLOAT
from benchmarks.incremental.kept import Arrays, kept
from benchmarks.incremental.network_images import (
    ARCHITECTURE,
    config_of,
    levels_of,
    placed,
    recipe_of,
    state_bytes,
    training_examples,
    validation_examples,
)
from benchmarks.incremental.probabilities import answered, best_temperature
from federated.fusion.experts import Consulted, Pooled, together
from federated.fusion.gated import GatedModel, GatedShape, Reads
from federated.fusion.pooling import confidence_routing, max_logit, max_softmax, score_sum
from federated.statistics import Array
from shared_models.consultation import Lesson
from shared_models.expert_training import train_expert
from shared_models.gate import paper_recipe, train_gate
from shared_models.views import ExpertNetwork, Looked, State, frozen_expert

DIGITS = 16  # of a digest in a file's name


@dataclass
class Panel:
    """The experts so far, in order of arrival.

    Attributes:
        start: what every contestant knows.
        experts, labels: by site.
        base: name and state of the first.
        seconds: that what was found ready has cost since it was last taken.
    """

    start: Start
    experts: dict[str, ExpertNetwork] = field(default_factory=dict)
    labels: dict[str, tuple[str, ...]] = field(default_factory=dict)
    base: tuple[str, State] | None = None
    seconds: float = 0.0

    def add(self, site: Site) -> None:
        """Trains the expert of a site, or finds it ready."""
        base = self.base[0] if self.base else site.name
        found, seconds = kept(self.start.folder / f"expert-{base}-{site.name}.npz", partial(self._trained, site))
        self.seconds += seconds
        config = config_of(site, self.start.setting, len(site.labels))
        self.experts[site.name] = placed(frozen_expert(ARCHITECTURE, config, found))
        self.labels[site.name] = site.labels
        self.base = self.base or (site.name, dict(found))

    def _trained(self, site: Site) -> State:
        return train_expert(
            ARCHITECTURE,
            config_of(site, self.start.setting, len(site.labels)),
            training_examples(site, site.labels),
            recipe=recipe_of(self.start.setting, self.start.seed),
            validation=validation_examples(site, site.labels),
            start=self.base[1] if self.base else None,
        ).state()

    def consulted(self, fold: Fold, *, reads: Reads = "none", copy: int | None = None) -> Consulted:
        """What all experts say of a fold's images, normalised by their own grey levels, or of augmented copies."""
        seen = {name: self._look(name, fold, copy) for name in self.experts}
        apart = [self.experts[name].discrepancy(one) for name, one in seen.items()] if reads == "discrepancy" else []
        return Consulted(
            names=tuple(self.experts),
            labels=tuple(self.labels.values()),
            features=np.stack([one.features for one in seen.values()], axis=1),
            logits=tuple(one.logits for one in seen.values()),
            discrepancy=np.stack([one for one in apart if one is not None], axis=1) if apart else None,
        )

    def _look(self, name: str, fold: Fold, copy: int | None) -> Looked:
        assert self.base is not None
        shown = hashlib.sha256(fold.images.tobytes()).hexdigest()[:DIGITS]
        file = f"look-{self.base[0]}-{name}-{shown}-{'plain' if copy is None else copy}.npz"
        found, seconds = kept(self.start.folder / file, partial(self._looked, name, fold, copy))
        self.seconds += seconds
        return Looked(**found)

    def _looked(self, name: str, fold: Fold, copy: int | None) -> Arrays:
        seen = self.experts[name].look(fold.images, *levels_of(fold), augmentation_seed=copy)
        return {"features": seen.features, "logits": seen.logits, "means": seen.means}

    def taken(self) -> float:
        """The seconds, which are then none."""
        seconds, self.seconds = self.seconds, 0.0
        return seconds


class Experts:
    """Expert networks and a rule that fuses what they say: one that only pools, or a fusion that learns."""

    def __init__(
        self,
        start: Start,
        *,
        pool: Callable[[Consulted], Pooled] | None = None,
        reads: Reads = "none",
        cross_heads: CrossHeads = "trained",
    ) -> None:
        self.start, self.pool, self.reads, self.cross_heads = start, pool, reads, cross_heads
        self.panel = Panel(start)
        self.sites: list[Site] = []
        self.temperature = 1.0

    def arrive(self, site: Site) -> float:
        """The newcomer's expert; then the fusion on what all experts see in everybody's images."""
        self.sites.append(site)
        self.panel.add(site)
        if self.pool is None or isinstance(self.pool, _Learnt):
            self.pool = _Learnt(self._trained())
        self.temperature = best_temperature(self.start.vocabulary, self._merged(), self.sites, self._scores)
        return self.panel.taken()

    def _merged(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(label for held in self.panel.labels.values() for label in held))

    def _trained(self) -> GatedModel:
        setting = self.start.setting
        recipe = replace(
            paper_recipe(self.start.seed),
            epochs=setting.fusion_epochs,
            batch=setting.batch,
            samples_an_epoch=setting.fusion_samples,
        )
        lesson, validation = self._lesson("train", list(range(setting.copies))), self._lesson("validation", [None])
        assert lesson is not None  # whoever arrives has training images
        state = train_gate(lesson, validation, self.reads, recipe, cross_heads=self.cross_heads)
        return GatedModel.from_tensors(self._shape(), state)

    def _shape(self) -> GatedShape:
        one = next(iter(self.panel.experts.values()))
        means = one.means if self.reads == "discrepancy" else 0
        return GatedShape(tuple(self.panel.experts), tuple(self.panel.labels.values()), self.reads, one.features, means)

    def _lesson(self, fold: str, copies: Sequence[int | None]) -> Lesson | None:
        """What all experts say of all sites' images, as they are or in augmented copies (step 6); None of no image."""
        folds = [(_known(site.folds[fold], self._merged()), copy) for site in self.sites for copy in copies]
        folds = [(each, copy) for each, copy in folds if each.local.labels]
        if not folds:
            return None
        said = [self.panel.consulted(each, reads=self.reads, copy=copy) for each, copy in folds]
        labels = [label for each, _ in folds for label in each.local.labels]
        return Lesson(
            together(dict(self.panel.labels), said),
            np.array([self._merged().index(label) for label in labels], dtype=np.int64),
            np.concatenate([each.local.weights for each, _ in folds]),
        )

    def _pooled(self, fold: Fold) -> Pooled:
        assert self.pool is not None
        return self.pool(self.panel.consulted(fold, reads=self.reads))

    def _scores(self, fold: Fold, site: str) -> Array:  # noqa: ARG002
        return self._pooled(fold).scores

    def answer(self, fold: Fold, site: str) -> Answered:  # noqa: ARG002
        """All experts look at every image."""
        pooled = self._pooled(fold)
        found = answered(
            self.start.vocabulary,
            pooled.labels,
            pooled.scores,
            self.temperature,
            weights=pooled.weights,
            contributions=pooled.contributions,
        )
        return replace(found, seconds=self.panel.taken())

    def sent(self) -> Mapping[str, int]:
        """A site's expert; where a fusion learns, also what all experts see in its images."""
        experts = expert_bytes(self.panel)
        learns = isinstance(self.pool, _Learnt)
        return {site.name: experts[site.name] + (self._seen_bytes(site) if learns else 0) for site in self.sites}

    def _seen_bytes(self, site: Site) -> int:
        train, validation = (len(site.folds[fold].local.labels) for fold in ("train", "validation"))
        return FLOAT * self._shape().floats_an_image * (train * self.start.setting.copies + validation)

    def received(self) -> Mapping[str, int]:
        """All other experts."""
        experts = expert_bytes(self.panel)
        return {name: sum(experts.values()) - own for name, own in experts.items()}


@dataclass(frozen=True)
class _Learnt:
    """A fusion as a rule that pools."""

    model: GatedModel

    def __call__(self, consulted: Consulted) -> Pooled:
        return self.model.answer(consulted)


class ExpertAlone:
    """Every site is answered by its own expert network; one that never arrived, by none."""

    def __init__(self, start: Start) -> None:
        self.start, self.panel = start, Panel(start)
        self.temperatures: dict[str, float] = {}

    def arrive(self, site: Site) -> float:
        """Its expert."""
        self.panel.add(site)
        self.temperatures[site.name] = best_temperature(self.start.vocabulary, site.labels, [site], self._scores)
        return self.panel.taken()

    def _scores(self, fold: Fold, site: str) -> Array:
        place = list(self.panel.experts).index(site)
        return self.panel.consulted(fold).logits[place].astype(np.float64)

    def answer(self, fold: Fold, site: str) -> Answered:
        """Told whose images they are."""
        if site not in self.panel.experts:
            nothing = np.full((len(fold.local.labels), 1), -np.inf)
            return Answered(self.start.vocabulary.codes[:1], nothing, np.full(nothing.shape, np.nan))
        scores = self._scores(fold, site)
        found = answered(self.start.vocabulary, self.panel.labels[site], scores, self.temperatures[site])
        return replace(found, seconds=self.panel.taken())

    def sent(self) -> Mapping[str, int]:
        """Nothing but the base expert, from which all start."""
        experts = expert_bytes(self.panel)
        base = self.panel.base[0] if self.panel.base else ""
        return {name: own if name == base else 0 for name, own in experts.items()}

    def received(self) -> Mapping[str, int]:
        """The base expert."""
        experts, base = expert_bytes(self.panel), self.panel.base[0] if self.panel.base else ""
        return {name: 0 if name == base else experts[base] for name in experts}


def expert_bytes(panel: Panel) -> dict[str, int]:
    """Of every expert's weights."""
    return {name: state_bytes(expert.state()) for name, expert in panel.experts.items()}


def _known(fold: Fold, labels: Sequence[str]) -> Fold:
    rows = [row for row, label in enumerate(fold.local.labels) if label in labels]
    return fold if len(rows) == len(fold.local.labels) else Fold(fold.images[rows], fold.local.rows(rows))


NETWORK_GATED = "gated fusion of expert networks (features)"
NETWORK_EXPERTS: dict[str, Callable[[Start], Contestant]] = {
    NETWORK_GATED: partial(Experts, reads="features"),
    "gated fusion of expert networks (discrepancy)": partial(Experts, reads="discrepancy"),
    "cross heads of expert networks without a gate": partial(Experts, reads="none"),
    "gated fusion of expert networks, cross heads in closed form": partial(
        Experts, reads="features", cross_heads="closed form"
    ),
    "max-logit of expert networks": partial(Experts, pool=max_logit),
    "max-softmax of expert networks": partial(Experts, pool=max_softmax),
    "confidence routing of expert networks": partial(Experts, pool=confidence_routing),
    "score sum of expert networks": partial(Experts, pool=score_sum),
    "site alone (expert network)": ExpertAlone,
}
