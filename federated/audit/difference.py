"""What changed from one release to another, and what demonstrably did not: the blocks of the experts before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from federated.audit.blocks import Block, blocks_of, unchanged
from federated.change_plan import Change, changes
from federated.comparison import Comparison, compare
from federated.contract import Count, Digest, Frozen, Label, Name, Tensors
from federated.decision import Decision
from federated.errors import ContractError
from federated.fused_model import FusedModel
from federated.labelled_images import LabelledImages
from federated.manifest import ReleaseManifest

WHERE = "audit diff"
Became = Literal["added", "removed", "unchanged", "other contributions", "not comparable", "changed"]


class SiteDifference(Frozen):
    """One site in both releases.

    Attributes:
        became: "changed" where its block is another one although its contributions are the same, which nothing
            explains; "not comparable" where only the head of one of the releases is here.
        added, removed: contributions.
        parts: of its block that are not what they were.
        before, after: its blocks, as digests.
    """

    site: Name
    became: Became
    added: tuple[Digest, ...]
    removed: tuple[Digest, ...]
    parts: tuple[str, ...]
    before: Block | None
    after: Block | None


class Difference(Frozen):
    """Two releases.

    Attributes:
        numbers, digests, plans: of both; a plan is None where there was none, or no log tells of it.
        changes: by name, as change plans name them.
        labels_added, labels_removed: of the release.
        settings: name -> before and after, of those that differ.
        sites: every site of either.
        answers: to a fixed set, where one was given.
    """

    numbers: tuple[Count, Count]
    digests: tuple[Digest, Digest]
    plans: tuple[Digest | None, Digest | None]
    changes: tuple[Change, ...]
    labels_added: tuple[Label, ...]
    labels_removed: tuple[Label, ...]
    settings: dict[str, tuple[str, str]]
    sites: tuple[SiteDifference, ...]
    answers: Comparison | None = None

    @property
    def unexplained(self) -> list[str]:
        """Sites whose block changed although their contributions did not."""
        return [site.site for site in self.sites if site.became == "changed"]


class Side(Frozen):
    """One of the two releases.

    Attributes:
        blocks: of its sites; None where only its head is here.
        plan: digest of the change plan that it was made under.
    """

    digest: Digest
    manifest: ReleaseManifest
    blocks: dict[Name, Block] | None
    plan: Digest | None = None


def side_of(digest: str, manifest: ReleaseManifest, tensors: Tensors | None, plan: str | None = None) -> Side:
    """A release, whole or as far as its head is here."""
    blocks = None if tensors is None else blocks_of(manifest, tensors)
    return Side(digest=digest, manifest=manifest, blocks=blocks, plan=plan)


def difference(before: Side, after: Side, answers: Comparison | None = None) -> Difference:
    """What changed from one to the other."""
    one, other = before.manifest, after.manifest
    names = sorted({site.name for site in (*one.sites, *other.sites)})
    return Difference(
        numbers=(one.number, other.number),
        digests=(before.digest, after.digest),
        plans=(before.plan, after.plan),
        changes=changes(one, other),
        labels_added=tuple(label for label in other.labels if label not in one.labels),
        labels_removed=tuple(label for label in one.labels if label not in other.labels),
        settings=_settings(one, other),
        sites=tuple(_site(name, before, after) for name in names),
        answers=answers,
    )


def answers_on(before: FusedModel, after: FusedModel, images: LabelledImages) -> Comparison:
    """How many answers to a fixed set of images changed.

    Raises:
        ContractError: the releases see images through different front ends.
    """
    if before.manifest.front_end.digest != after.manifest.front_end.digest:
        raise ContractError("the two releases have different front ends", where=WHERE)
    names = list(images.names)
    return compare(*(_of_images(model.decide(images.features, names, names)) for model in (before, after)))


def _of_images(decisions: Sequence[Decision]) -> list[Decision]:
    """Each row stands for itself; that it is a clip of one image as well says nothing more."""
    return [decision for decision in decisions if decision.image is not None]


def require_of(decisions: Sequence[Decision], release: Digest, where: str) -> None:
    """Whether predictions are all of one release.

    Raises:
        ContractError: one of them is not.
    """
    for decision in decisions:
        if decision.release != release:
            cure = "predict the same images with both releases"
            raise ContractError(f"answers by {decision.release}, not by {release}", where=where, cure=cure)


def _site(name: str, before: Side, after: Side) -> SiteDifference:
    made_of = [
        next((set(site.contributions) for site in side.manifest.sites if site.name == name), None)
        for side in (before, after)
    ]
    first, second = (side.blocks.get(name) if side.blocks is not None else None for side in (before, after))
    parts = unchanged(first, second) if first is not None and second is not None else []
    earlier, later = made_of[0] or set(), made_of[1] or set()
    return SiteDifference(
        site=name,
        became=_became(made_of[0], made_of[1], first, second, parts),
        added=tuple(sorted(later - earlier)),
        removed=tuple(sorted(earlier - later)),
        parts=tuple(parts),
        before=first,
        after=second,
    )


def _became(
    before: set[str] | None, after: set[str] | None, first: Block | None, second: Block | None, parts: list[str]
) -> Became:
    if before is None or after is None:
        return "added" if before is None else "removed"
    if before != after:
        return "other contributions"
    if first is None or second is None:
        return "not comparable"
    return "changed" if parts else "unchanged"


def _settings(before: ReleaseManifest, after: ReleaseManifest) -> dict[str, tuple[str, str]]:
    """What was chosen, by name; what is the same in both is left out."""
    both = [_said(manifest) for manifest in (before, after)]
    names = dict.fromkeys([*both[0], *both[1]])
    pairs = {name: (both[0].get(name, "-"), both[1].get(name, "-")) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _said(manifest: ReleaseManifest) -> dict[str, str]:
    said: dict[str, Any] = {"rule": manifest.rule, "task": manifest.task, "front end": manifest.front_end.name}
    said |= manifest.hyperparameters.model_dump(mode="json")
    said |= {"weighting": manifest.weighting, "alpha": manifest.alpha, "temperature": manifest.temperature}
    return {name: f"{value:.6g}" if isinstance(value, float) else str(value) for name, value in said.items()}
