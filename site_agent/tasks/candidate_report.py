"""What a site reports on a candidate: counts over its own patients, by which the coordinator calibrates the release.

Covariances of classes come from the training patients that were contributed, standards and likelihoods from the
validation patients, refusal scores from calibration patients, who were never sent in any form.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits

from federated.disclosure import Cell, Facts, Limits, behind_matrix, suppressed
from federated.errors import ContractError
from federated.fused_model import FusedModel
from federated.in_distribution import QUADRATIC
from federated.local_fold import LocalFold
from federated.report import compute_report, steps_told
from federated.statistics import Array
from site_agent.asking import read_of
from site_agent.catalogue import Catalogue
from site_agent.drafts import STEPS, Draft
from site_agent.tasks.blocks import TRAIN, cells_of, class_balance, images_digests, sample_weights
from site_agent.tasks.classification import selection

if TYPE_CHECKING:
    from site_agent.catalogue import Case
    from site_agent.home import SiteHome
    from site_agent.policy import Policy

VALIDATION, CALIBRATION = "validation", "calibration"
ANY_LABEL = "any"  # refusal scores are counted over all labels together


@dataclass(frozen=True)
class Own:
    """The site's cases behind a report; `weights` are those of the training cases."""

    train: list[Case]
    weights: Array
    validation: list[Case]
    calibration: list[Case]


def report(home: SiteHome, model: FusedModel, batches: Sequence[str], policy: Policy) -> Draft:
    """The report on a candidate.

    Args:
        home: the site's.
        model: the candidate.
        batches: those whose contributions the candidate holds.
        policy: the hospital's, whose limits for reports hold.

    Raises:
        ContractError: the candidate does not hold this site.
        DisclosureError: no label of a batch has patients enough.
    """
    limits = policy.report.limits
    own = own_cases(home, _labels(home, model), batches, policy)
    facts = facts_of_report(own, limits, min(QUADRATIC, model.space.size))
    with_covariances = facts.features is not None
    with threadpool_limits(1):  # the last digits of a product depend on the number of threads
        folds = {
            TRAIN: _local(home, model, own.train if with_covariances else [], own.weights),
            VALIDATION: _local(home, model, own.validation),
            CALIBRATION: _local(home, model, own.calibration),
        }
        steps = step_cells(model, folds, limits)
        manifest, data = compute_report(
            model, home.config.site, **folds, minimum=limits.cell, steps=[concept for _, concept in steps]
        )
    return Draft(manifest, data, replace(facts, cells={**facts.cells, **steps}, size=len(data)))


def step_cells(model: FusedModel, folds: Mapping[str, LocalFold], limits: Limits) -> dict[Cell, frozenset[str]]:
    """Patients whose labels tell how answers go down from a concept; concepts with too few are left out."""
    least = max(limits.cell, limits.batch)
    told = steps_told(model, **folds)
    return {(STEPS, concept): patients for concept, patients in told.items() if len(patients) >= least}


def _labels(home: SiteHome, model: FusedModel) -> frozenset[str]:
    for site in model.manifest.sites:
        if site.name == home.config.site:
            return frozenset(site.labels)
    raise ContractError("this site is not part of the candidate", where=home.config.site, cure="contribute first")


def own_cases(home: SiteHome, labels: frozenset[str], batches: Sequence[str], policy: Policy) -> Own:
    """The site's cases that may stand behind a report; labels and folds with too few patients are left out."""
    limits = policy.report.limits
    train: list[Case] = []
    validation: list[Case] = []
    calibration: list[Case] = []
    weights: list[Array] = []
    for batch in batches:
        folds = selection(home, batch, policy).folds
        train += folds[TRAIN]
        weights.append(sample_weights(folds[TRAIN], class_balance(folds[TRAIN], home.config.class_balance)))
        validation += folds.get(VALIDATION, [])
        calibration += Catalogue(home.catalogue_path).cases(fold=CALIBRATION, batch=batch)
    small = set(suppressed(cells_of(validation), limits))
    return Own(
        train,
        np.concatenate(weights),
        _enough([case for case in validation if (case.fold, case.label) not in small], limits),
        _enough([case for case in calibration if case.label in labels], limits),
    )


def _enough(cases: list[Case], limits: Limits) -> list[Case]:
    patients = {case.patient for case in cases}
    return cases if len(patients) >= max(limits.cell, limits.batch) else []


def facts_of_report(own: Own, limits: Limits, width: int) -> Facts:
    """What the gate judges. Covariances (width, width) go along only where every cell has patients enough for them."""
    counted = cells_of(own.validation)
    if own.calibration:
        counted[CALIBRATION, ANY_LABEL] = frozenset(case.patient for case in own.calibration)
    trained = {cell: patients for cell, patients in cells_of(own.train).items() if len(patients) >= limits.cell}
    complete = _facts([*own.train, *own.validation, *own.calibration], counted | trained, width)
    if trained and width <= limits.gram_share * behind_matrix(complete):
        return complete
    return _facts([*own.validation, *own.calibration], counted, None)


def _facts(cases: Sequence[Case], cells: dict[Cell, frozenset[str]], width: int | None) -> Facts:
    return Facts(
        kind="report",
        level=None,
        features=width,
        cells=cells,
        largest_share=0.0,
        size=0,
        images=images_digests(cases),
    )


def _local(home: SiteHome, model: FusedModel, cases: Sequence[Case], weights: Array | None = None) -> LocalFold:
    return LocalFold(
        features=read_of(home, model.manifest, cases),
        labels=tuple(case.label for case in cases),
        patients=tuple(case.patient for case in cases),
        clips=tuple(f"{case.patient}/{case.clip}" for case in cases),  # two patients may use the same name
        weights=weights if weights is not None and cases else np.ones(len(cases)),
    )
