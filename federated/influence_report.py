"""All that labelled images tell of the sites' influence in a release."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from federated.errors import ContractError
from federated.fused_model import FusedModel
from federated.influence import (
    AnswerInfluence,
    ChangedLabel,
    Faithful,
    Removal,
    Withdrawn,
    answer_influences,
    changed_labels,
    displayed,
    faithful_displays,
    removal,
    withdrawals,
)
from federated.labelled_images import LabelledImages
from federated.manifest import Digest, Frozen, Unit
from federated.refits import ClosedFormRefit, is_right, right_answers
from federated.shapley import MAX_SITES, shapley_of_accuracy, shapley_of_scores


class SiteWorth(Frozen):
    """What one site is worth to the accuracy over all images; `shapley` is None where there are too many sites."""

    site: str
    shapley: float | None
    accuracy_with: float
    accuracy_without: float
    changed: int


class InfluenceReport(Frozen):
    """Influence of every site on the answers to some images.

    Attributes:
        unit: what was answered, images or clips.
        trained_on: names where these were training images.
        sites, withdrawals: of accuracy; nothing where nobody said what the images show.
    """

    release: Digest
    weighting: str
    unit: Unit
    images: int
    patients: int
    trained_on: tuple[str, ...]
    answers: tuple[AnswerInfluence, ...]
    sites: tuple[SiteWorth, ...]
    faithful: tuple[Faithful, ...]
    withdrawals: tuple[Withdrawn, ...]
    changed: tuple[ChangedLabel, ...]


def influence_report(model: FusedModel, images: LabelledImages) -> InfluenceReport:
    """Removal of every site, Shapley values for up to ten, and how faithfully the display tells it.

    Raises:
        ContractError: there is no image, or the release cannot be fitted again.
    """
    if not images.names:
        raise ContractError("there is no image in them", where="features")
    refit = ClosedFormRefit(model, images.features, images.unit)
    removed = removal(refit)
    shown = displayed(model, images.features, images.unit)
    few = len(model.sites) <= MAX_SITES
    scores = shapley_of_scores(refit, removed.answered).values if few else None
    sites, withdrawn = _accuracy(model, images, refit, removed) if images.labels else ((), ())
    return InfluenceReport(
        release=model.digest,
        weighting=model.manifest.weighting,
        unit=images.unit,
        images=len(images.names),
        patients=len(set(images.patients)),
        trained_on=images.trained_on,
        answers=tuple(answer_influences(model.labels, model.sites, shown, removed, scores)),
        sites=sites,
        faithful=tuple(faithful_displays(shown, removed, images.patients)),
        withdrawals=withdrawn,
        changed=tuple(changed_labels(refit, removed, images.names)),
    )


def _accuracy(
    model: FusedModel, images: LabelledImages, refit: ClosedFormRefit, removed: Removal
) -> tuple[tuple[SiteWorth, ...], tuple[Withdrawn, ...]]:
    """What sites are worth to right answers, over all images and by site and label."""
    right = right_answers(model.manifest.vocabulary, model.labels, images.labels)
    few = len(model.sites) <= MAX_SITES
    accuracy = shapley_of_accuracy(refit, right).values.tolist() if few else [None] * len(model.sites)
    worths = tuple(_worths(model.sites, removed, right, accuracy))
    return worths, tuple(withdrawals(refit, removed, right, images.sites, images.labels))


def _worths(
    sites: Sequence[str], removed: Removal, right: NDArray[np.bool_], shapley: Sequence[float | None]
) -> list[SiteWorth]:
    everybody = float(is_right(right, removed.answered).mean())
    return [
        SiteWorth(
            site=site,
            shapley=shapley[index],
            accuracy_with=everybody,
            accuracy_without=float(is_right(right, removed.without[:, index]).mean()),
            changed=int((removed.without[:, index] != removed.answered).sum()),
        )
        for index, site in enumerate(sites)
    ]
