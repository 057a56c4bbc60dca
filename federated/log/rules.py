"""What each entry of a log is held against: keys that the hospitals gave, and the entries before it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from securesystemslib.signer import SSlibKey

from federated.approval import require_approved
from federated.envelope import EVERYONE, Passage
from federated.envelope import PREDICATE_TYPE as PASSAGE_TYPE
from federated.errors import ConsiliumError, ContractError, SignatureError
from federated.keys import Party, TrustFile, verifier
from federated.log.entries import Entry, read_entry
from federated.signing import verified_by
from federated.statements import read_statement

TELLS = {"candidate": "candidate", "release": "release", "roll back": "release", "average": "global model"}
"""Events of what sites may answer."""
ANSWERS = {
    "report": "candidate",
    "adoption": "release",
    "summary": "release",
    "decision": "release",
    "update": "global model",
}
"""Kinds of parcels, and what each is an answer to."""


@dataclass
class Walk:
    """What is known while entries are read in their order.

    Attributes:
        trust: whose keys count, as the hospitals gave them.
        coordinator: key id -> key that signs entries.
        sites: site -> public keys that sign its parcels now.
        owners: public key -> whose it is, site or coordinator, whether it still counts or not.
        numbers: site -> number and digest of its last parcel.
        accepted: (site, digest) of parcels that were taken in.
        releases: digest -> number.
        told: (kind, digest) of what the coordinator made, which sites may answer.
        released: candidates that a release was made of.
        standing: number of each release that was not recalled -> its candidate.
        newest: candidate that may be released again, with more reports: that of the newest release, while it stands.
        spent: assessments that a release was approved by.
        approvers: public key -> key that approves releases now.
        plan: digest of the change plan that releases are made under now.
        planned: how many releases two approvers signed.
        declared: candidate -> the plan that was pinned when it was first made.
        undeclared: numbers of releases under a plan that came after their candidate.
        last: time of the last entry.
    """

    trust: TrustFile
    coordinator: dict[str, SSlibKey] = field(default_factory=dict)
    sites: dict[str, dict[str, SSlibKey]] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, tuple[int, str]] = field(default_factory=dict)
    accepted: set[tuple[str, str]] = field(default_factory=set)
    releases: dict[str, int] = field(default_factory=dict)
    told: set[tuple[str, str]] = field(default_factory=set)
    released: set[str] = field(default_factory=set)
    standing: dict[int, str] = field(default_factory=dict)
    newest: str | None = None
    spent: set[str] = field(default_factory=set)
    approvers: dict[str, SSlibKey] = field(default_factory=dict)
    plan: str | None = None
    planned: int = 0
    declared: dict[str, str | None] = field(default_factory=dict)
    undeclared: list[int] = field(default_factory=list)
    last: str = ""


def take_entry(walk: Walk, number: int, data: bytes, latest: str | None) -> Entry:
    """An entry, held against all before it.

    Args:
        walk: what is known of the entries before; changed.
        number: of the entry.
        data: its bytes.
        latest: time at which it had been witnessed; None where nobody has.

    Raises:
        ContractError: it could not have been made by whom it names, or does not follow from those before.
    """
    try:
        statement = read_entry(data)
        entry = statement.predicate
        if (entry.event == "init") != (number == 0):
            raise ContractError("the log does not begin with the federation's beginning, once", where=entry.event)
        if number == 0:
            _begin(walk, entry)
        if not verified_by(statement.envelope, walk.coordinator.values()):
            raise SignatureError("is signed by no key of the coordinator", where=entry.event)
        _require_time(walk, entry, latest)
        RULES.get(entry.event, _nothing)(walk, entry)
        if entry.event in TELLS and entry.subject is not None:
            walk.told.add((TELLS[entry.event], entry.subject))
        return entry
    except ConsiliumError as error:
        raise ContractError(f"entry {number}: {error}", where="entries") from error


def _nothing(_: Walk, _entry: Entry) -> None:
    """What an entry of this event says is held against nothing."""


def _begin(walk: Walk, entry: Entry) -> None:
    _require_known(walk, entry, ["coordinator"])
    (card,) = entry.keys
    key = verifier(card.public, where=entry.event)
    walk.coordinator[key.keyid] = key


def _require_time(walk: Walk, entry: Entry, latest: str | None) -> None:
    if entry.federation != walk.trust.federation:
        raise ContractError(f"is of federation '{entry.federation}'", where=entry.event)
    if entry.at < walk.last:
        raise ContractError(f"says {entry.at}, and the one before it {walk.last}", where=entry.event)
    if latest is not None and entry.at > latest:
        raise ContractError(f"says {entry.at}, and was witnessed before", where=entry.event)
    walk.last = entry.at


def _enrolled(walk: Walk, entry: Entry) -> None:
    _require_known(walk, entry, ["site", *["approver"] * (len(entry.keys) - 1)])
    _let_sign(walk, entry)


def _rotated(walk: Walk, entry: Entry) -> None:
    role = entry.keys[0].role
    _require_known(walk, entry, ["approver" if role == "approver" else "site"])
    _ended(walk, entry)
    if role == "site":
        _let_sign(walk, entry)


def _let_sign(walk: Walk, entry: Entry) -> None:
    """A site's own key signs its parcels; an approver's alone does not."""
    public = entry.keys[0].public
    walk.sites.setdefault(str(entry.site), {})[public] = verifier(public, where=entry.event)


def _ended(walk: Walk, entry: Entry) -> None:
    for public in entry.ended:
        if walk.owners.get(public) != entry.site:
            raise ContractError(f"ends a key that is not of '{entry.site}'", where=entry.event)
        walk.sites.get(str(entry.site), {}).pop(public, None)


def _require_known(walk: Walk, entry: Entry, roles: Sequence[str]) -> None:
    """A key that the hospitals do not know of may be anybody's, and one that ended does not begin again."""
    if [card.role for card in entry.keys] != roles:
        raise ContractError(f"does not bring the keys of a {roles[0]}", where=entry.event)
    for card in entry.keys:
        parties = [party for party in walk.trust.parties if (party.public, party.role) == (card.public, card.role)]
        if not any(_is_of(party, entry.site) for party in parties):
            raise SignatureError("brings a key that is not in the trust file", where=entry.event)
        if card.public in walk.owners:
            raise SignatureError("brings a key that the log has had before", where=entry.event)
        walk.owners[card.public] = entry.site or walk.trust.federation


def _is_of(party: Party, site: str | None) -> bool:
    """Whether a party is of a site, or, where none is named, of the federation."""
    return site == (party.name if party.role == "site" else party.site)


def _approver(walk: Walk, entry: Entry) -> None:
    """Who approves releases is no site, and approves nothing for one."""
    _require_known(walk, entry, ["approver"])
    public = entry.keys[0].public
    walk.approvers[public] = verifier(public, where=entry.event)


def _approver_ended(walk: Walk, entry: Entry) -> None:
    for public in entry.ended:
        if walk.approvers.pop(public, None) is None:
            raise ContractError("ends a key that approves nothing", where=entry.event)


def _planned(walk: Walk, entry: Entry) -> None:
    walk.plan = entry.subject


def _arrived(walk: Walk, entry: Entry) -> None:
    """A parcel's own envelope: the site's signature, its subject, and the next of the site's numbers."""
    found = read_statement(str(entry.envelope).encode(), PASSAGE_TYPE, Passage)
    passage, site = found.predicate, str(entry.site)
    if (passage.sender, found.digest, passage.kind) != (site, entry.subject, entry.kind):
        raise ContractError("holds an envelope of something else", where=entry.event)
    hubs = {party.name for party in walk.trust.parties if party.role == "coordinator"}
    if passage.federation != walk.trust.federation or passage.recipient not in {*hubs, EVERYONE}:
        raise ContractError("holds an envelope to somebody else", where=entry.event)
    if not verified_by(found.envelope, walk.sites.get(site, {}).values()):
        raise SignatureError(f"holds an envelope that no key of '{site}' signed", where=entry.event)
    last, before = walk.numbers.get(site, (0, None))
    if (passage.sequence, passage.previous) != (last + 1, before):
        raise ContractError(f"'{site}' sent number {passage.sequence}, the last logged is {last}", where=entry.event)
    walk.numbers[site] = (passage.sequence, found.digest)
    answered = ANSWERS.get(passage.kind)
    if entry.event == "accepted" and answered and (answered, entry.concerns) not in walk.told:
        what = f"'{site}' answered a {answered} that the log never told of"
        raise ContractError(what, where=entry.event)  # the coordinator showed it to the site, and to nobody else
    if entry.event == "accepted":
        walk.accepted.add((site, found.digest))


def _undone(walk: Walk, entry: Entry) -> None:
    if (entry.site, entry.subject) not in walk.accepted:
        raise ContractError("is about what was never taken in", where=entry.event)


def _proposed(walk: Walk, entry: Entry) -> None:
    walk.declared.setdefault(str(entry.subject), walk.plan)


def _released(walk: Walk, entry: Entry) -> None:
    """A candidate is released once, and again only with more reports, while its release is the newest and stands."""
    if entry.concerns in walk.released and entry.concerns != walk.newest:
        what = "releases a candidate again that was recalled or followed by another"
        raise ContractError(what, where=entry.event)
    _require_plan(walk, entry)
    _numbered(walk, entry)
    walk.released.add(str(entry.concerns))
    walk.newest = entry.concerns


def _rolled_back(walk: Walk, entry: Entry) -> None:
    """What comes back was released once, under whatever plan there was then, and still stands."""
    if entry.concerns not in walk.standing.values():
        how = "was recalled" if entry.concerns in walk.released else "was never released"
        raise ContractError(f"brings back what {how}", where=entry.event)
    _numbered(walk, entry)
    walk.newest = None


def _numbered(walk: Walk, entry: Entry) -> None:
    if entry.number != len(walk.releases) + 1:
        raise ContractError(f"has number {entry.number} after {len(walk.releases)}", where=entry.event)
    walk.releases[str(entry.subject)] = entry.number
    walk.standing[entry.number] = str(entry.concerns)


def _require_plan(walk: Walk, entry: Entry) -> None:
    """Once there is a plan, no release without it and without two approvers."""
    if walk.plan not in (None, entry.plan):
        how = "no change plan" if entry.plan is None else "another change plan than the one that was pinned"
        raise ContractError(f"was made under {how}", where=entry.event)
    if entry.plan is None:
        if entry.approvals:
            raise ContractError("brings approvals of no change plan", where=entry.event)
        return
    approvals = [each.encode() for each in entry.approvals]
    federation, candidate = walk.trust.federation, str(entry.concerns)
    approved = require_approved(approvals, walk.approvers.values(), federation, candidate, entry.plan)
    if approved.assessment in walk.spent:
        raise ContractError("brings approvals that another release was made by", where=entry.event)
    walk.spent.add(approved.assessment)
    walk.planned += 1
    if walk.declared.get(candidate) != entry.plan:
        walk.undeclared.append(len(walk.releases) + 1)


def _recalled(walk: Walk, entry: Entry) -> None:
    if walk.releases.get(str(entry.concerns)) != entry.number:
        raise ContractError(f"there was no such release {entry.number}", where=entry.event)
    walk.standing.pop(int(entry.number or 0), None)
    if entry.number == len(walk.releases):
        walk.newest = None


RULES: dict[str, Callable[[Walk, Entry], None]] = {
    "enrol": _enrolled,
    "rotate": _rotated,
    "revoke": _ended,
    "accepted": _arrived,
    "rejected": _arrived,
    "dropped": _undone,
    "withdraw": _undone,
    "candidate": _proposed,
    "release": _released,
    "roll back": _rolled_back,
    "recall": _recalled,
    "approver": _approver,
    "approver ended": _approver_ended,
    "plan": _planned,
}
