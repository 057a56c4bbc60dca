"""Answers become records: names keyed, patients by pseudonym, answers and features by digest."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from federated.canonical import canonical
from federated.decision_record import Record, answer_digest, features_digest
from site_agent.decisions.book import Made, book_of, now
from site_agent.decisions.details import Detail
from site_agent.intake.examination import file_digest
from site_agent.sealing import pseudonym, token

if TYPE_CHECKING:
    from federated.decision import Decision
    from federated.statistics import Array
    from site_agent.home import SiteHome
    from site_agent.predict import Seen, Whose
    from site_agent.sealing import Seal

WORD = "decision"


def note(home: SiteHome, began: str, seen: Seen, decisions: Sequence[Decision]) -> range:
    """Logs the answers of one use: those on images, then those on clips. Their numbers.

    Args:
        home: the site's.
        began: when the use began, UTC.
        seen: what was looked at, a row an image.
        decisions: one an image, in the same order, then one a clip.

    Raises:
        ConsiliumError: the log cannot be written; then nobody should be shown the answers.
    """
    secret, seal = home.secret(), home.archive.seal
    whose = [_pseudonym(secret, each) for each in seen.whose]
    rows: dict[str, list[int]] = {}
    for row, clip in enumerate(seen.clips):
        rows.setdefault(clip, []).append(row)
    with book_of(home) as book:
        first, at, made = book.size, now(), list[Made]()
        for place, decision in enumerate(decisions):
            mine = [place] if decision.image is not None else rows[decision.clip]
            frames = () if decision.image is not None else tuple(first + row for row in mine)
            patient = whose[mine[0]]
            features = seen.features[mine]
            made.append(partial(_made, seal, token(secret, patient), patient, decision, features, frames, (began, at)))
        return book.append(made)


def word_of(seal: Seal, name: str) -> str:
    """An image's or clip's keyed name."""
    return seal.key(WORD, name)


def _made(
    seal: Seal,
    keyed: str,
    patient: str,
    decision: Decision,
    features: Array,
    frames: tuple[int, ...],
    when: tuple[str, str],
    number: int,
) -> tuple[Record, Detail]:
    name = decision.image or decision.clip
    image = None if decision.image is None else word_of(seal, decision.image)
    answer = decision.model_copy(update={"image": image, "clip": word_of(seal, decision.clip)})
    record = Record(
        number=number,
        began=when[0],
        at=when[1],
        event="decision",
        release=decision.release,
        patient=keyed,
        answer=answer_digest(answer),
        features=features_digest(features),
        rows=len(features),
    )
    return record, Detail(
        number=number,
        patient=patient,
        word=word_of(seal, name),
        name=seal.close(name),
        answer=canonical(answer.model_dump(mode="json")),
        features=None if frames else features,
        frames=frames,
    )


def _pseudonym(secret: bytes, whose: Whose) -> str:
    """By what a patient is known: the number; without one, the clip; without that, the file, as when taken in."""
    if whose.patient:
        return pseudonym(secret, "patient", whose.patient)
    return pseudonym(secret, "clip", whose.clip) if whose.clip else pseudonym(secret, "file", file_digest(whose.path))
