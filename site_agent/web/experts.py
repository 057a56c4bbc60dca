"""What the experts of other hospitals say of this hospital's own held-back images, and whose word counted how much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from federated.errors import ConsiliumError
from federated.pages.paging import pager
from federated.pages.plots import DIFFER, NOBODY, REST, Part, kinds, stacked_bar, stacked_bars
from federated.web.exchange import Answer, Rendered, Seen
from site_agent import adopt
from site_agent.adopt import read_shelf
from site_agent.catalogue import Case, Catalogue
from site_agent.status.thumbnails import picture
from site_agent.web.data import address_of
from site_agent.web.releases import held_of, lease_line
from site_agent.web.wording import short_of

if TYPE_CHECKING:
    from pathlib import Path

    from federated.decision import Decision
    from federated.pages.svg import Svg
    from site_agent.home import SiteHome

PER_PAGE = 8
OTHERS = {"prior": ("nobody", NOBODY), "disagreement": ("experts differ", DIFFER)}
REMAINDER = ("the rest", REST)


@dataclass(frozen=True)
class Opinion:
    """What was said of one clip of a held-back patient.

    Attributes:
        truth: its label.
        key: of the file of its working images.
    """

    truth: str
    key: str
    decision: Decision

    @property
    def right(self) -> bool | None:
        """Whether the answer is the label; None where none was given."""
        return None if self.decision.abstained else self.decision.label == self.truth


def experts(home: SiteHome, seen: Seen) -> Answer:
    """Whose word counted how much, for each view and clip by clip."""
    shelf = read_shelf(home)
    numbers = [held.number for held in shelf.releases if held.state != "recalled"]
    asked = seen.query.get("release", str(shelf.current.number if shelf.current else max(numbers, default=0)))
    context = {
        "heading": "What the experts say of my images",
        "numbers": numbers[::-1],
        "asked": asked,
        "lease": lease_line(home),
        "own": home.config.site,
    }
    if not numbers:
        return Rendered("experts.html", context | {"rows": [], "pager": None, "plot": None, "parts_of": []})
    held = held_of(home, asked)
    found = opinions(home, held.digest)
    meanings = {each.code: each.meaning for each in home.vocabulary.concepts}
    colours = _colours(found)
    part = pager(len(found), {"release": asked, **seen.query}, rows=PER_PAGE)
    rows = [_shown(home, one, meanings, colours) for one in found[part.part]]
    plot = _by_label(found, meanings, colours) if found else None
    return Rendered("experts.html", context | {"rows": rows, "pager": part, "plot": plot, "counted": len(found)})


def opinions(home: SiteHome, digest: str) -> tuple[Opinion, ...]:
    """What a release says of every clip of the hospital's held-back patients; asked once while nothing changes.

    Raises:
        ConsiliumError: the release is not here, or cannot be asked.
    """
    batches = tuple(Catalogue(home.catalogue_path).batches())
    return _opinions(home.path, digest, batches)


@lru_cache(maxsize=4)
def _opinions(path: Path, digest: str, _batches: tuple[str, ...]) -> tuple[Opinion, ...]:
    from site_agent.asking import read_of
    from site_agent.home import SiteHome

    home = SiteHome(path)
    cases = Catalogue(home.catalogue_path).cases(fold="test")
    if not cases:
        return ()
    model = adopt.model_of(home, digest)
    clips = [_clip(case) for case in cases]
    first = dict(zip(reversed(clips), reversed(cases), strict=True))
    said = model.decide(read_of(home, model.manifest, cases), [case.sha256 for case in cases], clips)
    by_clip = [one for one in said if one.image is None]
    return tuple(Opinion(first[one.clip].label, first[one.clip].key, one) for one in by_clip)


def _clip(case: Case) -> str:
    return f"{case.patient}/{case.clip}"


def parts_of(decision: Decision, colours: dict[str, str]) -> list[Part]:
    """What each site's expert adds to the best label's score; what is negative has no length."""
    added = decision.contributions[decision.best]
    return [Part(site, max(0.0, part), colours[site], f"{part:+.2f}") for site, part in sorted(added.items())]


def evidence(decision: Decision, colours: dict[str, str]) -> list[Part]:
    """Shares of the best label's score, whose they are; they add up to one."""
    parts = []
    for name, share in decision.evidence.items():
        said, kind = (name, colours[name]) if name in colours else OTHERS.get(name, REMAINDER)
        parts.append(Part(said, share, kind, f"{100 * share:.0f} %"))
    return parts


def answer_of(decision: Decision, meanings: dict[str, str]) -> str:
    """The answer in words, or why there is none."""
    if decision.label is not None:
        return meanings.get(decision.label, decision.label)
    return f"no answer: {decision.why}"


def _colours(found: Sequence[Opinion]) -> dict[str, str]:
    return kinds(sorted({name for one in found for name in one.decision.weights}))


def _shown(home: SiteHome, one: Opinion, meanings: dict[str, str], colours: dict[str, str]) -> dict[str, object]:
    try:
        pictures = [address_of(png) for png in picture(home.archive, one.key)]
    except ConsiliumError:
        pictures = []
    said = answer_of(one.decision, meanings)
    return {
        "pictures": pictures,
        "truth": meanings.get(one.truth, one.truth),
        "answer": said,
        "right": one.right,
        "caption": one.decision.caption or "",
        "plot": stacked_bar(parts_of(one.decision, colours), title=f"Whose part in the answer: {said}"),
        "qualified": sorted(one.decision.qualified.items()),
    }


def _by_label(found: Sequence[Opinion], meanings: dict[str, str], colours: dict[str, str]) -> Svg:
    """Mean parts over the clips of each true label."""
    rows = []
    for label in sorted({one.truth for one in found}):
        parts = [part for one in found if one.truth == label for part in parts_of(one.decision, colours)]
        clips = sum(one.truth == label for one in found)
        means = {site: sum(part.value for part in parts if part.name == site) / clips for site in colours}
        shown = [Part(site, mean, colours[site], f"{mean:.2f}") for site, mean in means.items()]
        rows.append((short_of(meanings.get(label, label)), shown))
    return stacked_bars(rows, title="Whose part in the answers, for each view")
