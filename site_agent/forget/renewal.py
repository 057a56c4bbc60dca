"""Sums that left and hold a patient who was forgotten since: when they may be renewed without, and doing it.

What left before and what leaves anew may not differ by fewer patients than the policy's `difference`, or the two
together would show the patient who was to be forgotten. So sums wait until enough patients go with the first, or come
with batches that have not left yet, which then enter the sums of the same batch. The new sums leave first and take the
place of the old ones at the coordinator; then the old ones are withdrawn, and what holds them is recalled.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from federated.disclosure import Cell, Facts
from federated.errors import ConsiliumError, DisclosureError
from federated.manifest import MODEL_KINDS, parse_manifest
from site_agent.backup.backup import COPIES
from site_agent.catalogue import Catalogue
from site_agent.drafts import Draft, withdrawal_draft
from site_agent.egress import Gate
from site_agent.home import SiteHome
from site_agent.ledger import drafts, facts_by_digest, names_in, sent, transaction
from site_agent.mailbox import Outbox
from site_agent.policy import Policy, read_policy
from site_agent.steps import Step, note_contribution, note_replaced, read_progress
from site_agent.tasks.blocks import Cells, cells_of

SENT_FOLDS = ("train", "validation")
SAME_SUMS = ("statistics", "features")  # the coordinator holds one against the other
TRIAL = ".trial-"
NOT_WHOLE = re.compile(r"\..+\.[0-9a-f]{16}")  # as `federated.files` names a file until it is
PATIENTS = {"train": "training patients", "validation": "validation patients", "calibration": "calibration patients"}


@dataclass(frozen=True)
class Stale:
    """A contribution that stands and holds somebody who is gone.

    Attributes:
        missing: (fold, label) -> how many more patients have to change before it may be renewed.
        difference: the policy's; 0 without a policy.
        allowed: whether the policy lets this kind out.
    """

    kind: str
    batch: str
    digest: str
    facts: Facts
    missing: Mapping[Cell, int]
    difference: int
    allowed: bool

    @property
    def key(self) -> str:
        """As the progress names it."""
        return f"{self.kind}/{self.batch}"


@dataclass(frozen=True)
class Joining:
    """Batches that enter the sums of an earlier one, but for some (fold, label) of theirs."""

    batches: tuple[str, ...] = ()
    held_back: frozenset[Cell] = frozenset()


def stale(home: SiteHome, leaving: frozenset[str] = frozenset()) -> list[Stale]:
    """Contributions that stand and hold a patient who was forgotten, or who would be.

    Args:
        home: the site's.
        leaving: patients who are not forgotten yet, as if they were.
    """
    gone = leaving | frozenset(Catalogue(home.catalogue_path).forgotten())
    if not gone:
        return []
    with transaction(home.state_path) as connection:
        standing = facts_by_digest(connection, withdrawn=False)
    found = [(digest, facts) for digest, facts in standing.items() if facts.kind in MODEL_KINDS]
    policy = _policy(home)
    rejected = {path.stem.partition("-")[2] for path in (home.outbox / "refused").glob("*.parcel")}
    return [
        _stale(home, digest, facts, gone, policy)
        for digest, facts in found
        if gone & names_in(facts) and digest.removeprefix("sha256:") not in rejected
    ]


def _stale(home: SiteHome, digest: str, facts: Facts, gone: frozenset[str], policy: Policy | None) -> Stale:
    parcel = Outbox(home).sent(digest)
    if parcel is None:
        raise ConsiliumError(
            "the copy of what left is missing", where=f"{facts.kind} {digest[:23]}", cure="restore it from the backup"
        )
    rule = policy.rule(facts.kind) if policy else None
    difference = rule.limits.difference if rule else 0
    batch = parse_manifest(parcel.manifest).batch
    lacking, allowed = missing(facts, gone, difference), rule is not None and rule.allowed
    return Stale(facts.kind, batch, digest, facts, lacking, difference, allowed)


def missing(facts: Facts, gone: frozenset[str], difference: int) -> dict[Cell, int]:
    """By how many patients a sum without those who are gone would differ too little from the one that left."""
    counts = {cell: len(patients & gone) for cell, patients in facts.cells.items()}
    return {cell: difference - count for cell, count in sorted(counts.items()) if 0 < count < difference}


def _policy(home: SiteHome) -> Policy | None:
    try:
        return read_policy(home)
    except DisclosureError:
        return None


def when(home: SiteHome, leaving: frozenset[str] = frozenset()) -> dict[str, str]:
    """For each contribution that holds somebody who is gone, when it will not any more, in plain words."""
    progress = read_progress(home)
    with transaction(home.state_path) as connection:
        waiting = {draft.digest: bool(draft.rejected_by) for draft in drafts(connection)}
    lines = {}
    for one in stale(home, leaving):
        successor = progress.contributions.get(one.key, one.digest)
        lines[one.digest] = _when(one, None if successor == one.digest else waiting.get(successor))
    return lines


def _when(one: Stale, rejected: bool | None) -> str:
    now = f"to take it out now: consilium site withdraw {one.batch}, at the price of the whole batch"
    where = f"the sums of {one.batch} ({one.kind})"
    if rejected is not None:
        until = "an approver rejected those without it" if rejected else "those without it wait: consilium site approve"
        return f"stays in {where}, {until}; {now}"
    if not one.allowed:
        return f"stays in {where} until a signed policy allows '{one.kind}'; {now}"
    if one.missing:
        until = f"{in_words(one.missing)} are forgotten or come with the next batch (difference {one.difference})"
        return f"stays in {where} until {until}; {now}"
    return f"leaves {where} with the next consilium site work that every filter lets pass; {now}"


def next_report(home: SiteHome, last: Facts, leaving: frozenset[str]) -> str:
    """How many patients have to change before a further report may leave, or nothing."""
    policy, gone = _policy(home), leaving | frozenset(Catalogue(home.catalogue_path).forgotten())
    return in_words(missing(last, gone, policy.report.limits.difference)) if policy else ""


def in_words(lacking: Mapping[Cell, int]) -> str:
    """``4 more training patients with 'a4c' and …``."""
    return " and ".join(
        f"{number} more {PATIENTS.get(fold, fold)}" + ("" if label == "any" else f" with '{label}'")
        for (fold, label), number in lacking.items()
    )


def renew(home: SiteHome) -> list[Step]:
    """Renews whatever may be, and withdraws what it was renewed from. Safe to repeat after a kill at any moment."""
    tidy(home)
    _discard_copies(home)
    by_batch: dict[str, list[Stale]] = {}
    for one in stale(home):
        by_batch.setdefault(one.batch, []).append(one)
    steps: list[Step] = []
    for batch, olds in by_batch.items():
        try:
            steps += _renew_batch(home, batch, olds)
        except ConsiliumError as error:
            steps.append(Step(kind="renewal", subject=f"batch {batch}", state="refused", note=str(error)))
    return steps


def stale_batches(home: SiteHome) -> set[str]:
    """Batches of which nothing more may be drafted until they are renewed."""
    return {one.batch for one in stale(home)}


def _renew_batch(home: SiteHome, batch: str, olds: Sequence[Stale]) -> list[Step]:
    if batch not in Catalogue(home.catalogue_path).batches():
        return [_withdraw(home, batch, olds)]
    steps: list[Step] = []
    twice = [one for one in olds if one.kind == "features" and {*SAME_SUMS} <= {each.kind for each in olds}]
    todo = [one for one in olds if one not in twice and one.allowed and not _successor(home, one)]
    if todo:
        joining = _joining(home, batch, todo)
        if joining is None:
            return steps
        if twice:  # the coordinator would hold the new statistics against the old features; these are drafted anew
            steps.append(_take_back_first(home, batch, twice))
        _join(Catalogue(home.catalogue_path), batch, joining)
        steps += [_submit(home, one, joining) for one in todo]
    out = [one for one in olds if one not in twice and _is_out(home, _successor(home, one))]
    return [*steps, _withdraw(home, batch, out)] if out else steps


def _successor(home: SiteHome, one: Stale) -> str:
    """What was drafted in its place, or nothing."""
    successor = read_progress(home).contributions.get(one.key, one.digest)
    return "" if successor == one.digest else successor


def _is_out(home: SiteHome, digest: str) -> bool:
    with transaction(home.state_path) as connection:
        return any(row.digest == digest and not row.withdrawn for row in sent(connection))


def _joining(home: SiteHome, batch: str, todo: Sequence[Stale]) -> Joining | None:
    """What to join to a batch so that every kind may leave: nothing, or what is new; None where neither is enough.

    Raises:
        ConsiliumError: enough patients have changed, but something else stands in the way.
    """
    policy, fresh = read_policy(home), _fresh(home, batch)
    refusal: ConsiliumError | None = None
    for joining in (Joining(), _joinable(home, fresh, todo)) if fresh else (Joining(),):
        with _joined(home, batch, joining) as trial:
            cells = cells_of(Catalogue(trial.catalogue_path).cases(batch=batch))
            if all(_enough(one, cells) for one in todo):
                refusal = _refusal(home, [_draft(trial, one.kind, batch, policy) for one in todo])
                if refusal is None:
                    return joining
    if refusal is not None:
        raise refusal
    return None


def _enough(one: Stale, cells: Cells) -> bool:
    """Whether enough patients have come into each cell that lacks some."""
    none: frozenset[str] = frozenset()
    return all(len(cells.get(cell, none) - one.facts.cells[cell]) >= lack for cell, lack in one.missing.items())


def _joinable(home: SiteHome, fresh: Sequence[str], todo: Sequence[Stale]) -> Joining:
    """New batches, but for those of their cells by which the sums would change too little."""
    cells = cells_of(case for name in fresh for case in Catalogue(home.catalogue_path).cases(batch=name))
    short = {
        cell
        for one in todo
        for cell, patients in cells.items()
        if cell[0] in SENT_FOLDS and len(patients) < one.missing.get(cell, one.difference)
    }
    return Joining(tuple(fresh), frozenset(short))


def _fresh(home: SiteHome, batch: str) -> tuple[str, ...]:
    """Batches of the same expert version of which nothing was drafted yet."""
    catalogue = Catalogue(home.catalogue_path)
    drafted = {key.partition("/")[2] for key in read_progress(home).contributions}
    expert = catalogue.expert_of(batch)
    return tuple(
        name
        for name in catalogue.batches()
        if name != batch and name not in drafted and catalogue.expert_of(name) == expert
    )


def _refusal(home: SiteHome, found: Sequence[Draft]) -> ConsiliumError | None:
    """What the gate would say."""
    for draft in found:
        preview = Gate(home).preview(draft)
        failed = next((check for check in preview.checks if not check.passed), None)
        if failed is not None:
            return DisclosureError(
                f"found {failed.found}, {failed.bound} {failed.limit} is allowed",
                filter_name=failed.name,
                where=f"{draft.facts.kind} without who was forgotten",
                cure=failed.cure,
            )
    return None


class _Joined(SiteHome):
    """A home with another catalogue."""

    def __init__(self, home: SiteHome, catalogue: Path) -> None:
        super().__init__(home.path)
        self._catalogue = catalogue

    @property
    def catalogue_path(self) -> Path:
        return self._catalogue


@contextmanager
def _joined(home: SiteHome, batch: str, joining: Joining) -> Iterator[SiteHome]:
    """The home as it would be."""
    if not joining.batches:
        yield home
        return
    with tempfile.TemporaryDirectory(dir=home.path, prefix=TRIAL) as folder:
        copy = Path(folder) / "catalogue.sqlite"
        shutil.copyfile(home.catalogue_path, copy)  # the home is held, and no ingest writes
        _join(Catalogue(copy), batch, joining)
        yield _Joined(home, copy)


def _join(catalogue: Catalogue, batch: str, joining: Joining) -> None:
    query = "SELECT id, patients.fold, label FROM clips JOIN patients ON patient = pseudonym WHERE clips.batch = ?"
    with catalogue.transaction() as connection:
        for name in joining.batches:
            rows = connection.execute(query, (name,)).fetchall()
            moved = [(batch, clip) for clip, fold, label in rows if (fold, label) not in joining.held_back]
            connection.executemany("UPDATE clips SET batch = ? WHERE id = ?", moved)


def _draft(home: SiteHome, kind: str, batch: str, policy: Policy) -> Draft:
    from site_agent.tasks import task_of

    return task_of(home).draft(home, kind, batch, policy)


def _submit(home: SiteHome, one: Stale, joining: Joining) -> Step:
    submission = Gate(home).submit(_draft(home, one.kind, one.batch, read_policy(home)))
    note_contribution(home, one.kind, one.batch, submission.digest)
    note = "without who was forgotten" + (f", with {', '.join(joining.batches)}" if joining.batches else "")
    return Step(
        kind=one.kind, subject=f"batch {one.batch}", state=submission.state, digest=submission.digest, note=note
    )


def _take_back_first(home: SiteHome, batch: str, olds: Sequence[Stale]) -> Step:
    for one in olds:
        note_replaced(home, one.digest)
    return _withdraw(home, batch, olds)


def _withdraw(home: SiteHome, batch: str, olds: Sequence[Stale]) -> Step:
    submission = Gate(home).submit(
        withdrawal_draft(home.config.federation, home.config.site, [one.digest for one in olds])
    )
    note = f"{', '.join(one.kind for one in olds)} with who was forgotten"
    return Step(
        kind="withdrawal", subject=f"batch {batch}", state=submission.state, digest=submission.digest, note=note
    )


def tidy(home: SiteHome) -> None:
    """Removes what killed processes left: of a trial, of a backup, and files that are not whole."""
    for start in (TRIAL, COPIES):
        for folder in home.path.glob(f"{start}*"):
            shutil.rmtree(folder)
    for folder in (home.path, home.pending, home.outbox):
        for path in folder.glob(".*"):
            if NOT_WHOLE.fullmatch(path.name):
                path.unlink(missing_ok=True)


def _discard_copies(home: SiteHome) -> None:
    """The site's own copies of what it took back because of a patient: features in them are the patient's."""
    gone = frozenset(Catalogue(home.catalogue_path).forgotten())
    if gone:
        with transaction(home.state_path) as connection:
            withdrawn = facts_by_digest(connection, withdrawn=True)
        for digest in (digest for digest, facts in withdrawn.items() if gone & names_in(facts)):
            Outbox(home).discard(digest)
