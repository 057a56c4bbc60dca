"""Candidates and releases: proposed from what is current, calibrated by reports, withdrawn, recalled, rolled back.

A release is its candidate's model calibrated by the reports that are here. It is made again, under a new number, when a
report arrives late. A rollback is a new release whose manifest differs from the older one's in `number` and `previous`
only, so that its tensors are the same bytes and the older manifest stays as it was signed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from threadpoolctl import threadpool_limits

from federated.canonical import canonical, digest
from federated.errors import ConsiliumError
from federated.fusion.rules import CLOSED_FORM, RULES, Chosen, site_mean
from federated.manifest import (
    MODEL_KINDS,
    Frozen,
    RecallManifest,
    ReleaseManifest,
    manifest_bytes,
    pack_tensors,
)
from federated.release import Built, SiteInput, build_candidate, build_release
from server.artefacts import Artefacts
from server.change_plans import PlanError, permit, reports_on
from server.contributions import Stored, expert_cards, load, load_manifest, site_inputs
from server.deliveries import enqueue, sent_to
from server.experts import heads_in, trained_gate
from server.home import CoordinatorHome
from server.panel import chosen_panel, forwarded_to, networks
from server.registry import (
    CandidateRow,
    ParcelRow,
    ReleaseRow,
    counted_parcels,
    current_parcels,
    enrolled_sites,
    find_parcel,
    newest_candidate,
    newest_release,
    now,
    record,
)


class Withdrawal(Frozen):
    """What taking contributions back changed: release numbers recalled, and what remains with those who have them."""

    site: str
    contributions: tuple[str, ...]
    recalled: tuple[int, ...]
    residue: tuple[str, ...]


def propose(session: Session, artefacts: Artefacts, home: CoordinatorHome) -> str | None:
    """The candidate that sites should report on now: a new one if anything it is computed from has changed.

    Returns:
        Its digest, or None where nothing is waiting for a release or nothing is left to fuse.

    Raises:
        ConsiliumError: what is here cannot be fused, or the vocabulary does not extend the last one.
    """
    inputs, newest = _inputs_digest(session, home), newest_candidate(session)
    if newest is not None and newest.inputs == inputs and newest.state == "current":
        if _is_released(session, newest.digest):
            return None
        if _is_next(session, load_manifest(artefacts, newest.digest)):
            return newest.digest
    sites = site_inputs([load(artefacts, row.digest) for row in counted_parcels(session)], home.vocabulary())
    if not sites:
        return None
    _require_extension(home, artefacts, newest)
    built = _candidate(session, artefacts, home, sites)
    return _keep_candidate(session, artefacts, built, inputs)


def release(
    session: Session,
    artefacts: Artefacts,
    home: CoordinatorHome,
    plan: bytes | None = None,
    *,
    substantial: bool = False,
) -> str | None:
    """Digest of a new release of the newest candidate with the reports that are here, or None where it is no news.

    After a rollback or a recall nothing is released until there is a new candidate.

    Raises:
        PlanError: the change plan, which is given or pinned, does not let it be made.
    """
    candidate, latest = newest_candidate(session), newest_release(session)
    if candidate is None or candidate.state != "current":
        return None
    if _is_released(session, candidate.digest) and not _may_improve(latest, candidate):
        return None
    source = load(artefacts, candidate.digest)
    reports = reports_on(session, artefacts, candidate.digest)
    if latest is not None and latest.candidate == candidate.digest and _used(artefacts, latest) == _digests(reports):
        return None
    if not _is_released(session, candidate.digest) and not _is_next(session, source.manifest):
        what, cure = (
            "was made after another release than the newest",
            "make one anew: consilium coordinator release --candidate",
        )
        raise PlanError(what, where="candidate", cure=cure)
    permitted = permit(session, artefacts, home, source.manifest, reports, given=plan, substantial=substantial)
    with threadpool_limits(1):
        built = build_release(
            source.manifest,
            source.tensors,
            {site: (report.digest, report.manifest, report.tensors) for site, report in reports.items()},
            keep_temperature=home.config.mode == "isolated" and source.manifest.previous is not None,
        )
    return _keep_release(session, artefacts, built, candidate.digest, None, permitted.entry if permitted else {})


def withdraw(
    session: Session, artefacts: Artefacts, home: CoordinatorHome, site: str, contributions: Iterable[str]
) -> Withdrawal:
    """Takes contributions of a site back for good, and recalls the releases that hold them.

    The next candidate is computed without them. What was sent cannot be unsent: the residue names it.

    Raises:
        ConsiliumError: one of them is not a contribution of the site, or was withdrawn before.
    """
    rows = [_contribution(session, site, name) for name in sorted(set(contributions))]
    for row in rows:
        row.state = "withdrawn"
        record(session, "withdraw", site=site, subject=row.digest, entry={"subject": row.digest, "kind": row.kind})
    gone = {row.digest for row in rows}
    for candidate in session.scalars(select(CandidateRow)):
        if gone & _holds(artefacts, candidate.digest):
            candidate.state = "withdrawn"
    releases = list(session.scalars(select(ReleaseRow).order_by(ReleaseRow.number)))
    touched = [each for each in releases if gone & _holds(artefacts, each.digest)]
    standing = [each for each in touched if each.state == "standing"]
    for each in touched:
        each.state = "withdrawn"
    session.flush()
    for each in standing:
        _send_recall(session, artefacts, home, each, "a contribution was withdrawn")
    residue = [line for row in rows for line in _residue(session, artefacts, row, touched)]
    return Withdrawal(
        site=site,
        contributions=tuple(sorted(gone)),
        recalled=tuple(each.number for each in standing),
        residue=tuple(residue),
    )


def recall(session: Session, artefacts: Artefacts, home: CoordinatorHome, number: int, reason: str) -> str:
    """Takes a release back: sites that have it fall back to the newest one that stands. Again is no work.

    Raises:
        ConsiliumError: there is no release of this number.
    """
    row = _release_of(session, number)
    if row.recall is None:
        row.state = "recalled" if row.state == "standing" else row.state
        session.flush()
        _send_recall(session, artefacts, home, row, reason)
    assert row.recall is not None
    return row.recall


def rollback(session: Session, artefacts: Artefacts, number: int) -> str:
    """A new release with the content of an older one; its digest. Again is no work.

    Raises:
        ConsiliumError: there is no such release, or it was recalled or holds a withdrawn contribution.
    """
    row, latest = _release_of(session, number), newest_release(session)
    if row.state != "standing":
        raise ConsiliumError(f"was {row.state} and cannot come back", where=f"release {number}")
    if latest is not None and number in (latest.number, latest.origin) and latest.state == "standing":
        return latest.digest
    older = load(artefacts, row.digest)
    built = Built(older.manifest, artefacts.get(older.manifest.tensors_digest))
    return _keep_release(session, artefacts, built, row.candidate, number)


def _candidate(session: Session, artefacts: Artefacts, home: CoordinatorHome, sites: Sequence[SiteInput]) -> Built:
    config, latest = home.config, newest_release(session)
    pinned = _pinned(artefacts, latest) if config.mode == "isolated" else None
    experts = [load(artefacts, row.digest) for row in current_parcels(session, ("weights",))]
    with threadpool_limits(1):
        chosen = _chosen(session, artefacts, home, experts, sites)
        return build_candidate(
            federation=config.federation,
            task=config.task,
            front_end=config.front_end,
            vocabulary=home.vocabulary(),
            sites=sites,
            experts=expert_cards(experts),
            number=latest.number + 1 if latest else 1,
            previous=latest.digest if latest else None,
            hyperparameters=pinned.hyperparameters if pinned else None,
            temperature=pinned.temperature if pinned else 1.0,
            mode=config.mode,
            weighting=config.weighting,
            alpha=config.alpha,
            chosen=chosen,
        )


def _chosen(
    session: Session,
    artefacts: Artefacts,
    home: CoordinatorHome,
    experts: Sequence[Stored],
    sites: Sequence[SiteInput],
) -> Chosen:
    """The rule of the configuration, with the experts and the gate that it needs."""
    name = home.config.fusion
    if not RULES[name].of_experts:
        return Chosen(name)
    if RULES[name].networks:
        asked = [load(artefacts, row.digest) for row in current_parcels(session, ("consultation",))]
        return chosen_panel(name, networks(session, artefacts), asked, [site.name for site in sites])
    heads = heads_in(experts, home.config.front_end.digest)
    if RULES[name].gate is None:
        return Chosen(name, heads)
    sent = [load(artefacts, row.digest) for row in current_parcels(session, ("features",))]
    return Chosen(name, heads, trained_gate(name, heads, sent, {site.name: site_mean(site.train) for site in sites}))


def _pinned(artefacts: Artefacts, latest: ReleaseRow | None) -> ReleaseManifest | None:
    """In isolated mode λ, γ and the temperature are those of the release before, so that no other column moves."""
    if latest is None:
        return None
    before: ReleaseManifest = load_manifest(artefacts, latest.digest)
    return before if before.hyperparameters.mode == "isolated" else None


def _keep_candidate(session: Session, artefacts: Artefacts, built: Built, inputs: str) -> str:
    """A candidate may come back when an arrival was withdrawn again; then it only moves to the front."""
    artefacts.put(built.tensors)
    name = artefacts.put(manifest_bytes(built.manifest))
    place = (session.scalar(select(func.max(CandidateRow.place))) or 0) + 1
    session.merge(CandidateRow(digest=name, place=place, inputs=inputs, state="current", created=now()))
    session.flush()
    enqueue(session, set(enrolled_sites(session)) & {site.name for site in built.manifest.sites}, name, "candidate")
    entry = {"subject": name, "number": built.manifest.number}
    record(session, "candidate", subject=name, detail=f"number {built.manifest.number}", entry=entry)
    return name


def _keep_release(
    session: Session,
    artefacts: Artefacts,
    built: Built,
    candidate: str,
    origin: int | None,
    said: Mapping[str, Any] | None = None,
) -> str:
    """Numbers the release after the latest and puts it in line for every site; the log says more of it if there is."""
    latest = newest_release(session)
    number, previous = (latest.number + 1, latest.digest) if latest else (1, None)
    manifest = built.manifest.model_copy(update={"number": number, "previous": previous})
    artefacts.put(built.tensors)
    name = artefacts.put(manifest_bytes(manifest))
    session.add(
        ReleaseRow(
            digest=name, number=number, candidate=candidate, state="standing", origin=origin, recall=None, created=now()
        )
    )
    session.flush()
    enqueue(session, enrolled_sites(session), name, "release")
    event, entry = (
        "release" if origin is None else "roll back",
        {"subject": name, "concerns": candidate, "number": number, **(said or {})},
    )
    record(session, event, subject=name, detail=f"number {number}", entry=entry)
    return name


def _send_recall(session: Session, artefacts: Artefacts, home: CoordinatorHome, row: ReleaseRow, reason: str) -> None:
    fallback = newest_release(session, standing=True)
    data, specs, tensors_digest = pack_tensors({})
    manifest = RecallManifest(
        federation=home.config.federation,
        tensors=specs,
        tensors_digest=tensors_digest,
        release=row.digest,
        fallback=fallback.digest if fallback else None,
        reason=reason,
    )
    artefacts.put(data)
    row.recall = artefacts.put(manifest_bytes(manifest))
    enrolled = enrolled_sites(session)
    enqueue(session, set(sent_to(session, row.digest)) & set(enrolled), row.recall, "recall")
    if fallback is not None:
        enqueue(session, enrolled, fallback.digest, "release")
    entry = {"subject": row.recall, "concerns": row.digest, "number": row.number}
    record(session, "recall", subject=row.digest, detail=f"number {row.number}: {reason}", entry=entry)


def _inputs_digest(session: Session, home: CoordinatorHome) -> str:
    config = home.config
    inputs = {
        "contributions": [row.digest for row in counted_parcels(session)],
        "experts": [row.digest for row in current_parcels(session, ("weights",))],
        "vocabulary": home.vocabulary().model_dump(mode="json"),
        "front_end": config.front_end.digest,
        "settings": [config.task, config.alpha, config.weighting, config.mode],
    }
    if config.fusion != CLOSED_FORM:
        inputs["fusion"] = config.fusion
    if RULES[config.fusion].networks:
        inputs["consultations"] = [row.digest for row in current_parcels(session, ("consultation",))]
    return digest(canonical(inputs))


def _require_extension(home: CoordinatorHome, artefacts: Artefacts, newest: CandidateRow | None) -> None:
    if newest is None:
        return
    before: ReleaseManifest = load_manifest(artefacts, newest.digest)
    if not home.vocabulary().extends(before.vocabulary):
        raise ConsiliumError(
            "does not extend the vocabulary of the last candidate",
            where=str(home.path / "vocabulary.toml"),
            cure="append new concepts at the end and leave the others as they were",
        )


def _is_next(session: Session, candidate: ReleaseManifest) -> bool:
    """Whether what a candidate was made after, and compared with, is still the newest release."""
    latest = newest_release(session)
    return candidate.previous == (latest.digest if latest else None)


def _is_released(session: Session, candidate: str) -> bool:
    return session.scalar(select(ReleaseRow).where(ReleaseRow.candidate == candidate).limit(1)) is not None


def _may_improve(latest: ReleaseRow | None, candidate: CandidateRow) -> bool:
    """Whether a late report may still be added to the latest release."""
    return (
        latest is not None
        and latest.candidate == candidate.digest
        and latest.state == "standing"
        and latest.origin is None
    )


def _used(artefacts: Artefacts, row: ReleaseRow) -> set[str]:
    manifest: ReleaseManifest = load_manifest(artefacts, row.digest)
    return {site.report for site in manifest.sites if site.report is not None}


def _digests(reports: dict[str, Stored]) -> set[str]:
    return {report.digest for report in reports.values()}


def _contribution(session: Session, site: str, name: str) -> ParcelRow:
    row = find_parcel(session, site, name)
    if row is None or row.kind not in MODEL_KINDS or row.state not in ("current", "superseded"):
        raise ConsiliumError("is no contribution of this site, or was withdrawn before", where=name)
    return row


def _holds(artefacts: Artefacts, name: str) -> set[str]:
    """Digests of the contributions in a candidate or release."""
    manifest: ReleaseManifest = load_manifest(artefacts, name)
    experts = {expert.contribution for expert in manifest.experts}
    consultations = manifest.panel.consultations if manifest.panel else ()
    return experts.union(consultations, *(site.contributions for site in manifest.sites))


def _residue(session: Session, artefacts: Artefacts, row: ParcelRow, releases: Sequence[ReleaseRow]) -> list[str]:
    """One line for each release that was sent with this contribution in it, and one for those who keep its network."""
    known = {"weights": "names this expert", "consultation": "has a gate that learnt from this consultation"}
    what = known.get(row.kind, f"was computed from these {row.kind}")
    lines = []
    for each in releases:
        sites = sent_to(session, each.digest)
        if sites and row.digest in _holds(artefacts, each.digest):
            lines.append(f"release {each.number}, sent to {', '.join(sites)}, {what}; it is recalled, not unsent")
    keepers = forwarded_to(session, artefacts, row.digest)
    if keepers:
        lines.append(
            f"the network of {row.site} was sent to {', '.join(keepers)}, which keep{'s' * (len(keepers) == 1)} it "
            f"until a newer one of batch {row.batch} replaces it"
        )
    return lines


def _release_of(session: Session, number: int) -> ReleaseRow:
    row = session.scalar(select(ReleaseRow).where(ReleaseRow.number == number))
    if row is None:
        raise ConsiliumError("was never made", where=f"release {number}", cure="see: consilium coordinator status")
    return row
