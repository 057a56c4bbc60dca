"""Recomputing what a release carries: sums from the contributions it names, solutions from its own Gram matrices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.linalg import LinAlgError

from federated.contributed import statistics_in
from federated.envelope import Opened
from federated.errors import ContractError
from federated.fused_model import FusedModel
from federated.fusion.closed_form import fit, solve
from federated.manifest import ReleaseManifest, ReleaseSite, Tensors, unpack_tensors
from federated.release import build_release, system_key
from federated.statistics import Array, Statistics, merge
from federated.vocabulary import Vocabulary

TOLERANCE = 1e-9


def recompute_sums(model: FusedModel, site: ReleaseSite, parts: Sequence[Opened]) -> str:
    """What of one site was recomputed from its contributions, and agrees within 1e-9 of the largest value.

    Raises:
        ContractError: the release holds something else.
    """
    merged = merge(_train_blocks(parts, model.manifest.vocabulary)).spread(model.labels)
    held = model.blocks[site.name]
    _compare(held.class_sums, merged.class_sums, "class sums")
    _compare(held.weights, merged.weights, "weights")
    if held.gram is None:
        why = "none was sent" if merged.gram is None else "the release carries none"
        return f"class sums and weights are those of its contributions; Gram matrix not compared: {why}"
    if merged.gram is None:
        raise ContractError("a Gram matrix is released that its contributions do not hold")
    _compare(held.gram, merged.gram, "Gram matrix")
    if set(held.own_grams) != set(merged.keeping(model.targets.coarse).own_grams):
        raise ContractError("Gram matrices of single labels: others than its contributions hold")
    for label, own in held.own_grams.items():
        _compare(own, merged.gram_of(label), f"Gram matrix of '{label}' alone")
    return "class sums, weights and Gram matrix are those of its contributions"


def recompute_solutions(model: FusedModel) -> str:
    """What of the solutions was recomputed from the release's own Gram matrices and class sums.

    Every carried system is solved again, site by site, and the sums over sites are held against the fused classifier.

    Raises:
        ContractError: the release carries other solutions.
    """
    hyperparameters, systems = model.manifest.hyperparameters, model.manifest.systems
    try:
        fused = fit(model.counted, model.labels, hyperparameters, model.targets)
        for index, system in enumerate(systems):
            solved = solve(model.counted, system_key(system), system.labels, hyperparameters, model.targets)
            carried = model.tensors[f"solution.{index:03d}"]
            _compare(carried, solved.solutions[[model.sites.index(name) for name in system.inside]], f"system {index}")
            columns = [model.labels.index(label) for label in system.labels]
            _compare(carried.sum(axis=0), fused[:, columns], f"system {index}, summed over sites")
    except (KeyError, ValueError, LinAlgError) as error:
        raise ContractError(f"its systems cannot be solved ({error})") from error
    return f"{len(systems)} systems solved again from the released Gram matrices: the same solutions"


def recompute_calibration(
    opened: Opened, candidate: ReleaseManifest, tensors: Tensors, reports: Mapping[str, Opened]
) -> str:
    """Whether a release is its candidate, calibrated by the reports that it names.

    Args:
        opened: the release.
        candidate: its candidate, with its tensors.
        tensors: of the candidate.
        reports: by site, those that the release names, and no others.

    Raises:
        ContractError: another calibration, covariance or temperature comes of them.
    """
    told = {name: (each.digest, each.manifest, each.tensors) for name, each in reports.items()}
    pinned = candidate.hyperparameters.mode == "isolated" and candidate.previous is not None
    try:
        built = build_release(candidate, tensors, told, keep_temperature=pinned)
    except (KeyError, ValueError, LinAlgError) as error:
        raise ContractError(f"cannot be calibrated by these reports ({error})") from error
    if built.manifest.sites != opened.manifest.sites:
        raise ContractError("a site is calibrated otherwise than the reports say")
    if not np.isclose(built.manifest.temperature, opened.manifest.temperature, rtol=TOLERANCE, atol=0):
        raise ContractError(f"temperature {opened.manifest.temperature}, {built.manifest.temperature} recomputed")
    made = unpack_tensors(built.tensors, built.manifest)
    if set(made) != set(opened.tensors) or built.manifest.steps != opened.manifest.steps:
        raise ContractError("it carries something else than its candidate and reports give")
    for name in sorted(set(made) - set(tensors)):
        _compare(opened.tensors[name], made[name], name)
    return f"what {len(reports)} reports give"


def _train_blocks(parts: Sequence[Opened], vocabulary: Vocabulary) -> list[Statistics]:
    """In digest order, as the coordinator sums them."""
    ordered = sorted(parts, key=lambda part: part.digest)
    return [
        statistics_in(part.manifest, part.tensors, "train", vocabulary)
        for part in ordered
        if "train" in part.manifest.folds
    ]


def _compare(held: Array, recomputed: Array, what: str) -> None:
    if held.shape != recomputed.shape:
        raise ContractError(f"{what}: {held.shape} in the release, {recomputed.shape} recomputed")
    if held.size and not np.abs(held - recomputed).max() <= TOLERANCE * np.abs(recomputed).max():
        raise ContractError(f"{what}: not what is recomputed")
