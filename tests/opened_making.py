"""A record in which a hospital opened an answer to an image, one to a clip, and a flag; and predictions beside it."""

from __future__ import annotations

from typing import Any

from federated.deciding import decide_alone
from federated.decision import Decision
from federated.decision_record import Record as Leaf
from federated.fused_model import FusedModel
from federated.manifest import DecisionManifest, pack_tensors, parse_manifest, unpack_tensors
from federated.statistics import Array
from tests.decision_making import Tree, a_flag, a_record, shown

IMAGE, CLIP = "0" * 32, "1" * 32


def newest_release(record: Any) -> FusedModel:
    """Of a record of parcels."""
    manifests = {digest: parse_manifest(parcel.manifest) for digest, parcel in record.parcels.items()}
    releases = [digest for digest, manifest in manifests.items() if manifest.kind == "release"]
    last = max(releases, key=lambda digest: manifests[digest].number)
    return FusedModel.from_release(manifests[last], unpack_tensors(record.parcels[last].tensors, manifests[last]))


def an_opened(
    tree: Tree, leaf: Leaf, decision: Decision | None, features: Array | None
) -> tuple[DecisionManifest, bytes]:
    """A decision or flag of one site, opened."""
    data, specs, digest = pack_tensors({} if features is None else {"features": features})
    fields = {"federation": "test", "site": "cem", "tensors": specs, "tensors_digest": digest}
    return DecisionManifest(**(fields | shown(tree, leaf, decision))), data


def with_opened(record: Any, features: Array) -> tuple[Any, list[str], list[Decision]]:
    """The record with three more parcels, their digests, and predictions of two images and of the clip of both.

    Args:
        record: of parcels, to which they are added.
        features: (2, M).
    """
    model = newest_release(record)
    image, clip = decide_alone(model, features[:1], IMAGE, CLIP), decide_alone(model, features, None, CLIP)
    leaves = [
        a_record(0, image, features[:1]),
        a_record(1, clip, features),
        a_flag(2, 0, release=model.digest, truth="sub"),
    ]
    tree = Tree([leaf.to_bytes() for leaf in leaves])
    shown_ = [(image, features[:1]), (clip, features), (None, None)]
    sent = [
        record.send(*an_opened(tree, leaf, decision, rows))
        for leaf, (decision, rows) in zip(leaves, shown_, strict=True)
    ]
    return record, sent, model.decide(features, ["0.png", "1.png"], ["c", "c"])
