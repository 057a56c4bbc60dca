"""Summaries of the decision log: which records are next, whether enough has gathered, and what would leave.

A summary counts what one release answered without another in between. Records that nobody was told of yet come first;
where a release that is not in use any more answered too few patients to be told of, its records are passed over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from federated.decision_record import Record
from federated.decision_summary import concepts_of
from federated.disclosure import Facts
from federated.errors import ConsiliumError, DisclosureError
from federated.manifest import SummaryManifest, pack_tensors
from site_agent.decisions.book import Book, answer_of, book_of, has_book
from site_agent.decisions.details import Told
from site_agent.decisions.sums import Answer, Truth, people, sum_up
from site_agent.ledger import drafts, sent, transaction
from site_agent.policy import read_policy
from site_agent.steps import Step

if TYPE_CHECKING:
    from federated.disclosure import Limits
    from site_agent.drafts import Draft
    from site_agent.home import SiteHome

KIND = "summary"
GATHERED = 4  # times the least number of patients that may be told of, before a summary is drafted without being asked


@dataclass(frozen=True)
class Period:
    """Records in a row that are about one release.

    Attributes:
        answers: of clips, whose answers are still here.
        over: whether another release answered since.
    """

    release: str
    first: int
    last: int
    answers: tuple[Answer, ...]
    over: bool


def draft_summary(home: SiteHome) -> Draft:
    """What would be told next.

    Raises:
        DisclosureError: too few patients are behind what nobody was told of, or the policy cannot be read.
        ConsiliumError: nothing is new.
    """
    limits = read_policy(home).rule(KIND).limits
    with book_of(home) as book:
        found = _periods(book, _told(home, book))
        if not found:
            raise ConsiliumError("nothing was decided since the last summary", where="decision log")
        least = _least(limits)
        period = next((each for each in found if len(people(each.answers)) >= least), None)
        if period is None:
            gathered = max(len(people(each.answers)) for each in found)
            cure = f"wait for {least - gathered} more patients"
            what = f"{gathered} patients are behind what nobody was told of, {least} are needed"
            raise DisclosureError(what, filter_name="cell", where=KIND, cure=cure)
        return _draft(home, book, period, limits)


def summarise(home: SiteHome) -> list[Step]:
    """Drafts a summary where the policy lets one out, none waits, and enough has gathered; else does nothing."""
    if not has_book(home):
        return []
    try:
        rule = read_policy(home).rule(KIND)
    except DisclosureError:
        return []  # told with what else waits
    if not rule.allowed or _waits(home):
        return []
    with book_of(home) as book:
        ready = [each for each in _periods(book, _told(home, book)) if _is_enough(each, rule.limits)]
        try:
            draft = _draft(home, book, ready[0], rule.limits) if ready else None
        except DisclosureError:
            return []  # patients enough, and too few in every cell
    return [] if draft is None else [submit_summary(home, draft)]


def submit_summary(home: SiteHome, draft: Draft) -> Step:
    """Gives a summary to the gate, and writes down which records it counts.

    Raises:
        DisclosureError: the policy or a filter refuses.
    """
    from site_agent.egress import Gate

    manifest = draft.manifest
    assert isinstance(manifest, SummaryManifest)
    with book_of(home) as book:  # before, so that a kill in between leaves nothing that the gate has and this has not
        book.note_told(Told(draft.digest, manifest.first, manifest.last, manifest.size))
    submission = Gate(home).submit(draft)
    subject = f"records {manifest.first} to {manifest.last}"
    return Step(kind=KIND, subject=subject, state=submission.state, digest=submission.digest)


def _least(limits: Limits) -> int:
    return max(limits.cell, limits.batch)


def _is_enough(period: Period, limits: Limits) -> bool:
    return len(people(period.answers)) >= _least(limits) * (1 if period.over else GATHERED)


def _waits(home: SiteHome) -> bool:
    """Whether a summary waits for an approver."""
    with transaction(home.state_path) as connection:
        return any(draft.kind == KIND and not draft.rejected_by for draft in drafts(connection))


def _told(home: SiteHome, book: Book) -> list[tuple[Told, bool]]:
    """Summaries that left or were rejected by an approver, and whether the coordinator has them."""
    with transaction(home.state_path) as connection:
        left = {row.digest for row in sent(connection)}
        kept = {draft.digest for draft in drafts(connection)}
    refused = {path.stem.rpartition("-")[2] for path in (home.outbox / "refused").glob("*.parcel")}
    return [
        (told, told.digest in left)
        for told in book.told()
        if told.digest in left | kept and told.digest.removeprefix("sha256:") not in refused
    ]


def _periods(book: Book, told: Sequence[tuple[Told, bool]]) -> list[Period]:
    """What nobody was told of yet, cut where another release answers."""
    begin = max((each.last + 1 for each, _ in told), default=0)
    runs: list[list[Record]] = []
    for record in book.records(begin):
        if runs and record.event == "decision" and _release(runs[-1]) not in (None, record.release):
            runs.append([])
        if not runs:
            runs.append([])
        runs[-1].append(record)
    answered = [run for run in runs if any(record.event == "decision" for record in run)]
    return [_period(book, run, over=run is not runs[-1]) for run in answered]


def _release(run: Sequence[Record]) -> str | None:
    return next((record.release for record in run if record.event == "decision"), None)


def _period(book: Book, run: Sequence[Record], *, over: bool) -> Period:
    first, last = run[0].number, run[-1].number
    return Period(_release(run) or run[0].release, first, last, tuple(_answers(book, first, last + 1)), over)


def _answers(book: Book, begin: int, end: int) -> list[Answer]:
    """Of clips."""
    found = [(detail, answer_of(detail)) for detail in book.details(begin, end).values()]
    return [Answer(d.number, d.patient, answer) for d, answer in found if answer is not None and answer.image is None]


def _truths(book: Book, period: Period) -> list[Truth]:
    """Flags of the period about answers of its release, of whatever time."""
    flags = [each for each in book.records(period.first, period.last + 1) if each.event == "flag"]
    found: list[Truth] = []
    for flag in flags:
        if flag.of is not None and flag.truth is not None and flag.release == period.release:
            found += [Truth(flag.number, answer, flag.truth) for answer in _answers(book, flag.of, flag.of + 1)]
    return found


def _draft(home: SiteHome, book: Book, period: Period, limits: Limits) -> Draft:
    from site_agent.adopt import load
    from site_agent.drafts import Draft

    release, _ = load(home, period.release)
    labels = concepts_of(release)
    sums = sum_up(release, labels, home.config.site, period.answers, _truths(book, period), limits)
    if not sums.answers:
        cure = "wait for more patients"
        raise DisclosureError("every cell has too few patients", filter_name="cell", where=KIND, cure=cure)
    since = max((told.size for told, left in _told(home, book) if left), default=0)
    data, specs, tensors_digest = pack_tensors(sums.tensors)
    manifest = SummaryManifest(
        federation=home.config.federation,
        tensors=specs,
        tensors_digest=tensors_digest,
        site=home.config.site,
        release=period.release,
        labels=labels,
        sites=tuple(site.name for site in release.sites),
        first=period.first,
        last=period.last,
        size=book.size,
        root=book.root(book.size),
        since=since,
        proof=book.consistency(since),
        decisions=len(sums.answers),
        patients=len(sums.patients),
        suppressed=sums.suppressed,
    )
    return Draft(manifest, data, Facts(KIND, None, None, sums.cells, 0.0, len(data), sums.images()))
