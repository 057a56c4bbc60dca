"""The site's work: read the inbox, contribute what is new, fill the outbox. One function is the site's side of a route.

Everything can be repeated. What was drafted is written down after the gate has taken it; a process killed in between
drafts the same bytes again, which the gate knows.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from federated.errors import ConsiliumError, ContractError, DisclosureError, SequenceError, SignatureError
from federated.manifest import ReleaseManifest
from federated.release_status import is_status
from site_agent import adopt, averaging, consulting, lease, panel, rotation
from site_agent.catalogue import Catalogue
from site_agent.drafts import Draft, withdrawal_draft
from site_agent.egress import Gate
from site_agent.forget.forgetting import finish
from site_agent.forget.renewal import renew, stale_batches
from site_agent.ledger import sent, transaction
from site_agent.mailbox import Inbox, Outbox
from site_agent.policy import Policy, read_policy
from site_agent.steps import Step, WorkSummary, note_contribution, note_steps, read_progress

if TYPE_CHECKING:
    from federated.envelope import Opened
    from site_agent.home import SiteHome

log = logging.getLogger(__name__)
WRONG = (ContractError, SignatureError, SequenceError)


def work(home: SiteHome, *, adopting: bool = False, floor: float | None = None) -> WorkSummary:
    """One round of work.

    Args:
        home: the site's.
        adopting: adopts the newest release by itself if its balanced accuracy on the site's own held-back patients
            reaches the floor; without it, and without the hospital's standing word, releases wait for a person.
        floor: least balanced accuracy; that of guessing among the release's labels where none is given.
    """
    with home.lock():
        return _work(home, adopt.Standing(floor=floor) if adopting else None)


def exchange(
    home: SiteHome,
    parcels: Sequence[bytes],
    settled: Sequence[tuple[str, str]],
    *,
    adopting: bool = False,
    floor: float | None = None,
) -> list[bytes]:
    """The site's side of every route: settles, takes in, works, and hands out what is in the outbox.

    Args:
        home: the site's.
        parcels: from the coordinator, in the order of their numbers; among them may be its list of releases.
        settled: digests of this site's parcels and what became of each.
        adopting: as in `work`.
        floor: as in `work`.
    """
    with home.lock():
        settle(home, settled)
        receive(home, parcels)
        _work(home, adopt.Standing(floor=floor) if adopting else None)
        return [parcel.to_bytes() for parcel in Outbox(home).parcels()]


def settle(home: SiteHome, settled: Sequence[tuple[str, str]]) -> None:
    """Puts away what the coordinator has answered."""
    for digest, outcome in settled:
        Outbox(home).settle(digest, outcome)


def receive(home: SiteHome, parcels: Sequence[bytes]) -> list[ConsiliumError]:
    """Puts parcels into the inbox, and keeps the list of releases that stand.

    What is wrong with one changes nothing else; it is logged, and returned.
    """
    errors: list[ConsiliumError] = []
    for parcel in parcels:
        try:
            take = partial(lease.take, home) if is_status(parcel) else Inbox(home).put
            take(parcel)
        except ConsiliumError as error:
            if not (is_status(parcel) or isinstance(error, WRONG)):
                raise  # it could not be kept: the coordinator sends it again
            log.warning("a parcel was not taken in: %s", error)
            errors.append(error)
    return errors


def _work(home: SiteHome, standing: adopt.Standing | None) -> WorkSummary:
    rotation.resume(home)
    finish(home)
    contributed = [*_read_inbox(home), *renew(home), *_contribute(home), *_consult(home)]
    steps = [*contributed, *_adopt_newest(home, standing), *tell(home), *_summarise(home)]
    if steps:
        note_steps(home, steps)
    for step in steps:
        log.info("%s", step.line)
    return WorkSummary(steps=tuple(steps))


def _attempt(kind: str, subject: str, action: Callable[[], Step]) -> Step:
    """The step, or why it could not be taken; other steps go on."""
    try:
        return action()
    except ConsiliumError as error:
        return Step(kind=kind, subject=subject, state="refused", note=str(error))


def _submit(home: SiteHome, draft: Draft, subject: str) -> Step:
    submission = Gate(home).submit(draft)
    return Step(kind=draft.facts.kind, subject=subject, state=submission.state, digest=submission.digest)


def _contribute(home: SiteHome) -> list[Step]:
    """Every batch in every kind that the policy allows and that was not drafted yet; not one that is to be renewed."""
    kinds, known = _own_kinds(home), read_progress(home).contributions
    waiting = stale_batches(home)
    batches = [batch for batch in Catalogue(home.catalogue_path).batches() if batch not in waiting]
    missing = [(kind, batch) for batch in batches for kind in kinds if f"{kind}/{batch}" not in known]
    if not missing:
        return []
    try:
        policy = _policy_for(home, kinds)
    except DisclosureError as error:
        return [Step(kind="contribution", subject=f"batch {missing[0][1]}", state="refused", note=str(error))]
    return [
        _attempt(kind, f"batch {batch}", partial(_contribute_one, home, kind, batch, policy))
        for kind, batch in missing
        if policy.rule(kind).allowed
    ]


def _own_kinds(home: SiteHome) -> list[str]:
    """Kinds that a batch gives by itself, once and for all; a consultation is of the panel as well."""
    from site_agent.tasks import task_of

    return [kind for kind in task_of(home).kinds if kind != consulting.KIND]


def _consult(home: SiteHome) -> list[Step]:
    """What the panel says of every batch, where the policy lets it out and somebody was not asked yet."""
    try:
        policy = read_policy(home)
    except DisclosureError:
        return []  # told with what else waits
    if not policy.consultation.allowed:
        return []
    return [
        _attempt(consulting.KIND, f"batch {batch}", partial(consulting.consult, home, batch, policy))
        for batch in consulting.unasked_batches(home)
    ]


def _policy_for(home: SiteHome, kinds: Sequence[str]) -> Policy:
    policy = read_policy(home)
    if not any(policy.rule(kind).allowed for kind in (*kinds, "update")):  # rounds alone are a choice as well
        raise DisclosureError(
            f"it allows none of {', '.join(kinds)}",
            filter_name="policy",
            where=str(home.policy_path),
            cure="set allowed = true for one of them and have an approver sign the policy",
        )
    return policy


def _contribute_one(home: SiteHome, kind: str, batch: str, policy: Policy) -> Step:
    from site_agent.tasks import task_of

    step = _submit(home, task_of(home).draft(home, kind, batch, policy), f"batch {batch}")
    assert step.digest is not None
    note_contribution(home, kind, batch, step.digest)
    return step


def _read_inbox(home: SiteHome) -> list[Step]:
    """Everything unread, in the order of its numbers; of several candidates only the newest is reported on.

    So it is with the global models of rounds.
    """
    waiting = Inbox(home).unread()
    candidates = [opened.digest for opened in waiting if opened.manifest.kind == "candidate"]
    past = averaging.overtaken(waiting).union(candidates[:-1])
    steps: list[Step] = []
    for opened in waiting:
        if opened.digest in past:
            Inbox(home).done(opened.digest)
        else:
            steps += _read(home, opened)
    return steps


def _read(home: SiteHome, opened: Opened) -> list[Step]:
    """One parcel. It stays unread where a later round may succeed, because a policy is mended or a disk has room."""
    kind = opened.manifest.kind
    try:
        steps = READERS[kind](home, opened)
    except ContractError as error:
        steps = [Step(kind=kind, subject=_subject(opened), state="refused", note=str(error))]
    except ConsiliumError as error:
        return [Step(kind=kind, subject=_subject(opened), state="refused", note=str(error))]
    Inbox(home).done(opened.digest)
    return steps


def _subject(opened: Opened) -> str:
    if opened.manifest.kind == "average":
        return averaging.subject(opened.manifest)
    if opened.manifest.kind == "expert":
        return f"expert of {opened.manifest.site}"
    number = getattr(opened.manifest, "number", None)
    return f"{opened.manifest.kind} {number}" if number is not None else opened.manifest.release[:23]


def _read_candidate(home: SiteHome, opened: Opened) -> list[Step]:
    """Reports on a candidate that holds something of this site."""
    from site_agent.candidates import draft_report

    if not _settle_named(home, opened.manifest):
        return []
    return [_submit(home, draft_report(home, opened, read_policy(home)), _subject(opened))]


def _settle_named(home: SiteHome, manifest: ReleaseManifest) -> bool:
    """What it names of this site was accepted, whatever route said so or not; whether it holds anything of it."""
    from site_agent.candidates import part_of

    own = part_of(home, manifest)
    if own is not None:
        settle(home, [(name, "accepted") for name in (*own.contributions, own.report) if name is not None])
    return own is not None


def _read_release(home: SiteHome, opened: Opened) -> list[Step]:
    _settle_named(home, opened.manifest)
    held = adopt.keep(home, opened)
    note = f"consilium site evaluate {held.number}" if held.state == "waiting" else ""
    return [Step(kind="release", subject=_subject(opened), state="waiting", digest=held.digest, note=note)]


def _read_recall(home: SiteHome, opened: Opened) -> list[Step]:
    now = adopt.recall(home, opened.manifest)
    note = f"release {now.number} answers now" if now else "no release answers now"
    return [Step(kind="recall", subject=_subject(opened), state="recalled", digest=opened.manifest.release, note=note)]


def _read_average(home: SiteHome, opened: Opened) -> list[Step]:
    return [averaging.answer(home, opened)]


def _read_expert(home: SiteHome, opened: Opened) -> list[Step]:
    return [panel.keep(home, opened)]


READERS: dict[str, Callable[[SiteHome, Opened], list[Step]]] = {
    "candidate": _read_candidate,
    "release": _read_release,
    "recall": _read_recall,
    "average": _read_average,
    "expert": _read_expert,
}


def _adopt_newest(home: SiteHome, standing: adopt.Standing | None) -> list[Step]:
    shelf = adopt.read_shelf(home)
    newest, current, word = shelf.newest("waiting"), shelf.current, standing or shelf.standing
    if word is None or newest is None:
        return []
    if current is not None and (current.state == "pinned" or current.number > newest.number):
        return []
    return [_attempt("release", f"release {newest.number}", partial(_adopt_above, home, newest, word.floor))]


def _adopt_above(home: SiteHome, held: adopt.Held, floor: float | None) -> Step:
    figure = adopt.evaluate(home, held.digest).balanced_accuracy
    least = floor if floor is not None else 1.0 / len(adopt.load(home, held.digest)[0].labels)
    step = Step(kind="release", subject=f"release {held.number}", state="waiting", digest=held.digest)
    if figure.value is None or figure.value < least:
        return step.model_copy(
            update={"note": f"balanced accuracy {figure}, {100 * least:.1f} % needed: a person decides"}
        )
    adopt.choose(home, held.digest, "adopted", f"balanced accuracy reaches {100 * least:.1f} %")
    return step.model_copy(update={"state": "adopted", "note": f"balanced accuracy {figure}"})


def tell(home: SiteHome) -> list[Step]:
    """Sends the coordinator the choices about releases that it does not know of."""
    return [
        _attempt("adoption", f"release {held.number}", partial(_tell_one, home, held)) for held in adopt.untold(home)
    ]


def _summarise(home: SiteHome) -> list[Step]:
    """What was decided here, in sums, once enough has gathered."""
    from site_agent.decisions.summaries import KIND, summarise

    try:
        return summarise(home)
    except ConsiliumError as error:
        return [Step(kind=KIND, subject="decisions", state="refused", note=str(error))]


def _tell_one(home: SiteHome, held: adopt.Held) -> Step:
    step = _submit(home, adopt.adoption_draft(home, held), f"release {held.number}")
    adopt.mark_told(home, held.digest)
    return step.model_copy(update={"note": held.state})


def withdraw(home: SiteHome, batches: Sequence[str]) -> Step:
    """Takes back everything that left of some batches: their digests can never come back.

    Raises:
        ConsiliumError: nothing of a batch has left.
    """
    with home.lock():
        standing = [digest for batch in batches for digest in _standing(home, batch)]
        draft = withdrawal_draft(home.config.federation, home.config.site, standing)
        return _submit(home, draft, ", ".join(f"batch {name}" for name in batches))


def _standing(home: SiteHome, batch: str) -> list[str]:
    """What left of a batch and was not taken back."""
    with transaction(home.state_path) as connection:
        standing = {row.digest for row in sent(connection) if not row.withdrawn}
    found = [digest for digest in read_progress(home).of_batch(batch) if digest in standing]
    if not found:
        raise ConsiliumError("nothing of it has left", where=f"batch {batch}", cure="see: consilium site status")
    return found
