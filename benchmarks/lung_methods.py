"""The contestants: each is trained on some sites and then scores clips, on the same features, folds and weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.demo.baselines import (
    JOINT,
    MAX_SOFTMAX,
    MOST_FREQUENT,
    SEQUENTIAL,
    SITE_ALONE,
    Head,
    SiteFolds,
    clip_order,
    train,
)
from federated.canonical import digest
from federated.clips import clip_means
from federated.fused_model import FusedModel
from federated.fusion.closed_form import fit
from federated.fusion.ridge import choose_ridge
from federated.in_distribution import qualified
from federated.local_fold import LocalFold
from federated.manifest import FrontEndCard, manifest_digest, unpack_tensors
from federated.release import SiteInput, build_candidate, build_release
from federated.report import compute_report
from federated.statistics import Array, Statistics, from_features
from federated.vocabulary import plain_vocabulary

FORMS = ("none", "refit", "graded", "scaled")
FUSED = {form: f"fused experts ({form})" for form in FORMS}
JOINT_RIDGE = "joint ridge (ρ = 1, no scatter)"
MASK = "pure mask (ρ = 0, no scatter)"
ALPHA, LOOSE_ALPHA = 0.05, 0.2
LOOSE = {form: f"fused experts ({form}) at α = {LOOSE_ALPHA}" for form in FORMS}
METHODS = (
    *FUSED.values(),
    *LOOSE.values(),
    JOINT_RIDGE,
    MASK,
    JOINT,
    SEQUENTIAL,
    MAX_SOFTMAX,
    SITE_ALONE,
    MOST_FREQUENT,
)


@dataclass(frozen=True)
class Scored:
    """Scores of n clips over labels, -inf where a method does not know a label.

    Attributes:
        p: (n,) the largest p-value of a site; None for a method that never refuses.
        alpha: a clip with no larger p-value is refused.
        calibrated: patients by whom p-values are calibrated, at the site that has fewest.
    """

    labels: tuple[str, ...]
    scores: Array
    p: Array | None = None
    alpha: float = ALPHA
    calibrated: int = 0

    @property
    def refused(self) -> NDArray[np.bool_]:
        """(n,) whether nobody is qualified."""
        return np.zeros(len(self.scores), dtype=bool) if self.p is None else ~qualified(self.p, self.alpha)

    def answers(self, among: Sequence[str] | None = None) -> list[str | None]:
        """The label with the largest score (of those allowed); None where every score is -inf."""
        allowed = np.array([among is None or label in among for label in self.labels])
        scores = np.where(allowed, self.scores, -np.inf)
        return [None if np.isneginf(row).all() else self.labels[int(row.argmax())] for row in scores]


Predictor = Callable[[str, LocalFold], Scored]


def contestants(sites: Sequence[SiteFolds], *, seed: int) -> dict[str, Predictor]:
    """Every method, trained on the sites in the order in which they arrive."""
    labels = tuple(sorted({label for site in sites for label in site.train.labels}))
    heads = {site.name: train([site], seed=seed) for site in sites}
    sequential = train(sites[:1], seed=seed)
    for site in sites[1:]:
        sequential = train([site], seed=seed, start=sequential)
    strict, loose = released(sites, (ALPHA, LOOSE_ALPHA))
    found: dict[str, Predictor] = {name: fused(strict, form) for form, name in FUSED.items()}
    found |= {name: fused(loose, form) for form, name in LOOSE.items()}
    found[JOINT_RIDGE] = _linear(labels, ridge_of(sites, labels, outside=1.0))
    found[MASK] = _linear(labels, ridge_of(sites, labels, outside=0.0))
    found[JOINT] = _head(train(sites, seed=seed), labels)
    found[SEQUENTIAL] = _head(sequential, labels)
    found[MAX_SOFTMAX] = _surest(list(heads.values()), labels)
    found[SITE_ALONE] = _own_head(heads, labels)
    found[MOST_FREQUENT] = _frequent(sites, labels)
    return {name: found[name] for name in METHODS}


def released(sites: Sequence[SiteFolds], alphas: Sequence[float] = (ALPHA,)) -> list[FusedModel]:
    """Statistics, candidate, every site's report, release: as the coordinator and the sites do it, in memory.

    Returns:
        One model for each α at which a site counts as foreign.
    """
    labels = sorted({label for site in sites for label in site.train.labels})
    features = sites[0].train.features.shape[1]
    card = FrontEndCard(name="texture", config={}, digest=digest(b"texture"), features=features)
    built = build_candidate(
        federation="lung",
        task="classification",
        front_end=card,
        vocabulary=plain_vocabulary("lung", labels),
        sites=[_site_input(site) for site in sites],
        experts=(),
        number=1,
        previous=None,
    )
    tensors = unpack_tensors(built.tensors, built.manifest)
    proposed = FusedModel.from_release(built.manifest, tensors)
    reports = {site.name: _report(proposed, site) for site in sites}
    candidates = [built.manifest.model_copy(update={"alpha": alpha}) for alpha in alphas]
    releases = [build_release(candidate, tensors, reports) for candidate in candidates]
    return [FusedModel.from_release(one.manifest, unpack_tensors(one.tensors, one.manifest)) for one in releases]


def statistics(fold: LocalFold, labels: Sequence[str]) -> Statistics:
    """Statistics of the images of a fold whose labels are asked for."""
    rows = [row for row, label in enumerate(fold.labels) if label in labels]
    return from_features(fold.features[rows], [fold.labels[row] for row in rows], fold.weights[rows], tuple(labels))


def _own_labels(site: SiteFolds) -> tuple[str, ...]:
    return tuple(sorted(set(site.train.labels)))


def _validation(site: SiteFolds) -> Statistics | None:
    fold = site.folds["validation"]
    return statistics(fold, _own_labels(site)) if set(fold.labels) & set(_own_labels(site)) else None


def _site_input(site: SiteFolds) -> SiteInput:
    patients = Counter(label for label, _ in set(zip(site.train.labels, site.train.patients, strict=True)))
    return SiteInput(
        name=site.name,
        contributions=(digest(site.name.encode()),),
        train=statistics(site.train, _own_labels(site)),
        validation=_validation(site),
        patients=dict(patients),
        gram_to_sites=True,
    )


def _report(candidate: FusedModel, site: SiteFolds) -> tuple[str, Any, Any]:
    manifest, data = compute_report(
        candidate,
        site.name,
        train=site.train,
        validation=site.folds["validation"],
        calibration=site.folds["calibration"],
    )
    return manifest_digest(manifest), manifest, unpack_tensors(data, manifest)


def ridge_of(sites: Sequence[SiteFolds], labels: tuple[str, ...], *, outside: float) -> Array:
    """(M, C) ridge without scatter, λ by the pooled validation error of the columns that the loss counts."""
    blocks = {site.name: statistics(site.train, _own_labels(site)) for site in sites}
    checks = {site.name: block for site in sites if (block := _validation(site)) is not None}
    return fit(blocks, labels, choose_ridge(blocks, checks, labels, outside=outside))


def fused(model: FusedModel, form: str) -> Predictor:
    """The fused experts with one form of weights; they are not told from which site a clip comes."""

    def predict(site: str, fold: LocalFold) -> Scored:  # noqa: ARG001
        answers = model.answer(clip_means(fold.features, fold.clips), "clip", form)
        calibrated = min(site.calibration_patients for site in model.manifest.sites)
        return Scored(model.labels, answers.scores, answers.p.max(axis=1), model.manifest.alpha, calibrated)

    return predict


def _linear(labels: tuple[str, ...], weights: Array) -> Predictor:
    def predict(site: str, fold: LocalFold) -> Scored:  # noqa: ARG001
        return Scored(labels, clip_means(fold.features, fold.clips) @ weights)

    return predict


def _wide(head: Head, fold: LocalFold, labels: tuple[str, ...]) -> Array:
    """(clips, C) mean probabilities of a head over all labels."""
    scores = np.full((len(clip_order(fold)), len(labels)), -np.inf)
    columns = [labels.index(label) for label in head.labels]
    scores[:, columns] = clip_means(head.probabilities(fold.features), fold.clips)
    return scores


def _head(head: Head, labels: tuple[str, ...]) -> Predictor:
    return lambda site, fold: Scored(labels, _wide(head, fold, labels))  # noqa: ARG005


def _own_head(heads: dict[str, Head], labels: tuple[str, ...]) -> Predictor:
    def predict(site: str, fold: LocalFold) -> Scored:
        nothing = np.full((len(clip_order(fold)), len(labels)), -np.inf)
        return Scored(labels, _wide(heads[site], fold, labels) if site in heads else nothing)

    return predict


def _surest(heads: Sequence[Head], labels: tuple[str, ...]) -> Predictor:
    def predict(site: str, fold: LocalFold) -> Scored:  # noqa: ARG001
        scores = np.stack([_wide(head, fold, labels) for head in heads])
        chosen = scores.max(axis=2).argmax(axis=0)
        return Scored(labels, scores[chosen, np.arange(scores.shape[1])])

    return predict


def _frequent(sites: Sequence[SiteFolds], labels: tuple[str, ...]) -> Predictor:
    """Of a site that trained, its most frequent label among clips, then the next; of another, those of all sites."""
    counts = {
        site.name: Counter(dict(zip(site.train.clips, site.train.labels, strict=True)).values()) for site in sites
    }
    total = sum(counts.values(), Counter[str]())

    def predict(site: str, fold: LocalFold) -> Scored:
        count = counts.get(site, total)
        row = np.array([count[label] or -np.inf for label in labels])
        return Scored(labels, np.tile(row, (len(clip_order(fold)), 1)))

    return predict
