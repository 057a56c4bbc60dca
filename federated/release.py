"""Building what the coordinator sends out: a candidate from statistics, then a release from the sites' reports.

Tensors of both, sites in name order, labels in the manifest's order, K sites, M features, C labels:
``class_sums`` (K, M, C) and ``weights`` (K, C); ``gram.{site}`` packed, of sites that let others have it, and with it
``coarse.{i}.{site}`` packed, of the images of the i-th of the site's coarse labels alone;
``solution.{i}`` (inside sites, M, C) and, where `System.inverse`, ``inverse.{i}`` packed; ``center`` (M,), ``basis``
(M, r), ``total`` (r,), ``within`` packed. A release adds, for each site, ``covariance.{site}`` (labels of the site,
q(q+1)/2), ``standard.{site}.{unit}`` (3, 2) and ``calibration.{site}.{unit}`` (bins,), unit being image or clip;
and, where `steps` names concepts that answers go down from, ``steps.{unit}`` (len(steps), 1 + bins). What a release of
another rule than the closed form carries beside these is listed in `federated.fusion.rules`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from federated.descent import MARGINS, tree_of
from federated.errors import ConsiliumError
from federated.fusion.closed_form import Key, full_systems, held_labels, solve
from federated.fusion.effective_number import counted
from federated.fusion.rules import BY_CLOSED_FORM, Chosen, made_of
from federated.fusion.selection import select
from federated.fusion.targets import Targets, targets_of
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
    weighting: Literal["refit", "graded", "scaled", "none"] = "none",
    alpha: float = 0.05,
    chosen: Chosen = BY_CLOSED_FORM,
) -> Built:
    """A candidate release. In isolated mode the coordinator pins hyper-parameters and temperature.

    Hyper-parameters that are not given are chosen by validation statistics; `chosen` is the rule that makes scores.

    Raises:
        ConsiliumError: no site shares a Gram matrix, or weighting or rule need what sites did not send.
    """
    sites = sorted(sites, key=lambda site: site.name)
    labels = tuple(code for code in vocabulary.codes if any(code in held_labels(site.train) for site in sites))
    targets = targets_of(vocabulary, labels)
    blocks = impute_grams({site.name: site.train.spread(labels).keeping(targets.coarse) for site in sites})
    released = {site.name for site in sites if site.gram_to_sites and site.train.gram is not None}
    _require_grams(weighting, set(blocks) - released)
    checks = {site.name: site.validation for site in sites if site.validation is not None}
    hyperparameters = hyperparameters or select(blocks, checks, labels, mode, targets)
    systems, tensors = _carried(counted(blocks, hyperparameters.volume), labels, hyperparameters, targets, released)
    tensors |= _sums(blocks, released) | subspace_tensors(_shared_subspace(blocks, released))
    made = made_of(chosen, blocks, checks, labels, targets, experts)
    data, specs, tensors_digest = pack_tensors(tensors | made.tensors)
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
        sites=tuple(_card(site, released, blocks[site.name]) for site in sites),
        experts=experts,
        hyperparameters=hyperparameters,
        weighting=weighting,
        alpha=alpha,
        temperature=temperature,
        systems=systems,
        rule=chosen.rule,
        lacking=made.lacking,
        panel=made.panel,
    )
    return Built(manifest, data)


def _require_grams(weighting: str, kept: set[str]) -> None:
    if weighting in ("graded", "scaled") and kept:
        raise ConsiliumError(
            f"weighting '{weighting}' needs every Gram matrix at the sites",
            where=", ".join(sorted(kept)),
            cure="use refit",
        )


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
    steps, counted = _steps(candidate, reports)
    tensors |= counted
    data, specs, tensors_digest = pack_tensors(tensors)
    update: dict[str, Any] = {
        "kind": "release",
        "candidate": manifest_digest(candidate),
        "tensors": specs,
        "tensors_digest": tensors_digest,
        "sites": tuple(cards),
        "temperature": candidate.temperature if keep_temperature else _temperature(candidate, reports),
        "steps": steps,
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
    within = np.sum([_gram(block) - block.means_gram() for block in with_gram], axis=0) / weight
    return {
        name: block
        if block.gram is not None
        else Statistics(
            block.labels, block.means_gram() + block.weights.sum() * within, block.class_sums, block.weights
        )
        for name, block in blocks.items()
    }


def subspace_of(tensors: Tensors) -> Subspace:
    """The subspace that a candidate or release carries."""
    size = tensors["basis"].shape[1]
    return Subspace(tensors["center"], tensors["basis"], tensors["total"], unpack_symmetric(tensors["within"], size))


def _sums(blocks: Mapping[str, Statistics], released: set[str]) -> Tensors:
    tensors: Tensors = {
        "class_sums": np.stack([blocks[name].class_sums for name in sorted(blocks)]),
        "weights": np.stack([blocks[name].weights for name in sorted(blocks)]),
    }
    for name in sorted(released):
        tensors |= gram_tensors(name, blocks[name])
    return tensors


def gram_tensors(name: str, block: Statistics) -> Tensors:
    """What a candidate carries of a site's Gram matrix: of all its images, then of each coarse label's alone."""
    own = {coarse_name(index, name): pack_symmetric(gram) for index, gram in enumerate(block.own_grams.values())}
    return {f"gram.{name}": pack_symmetric(_gram(block)), **own}


def coarse_name(index: int, site: str) -> str:
    """The tensor of the Gram matrix of one coarse label of a site."""
    return f"coarse.{index:03d}.{site}"


def _gram(block: Statistics) -> Array:
    assert block.gram is not None
    return block.gram


def _card(site: SiteInput, released: set[str], block: Statistics) -> ReleaseSite:
    gram: Literal["released", "kept", "imputed"] = "released" if site.name in released else "kept"
    return ReleaseSite(
        name=site.name,
        labels=tuple(label for label in block.labels if label in held_labels(block)),
        contributions=site.contributions,
        patients=site.patients,
        gram="imputed" if site.train.gram is None else gram,
        report=None,
        calibration="none",
        calibration_patients=0,
        coarse=tuple(block.own_grams) if site.name in released else (),
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
    targets: Targets,
    released: set[str],
) -> tuple[tuple[System, ...], Tensors]:
    """The systems with nobody silenced, each for the labels that the same sites hold, and only those columns.

    Every carried solution is an equation about the Gram matrices in it, so that no more than these travel; a site
    solves other systems itself where every Gram matrix in them is released.
    """
    systems: list[System] = []
    tensors: Tensors = {}
    for index, (key, columns) in enumerate(full_systems(blocks, labels, hyperparameters, targets).items()):
        own = tuple(labels[column] for column in columns)
        solved = solve(blocks, key, own, hyperparameters, targets)
        inside = tuple(name for name, _ in key.inside)
        rows = [sorted(blocks).index(name) for name in inside]
        tensors[f"solution.{index:03d}"] = np.ascontiguousarray(solved.solutions[rows])
        inverse = _may_carry_inverse(key, released, set(blocks))
        if inverse:
            tensors[f"inverse.{index:03d}"] = pack_symmetric(solved.inverse)
        outside = tuple(name for name, _ in key.outside)
        systems.append(System(inside=inside, outside=outside, labels=own, inverse=inverse, silent=key.silent))
    return tuple(systems), tensors


def system_key(system: System) -> Key:
    """The system that a release carries, as the algebra names it."""
    inside, outside = (tuple((name, 1.0) for name in names) for names in (system.inside, system.outside))
    return Key(inside, outside, system.silent)


def _may_carry_inverse(key: Key, released: set[str], sites: set[str]) -> bool:
    """Only where the Gram matrices kept back enter all together and whole, with one weight, at least three of them.

    Then no combination of the carried inverses isolates one of them, or the images of a coarse label.
    """
    kept = sites - released
    if kept & {name for name, _ in key.silent}:
        return False
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


def _steps(
    candidate: ReleaseManifest, reports: Mapping[str, tuple[str, ReportManifest, Tensors]]
) -> tuple[tuple[str, ...], Tensors]:
    """Concepts that answers go down from, and how the steps down went with the patients of all sites together."""
    told = {concept for _, manifest, _ in reports.values() for concept in manifest.steps}
    steps = tuple(concept for concept in tree_of(candidate.vocabulary, candidate.labels).inner if concept in told)
    tensors: Tensors = {}
    for unit in UNITS if steps else ():
        counts = np.zeros((len(steps), len(MARGINS)), dtype=np.int64)
        for _, manifest, report in reports.values():
            for row, concept in enumerate(manifest.steps):
                counts[steps.index(concept)] += report[f"steps.{unit}"][row]
        tensors[f"steps.{unit}"] = counts
    return steps, tensors


def _temperature(candidate: ReleaseManifest, reports: Mapping[str, tuple[str, ReportManifest, Tensors]]) -> float:
    """The grid temperature with the least summed negative log-likelihood over the sites' validation patients."""
    losses = [tensors["nll"] for _, _, tensors in reports.values() if tensors["nll_count"][0] > 0]
    if not losses:
        return candidate.temperature
    return float(TEMPERATURES[int(np.argmin(np.sum(losses, axis=0)))])
