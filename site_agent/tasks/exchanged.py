"""What tasks have in common whose experts travel from site to site, and are fused where an image is.

An expert learns from the training fold, its epoch is chosen by the validation fold, and calibration patients tell what
this site's images look like to it. What leaves is its state, with the patients and images behind each label.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from federated.disclosure import Limits
from federated.errors import ContractError
from federated.in_distribution import histogram, one_item_a_patient
from federated.manifest import WeightsManifest, pack_tensors
from site_agent.catalogue import Catalogue
from site_agent.drafts import Draft
from site_agent.tables import counted
from site_agent.tasks.blocks import TRAIN, cells_of, facts_of

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from federated.fused_model import FusedModel
    from site_agent.catalogue import Case
    from site_agent.home import SiteHome
    from site_agent.panel import Expert
    from site_agent.policy import Policy

Shown = TypeVar("Shown")

KINDS = ("weights",)
VALIDATION, CALIBRATION, TEST = "validation", "calibration", "test"
FOLDS = (TRAIN, VALIDATION, CALIBRATION)
FREE = Limits(cell=1, batch=1)  # of what does not leave
SEED = 0


def learn_reference(
    network: torch.nn.Module,
    folds: Mapping[str, Sequence[Shown]],
    case_of: Callable[[Shown], Case],
    features_of: Callable[[Sequence[Shown]], NDArray[np.floating[Any]]],
) -> None:
    """Puts into a network what this site's images look like to it.

    Args:
        network: that carries the reference.
        folds: images that were learnt from, and those that calibrate; where there are none, those that validated.
        case_of: the case of an image.
        features_of: images -> (n, D).
    """
    from shared_models.image_reference import put_reference, reference

    held = folds.get(CALIBRATION) or folds.get(VALIDATION) or ()
    cases = [case_of(each) for each in held]
    alone = one_item_a_patient([case.patient for case in cases], [case.sha256 for case in cases])
    seen = features_of(folds[TRAIN])
    put_reference(network, reference(seen, features_of([held[row] for row in alone]) if alone else seen[:0], histogram))


def weights_draft(
    home: SiteHome, batch: str, labels: tuple[str, ...], expert: Expert, folds: Mapping[str, Sequence[Case]]
) -> Draft:
    """What would leave of an expert; equal bytes for equal cases, so that a repeated draft is the same draft.

    Args:
        home: the site's.
        batch: of whose images it is.
        labels: of which it speaks.
        expert: trained.
        folds: the rows by which the filters count what it learnt from.
    """
    data, specs, tensors_digest = pack_tensors(expert.state)
    patients = {label: len(found) for (_, label), found in sorted(cells_of(folds[TRAIN]).items())}
    manifest = WeightsManifest(
        federation=home.config.federation,
        tensors=specs,
        tensors_digest=tensors_digest,
        site=home.config.site,
        task=home.config.task,
        front_end=home.config.front_end.digest,
        batch=batch,
        labels=labels,
        patients=patients,
        images={label: sum(row.label == label for row in folds[TRAIN]) for label in patients},
        batch_patients=len({row.patient for rows in folds.values() for row in rows}),
        expert=Catalogue(home.catalogue_path).expert_of(batch),
        architecture=expert.architecture,
        config=expert.config,
    )
    weights = {fold: np.ones(len(rows)) for fold, rows in folds.items()}
    return Draft(manifest, data, facts_of("weights", folds, weights, size=len(data)))


def notes_on(left_out: Mapping[str, int], folds: Collection[str]) -> list[str]:
    """What a person should know of a training: examples that were left out, by reason, and folds that are empty."""
    notes = [f"left out, because they {why}: {counted(count, 'image')}" for why, count in left_out.items() if count]
    if VALIDATION not in folds:
        notes.append("no validation patient: the last epoch is kept, and figures are of images that were learnt from")
    if CALIBRATION not in folds:
        notes.append("no calibration patient: how in-distribution an image is cannot be told well")
    return notes


def no_report(home: SiteHome, model: FusedModel, batches: Sequence[str], policy: Policy) -> Draft:  # noqa: ARG001
    """Never: no candidate is made of such experts.

    Raises:
        ContractError: always.
    """
    raise ContractError(f"experts of {home.config.task} are fused where an image is, and not in a release")
