"""Decisions, their records in a tree, and sums over them, for tests of what passes between a site and an auditor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from federated.decision import Decision
from federated.decision_record import Record, answer_digest, features_digest
from federated.decision_summary import DRIFT_BINS, FLAGS, REASONS, REST
from federated.log.merkle import complete, consistency_proof, inclusion_proof, leaf_hash, root
from federated.manifest import Tensors
from federated.statistics import Array

RELEASE = "sha256:" + "2" * 64
LABELS = ("a4c", "plax")
SITES = ("ada", "ben")
AT = "2026-11-21T08:00:00Z"


def an_answer(
    image: str | None = "0" * 32,
    labels: Sequence[str] = LABELS,
    sites: Sequence[str] = SITES,
    release: str = RELEASE,
    **changes: Any,
) -> Decision:
    """The first label, by equal parts of all sites."""
    share = 1.0 / len(sites)
    scores = {label: float(index == 0) for index, label in enumerate(labels)}
    fields = {
        "image": image,
        "clip": "1" * 32,
        "label": labels[0],
        "abstained": False,
        "why": None,
        "caption": None,
        "scores": scores,
        "probabilities": scores,
        "weights": dict.fromkeys(sites, 1.0),
        "contributions": {label: dict.fromkeys(sites, scores[label] * share) for label in labels},
        "evidence": dict.fromkeys(sites, share),
        "qualified": dict.fromkeys(sites, 0.5),
        "release": release,
    }
    return Decision(**(fields | changes))


def rows(number: int, width: int = 3, count: int = 1) -> Array:
    """Features that no other number has."""
    return np.arange(count * width, dtype=np.float64).reshape(count, width) + 100.0 * number


def a_record(number: int, decision: Decision | None = None, features: Array | None = None, **changes: Any) -> Record:
    """The record of an answer."""
    decision = decision or an_answer()
    features = rows(number) if features is None else features
    fields: dict[str, Any] = {"number": number, "at": AT, "event": "decision", "release": decision.release}
    fields |= {"patient": f"{number:064x}", "began": AT, "answer": answer_digest(decision)}
    fields |= {"features": features_digest(features), "rows": len(features)}
    return Record(**(fields | changes))


def a_flag(number: int, of: int, **changes: Any) -> Record:
    """The truth about an earlier record."""
    fields: dict[str, Any] = {"number": number, "at": AT, "event": "flag", "release": RELEASE, "of": of}
    fields |= {"patient": f"{of:064x}", "truth": "plax", "overruled": True, "why": "follow-up", "by": "b" * 64}
    return Record(**(fields | changes))


class Tree:
    """A log in memory."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self.hashes = [leaf_hash(leaf) for leaf in leaves]
        self.size = len(leaves)

    def subtree(self, level: int, index: int) -> bytes:
        return complete(self.hashes[index << level : (index + 1) << level])

    @property
    def root(self) -> str:
        return root(self.size, self.subtree).hex()

    def inclusion(self, number: int) -> tuple[str, ...]:
        return tuple(each.hex() for each in inclusion_proof(number, self.size, self.subtree))

    def consistency(self, old: int) -> tuple[str, ...]:
        return tuple(each.hex() for each in consistency_proof(old, self.size, self.subtree))


def sums(answered: Sequence[int] = (9, 9), abstained: int = 2, sites: Sequence[str] = SITES) -> Tensors:
    """Tensors of a summary in which all sites have equal parts."""
    counts = np.array(answered, dtype=np.int64)
    parts = np.repeat(counts[:, None] / len(sites), len(sites), axis=1)
    return {
        "answered": counts,
        "abstained": np.array([abstained, *[0] * (len(REASONS) - 1)]),
        "weights": np.repeat(counts[:, None].astype(np.float64), len(sites), axis=1),
        "contributions": parts,
        "evidence": np.hstack([parts, np.zeros((len(counts), len(REST)))]),
        "qualified": np.full(len(sites), counts.sum()),
        "drift": np.array([counts.sum(), *[0] * (DRIFT_BINS - 1)]),
        **{name: np.zeros(len(counts), np.int64) for name in FLAGS},
    }


def told(tree: Tree, first: int = 0, since: int = 0, **changes: Any) -> dict[str, Any]:
    """Fields of a summary that counts everything of a tree from a record on."""
    fields: dict[str, Any] = {"release": RELEASE, "labels": LABELS, "sites": SITES, "first": first}
    fields |= {"last": tree.size - 1, "size": tree.size, "root": tree.root, "since": since}
    fields |= {"proof": tree.consistency(since), "decisions": 20, "patients": 20, "suppressed": ()}
    return fields | changes


def shown(tree: Tree, record: Record, decision: Decision | None, **changes: Any) -> dict[str, Any]:
    """Fields of an opened decision."""
    fields: dict[str, Any] = {"release": record.release, "record": record, "decision": decision, "draw": None}
    fields |= {"size": tree.size, "root": tree.root, "proof": tree.inclusion(record.number)}
    return fields | changes
