"""Which answers to the same images changed from one release to the next, and whose share in them moved most."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from federated.decision import Decision
from federated.errors import ContractError
from federated.fused_model import FusedModel
from federated.manifest import Digest, Frozen
from federated.statistics import Array

Name = tuple[str | None, str]


class ChangedAnswer(Frozen):
    """One image or clip before and after.

    Attributes:
        before, after: the answers; None where it was withheld.
        best_before, best_after: the labels with the largest score, withheld or not.
        p_before, p_after: the largest p-value of a site: how sure it is that somebody is qualified.
        share: the site (or ``prior``, ``disagreement``, ``other``) whose share of the evidence moved most.
    """

    unit: str
    image: str | None
    clip: str
    before: str | None
    after: str | None
    best_before: str
    best_after: str
    p_before: float
    p_after: float
    share: str
    share_before: float
    share_after: float


class ChangeCount(Frozen):
    """How many answers went from one label to another, by the share that moved most; None is a withheld answer."""

    unit: str
    before: str | None
    after: str | None
    share: str
    answers: int


class Comparison(Frozen):
    """Answers of two releases to the same images and clips.

    Attributes:
        releases_before, releases_after: that gave the answers.
        answers: by unit, how many are in both.
        only_before, only_after: answers that the other lacks.
        changed: those whose answer is another, or was given by one release and withheld by the other.
        counts: the same, counted.
    """

    releases_before: tuple[Digest, ...]
    releases_after: tuple[Digest, ...]
    answers: dict[str, int]
    only_before: int
    only_after: int
    changed: tuple[ChangedAnswer, ...]
    counts: tuple[ChangeCount, ...]


def compare(before: Sequence[Decision], after: Sequence[Decision]) -> Comparison:
    """Two files of predictions, line by line of the same image and clip.

    Raises:
        ContractError: they have no image in common, or one of them answers an image twice.
    """
    one, other = _by_name(before, "before"), _by_name(after, "after")
    both = [name for name in one if name in other]
    if not both:
        cure = "predict the same images with both releases"
        raise ContractError("the two have no image in common", where="audit compare", cure=cure)
    changed = tuple(_changed(one[name], other[name]) for name in both if one[name].label != other[name].label)
    return Comparison(
        releases_before=_releases(before),
        releases_after=_releases(after),
        answers=dict(sorted(Counter(_unit(one[name]) for name in both).items())),
        only_before=len(one) - len(both),
        only_after=len(other) - len(both),
        changed=changed,
        counts=_counts(changed),
    )


def compare_releases(
    before: FusedModel, after: FusedModel, features: Array, images: Sequence[str], clips: Sequence[str]
) -> Comparison:
    """Two releases before the same (n, M) features of n named images of clips.

    Raises:
        ContractError: they do not see images through the same front end.
    """
    if before.manifest.front_end.digest != after.manifest.front_end.digest:
        raise ContractError("the two releases have different front ends", where="audit compare")
    return compare(before.decide(features, images, clips), after.decide(features, images, clips))


def _by_name(decisions: Sequence[Decision], which: str) -> Mapping[Name, Decision]:
    named = {(decision.image, decision.clip): decision for decision in decisions}
    if len(named) < len(decisions):
        twice, _ = Counter((decision.image, decision.clip) for decision in decisions).most_common(1)[0]
        raise ContractError(f"'{twice[0] or twice[1]}' is answered twice", where=which)
    return named


def _changed(before: Decision, after: Decision) -> ChangedAnswer:
    names = dict.fromkeys([*before.evidence, *after.evidence])
    moved = {name: abs(after.evidence.get(name, 0.0) - before.evidence.get(name, 0.0)) for name in names}
    share = max(moved, key=lambda name: moved[name])
    return ChangedAnswer(
        unit=_unit(before),
        image=before.image,
        clip=before.clip,
        before=before.label,
        after=after.label,
        best_before=before.best,
        best_after=after.best,
        p_before=max(before.qualified.values(), default=0.0),
        p_after=max(after.qualified.values(), default=0.0),
        share=share,
        share_before=before.evidence.get(share, 0.0),
        share_after=after.evidence.get(share, 0.0),
    )


def _counts(changed: Iterable[ChangedAnswer]) -> tuple[ChangeCount, ...]:
    counted = Counter((each.unit, each.before, each.after, each.share) for each in changed)
    rows = [
        ChangeCount(unit=unit, before=before, after=after, share=share, answers=answers)
        for (unit, before, after, share), answers in counted.items()
    ]
    return tuple(sorted(rows, key=lambda row: (row.unit, -row.answers, row.before or "", row.after or "", row.share)))


def _releases(decisions: Sequence[Decision]) -> tuple[Digest, ...]:
    return tuple(sorted({decision.release for decision in decisions}))


def _unit(decision: Decision) -> str:
    return "clip" if decision.image is None else "image"
