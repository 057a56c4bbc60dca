"""Images as rows of features, with site, patient and label: of contributions, and of decisions that were opened."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from federated.errors import ContractError
from federated.manifest import FeaturesManifest, Fold, Tensors, Unit
from federated.statistics import Array

if TYPE_CHECKING:
    from federated.envelope import Opened


@dataclass(frozen=True)
class LabelledImages:
    """n images of some sites.

    Attributes:
        features: (n, M) front-end output.
        names: n names, which say no more than the place of a row in its contribution.
        sites, patients, labels: n of each; a patient of another contribution counts as another. No label at all where
            nobody said what the images show.
        trained_on: contributions that brought training images, for want of others.
        unit: what a row is of.
    """

    features: Array
    names: tuple[str, ...]
    sites: tuple[str, ...]
    patients: tuple[str, ...]
    labels: tuple[str, ...]
    trained_on: tuple[str, ...]
    unit: Unit = "image"


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


def decided_images(decisions: Sequence[Opened], release: str, width: int) -> LabelledImages:
    """What a release answered in opened decisions: the clips, or the images where no clip was opened.

    Nobody says what they show; patients and names are the keyed ones.

    Args:
        decisions: opened parcels of decisions; those of other releases, and flags, are passed over.
        release: its digest.
        width: of its features.

    Raises:
        ContractError: none of them is of the release, or one has features of another width.
    """
    ours = [each for each in decisions if each.manifest.release == release and each.manifest.decision is not None]
    clips = [each for each in ours if each.manifest.decision.image is None]
    chosen = clips or ours
    if not chosen:
        cure = "open decisions, or give contributions of features"
        raise ContractError("no decision of it was opened, and there are no features", where=release, cure=cure)
    for each in chosen:
        if each.tensors["features"].shape[1] != width:
            raise ContractError(f"its features are not {width} numbers an image", where=each.digest)
    return LabelledImages(
        np.stack([each.tensors["features"].mean(axis=0) for each in chosen]),
        tuple(each.manifest.decision.image or each.manifest.decision.clip for each in chosen),
        tuple(each.manifest.site for each in chosen),
        tuple(f"{each.manifest.site} {each.manifest.record.patient}" for each in chosen),
        (),
        (),
        "clip" if clips else "image",
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
