"""Everything that can be verified of a bundle, up to the first lie: what it is, where, and whose word it was."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator

from federated.audit.answers import answer_check, decision_check, draw_audits, growth_audits, summary_check
from federated.audit.bundle import Bundle, Head
from federated.audit.contents import ASSESSMENTS, CONTENTS, KEYS, LOG, PLANS, PREDICTIONS
from federated.audit.kept_back import require_reason
from federated.audit.lineage import lineage_checks
from federated.audit.logged import Logged
from federated.audit.outcome import Audit, Check, failed, outcome
from federated.audit.predictions import verify_lines
from federated.audit.record import Record
from federated.audit.releases import content_checks, release_checks
from federated.audit.verification import LOGGED
from federated.decision import parse_decision
from federated.envelope import Opened, Parcel, Passage, check_envelope, open_contents, parse_parcel, read_passage
from federated.errors import ConsiliumError, ContractError, SignatureError
from federated.keys import TrustFile
from federated.log.verification import verify_log, witnessed_size
from federated.manifest import SITE_KINDS, ReleaseManifest
from federated.report import check_report

ORDER = ("statistics", "features", "weights", "synthetic", "consultation", "update", "report", "candidate", "release")
"""Kinds in the order in which they are looked at; the others follow."""
ANSWERED = {
    "report": "candidate",
    "adoption": "release",
    "summary": "release",
    "decision": "release",
    "update": "average",
}
"""Kinds of parcels, and which of their fields says what they answer."""
OF_KEYS = {"keys", "checkpoint", "witnesses", "entries", "signature", "log", "change plan"}
"""Checks that are only as good as the keys that they were made with."""
UNVERIFIED = "keys unverified"


def verify_bundle(bundle: Bundle, trust: TrustFile | None, *, witnesses: int) -> Iterator[Audit]:
    """One audit for each part of a bundle; after the first in which something is wrong there is none.

    Args:
        bundle: the record.
        trust: whose signatures count, as the hospitals gave it; None where the auditor has no such file: then the
            bundle's own keys are taken, and whatever rests on them is marked as unverified.
        witnesses: how many hospitals must have signed the log, at least.

    Raises:
        ConsiliumError: there are no keys at all.
    """
    keys = trust or bundle.keys
    if keys is None:
        cure = "give --trust keys.toml, as the hospitals gave it"
        raise ConsiliumError("brings no keys", where=str(bundle.path), cure=cure)
    record = Record(bundle, keys)
    for audit in _audits(record, trust, witnesses):
        found = _up_to_the_first(audit if trust is not None else _unverified(audit))
        yield found
        if not found.ok:
            return


def gathered(audits: Iterable[Audit]) -> Iterator[Audit]:
    """The same, with parcels of a kind that are all right in one; releases, and what is wrong, each by itself."""
    alike: list[Audit] = []
    for audit in audits:
        if alike and (audit.kind != alike[0].kind or not audit.ok):
            yield _together(alike)
            alike = []
        if audit.ok and audit.digest is not None and audit.kind not in ("release", "draw"):
            alike.append(audit)
        else:
            yield audit
    if alike:
        yield _together(alike)


def _audits(record: Record, trust: TrustFile | None, witnesses: int) -> Iterator[Audit]:
    yield _members(record, trust)
    yield _log(record, witnesses)
    kinds = record.bundle.kinds()
    for kind in [*(kind for kind in ORDER if kind in kinds), *(kind for kind in kinds if kind not in ORDER)]:
        heads = record.bundle.releases() if kind == "release" else record.bundle.heads(kind)
        yield from (_parcel(record, head) for head in heads)
    yield from growth_audits(record)
    yield from draw_audits(record)
    yield _completeness(record)
    yield from (_predictions(record, name) for name in record.bundle.names(PREDICTIONS))


def _up_to_the_first(audit: Audit) -> Audit:
    """Nothing is said of what comes after what is wrong."""
    wrong = next((place for place, check in enumerate(audit.checks) if check.ok is False), len(audit.checks))
    return audit.model_copy(update={"checks": audit.checks[: wrong + 1]})


def _unverified(audit: Audit) -> Audit:
    """Where the keys came with what they should vouch for, they vouch for nothing."""
    checks = [
        check.model_copy(update={"ok": None, "found": f"{check.found} ({UNVERIFIED})"})
        if check.name in OF_KEYS and check.ok
        else check
        for check in audit.checks
    ]
    return audit.model_copy(update={"checks": tuple(checks)})


def _together(audits: list[Audit]) -> Audit:
    """Parcels of a kind: what each check came to, counted."""
    if len(audits) == 1:
        return audits[0]
    checks: dict[tuple[str, bool | None, str], int] = {}
    for audit in audits:
        for check in audit.checks:
            found = check.found if check.ok is None else ""
            checks[check.name, check.ok, found] = checks.get((check.name, check.ok, found), 0) + 1
    rows = [
        Check(name=name, ok=ok, found=f"{count} of {len(audits)}" + (f": {found}" if found else ""))
        for (name, ok, found), count in checks.items()
    ]
    return Audit(file=f"{len(audits)} parcels", kind=audits[0].kind, digest=None, checks=tuple(rows))


def _members(record: Record, trust: TrustFile | None) -> Audit:
    bundle, checks = record.bundle, list[Check]()
    if bundle.federation != record.keys.federation:
        found = f"is the record of federation '{bundle.federation}', the keys are of '{record.keys.federation}'"
        checks.append(Check(name="federation", ok=False, found=found))
    else:
        checks += [_read(bundle), _keys(bundle, trust)]
    return Audit(file=CONTENTS, kind="bundle", digest=None, checks=tuple(checks))


def _read(bundle: Bundle) -> Check:
    """Every member, read once."""
    try:
        for name in bundle.contents.members:
            bundle.read(name)
    except ConsiliumError as error:
        return Check(name="members", ok=False, found=str(error))
    sizes = [member.bytes for member in bundle.contents.members.values()]
    return Check(name="members", ok=True, found=f"{len(sizes)} members, {sum(sizes)} bytes, as bundle.json names them")


def _keys(bundle: Bundle, trust: TrustFile | None) -> Check:
    if trust is None:
        return Check(name="keys", ok=True, found="the bundle's own, from whoever made it")
    own = bundle.keys
    if own is None:
        return Check(name="keys", ok=True, found=f"{len(trust.parties)} that you gave")
    strange = sorted({party.public for party in own.parties} - {party.public for party in trust.parties})
    if strange:
        names = ", ".join(sorted({party.name for party in own.parties if party.public in strange}))
        return Check(name="keys", ok=None, found=f"{KEYS} of the bundle has keys that yours has not, of {names}")
    return Check(name="keys", ok=True, found=f"{len(trust.parties)} that you gave")


def _log(record: Record, witnesses: int) -> Audit:
    folder = record.bundle.log_folder()
    if folder is None:
        found = "there is none: nothing shows what else there was, or that nothing was left out"
        if witnesses:
            found = f"there is none, and {witnesses} witnesses of it are asked for; without a log: --witnesses 0"
        check = Check(name="log", ok=False if witnesses else None, found=found)
        return Audit(file=LOG, kind="log", digest=None, checks=(check,))
    checks = verify_log(folder, record.keys, witnesses=witnesses, each=record.index.add)
    record.witnessed = witnessed_size(folder, record.keys.federation)
    return Audit(file=LOG, kind="log", digest=None, checks=tuple(checks), by="the coordinator")


def _parcel(record: Record, head: Head) -> Audit:
    checks, kind, step = list[Check](), head.passage.kind, "signature"
    try:
        parcel = parse_parcel(record.bundle.read(head.member))
        logged = record.index.find(kind, head.passage.sender, head.digest)
        passage, signers = _signed(record, parcel, logged, checks)
        step = "log"
        checks += _logged(record, head, logged)
        step = "contents"
        opened = _contents(record, parcel, passage, signers, head, checks)
        checks += KINDS.get(kind, _nothing)(record, head, opened)
    except ConsiliumError as error:
        checks.append(failed(step, error))
    return Audit(file=head.member, kind=kind, digest=head.digest, checks=tuple(checks), by=head.passage.sender)


def _signed(
    record: Record, parcel: Parcel, logged: Logged | None, checks: list[Check]
) -> tuple[Passage, frozenset[str]]:
    """A key that was ended since still vouches for what the log shows to have come before."""
    keys = record.keys if logged is None else record.keys_then
    passage, signers = check_envelope(parcel, keys, recipient=read_passage(parcel).recipient)
    by = ", ".join(sorted(signer[:16] for signer in signers))
    checks.append(Check(name="signature", ok=True, found=f"by '{passage.sender}' with {by}"))
    return passage, signers


def _logged(record: Record, head: Head, logged: Logged | None) -> Iterator[Check]:
    """Whether the log tells of it, by the same envelope, and nothing else of it."""
    kind, manifest = head.passage.kind, head.manifest
    if record.index.size == 0 or kind not in LOGGED:
        return
    if logged is None:
        raise SignatureError("the log does not tell that it was taken in", where="log")
    if kind in SITE_KINDS and logged.envelope != hashlib.sha256(head.envelope).digest():
        raise ContractError(f"the log has another envelope of it, in entry {logged.number}", where="log")
    said = (logged.choice if kind == "adoption" else None, logged.concerns if kind in ANSWERED else None)
    if said != (getattr(manifest, "choice", None), getattr(manifest, ANSWERED.get(kind, ""), None)):
        raise ContractError(f"entry {logged.number} says something else than it", where="log")
    if logged.number >= record.witnessed:
        yield Check(name="log", ok=None, found="told of, in an entry that nobody has witnessed yet")
    else:
        yield Check(name="log", ok=True, found=f"entry {logged.number}")


def _contents(
    record: Record, parcel: Parcel, passage: Passage, signers: frozenset[str], head: Head, checks: list[Check]
) -> Opened | None:
    """The whole parcel, or None of one of which only the head is there."""
    if head.why is None:
        opened = open_contents(parcel, passage, signers)
        checks.append(Check(name="contents", ok=True, found=f"{len(opened.tensors)} tensors as declared"))
        return opened
    if parcel.tensors:
        raise ContractError("is a head, and has tensors all the same", where="contents")
    checks.append(Check(name="contents", ok=None, found=require_reason(head, record.manifests, record.index)))
    return None


def _nothing(_: Record, _head: Head, _opened: Opened | None) -> Iterator[Check]:
    return iter(())


def _release(record: Record, head: Head, opened: Opened | None) -> Iterator[Check]:
    yield from release_checks(record, head.manifest, head.digest)
    if opened is not None:
        yield from content_checks(record, opened)


def _summary(record: Record, _: Head, opened: Opened | None) -> Iterator[Check]:
    if opened is not None:
        yield summary_check(record, opened)


def _decision(record: Record, _: Head, opened: Opened | None) -> Iterator[Check]:
    if opened is None:
        return
    shown = decision_check(record, opened)
    yield shown
    again = answer_check(record, opened) if shown.ok else None
    if again is not None:
        yield again


def _expert(record: Record, head: Head, _: Opened | None) -> Iterator[Check]:
    yield from lineage_checks(head.manifest, record.manifests)


def _report(record: Record, head: Head, opened: Opened | None) -> Iterator[Check]:
    """Whether a report can be about its candidate; what it counts is the site's word."""
    candidate = record.manifests.get(head.manifest.candidate)
    if opened is None or not isinstance(candidate, ReleaseManifest):
        return

    def held() -> str:
        check_report(opened.manifest, opened.tensors, candidate)
        return f"counts of {opened.manifest.validation_patients} validation patients that can be"

    yield outcome("counts", held)


KINDS: dict[str, Callable[[Record, Head, Opened | None], Iterator[Check]]] = {
    "expert": _expert,
    "report": _report,
    "release": _release,
    "summary": _summary,
    "decision": _decision,
}


def _completeness(record: Record) -> Audit:
    """What the log tells of, and the bundle does not hold; what it holds, and nobody tells of."""
    checks: list[Check] = []
    for kind, told in record.index.counts().items():
        missing = [name for name in record.index.digests(kind) if name not in record.manifests]
        if missing:
            found = f"{len(missing)} of {told} that the log tells of are not here, as {missing[0]}"
            checks.append(Check(name=kind, ok=None, found=found))
    known = set(record.index.plans) | {str(entry.plan) for entry in record.index.releases}
    members = record.bundle.contents.members
    strange = [name for name in record.bundle.names(PLANS) if members[name].digest not in known]
    if strange and record.index.size:
        checks.append(Check(name="plans", ok=False, found=f"{strange[0]}: the log tells of no such change plan"))
    assessed = len(record.bundle.names(ASSESSMENTS))
    if not checks:
        found = "everything that the log tells of is here" if record.index.size else "not known without a log"
        checks.append(Check(name="complete", ok=True if record.index.size else None, found=found))
    if assessed:
        checks.append(Check(name="assessments", ok=True, found=f"{assessed}, each by its digest"))
    return Audit(file=CONTENTS, kind="record", digest=None, checks=tuple(checks))


def _predictions(record: Record, name: str) -> Audit:
    """Whether lines add up, and come from a release that is here."""
    try:
        text = record.bundle.read(name).decode()
        first = parse_decision(text.partition("\n")[0], where=f"{name} line 1")
    except (ConsiliumError, UnicodeDecodeError) as error:
        wrong = Check(name="sums", ok=False, found=str(error))
        return Audit(file=name, kind="predictions", digest=None, checks=(wrong,))
    release = record.whole.get(first.release)
    audit = verify_lines(name, enumerate(text.splitlines(), 1), release)
    if release is None:
        absent = Check(name="release", ok=None, found=f"the release that answered is not here whole: {first.release}")
        audit = audit.model_copy(update={"checks": (*audit.checks, absent)})
    return audit.model_copy(update={"digest": None})
