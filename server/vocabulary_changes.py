"""What a change of the labels would touch, before anybody changes them.

A vocabulary only grows, and sums that were made under a label keep it. So a label is split by appending concepts below
it, which leaves everything made before as it is; one that is renamed or merged away needs contributions made anew.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Annotated, Literal

from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from federated.errors import ConsiliumError
from federated.hierarchy import ancestors, nearest_above
from federated.manifest import MODEL_KINDS, Contribution, Frozen, Label
from federated.vocabulary import Vocabulary
from server.artefacts import Artefacts
from server.contributions import load_manifest
from server.home import validated
from server.registry import ReleaseRow, current_parcels, newest_candidate

Kind = Literal["rename", "merge", "split"]
Codes = Annotated[tuple[Label, ...], Field(min_length=1, max_length=16)]


class Change(Frozen):
    """Labels as they are (`before`) and as they are to be (`after`)."""

    kind: Kind
    before: Codes
    after: Codes


class Share(Frozen):
    """What a site has contributed under labels that a change touches; a patient counts once a label and batch."""

    site: str
    labels: tuple[str, ...]
    contributions: tuple[str, ...]
    patients: int
    images: int


class Effects(Frozen):
    """What a change touches.

    Attributes:
        concepts: of the vocabulary: those that change, and those that name one of them as parent or view.
        sites: with contributions under these labels.
        candidate: the newest one, if it has one of them.
        releases: numbers of those that have one of them.
        reports: sites that reported on a candidate that has one of them.
        adopted: site -> numbers of such releases that it adopted or pinned.
        steps: what has to be done, and by whom.
    """

    change: Change
    concepts: tuple[str, ...]
    sites: tuple[Share, ...]
    candidate: str | None
    releases: tuple[int, ...]
    reports: tuple[str, ...]
    adopted: dict[str, tuple[int, ...]]
    steps: tuple[str, ...]


def effects(session: Session, artefacts: Artefacts, vocabulary: Vocabulary, change: Change) -> Effects:
    """What a change would touch, as far as the coordinator knows; label maps are known to their sites only.

    Raises:
        ConsiliumError: the change makes no sense in this vocabulary.
    """
    check_change(vocabulary, change)
    sites = tuple(_shares(session, artefacts, change))
    releases = _releases(session, artefacts, change)
    return Effects(
        change=change,
        concepts=tuple(_concepts(vocabulary, change)),
        sites=sites,
        candidate=_candidate(session, artefacts, change),
        releases=tuple(releases.values()),
        reports=tuple(_reports(session, artefacts, change)),
        adopted=_adopted(session, artefacts, releases),
        steps=tuple(_steps(vocabulary, change, sites)),
    )


def check_change(vocabulary: Vocabulary, change: Change) -> None:
    """Whether the change can be thought of: known labels become others that are new.

    Raises:
        ConsiliumError: otherwise.
    """
    for code in change.before:
        vocabulary.require(code, where=change.kind)
    least = {"rename": (1, 1), "merge": (2, 1), "split": (1, 2)}[change.kind]
    if len(set(change.before)) < least[0] or len(set(change.after)) < least[1]:
        raise ConsiliumError("needs two different labels at least", where=change.kind)
    known = set(change.after) & (set(change.before) if change.kind == "merge" else set(vocabulary.codes))
    if known:
        raise ConsiliumError(f"'{min(known)}' is a label already", where=change.kind, cure="name another")


def split(vocabulary: Vocabulary, code: str, meanings: Mapping[str, str], scheme: str) -> Vocabulary:
    """The vocabulary with new concepts below one that it has.

    Args:
        vocabulary: as it is.
        code: of the concept that is split.
        meanings: new code -> what it means.
        scheme: of the new codes.

    Raises:
        ConsiliumError: one of them is no concept.
    """
    parent = next(concept for concept in vocabulary.concepts if concept.code == code)
    shared = {"scheme": scheme, "parents": (code,), "contrast": parent.contrast}
    fresh = ({"code": new, "meaning": meaning, **shared} for new, meaning in meanings.items())
    values = {"name": vocabulary.name, "concepts": (*vocabulary.concepts, *fresh)}
    return validated(Vocabulary, values, where=f"split {code}")


def _concepts(vocabulary: Vocabulary, change: Change) -> Iterable[str]:
    changed = set(change.before)
    for concept in vocabulary.concepts:
        if changed & {concept.code, concept.view, *concept.parents}:
            yield concept.code


def _shares(session: Session, artefacts: Artefacts, change: Change) -> Iterable[Share]:
    held: dict[str, list[tuple[str, Contribution]]] = defaultdict(list)
    for row in current_parcels(session, MODEL_KINDS):
        manifest: Contribution = load_manifest(artefacts, row.digest)
        if set(manifest.labels) & set(change.before):
            held[row.site].append((row.digest, manifest))
    for site, parcels in sorted(held.items()):
        yield Share(
            site=site,
            labels=tuple(code for code in change.before if any(code in manifest.labels for _, manifest in parcels)),
            contributions=tuple(digest for digest, _ in parcels),
            patients=_counted(change, ((manifest.batch, manifest.patients) for _, manifest in parcels)),
            images=_counted(change, ((manifest.batch, manifest.images) for _, manifest in parcels)),
        )


def _counted(change: Change, counts: Iterable[tuple[str, dict[str, int]]]) -> int:
    """A batch that came as several kinds counts once."""
    most: dict[tuple[str, str], int] = defaultdict(int)
    for batch, by_label in counts:
        for code in set(change.before) & set(by_label):
            most[batch, code] = max(most[batch, code], by_label[code])
    return sum(most.values())


def _touched(artefacts: Artefacts, digest: str, change: Change) -> bool:
    return bool(set(load_manifest(artefacts, digest).labels) & set(change.before))


def _candidate(session: Session, artefacts: Artefacts, change: Change) -> str | None:
    row = newest_candidate(session)
    return row.digest if row is not None and _touched(artefacts, row.digest, change) else None


def _releases(session: Session, artefacts: Artefacts, change: Change) -> dict[str, int]:
    rows = session.scalars(select(ReleaseRow).order_by(ReleaseRow.number))
    return {row.digest: row.number for row in rows if _touched(artefacts, row.digest, change)}


def _reports(session: Session, artefacts: Artefacts, change: Change) -> list[str]:
    rows = current_parcels(session, ("report",))
    return sorted({row.site for row in rows if row.concerns and _touched(artefacts, row.concerns, change)})


def _adopted(session: Session, artefacts: Artefacts, releases: dict[str, int]) -> dict[str, tuple[int, ...]]:
    found: dict[str, set[int]] = defaultdict(set)
    for row in current_parcels(session, ("adoption",)):
        if row.concerns in releases and load_manifest(artefacts, row.digest).choice != "refused":
            found[row.site].add(releases[row.concerns])
    return {site: tuple(sorted(numbers)) for site, numbers in sorted(found.items())}


def _steps(vocabulary: Vocabulary, change: Change, sites: tuple[Share, ...]) -> list[str]:
    old, new = ", ".join(change.before), ", ".join(change.after)
    if change.kind == "split":
        return [
            f"the coordinator appends {new} below {old}; what was contributed under {old} stays, and is silent on them",
            f"sites that tell them apart map their words to {new} for the batches that are to come",
        ]
    wider = _wider(vocabulary, change) if change.kind == "merge" else None
    if wider is not None:
        return [
            f"nothing has to be made anew: {wider} lies above {old} and learns from all of them already",
            f"sites that do not tell them apart map their words to {wider} for the batches that are to come",
        ]
    append = f"the coordinator appends {new} to the end of vocabulary.toml and leaves {old} as it is"
    anew = [
        f"{share.site} withdraws {len(share.contributions)} contributions, maps its words to {new}, takes its images "
        "in again in a new home, since a catalogue never changes a label, and contributes anew"
        for share in sites
    ]
    end = f"the coordinator makes a new release; the withdrawals recall those that have {old}"
    return [*([] if new in vocabulary.codes else [append]), *anew, end]


def _wider(vocabulary: Vocabulary, change: Change) -> str | None:
    """The label that others are merged into, if it lies above all of them already, or else the nearest that does."""
    (into,) = change.after
    if into in vocabulary.codes and all(into in ancestors(vocabulary, code) for code in change.before):
        return into
    return nearest_above(vocabulary, change.before)
