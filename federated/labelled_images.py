"""The images of contributions that are features, as rows with their site, patient and label."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from federated.errors import ContractError
from federated.manifest import FeaturesManifest, Fold, Tensors
from federated.statistics import Array

if TYPE_CHECKING:
    from federated.envelope import Opened


@dataclass(frozen=True)
class LabelledImages:
    """n images of some sites.

    Attributes:
        features: (n, M) front-end output.
        names: n names, which say no more than the place of a row in its contribution.
        sites, patients, labels: n of each; a patient of another contribution counts as another.
        trained_on: contributions that brought training images, for want of others.
    """

    features: Array
    names: tuple[str, ...]
    sites: tuple[str, ...]
    patients: tuple[str, ...]
    labels: tuple[str, ...]
    trained_on: tuple[str, ...]


def labelled_images(contributions: Sequence[Opened], front_end: str) -> LabelledImages:
    """The validation images of contributions of features, or the training images of one that has no others.

    Args:
        contributions: opened parcels of features.
        front_end: digest of the front end that the features should come from.

    Raises:
        ContractError: one is something else, or comes from another front end.
    """
    parts = [_part(opened, front_end) for opened in contributions]
    return LabelledImages(
        features=np.concatenate([part.features for part in parts]),
        names=_joined(part.names for part in parts),
        sites=_joined(part.sites for part in parts),
        patients=_joined(part.patients for part in parts),
        labels=_joined(part.labels for part in parts),
        trained_on=_joined(part.trained_on for part in parts),
    )


def _joined(parts: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(chain.from_iterable(parts))


def _part(opened: Opened, front_end: str) -> LabelledImages:
    manifest: Any = opened.manifest
    if not isinstance(manifest, FeaturesManifest):
        raise ContractError(f"is '{manifest.kind}', not features", where=opened.digest)
    named = f"{manifest.site} {manifest.batch}"
    if manifest.front_end != front_end:
        raise ContractError("its features come from another front end than the release's", where=named)
    fold: Fold = "validation" if "validation" in manifest.folds else "train"
    return _rows(manifest, opened.tensors, fold, named)


def _rows(manifest: FeaturesManifest, tensors: Tensors, fold: Fold, named: str) -> LabelledImages:
    index = tensors[f"{fold}.label"]
    if not np.isin(index, range(len(manifest.labels))).all():
        raise ContractError("a row has a label that its contribution does not name", where=named)
    features = np.asarray(tensors[f"{fold}.features"], dtype=np.float64)
    return LabelledImages(
        features,
        tuple(f"{named} {fold} {row}" for row in range(len(features))),
        (manifest.site,) * len(features),
        tuple(f"{named} {number}" for number in tensors[f"{fold}.patient"].tolist()),
        tuple(manifest.labels[label] for label in index.tolist()),
        (named,) if fold == "train" else (),
    )
