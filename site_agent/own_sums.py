"""A candidate's rows of this site held against what this site sent: a report answers no question but its own.

A report's counts are of scores that the candidate gives to the site's patients. Rows other than the sums that left here
would let the coordinator choose what those scores measure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from federated.errors import ContractError
from federated.fused_model import FusedModel
from federated.manifest import Tensors, parse_manifest, unpack_tensors
from federated.statistics import Array, Statistics, from_features, merge
from site_agent.mailbox import Outbox

if TYPE_CHECKING:
    from site_agent.home import SiteHome

TOLERANCE = 1e-9  # sums of the same numbers in another order


def require_own_sums(home: SiteHome, model: FusedModel, contributions: Sequence[str]) -> None:
    """The candidate's class sums and weights of this site are the sums of these contributions, to 1e-9 of the largest.

    Raises:
        ContractError: they are not, or a contribution never left here.
    """
    site, labels = home.config.site, model.manifest.labels
    told, own = model.blocks[site], merge([_sums_sent(home, digest) for digest in contributions]).spread(labels)
    if not (_same(told.class_sums, own.class_sums) and _same(told.weights, own.weights)):
        raise ContractError(
            "says other sums of this site than it has sent",
            where=f"candidate {model.manifest.number}",
            cure="nothing is reported; ask the coordinator how it came about",
        )


def _same(told: Array, own: Array) -> bool:
    return told.shape == own.shape and bool(np.abs(told - own).max() <= TOLERANCE * np.abs(own).max())


def _sums_sent(home: SiteHome, digest: str) -> Statistics:
    """Training sums of one contribution, from the parcel as it left."""
    parcel = Outbox(home).sent(digest)
    if parcel is None:
        raise ContractError("names a contribution that did not leave here", where=digest[:23])
    manifest = parse_manifest(parcel.manifest)
    return _training_sums(manifest, unpack_tensors(parcel.tensors, manifest))


def _training_sums(manifest: Any, tensors: Tensors) -> Statistics:
    if manifest.kind == "features":
        names = [manifest.labels[index] for index in tensors["train.label"]]
        return from_features(tensors["train.features"], names, tensors["train.weight"], manifest.labels)
    if manifest.kind != "statistics":
        raise ContractError(f"sums up '{manifest.kind}', which holds no sums", where=f"batch {manifest.batch}")
    return Statistics(manifest.labels, None, tensors["train.class_sums"], tensors["train.weights"])
