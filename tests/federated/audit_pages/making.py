"""A record with answers: two releases, hospitals that tell of their answers by both, decisions that were opened."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from federated.audit.bundle import open_bundle
from federated.audit.whole import gathered, verify_bundle
from federated.audit_pages.building import build
from federated.audit_pages.index import Index
from federated.audit_pages.room import Room
from federated.deciding import decide_alone
from federated.decision import Decision
from federated.decision_record import Record as Leaf
from federated.decision_summary import DRIFT_BINS, FLAGS, REASONS, REST, concepts_of
from federated.fused_model import FusedModel
from federated.keys import TrustFile
from federated.manifest import SummaryManifest, Tensors, pack_tensors, parse_manifest, unpack_tensors
from federated.statistics import Array
from tests.decision_making import Tree, a_record, told
from tests.opened_making import an_opened

OPENED = 12  # decisions, by one hospital, of each release
CLIP = "c" * 32


def models_of(record: Any) -> list[FusedModel]:
    """The releases of a record, in their order."""
    manifests = {digest: parse_manifest(parcel.manifest) for digest, parcel in record.parcels.items()}
    releases = sorted((manifest.number, digest) for digest, manifest in manifests.items() if manifest.kind == "release")
    return [
        FusedModel.from_release(manifests[digest], unpack_tensors(record.parcels[digest].tensors, manifests[digest]))
        for _, digest in releases
    ]


def images_of(federation: Any, site: str) -> Array:
    """What a hospital asks about: its own images, another hospital's, and some that nobody knows."""
    rng = np.random.default_rng([5, *site.encode()])
    others = [name for name in federation.folds if name != site]
    own, other = (federation.folds[name]["test"].features[::4] for name in (site, others[0]))
    strange = rng.normal(scale=1.6, size=(6, own.shape[1]))
    strange[:, -1] = 1.0
    return np.concatenate([own, other[: len(own) // 3], strange])


def summed(found: Sequence[Decision], labels: Sequence[str], sites: Sequence[str], site: str) -> Tensors:
    """Sums over decisions, as a hospital tells of them."""
    sums: Tensors = {
        "answered": np.zeros(len(labels), np.int64),
        "abstained": np.zeros(len(REASONS), np.int64),
        "weights": np.zeros((len(labels), len(sites))),
        "contributions": np.zeros((len(labels), len(sites))),
        "evidence": np.zeros((len(labels), len(sites) + len(REST))),
        "qualified": np.zeros(len(sites), np.int64),
        "drift": np.zeros(DRIFT_BINS, np.int64),
        **{name: np.zeros(len(labels), np.int64) for name in FLAGS},
    }
    for each in found:
        sums["qualified"] += [each.qualified[name] > 0.05 for name in sites]
        sums["drift"][min(DRIFT_BINS - 1, int(10 * each.qualified.get(site, 0.0)))] += 1
        if each.label is None:
            sums["abstained"][0] += 1
            continue
        place = list(labels).index(each.label)
        sums["answered"][place] += 1
        sums["weights"][place] += [each.weights[name] for name in sites]
        sums["contributions"][place] += [each.contributions[each.best][name] for name in sites]
        sums["evidence"][place] += [each.evidence.get(name, 0.0) for name in (*sites, *REST)]
    for name, counts in zip(FLAGS, (8, 3, 2), strict=True):
        sums[name][0] = min(counts, int(sums["answered"][0]))
    return sums


def story(whole: Any, federation: Any) -> Any:
    """A record's copy in which hospitals answer, tell of it, and open some answers."""
    record = copy.deepcopy(whole)
    models = models_of(record)
    for site in models[-1].sites:
        leaves: list[Leaf] = []
        for model in models:
            if site in model.sites:
                _answer(record, model, site, images_of(federation, site), leaves)
    return record


def _answer(record: Any, model: FusedModel, site: str, features: Array, leaves: list[Leaf]) -> None:
    """One more period in a hospital's log, told of; the last hospital of a release opens some."""
    first, rows = len(leaves), [features[place : place + 1] for place in range(len(features))]
    answers = [decide_alone(model, row, f"{first + place:032x}", CLIP) for place, row in enumerate(rows)]
    leaves += [a_record(first + place, answers[place], row) for place, row in enumerate(rows)]
    tree = Tree([leaf.to_bytes() for leaf in leaves])
    labels = concepts_of(model.manifest)
    data, specs, digest = pack_tensors(summed(answers, labels, model.sites, site))
    fields = told(tree, first, first) | {"release": model.digest, "labels": labels, "sites": tuple(model.sites)}
    fields |= {"decisions": len(answers), "patients": len(answers), "federation": "test", "site": site}
    fields |= {"suppressed": ("wrong.psax",), "tensors": specs, "tensors_digest": digest}
    record.send(SummaryManifest(**fields), data)
    if site == model.sites[-1]:
        for place in range(0, len(rows), max(1, len(rows) // OPENED)):
            manifest, opened = an_opened(tree, leaves[first + place], answers[place], rows[place])
            record.send(manifest.model_copy(update={"site": site}), opened)


def room_of(record: Any, folder: Path, trust: TrustFile | None = None) -> Room:
    """Its pages' room, with an index of its own."""
    bundle = open_bundle(record.write(folder / "record.bundle"))
    build(folder / "index.sqlite", bundle, gathered(verify_bundle(bundle, trust, witnesses=2)))
    return Room(Index(folder / "index.sqlite"), bundle, trust)
