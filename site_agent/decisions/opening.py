"""Records opened for an auditor: exactly those that were drawn, each a draft of its own that an approver looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from federated.contract import Digest
from federated.disclosure import Facts
from federated.draw import Draw, indices
from federated.errors import ConsiliumError
from federated.manifest import DecisionManifest, Tensors, pack_tensors
from site_agent.decisions.book import Book, book_of
from site_agent.ledger import find_sent, transaction
from site_agent.steps import Step

if TYPE_CHECKING:
    from site_agent.drafts import Draft
    from site_agent.home import SiteHome

KIND = "decision"


def open_draw(home: SiteHome, draw: Draw) -> list[Step]:
    """Gives every record that was drawn to the gate; what cannot be opened is told, and the rest goes on.

    Raises:
        ConsiliumError: the draw is of another site, or not from a summary that left here.
    """
    _require_ours(home, draw)
    steps: list[Step] = []
    for number in indices(draw):
        try:
            with book_of(home) as book:
                draft = _draft(home, book, number, draw.size, draw.digest)
            steps.append(_submit(home, draft, number))
        except ConsiliumError as error:
            steps.append(Step(kind=KIND, subject=f"record {number}", state="refused", note=str(error)))
    return steps


def export_one(home: SiteHome, number: int) -> Step:
    """Gives one record to the gate that nobody drew.

    Raises:
        ConsiliumError: there is no such record, or its patient was forgotten.
        DisclosureError: the policy does not let it out.
    """
    with book_of(home) as book:
        draft = _draft(home, book, number, book.size, None)
    return _submit(home, draft, number)


def _require_ours(home: SiteHome, draw: Draw) -> None:
    if (draw.federation, draw.site) != (home.config.federation, home.config.site):
        raise ConsiliumError(f"is drawn from site '{draw.site}' of federation '{draw.federation}'", where="draw")
    with transaction(home.state_path) as connection:
        left = find_sent(connection, draw.summary)
    with book_of(home) as book:
        told = next((each for each in book.told() if each.digest == draw.summary), None)
        if left is None or told is None or told.size != draw.size or book.root(draw.size) != draw.root:
            cure = "ask for a draw from a summary that this site sent"
            raise ConsiliumError("is from no summary that left this hospital", where="draw", cure=cure)


def _draft(home: SiteHome, book: Book, number: int, size: int, draw: Digest | None) -> Draft:
    from site_agent.drafts import Draft

    record, decision, features, detail = book.opened(number)
    tensors: Tensors = {} if features is None else {"features": features}
    data, specs, tensors_digest = pack_tensors(tensors)
    manifest = DecisionManifest(
        federation=home.config.federation,
        tensors=specs,
        tensors_digest=tensors_digest,
        site=home.config.site,
        release=record.release,
        record=record,
        decision=decision,
        size=size,
        root=book.root(size),
        proof=book.inclusion(number, size),
        draw=draw,
    )
    label = record.truth or (decision.best if decision is not None else "")
    facts = Facts(
        KIND, None, None, {("test", label): frozenset({detail.patient if detail else record.patient})}, 1.0, len(data)
    )
    return Draft(manifest, data, facts)


def _submit(home: SiteHome, draft: Draft, number: int) -> Step:
    from site_agent.egress import Gate

    submission = Gate(home).submit(draft)
    return Step(kind=KIND, subject=f"record {number}", state=submission.state, digest=submission.digest)
