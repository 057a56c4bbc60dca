"""What a release or an average was made of, held against the files given and computed again from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from federated.audit.outcome import Check, outcome
from federated.averaging import recompute_average
from federated.envelope import Opened
from federated.errors import ContractError
from federated.manifest import (
    MODEL_KINDS,
    AverageManifest,
    ExpertManifest,
    FeaturesManifest,
    ReleaseManifest,
    ReleaseSite,
    StatisticsManifest,
    UpdateManifest,
    WeightsManifest,
)

if TYPE_CHECKING:
    from federated.fused_model import FusedModel


def lineage_checks(manifest: Any, given: Mapping[str, Any]) -> list[Check]:
    """What a release names, held against manifests given, by digest."""
    if isinstance(manifest, ExpertManifest) and manifest.contribution in given:
        return [outcome("network", lambda: _forwarded(manifest, given[manifest.contribution]))]
    if not isinstance(manifest, ReleaseManifest):
        return []
    named = {name: site.name for site in manifest.sites for name in site.contributions}
    if len(named) < sum(len(site.contributions) for site in manifest.sites):
        return [Check(name="lineage", ok=False, found="a contribution is counted twice")]
    asked = dict.fromkeys(manifest.panel.consultations if manifest.panel else (), "consultation")
    asked |= {card.contribution: "weights" for card in manifest.experts}
    wrong = [name for name, site in named.items() if name in given and not _is_part(given[name], site, manifest)]
    wrong += [name for name, kind in asked.items() if name in given and given[name].kind != kind]
    wrong += [name for name in _ancestors(manifest) if name in given and not _is_ancestor(given[name], manifest)]
    if wrong:
        return [Check(name="lineage", ok=False, found=f"{wrong[0]} is not what the release says it is")]
    there = sum(name in given for name in named)
    return [Check(name="lineage", ok=True, found=f"{there} of {len(named)} contributions among the files")]


def _forwarded(manifest: ExpertManifest, sent: Any) -> str:
    """Whether a network that was passed on is the one that its site sent."""
    if not isinstance(sent, WeightsManifest):
        raise ContractError(f"says that it came as {manifest.contribution}, which is a '{sent.kind}'")
    for name in ("site", "task", "architecture", "config", "labels", "tensors_digest"):
        if getattr(manifest, name) != getattr(sent, name):
            what = "another network" if name == "tensors_digest" else f"another {name}"
            raise ContractError(f"is {what} than '{sent.site}' sent as {manifest.contribution}")
    return f"the one that '{sent.site}' sent"


def recomputed(opened: Opened, known: Sequence[Opened]) -> list[Check]:
    """A release's sums, one line a site, and its solutions, or an average's mean, as far as the files given allow."""
    manifest = opened.manifest
    if isinstance(manifest, AverageManifest):
        return _mean(opened, known) if manifest.updates else []
    if not isinstance(manifest, ReleaseManifest):
        return []
    from federated.fused_model import FusedModel

    model = FusedModel.from_release(manifest, opened.tensors)
    given = {each.digest: each for each in known}
    return [*(sums_check(model, site, given) for site in manifest.sites), solutions_check(model)]


def _mean(opened: Opened, known: Sequence[Opened]) -> list[Check]:
    manifest: AverageManifest = opened.manifest
    named = {each.update for each in manifest.updates}
    given = {each.digest: (each.manifest, each.tensors) for each in known if isinstance(each.manifest, UpdateManifest)}
    missing = len(named - set(given))
    if missing:
        found = f"not recomputed: {missing} of its {len(named)} updates are not among the files"
        return [Check(name="mean", ok=None, found=found)]
    return [outcome("mean", lambda: recompute_average(manifest, opened.tensors, given))]


def sums_check(model: FusedModel, site: ReleaseSite, given: Mapping[str, Opened]) -> Check:
    """One site's sums, computed again where all of its contributions are given, by digest."""
    from federated.recomputation import recompute_sums

    there = [given[name] for name in site.contributions if name in given]
    parts = [each for each in there if isinstance(each.manifest, StatisticsManifest | FeaturesManifest)]
    missing = len(site.contributions) - len(parts)
    if missing or not parts:
        found = f"not recomputed: {missing} of its {len(site.contributions)} contributions are not among the files"
        return Check(name=f"site {site.name}", ok=None, found=found)
    return outcome(f"site {site.name}", lambda: recompute_sums(model, site, parts))


def solutions_check(model: FusedModel) -> Check:
    """The solutions, computed again where the release carries every Gram matrix."""
    from federated.recomputation import recompute_solutions

    kept = [name for name, block in model.blocks.items() if block.gram is None]
    if kept:
        found = f"not recomputed: the release carries no Gram matrix of {', '.join(kept)}"
        return Check(name="solutions", ok=None, found=found)
    return outcome("solutions", lambda: recompute_solutions(model))


def _ancestors(manifest: ReleaseManifest) -> list[str]:
    return [name for name in (manifest.previous, manifest.candidate) if name is not None]


def _is_part(part: Any, site: str, manifest: ReleaseManifest) -> bool:
    return part.kind in MODEL_KINDS and part.site == site and part.front_end == manifest.front_end.digest


def _is_ancestor(ancestor: Any, manifest: ReleaseManifest) -> bool:
    return (
        isinstance(ancestor, ReleaseManifest)
        and ancestor.federation == manifest.federation
        and ancestor.number <= manifest.number
    )
