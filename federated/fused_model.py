"""A candidate or release applied to features: scores, weights, contributions, evidence, refusal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from federated.clips import clip_means
from federated.deciding import decisions
from federated.decision import Decision
from federated.descent import tree_of
from federated.errors import ContractError
from federated.fusion.closed_form import (
    Key,
    Solved,
    class_means,
    evidence,
    full_key,
    partial_key,
    scatter_factor,
    scatter_sites,
    solve,
)
from federated.fusion.effective_number import counted
from federated.fusion.experts import Pooled
from federated.fusion.rules import scorer_of
from federated.fusion.targets import Silent, targets_of
from federated.in_distribution import (
    acting_weights,
    means_in,
    normalise_in_class,
    p_values,
    quadratic_ratio,
    relative_mahalanobis,
    standardise,
    subspace,
)
from federated.manifest import ReleaseManifest, ReleaseSite, Tensors, manifest_digest
from federated.release import gram_tensors, subspace_of, subspace_tensors, system_key
from federated.release_reading import block_of, check_release
from federated.statistics import Array, Statistics, unpack_symmetric

MAX_SOLVED = 32  # systems kept in memory
GRADES = np.array([0.0, 0.1, 0.3, 1.0])


@dataclass(frozen=True)
class Answers:
    """Arrays behind the decisions of n rows: `scores` (n, C), `contributions` (n, K, C), `p` and `weights` (n, K)."""

    scores: Array
    contributions: Array
    p: Array
    weights: Array
    evidence: list[dict[str, float]]


@dataclass(frozen=True)
class Group:
    """Labels with the same labelling sites: `columns` of the labels, `inside` (K,) which sites label them.

    `silent` are the (site, label) whose images say nothing of them, of sites that enter their system.
    """

    columns: list[int]
    inside: NDArray[np.bool_]
    silent: Silent


@dataclass
class FusedModel:
    """A fused model in memory. Behind M features, B numbers of a panel may stand, which the rule alone reads.

    Systems with nobody silenced are carried; others are solved when asked for, where every Gram matrix in them is here.

    Attributes:
        blocks: statistics as sites sent them.
        counted: the same as the systems count them.
    """

    manifest: ReleaseManifest
    tensors: Tensors
    digest: str
    blocks: dict[str, Statistics]
    _solved: dict[Key, Solved] = field(default_factory=dict)

    @classmethod
    def from_release(cls, manifest: ReleaseManifest, tensors: Tensors) -> FusedModel:
        """The model of a candidate or release whose tensors were checked against its manifest.

        Raises:
            ContractError: a tensor is missing or does not fit.
        """
        try:
            check_release(manifest, tensors)
            blocks = {site.name: block_of(manifest, tensors, index) for index, site in enumerate(manifest.sites)}
            model = cls(manifest, tensors, manifest_digest(manifest), blocks)
        except (KeyError, IndexError, ValueError) as error:
            raise ContractError(f"a tensor is missing or does not fit ({error})", where=manifest.kind) from error
        for group in model.groups:
            key = model._full_key(group)
            if key not in model._carried and any(blocks[name].gram is None for name in key.sites):
                raise ContractError("carries no solution for some labels", where=manifest.kind)
            if key in model._carried and len(manifest.systems[model._carried[key]].labels) != len(group.columns):
                raise ContractError("carries a solution for other labels", where=manifest.kind)
        return model

    def __post_init__(self) -> None:
        self.sites = tuple(site.name for site in self.manifest.sites)
        self.labels = self.manifest.labels
        self.tree = tree_of(self.manifest.vocabulary, self.labels)
        self.targets = targets_of(self.manifest.vocabulary, self.labels)
        self.space = subspace_of(self.tensors)
        self.means = {
            site.name: means_in(self.space, class_means(self.blocks[site.name]), site.labels)
            for site in self.manifest.sites
        }
        self.counted = counted(self.blocks, self.manifest.hyperparameters.volume)
        self.groups = self._groups()
        self._carried = self._carried_keys()
        self._scorer = scorer_of(self.manifest, self.tensors, self.blocks)

    @property
    def calibrated(self) -> bool:
        """Whether refusal and weights act: only in a release that a site has reported on."""
        return self.manifest.kind == "release" and any(site.calibration != "none" for site in self.manifest.sites)

    def holding(self, site: str, block: Statistics) -> FusedModel:
        """The same model, had one site held `block` (over the model's labels) instead; every system is solved anew.

        Raises:
            ContractError: a Gram matrix is kept back.
        """
        if block.gram is None or any(held.gram is None for held in self.blocks.values()):
            raise ContractError("a Gram matrix is kept back", where=site)
        blocks = self.blocks | {site: block}
        tensors = {
            **self.tensors,
            "class_sums": np.stack([blocks[name].class_sums for name in self.sites]),
            "weights": np.stack([blocks[name].weights for name in self.sites]),
            **gram_tensors(site, block),
            **subspace_tensors(subspace(list(blocks.values()))),
        }
        return FusedModel.from_release(self.manifest.model_copy(update={"systems": ()}), tensors)

    def decide(self, features: Array, images: Sequence[str], clips: Sequence[str]) -> list[Decision]:
        """One decision an image, then one a clip (frames of one clip are answered by their mean features).

        Args:
            features: (n, `manifest.width`): front-end output, and what the panel says where the rule consults one.
            images: n names.
            clips: n names; frames of one clip share one.
        """
        if features.shape != (len(images), self.manifest.width):
            raise ContractError(f"features are {features.shape}", where="decide", cure="use the release's front end")
        lines = decisions(self, features, "image", list(images), list(clips))
        names = list(dict.fromkeys(clips))
        return lines + decisions(self, clip_means(features, clips), "clip", [None] * len(names), names)

    def answer(self, features: Array, unit: str, weighting: str | None = None) -> Answers:
        """Arrays for (n, `manifest.width`) features; `unit` (image or clip) says which calibration holds for a row."""
        weighting = weighting or self.manifest.weighting
        p, weights = self.in_distribution(features, unit)
        if self._scorer is not None:
            return self._answer_by_rule(features, self._scorer, p)
        features = self.front(features)
        acting = weights if weighting != "none" else np.ones_like(weights)
        contributions = np.zeros((len(features), len(self.sites), len(self.labels)))
        withins = [normalise_in_class(acting, group.inside) for group in self.groups]
        keys = [self.requested(within, group, weighting) for within, group in zip(withins, self.groups, strict=True)]
        for group, within, wanted in zip(self.groups, withins, keys, strict=True):
            for key, rows in _rows_by_key(wanted).items():
                part = self.part(features[rows], key, group, within[rows], weighting)
                contributions[np.ix_(rows, range(len(self.sites)), group.columns)] = part
        scores = contributions.sum(axis=1)
        return Answers(scores, contributions, p, weights, self._evidence(features, scores, keys, withins, weighting))

    def _answer_by_rule(self, features: Array, scorer: Callable[[Array], Pooled], p: Array) -> Answers:
        """Scores, contributions and weights of another rule than the closed form; the statistics' evidence."""
        found = scorer(features)
        nobody_silenced = [[self._full_key(group)] * len(features) for group in self.groups]
        withins = [np.ones_like(p)] * len(self.groups)
        evidence = self._evidence(self.front(features), found.scores, nobody_silenced, withins, "none")
        return Answers(found.scores, found.contributions, p, found.weights, evidence)

    def front(self, features: Array) -> Array:
        """(n, M) what of the features is the front end's, which statistics are of."""
        return features[:, : self.manifest.front_end.features]

    def full_scores(self, features: Array) -> Array:
        """(n, C) scores of the release's rule, with nobody silenced."""
        return self.closed_scores(features) if self._scorer is None else self._scorer(features).scores

    def closed_scores(self, features: Array) -> Array:
        """(n, C) scores of the closed form with nobody silenced."""
        scores, features = np.zeros((len(features), len(self.labels))), self.front(features)
        for group in self.groups:
            scores[:, group.columns] = self._contributions(features, self._full_key(group), group).sum(axis=1)
        return scores

    def raw_scores(self, site: str, features: Array, covariances: Array, full: Array) -> Array:
        """(n, 3) in-distribution scores of one site: relative Mahalanobis, quadratic ratio, largest own-class score."""
        coordinates = self.space.project(self.front(features))
        own = [self.labels.index(label) for label in self._site(site).labels]
        return np.stack(
            [
                relative_mahalanobis(self.space, coordinates, self.means[site]),
                quadratic_ratio(self.space, coordinates, self.means[site], covariances),
                full[:, own].max(axis=1),
            ],
            axis=1,
        )

    def in_distribution(self, features: Array, unit: str) -> tuple[Array, Array]:
        """(n, K) conformal p-values and acting weights; all one while nothing is calibrated."""
        p = np.ones((len(features), len(self.sites)))
        if not self.calibrated or not len(features):
            return p, np.ones_like(p)
        full = self.closed_scores(features)
        for index, site in enumerate(self.manifest.sites):
            refusal = standardise(
                self.raw_scores(site.name, features, self._covariances(site.name), full),
                self.tensors[f"standard.{site.name}.{unit}"],
            )
            p[:, index] = p_values(refusal, self.tensors[f"calibration.{site.name}.{unit}"])
        patients = np.array([site.calibration_patients for site in self.manifest.sites], dtype=np.float64)
        return p, acting_weights(p, patients, self.manifest.alpha)

    def labelling(self, concept: str) -> tuple[str, ...]:
        """The sites that label a concept, or a column below it where it is none."""
        columns = [self.labels[column] for column in self.tree.below[concept]]
        return tuple(
            site.name
            for site in self.manifest.sites
            if any(self.targets.holds(site.labels, column) for column in columns)
        )

    def _site(self, name: str) -> ReleaseSite:
        return self.manifest.sites[self.sites.index(name)]

    def _covariances(self, site: str) -> Array:
        packed = self.tensors[f"covariance.{site}"]
        size = int((np.sqrt(8 * packed.shape[1] + 1) - 1) / 2)
        return np.stack([unpack_symmetric(row, size) for row in packed])

    def _groups(self) -> list[Group]:
        held = {site.name: site.labels for site in self.manifest.sites}
        columns: dict[tuple[tuple[str, ...], Silent], list[int]] = {}
        for column, label in enumerate(self.labels):
            silent = self.targets.silent(held, label)
            key = full_key(self.labelling(label), self.sites, self.manifest.hyperparameters, silent)
            columns.setdefault((self.labelling(label), key.silent), []).append(column)
        return [
            Group(chosen, np.array([name in inside for name in self.sites]), silent)
            for (inside, silent), chosen in columns.items()
        ]

    def _carried_keys(self) -> dict[Key, int]:
        return {system_key(system): index for index, system in enumerate(self.manifest.systems)}

    def _full_key(self, group: Group) -> Key:
        inside = [name for name, here in zip(self.sites, group.inside, strict=True) if here]
        return full_key(inside, list(self.sites), self.manifest.hyperparameters, group.silent)

    def requested(self, within: Array, group: Group, weighting: str) -> list[Key]:
        """The system each row asks for, given its (n, K) weights normalised within the class."""
        if weighting in ("none", "scaled"):
            return [self._full_key(group)] * len(within)
        levels = (within >= 0.5).astype(np.float64)
        if weighting == "graded":
            levels = GRADES[np.abs(within[:, :, None] - GRADES).argmin(axis=2)]
        isolated = self.manifest.hyperparameters.mode == "isolated"
        patterns, inverse = np.unique(levels, axis=0, return_inverse=True)
        found = [self._key(pattern, group, isolated) for pattern in patterns]
        return [found[index] for index in inverse.ravel()]

    def _key(self, pattern: Array, group: Group, isolated: bool) -> Key:
        named = list(zip(self.sites, pattern.tolist(), group.inside.tolist(), strict=True))
        inside = tuple((name, level) for name, level, here in named if here and level > 0)
        outside = () if isolated else tuple((name, level) for name, level, here in named if not here and level > 0)
        return partial_key(inside, outside, group.silent)

    def part(self, features: Array, key: Key, group: Group, within: Array, weighting: str) -> Array:
        """(n, K, labels of the group) contributions of rows that ask for one system."""
        if weighting == "scaled":
            return self._scaled(features, key, group, within)
        if self._solvable(key, group):
            return self._contributions(features, key, group)
        return self._silenced(features, key, group)

    def _solvable(self, key: Key, group: Group) -> bool:
        return key == self._full_key(group) or all(self.blocks[name].gram is not None for name in key.sites)

    def _contributions(self, features: Array, key: Key, group: Group) -> Array:
        return np.asarray(np.einsum("nm,kmc->nkc", features, self._solutions(key, group), optimize=True))

    def _solutions(self, key: Key, group: Group) -> Array:
        """(K, M, labels of the group) u_kc of a system."""
        index = self._carried.get(key)
        if index is None or key != self._full_key(group):  # in isolated mode also the system of other labels
            return self._solve(key).solutions[:, :, group.columns]
        stored = self.tensors[f"solution.{index:03d}"]
        solutions = np.zeros((len(self.sites), *stored.shape[1:]))
        solutions[group.inside] = stored
        return solutions

    def _solve(self, key: Key) -> Solved:
        if key not in self._solved:
            if len(self._solved) >= MAX_SOLVED:
                del self._solved[next(iter(self._solved))]
            self._solved[key] = solve(self.counted, key, self.labels, self.manifest.hyperparameters, self.targets)
        return self._solved[key]

    def _inverse(self, key: Key) -> Array | None:
        if all(self.blocks[name].gram is not None for name in key.sites):
            return self._solve(key).inverse
        index = self._carried.get(key)
        if index is None or not self.manifest.systems[index].inverse:
            return None
        return unpack_symmetric(self.tensors[f"inverse.{index:03d}"], self.manifest.front_end.features)

    def _silenced(self, features: Array, key: Key, group: Group) -> Array:
        """Contributions where a Gram matrix is kept back and the system cannot be solved without the silenced sites.

        Those of the full system, without the silenced sites', scaled to the weight of all images of the class.
        """
        part = self._contributions(features, self._full_key(group), group)
        levels = np.zeros(len(self.sites))
        levels[[self.sites.index(name) for name, _ in key.inside]] = [level for _, level in key.inside]
        weights = np.array(
            [[self.targets.weight(self.counted[name], self.labels[c]) for c in group.columns] for name in self.sites]
        )
        kept = weights.sum(axis=0) / (levels @ weights)
        return np.asarray(part * levels[:, None] * kept)

    def _scaled(self, features: Array, key: Key, group: Group, within: Array) -> Array:
        """f_c = sum a_kc C_kc / (1 - sum (1 - a_kc) e_kc) (method page, section 5)."""
        part = self._contributions(features, key, group)
        silenced = self._silenced_share(self._shares(features, key), key, within)
        return np.asarray(part * within[:, :, None] / (1 - silenced)[:, None, None])

    def _silenced_share(self, shares: Mapping[str, Array], key: Key, within: Array) -> Array:
        parts = ((1 - within[:, self.sites.index(name)]) * shares[name] for name, _ in key.inside)
        return sum(parts, np.zeros(len(within)))

    def _shares(self, features: Array, key: Key) -> dict[str, Array]:
        inverse = self._inverse(key)
        if inverse is None:
            return {"other": np.ones(len(features))}
        without = {name: block.gram_without(key.silent_at(name)) for name, block in self.counted.items()}
        grams = {name: gram for name, gram in without.items() if gram is not None}
        factor = scatter_factor(self.counted, scatter_sites(key, self.manifest.hyperparameters))
        return evidence(features, inverse, key, grams, factor, self.manifest.hyperparameters)

    def _evidence(
        self, features: Array, scores: Array, keys: list[list[Key]], withins: list[Array], weighting: str
    ) -> list[dict[str, float]]:
        """Evidence behind each row's best label."""
        best = self.tree.best(scores)
        result: list[dict[str, float]] = [{} for _ in best]
        for group, within, wanted in zip(self.groups, withins, keys, strict=True):
            chosen = [row for row, column in enumerate(best) if column in group.columns]
            for key, places in _rows_by_key([wanted[row] for row in chosen]).items():
                rows = [chosen[place] for place in places]
                answered = key if self._solvable(key, group) else self._full_key(group)
                shares = self._shares(features[rows], answered)
                if weighting == "scaled":
                    shares = self._rescaled(shares, key, within[rows])
                for position, row in enumerate(rows):
                    result[row] = {name: float(share[position]) for name, share in shares.items()}
        return result

    def _rescaled(self, shares: dict[str, Array], key: Key, within: Array) -> dict[str, Array]:
        """Shares of a scaled answer: silenced sites' are taken out and the rest is scaled to one."""
        rest = 1 - self._silenced_share(shares, key, within)
        inside = dict(key.inside)
        return {
            name: share * (within[:, self.sites.index(name)] if name in inside else 1.0) / rest
            for name, share in shares.items()
        }


def _rows_by_key(keys: Sequence[Key]) -> dict[Key, list[int]]:
    rows: dict[Key, list[int]] = {}
    for row, key in enumerate(keys):
        rows.setdefault(key, []).append(row)
    return rows
