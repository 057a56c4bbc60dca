"""Building what the coordinator sends out: a candidate from statistics, then a release from the sites' reports.

Tensors of both, sites in name order, labels in the manifest's order, K sites, M features, C labels:
``class_sums`` (K, M, C) and ``weights`` (K, C); ``gram.{site}`` packed, of sites that let others have it;
``solution.{i}`` (inside sites, M, C) and, where `System.inverse`, ``inverse.{i}`` packed; ``center`` (M,), ``basis``
(M, r), ``total`` (r,), ``within`` packed. A release adds, for each site, ``covariance.{site}`` (labels of the site,
q(q+1)/2), ``standard.{site}.{unit}`` (3, 2) and ``calibration.{site}.{unit}`` (bins,), unit being image or clip.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from federated.errors import ConsiliumError
from federated.fusion.closed_form import Key, full_key, group_by_sites, held_labels, solve
from federated.fusion.selection import select
from federated.in_distribution import (
    BINS,
    QUADRATIC,
    Subspace,
    calibration_source,
    shrunk_covariance,
    subspace,
)
from federated.manifest import (
    ExpertCard,
    FrontEndCard,
    Hyperparameters,
    ReleaseManifest,
    ReleaseSite,
    ReportManifest,
    System,
    Tensors,
    manifest_digest,
    pack_tensors,
)
from federated.statistics import Array, Statistics, pack_symmetric, unpack_symmetric
from federated.vocabulary import Vocabulary

UNITS: tuple[Literal["image"], Literal["clip"]] = ("image", "clip")
TEMPERATURES = np.geomspace(0.01, 10.0, 61)
LEAST_IN_A_SUM = 3


@dataclass(frozen=True)
class SiteInput:
    """What the coordinator holds of one site.

    Attributes:
        contributions: digests, sorted.
        train, validation: summed over batches; `train.gram` is None where the site sends class sums only.
        patients: training patients by label.
        gram_to_sites: whether a release may carry this site's own Gram matrix to other sites and to auditors.
        versions: of the site's expert, in order.
    """

    name: str
    contributions: tuple[str, ...]
    train: Statistics
    validation: Statistics | None
    patients: dict[str, int]
    gram_to_sites: bool
    versions: tuple[int, ...] = (1,)


@dataclass(frozen=True)
class Built:
    """A manifest and its safetensors bytes."""

    manifest: ReleaseManifest
    tensors: bytes


def build_candidate(
    *,
    federation: str,
    task: str,
    front_end: FrontEndCard,
    vocabulary: Vocabulary,
    sites: Sequence[SiteInput],
    experts: tuple[ExpertCard, ...],
    number: int,
    previous: str | None,
    hyperparameters: Hyperparameters | None = None,
    temperature: float = 1.0,
    mode: Literal["shared", "isolated"] = "shared",
    weighting: Literal["refit", "graded", "scaled", "none"] = "refit",
    alpha: float = 0.05,
) -> Built:
    """A candidate release. In isolated mode the coordinator pins hyper-parameters and temperature.

    Raises:
        ConsiliumError: no site shares a Gram matrix, or the weighting needs Gram matrices that sites keep back.
    """
    sites = sorted(sites, key=lambda site: site.name)
    labels = tuple(code for code in vocabulary.codes if any(code in held_labels(site.train) for site in sites))
    blocks = impute_grams({site.name: site.train.spread(labels) for site in sites})
    released = {site.name for site in sites if site.gram_to_sites and site.train.gram is not None}
    if weighting in ("graded", "scaled") and len(released) < len(sites):
        kept = ", ".join(sorted(set(blocks) - released))
        raise ConsiliumError(
            f"weighting '{weighting}' needs every Gram matrix at the sites", where=kept, cure="use refit"
        )
    if hyperparameters is None:
        validation = {site.name: site.validation for site in sites if site.validation is not None}
        hyperparameters = select(blocks, validation, labels, mode)
    systems, tensors = _carried(blocks, labels, hyperparameters, released)
    tensors["class_sums"] = np.stack([blocks[name].class_sums for name in sorted(blocks)])
    tensors["weights"] = np.stack([blocks[name].weights for name in sorted(blocks)])
    tensors |= {f"gram.{name}": pack_symmetric(_gram(blocks[name])) for name in sorted(released)}
    tensors |= subspace_tensors(_shared_subspace(blocks, released))
    data, specs, tensors_digest = pack_tensors(tensors)
    manifest = ReleaseManifest(
        kind="candidate",
        federation=federation,
        tensors=specs,
        tensors_digest=tensors_digest,
        number=number,
        previous=previous,
        candidate=None,
        task=task,
        front_end=front_end,
        vocabulary=vocabulary,
        labels=labels,
        sites=tuple(_card(site, released, labels) for site in sites),
        experts=experts,
        hyperparameters=hyperparameters,
        weighting=weighting,
        alpha=alpha,
        temperature=temperature,
        systems=systems,
    )
    return Built(manifest, data)


def build_release(
    candidate: ReleaseManifest,
    tensors: Tensors,
    reports: Mapping[str, tuple[str, ReportManifest, Tensors]],
    *,
    keep_temperature: bool = False,
) -> Built:
    """The release of a candidate, calibrated by the reports (digest, manifest, tensors) of the sites that sent one.

    A site without a report, or with too few calibration patients, uses the pooled calibration and is marked.
    """
    tensors = dict(tensors)
    cards = []
    for site in candidate.sites:
        report = reports.get(site.name)
        tensors |= _covariances(site, report, subspace_of(tensors))
        source, patients, calibration = _calibration(site, reports, candidate.alpha)
        tensors |= calibration
        marks = {"report": report[0] if report else None, "calibration": source, "calibration_patients": patients}
        cards.append(site.model_copy(update=marks))
    data, specs, tensors_digest = pack_tensors(tensors)
    update: dict[str, Any] = {
        "kind": "release",
        "candidate": manifest_digest(candidate),
        "tensors": specs,
        "tensors_digest": tensors_digest,
        "sites": tuple(cards),
        "temperature": candidate.temperature if keep_temperature else _temperature(candidate, reports),
    }
    return Built(ReleaseManifest.model_validate(candidate.model_dump() | update), data)


def impute_grams(blocks: Mapping[str, Statistics]) -> dict[str, Statistics]:
    """Sites that send class sums only get the Gram matrix their means imply: sum_c n_c mu_c mu_c^T + N_k S_W.

    S_W is the within-class covariance of the sites that share a Gram matrix.

    Raises:
        ConsiliumError: no site shares one.
    """
    with_gram = [block for block in blocks.values() if block.gram is not None]
    if not with_gram:
        raise ConsiliumError(
            "no site shares a Gram matrix with the coordinator",
            where=", ".join(sorted(blocks)),
            cure="at least one site must allow statistics level 2 to the coordinator",
        )
    weight = sum(block.weights.sum() for block in with_gram)
    within = np.sum([_gram(block) - _means_gram(block) for block in with_gram], axis=0) / weight
    return {
        name: block
        if block.gram is not None
        else Statistics(
            block.labels, _means_gram(block) + block.weights.sum() * within, block.class_sums, block.weights
        )
        for name, block in blocks.items()
    }


def subspace_of(tensors: Tensors) -> Subspace:
    """The subspace that a candidate or release carries."""
    size = tensors["basis"].shape[1]
    return Subspace(tensors["center"], tensors["basis"], tensors["total"], unpack_symmetric(tensors["within"], size))


def _gram(block: Statistics) -> Array:
    assert block.gram is not None
    return block.gram


def _means_gram(block: Statistics) -> Array:
    held = block.weights > 0
    sums = block.class_sums[:, held]
    return np.asarray((sums / block.weights[held]) @ sums.T)


def _card(site: SiteInput, released: set[str], labels: Sequence[str]) -> ReleaseSite:
    gram: Literal["released", "kept", "imputed"] = "released" if site.name in released else "kept"
    return ReleaseSite(
        name=site.name,
        labels=tuple(label for label in labels if label in held_labels(site.train)),
        contributions=site.contributions,
        patients=site.patients,
        gram="imputed" if site.train.gram is None else gram,
        report=None,
        calibration="none",
        calibration_patients=0,
        versions=site.versions,
    )


def _shared_subspace(blocks: Mapping[str, Statistics], released: set[str]) -> Subspace:
    """Gram matrices that sites keep back enter only as a sum of at least three.

    A recipient, who knows its own, could otherwise subtract its way to another's.
    """
    kept = [name for name in sorted(blocks) if name not in released]
    hidden = set() if len(kept) >= LEAST_IN_A_SUM else set(kept)
    return subspace([blocks[name].without_gram() if name in hidden else blocks[name] for name in sorted(blocks)])


def subspace_tensors(space: Subspace) -> Tensors:
    """What a candidate carries of its subspace."""
    return {
        "center": space.center,
        "basis": np.ascontiguousarray(space.basis),
        "total": space.total,
        "within": pack_symmetric(space.within),
    }


def _carried(
    blocks: Mapping[str, Statistics],
    labels: Sequence[str],
    hyperparameters: Hyperparameters,
    released: set[str],
) -> tuple[tuple[System, ...], Tensors]:
    """The systems with nobody silenced, each for the labels that the same sites hold, and only those columns.

    Every carried solution is an equation about the Gram matrices in it, so that no more than these travel; a site
    solves other systems itself where every Gram matrix in them is released.
    """
    systems: list[System] = []
    tensors: Tensors = {}
    for index, (inside, columns) in enumerate(group_by_sites(blocks, labels).items()):
        key = full_key(inside, list(blocks), hyperparameters)
        own = tuple(labels[column] for column in columns)
        solved = solve(blocks, key, own, hyperparameters)
        rows = [sorted(blocks).index(name) for name in inside]
        tensors[f"solution.{index:03d}"] = np.ascontiguousarray(solved.solutions[rows])
        inverse = _may_carry_inverse(key, released, set(blocks))
        if inverse:
            tensors[f"inverse.{index:03d}"] = pack_symmetric(solved.inverse)
        outside = tuple(name for name, _ in key.outside)
        systems.append(System(inside=inside, outside=outside, labels=own, inverse=inverse))
    return tuple(systems), tensors


def _may_carry_inverse(key: Key, released: set[str], sites: set[str]) -> bool:
    """Only where the Gram matrices kept back enter all together, with one weight, at least three of them.

    Then no combination of the carried inverses isolates one of them.
    """
    kept = sites - released
    if not kept & set(key.sites) or len(kept) < LEAST_IN_A_SUM:
        return False
    return kept <= {name for name, _ in key.inside} or kept <= {name for name, _ in key.outside}


def _covariances(site: ReleaseSite, report: tuple[str, ReportManifest, Tensors] | None, space: Subspace) -> Tensors:
    """Class covariances of sites whose second moments may be carried on; the pooled one for the others."""
    size = min(QUADRATIC, space.size)
    rows = []
    for label in site.labels:
        own = None
        if report is not None and label in report[1].labels and site.gram == "released":
            own = unpack_symmetric(report[2]["covariance"][report[1].labels.index(label)], size)
        rows.append(pack_symmetric(shrunk_covariance(space, own, site.patients.get(label, 0))))
    return {f"covariance.{site.name}": np.stack(rows)}


def _calibration(
    site: ReleaseSite, reports: Mapping[str, tuple[str, ReportManifest, Tensors]], alpha: float
) -> tuple[str, int, Tensors]:
    """Source, number of patients and tensors of one site's calibration."""
    bins = len(BINS) - 1
    usable = [tensors for _, _, tensors in reports.values() if tensors["calibration.clip"].sum() > 0]
    pooled = {unit: sum((t[f"calibration.{unit}"] for t in usable), np.zeros(bins, np.int64)) for unit in UNITS}
    report = reports.get(site.name)
    mine = report[2] if report is not None and report[2]["calibration.clip"].sum() > 0 else None
    own = int(mine["calibration.clip"].sum()) if mine is not None else 0
    source = calibration_source(own, int(pooled["clip"].sum()), alpha)
    tensors: Tensors = {}
    for unit in UNITS:
        standards = [t[f"standard.{unit}"] for t in usable] or [np.tile([0.0, 1.0], (3, 1))]
        standard = mine[f"standard.{unit}"] if mine is not None else np.mean(standards, axis=0)
        counts = mine[f"calibration.{unit}"] if source == "own" and mine is not None else pooled[unit]
        tensors[f"standard.{site.name}.{unit}"] = np.asarray(standard)
        tensors[f"calibration.{site.name}.{unit}"] = np.asarray(counts, dtype=np.int64)
    if source == "own" and report is not None and report[1].cross_fitted_patients:
        source = "cross-fitted"
    return source, int(tensors[f"calibration.{site.name}.clip"].sum()), tensors


def _temperature(candidate: ReleaseManifest, reports: Mapping[str, tuple[str, ReportManifest, Tensors]]) -> float:
    """The grid temperature with the least summed negative log-likelihood over the sites' validation patients."""
    losses = [tensors["nll"] for _, _, tensors in reports.values() if tensors["nll_count"][0] > 0]
    if not losses:
        return candidate.temperature
    return float(TEMPERATURES[int(np.argmin(np.sum(losses, axis=0)))])
