"""Releases: measured on this hospital's own held-back patients, then adopted, pinned or refused by a form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from federated.errors import ConsiliumError
from federated.pages.paging import pager
from federated.pages.plots import heat_map
from federated.web.exchange import Answer, Missing, Moved, Rendered, Seen
from site_agent import adopt
from site_agent.adopt import REASON_LENGTH, Held, read_shelf
from site_agent.agent import tell
from site_agent.evaluation import WITHHELD, Evaluation
from site_agent.lease import lease
from site_agent.web.wording import short_of

if TYPE_CHECKING:
    from federated.pages.svg import Svg
    from site_agent.home import SiteHome

PER_PAGE = 20
WAIT_SECONDS = 10.0  # for another command to let go of the home
Choice = Literal["adopted", "pinned", "refused"]
CHOICES: dict[str, Choice] = {"adopt": "adopted", "pin": "pinned", "refuse": "refused"}
STATES = {
    "waiting": "waits for your decision",
    "adopted": "adopted",
    "pinned": "adopted, and kept whatever comes",
    "refused": "refused",
    "recalled": "recalled by the coordinator",
}


def releases(home: SiteHome, seen: Seen) -> Answer:
    """All that came, the newest first."""
    shelf = read_shelf(home)
    found = shelf.releases[::-1]
    part = pager(len(found), seen.query, rows=PER_PAGE)
    context = {
        "heading": "Releases",
        "rows": [(held, STATES[held.state], _balanced(held.evaluation)) for held in found[part.part]],
        "pager": part,
        "current": shelf.current,
        "lease": lease_line(home),
    }
    return Rendered("releases.html", context)


def release(home: SiteHome, seen: Seen) -> Answer:
    """One release: who is in it, how it does here, and what to do about it."""
    held = held_of(home, seen.path["number"])
    manifest, _ = adopt.load(home, held.digest)
    shelf, meanings = read_shelf(home), {each.code: each.meaning for each in manifest.vocabulary.concepts}
    context = {
        "heading": f"Release {held.number}",
        "held": held,
        "state": STATES[held.state],
        "answers": shelf.current is not None and shelf.current.digest == held.digest,
        "manifest": manifest,
        "meanings": meanings,
        "evaluation": held.evaluation,
        "tiles": _tiles(held.evaluation) if held.evaluation else [],
        "plot": _confusion(held.evaluation, meanings) if held.evaluation else None,
        "may_write": seen.who.by != "open" and seen.who.role == "approver",
        "reason_length": REASON_LENGTH,
        "may_use": held.evaluation is not None and held.state != "recalled",
    }
    return Rendered("release.html", context)


def evaluate(home: SiteHome, seen: Seen) -> Answer:
    """Measures one on the hospital's own held-back patients."""
    held = held_of(home, seen.path["number"])
    with home.lock(WAIT_SECONDS):
        adopt.evaluate(home, held.digest)
    return Moved(f"/releases/{held.number}")


def choose(home: SiteHome, seen: Seen) -> Answer:
    """Adopts, pins or refuses one, and tells the coordinator."""
    held, wanted = held_of(home, seen.path["number"]), CHOICES.get(seen.form.get("choice", ""))
    if wanted is None:
        raise ConsiliumError("is none of adopt, pin and refuse", where="the choice")
    with home.lock(WAIT_SECONDS):
        adopt.choose(home, held.digest, wanted, seen.form.get("reason", "")[:REASON_LENGTH])
        tell(home)
    return Moved(f"/releases/{held.number}")


def held_of(home: SiteHome, number: str) -> Held:
    """The release of this number.

    Raises:
        Missing: there is none.
    """
    found = [held for held in read_shelf(home).releases if str(held.number) == number]
    if not found:
        raise Missing("There is no such release here.")
    return found[0]


def lease_line(home: SiteHome) -> str:
    """Until when releases answer here, in words; empty where no list ever came."""
    try:
        found = lease(home)
    except ConsiliumError as error:
        return f"Nothing is answered: {error}"
    return found.line if found else ""


def _balanced(evaluation: Evaluation | None) -> str:
    return str(evaluation.balanced_accuracy) if evaluation else "not measured here yet"


def _tiles(evaluation: Evaluation) -> list[tuple[str, str]]:
    shown = [evaluation.balanced_accuracy.value, evaluation.accuracy.value]
    balanced, accuracy = ["none" if value is None else f"{100 * value:.0f} %" for value in shown]
    unknown = evaluation.clips - evaluation.known
    refused = f"{evaluation.withheld} of {evaluation.known}"
    return [
        (balanced, "balanced accuracy on your held-back patients"),
        (accuracy, "accuracy"),
        (refused, "withheld, of clips that it could know"),
        *([(str(evaluation.withheld_unknown), f"withheld, of {unknown} that it could not")] if unknown else []),
        (str(evaluation.patients), "patients"),
    ]


def _confusion(evaluation: Evaluation, meanings: dict[str, str]) -> Svg:
    """True label by answer, as shares of the true label's clips."""
    rows = list(evaluation.confusion)
    answers = {answer for row in evaluation.confusion.values() for answer in row}
    columns = [*sorted(answers - {WITHHELD}), *([WITHHELD] if WITHHELD in answers else [])]
    counts = [evaluation.confusion[row] for row in rows]
    values = [[count.get(column, 0) / max(1, sum(count.values())) for column in columns] for count in counts]
    across = [short_of(meanings.get(code, code)) for code in columns]
    down = [short_of(meanings.get(code, code)) for code in rows]
    return heat_map(down, across, values, title="What was answered, for each true view", most=1.0)
