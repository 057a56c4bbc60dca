"""Whether a parcel may have been kept back, as far as its head, for the reason that a bundle gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from federated.audit.bundle import Head
from federated.audit.contents import WHY, Why
from federated.audit.logged import LogIndex
from federated.errors import ContractError
from federated.manifest import MODEL_KINDS, ReleaseManifest, ReportManifest, StatisticsManifest

Manifests = Mapping[str, Any]
"""Manifests of a bundle by digest."""


def reason_to_keep(manifest: Any, manifests: Manifests) -> Why | None:
    """Why an auditor gets no more of a parcel than its head; None where they may have all of it.

    Args:
        manifest: of the parcel.
        manifests: by digest; of a report, that of its candidate is looked at.
    """
    return next((why for why, holds in HOLDS.items() if holds(manifest, manifests)), None)


def require_reason(head: Head, manifests: Manifests, index: LogIndex) -> str:
    """Why the head is all that is there, where what was signed does not say otherwise.

    Raises:
        ContractError: it does.
    """
    assert head.why is not None
    if not (_withdrawn(head, index) if head.why == "withdrawn" else HOLDS[head.why](head.manifest, manifests)):
        raise ContractError(f"was kept back because {WHY[head.why]}, and what was signed says otherwise")
    return f"kept back: {WHY[head.why]}"


def _gram(manifest: Any, manifests: Manifests) -> bool:
    """Of statistics that go on without it; of reports, which hold covariances, of a site that keeps its own."""
    if isinstance(manifest, StatisticsManifest):
        return manifest.level_to_sites < manifest.level
    if not isinstance(manifest, ReportManifest):
        return False
    candidate = manifests.get(manifest.candidate)
    if not isinstance(candidate, ReleaseManifest):
        return True
    return not any(site.name == manifest.site and site.gram == "released" for site in candidate.sites)


def _coordinator(manifest: Any, _: Manifests) -> bool:
    return manifest.kind in {*MODEL_KINDS, "update"} - {"statistics"}


def _release(manifest: Any, _: Manifests) -> bool:
    return bool(manifest.kind == "candidate")


def _size(manifest: Any, _: Manifests) -> bool:
    return manifest.kind in ("average", "expert")


HOLDS: dict[Why, Callable[[Any, Manifests], bool]] = {
    "gram": _gram,
    "coordinator": _coordinator,
    "release": _release,
    "size": _size,
}


def _withdrawn(head: Head, index: LogIndex) -> bool:
    if index.size == 0:
        return head.manifest.kind in (*MODEL_KINDS, "release")
    if isinstance(head.manifest, ReleaseManifest):
        return bool(index.withdrawn.keys() & made_of(head.manifest))
    return head.digest in index.withdrawn


def made_of(manifest: ReleaseManifest) -> set[str]:
    """Digests of every contribution that a release or candidate holds."""
    experts = {card.contribution for card in manifest.experts}
    asked = set(manifest.panel.consultations) if manifest.panel else set()
    return {name for site in manifest.sites for name in site.contributions} | experts | asked
