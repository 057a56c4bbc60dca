"""Does changing backgrounds keep a network from learning what lies outside the sector, and from how few masks?

Bransby et al.'s BackMix against leaving backgrounds as they are, black, noisy, dark and shuffled. On the phantom, where
a hospital's pictures give views away; and, without a claim, on breast ultrasound of two sites.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from threadpoolctl import threadpool_limits

from benchmarks import backmix_images as phantom
from benchmarks.backmix_breast import LABELS, STRANGE, TAUGHT, Site, sites
from benchmarks.backmix_images import HOME, MACHINES_AWAY, NONE, OTHERS, SAME, VIEWS, Pictures
from benchmarks.backmix_report import BLANKED, NOTE, UNMARKED, Key, Run, claims, rows, spread
from benchmarks.backmix_training import (
    BACKMIX,
    METHODS,
    NOTHING,
    WEIGHTED,
    Answers,
    Method,
    answered,
    blanked,
    focused,
    learnt,
)
from benchmarks.claims import Measured, Row
from site_agent.progress import track


@dataclass(frozen=True)
class Effort:
    """How much is done.

    Attributes:
        patients: that are learnt from; a fraction of so many validate.
        tested: patients of each test set.
        epochs: passes over their images.
        side: of images, in pixels.
        seeds: of the comparison in which every image has a mask.
        few: seeds of those with fewer masks, and of breasts.
        shares: of images that have a mask.
    """

    patients: int
    validation: int
    tested: int
    epochs: int
    side: int
    seeds: int
    few: int
    shares: tuple[float, ...]


FULL = Effort(patients=90, validation=20, tested=40, epochs=9, side=48, seeds=5, few=3, shares=(0.5, 0.2, 0.1, 0.05))
QUICK = Effort(patients=4, validation=2, tested=2, epochs=1, side=32, seeds=2, few=2, shares=(0.2,))


@dataclass(frozen=True)
class Hospital:
    """Of one seed: what is learnt from, with and without pictures, and what is asked."""

    train: Pictures
    validation: Pictures
    unmarked: Pictures
    unmarked_validation: Pictures
    asked: dict[str, Pictures]


def measure(*, quick: bool) -> Measured:
    """Every background on the phantom, then some on breasts.

    Raises:
        DataError: the images of breasts are not there.
    """
    effort = QUICK if quick else FULL
    breasts = sites(effort.side)
    with threadpool_limits(1):
        runs = on_the_phantom(effort)
        real = list(track(on_breasts(breasts, effort), total=3 * effort.few, what="breasts"))
    return Measured(
        rows=(*rows(runs), *_table_of_breasts(real)), claims=tuple(claims(runs)), notes=(NOTE, _note(breasts))
    )


def on_the_phantom(effort: Effort) -> dict[Key, list[Run]]:
    """Networks of every method, share of masks and seed."""
    runs: dict[Key, list[Run]] = {}
    planned = sum(len(list(plan(effort, seed))) for seed in range(effort.seeds))
    for key, run in track(_networks(effort), total=planned, what="networks"):
        runs.setdefault(key, []).append(run)
    return runs


def plan(effort: Effort, seed: int) -> Iterator[tuple[Method, float]]:
    """Methods and shares of a seed; with every mask wBackMix is BackMix, and no background is changed of any."""
    yield from ((method, 1.0) for method in METHODS if method != WEIGHTED)
    if seed < effort.few:
        yield from ((method, share) for share in effort.shares for method in METHODS if method != NOTHING)
    yield from ((Method(name, "none"), 1.0) for name in (BLANKED, UNMARKED))


def _networks(effort: Effort) -> Iterator[tuple[Key, Run]]:
    for seed in range(effort.seeds):
        hospital = drawn(seed, effort)
        for method, share in plan(effort, seed):
            looked_at = share in (1.0, min(effort.shares))
            yield (method.name, share), _one(hospital, method, share, seed, effort.epochs, focus=looked_at)


def drawn(seed: int, effort: Effort) -> Hospital:
    """The hospital of a seed, and who is asked."""
    ways = phantom.given_away, phantom.no_picture
    train, unmarked = phantom.taken(seed, "train", effort.patients, HOME, ways, effort.side)
    validation, unmarked_validation = phantom.taken(seed, "validation", effort.validation, HOME, ways, effort.side)
    ways_asked = phantom.given_away, phantom.misleading, phantom.no_picture
    asked = dict(
        zip(
            (SAME, OTHERS, NONE), phantom.taken(seed, "test", effort.tested, HOME, ways_asked, effort.side), strict=True
        )
    )
    asked[MACHINES_AWAY] = phantom.taken(seed, "away", effort.tested, phantom.AWAY, ways[1:], effort.side)[0]
    return Hospital(train, validation, unmarked, unmarked_validation, asked)


def _one(hospital: Hospital, method: Method, share: float, seed: int, epochs: int, *, focus: bool) -> Run:
    train, validation, asked = hospital.train, hospital.validation, hospital.asked
    if method.name == UNMARKED:
        train, validation = hospital.unmarked, hospital.unmarked_validation
    if method.name == BLANKED:
        train, validation = blanked(train), blanked(validation)
        asked = {name: blanked(pictures) for name, pictures in asked.items()}
    network = learnt(method, share, train, validation, classes=len(VIEWS), seed=seed, epochs=epochs)
    looks = {name: focused(network, asked[name]) for name in (SAME, MACHINES_AWAY) if focus}
    return Run({name: answered(network, pictures, len(VIEWS)) for name, pictures in asked.items()}, looks)


def on_breasts(breasts: dict[str, Site], effort: Effort) -> Iterator[tuple[str, dict[str, Answers]]]:
    """Taught at one site, asked about other patients of it and at the other."""
    for seed in range(effort.few):
        train, validation, test = (breasts[TAUGHT].fold(name, seed) for name in ("train", "validation", "test"))
        asked = {TAUGHT: test, STRANGE: breasts[STRANGE].pictures}
        for method in (NOTHING, METHODS[1], BACKMIX):
            network = learnt(method, 1.0, train, validation, classes=len(LABELS), seed=seed, epochs=effort.epochs)
            yield method.name, {name: answered(network, held, len(LABELS)) for name, held in asked.items()}


def _table_of_breasts(found: Sequence[tuple[str, dict[str, Answers]]]) -> list[Row]:
    """Means over seeds, with nothing claimed of them."""
    held: dict[str, list[dict[str, Answers]]] = {}
    for name, answers in found:
        held.setdefault(name, []).append(answers)
    table: list[Row] = []
    for name, runs in held.items():
        row: Row = {"table": f"Breasts of two real sites, taught at one, %, {len(runs)} seeds", "background": name}
        for site in (TAUGHT, STRANGE):
            row[f"accuracy, {site}"] = spread([run[site].accuracy for run in runs])
            row[f"macro F1, {site}"] = spread([run[site].macro_f1 for run in runs])
        table.append(row)
    return table


def _note(breasts: dict[str, Site]) -> str:
    said = [
        f"{name}: {site.found} of {len(site.patients)} sectors found, {site.sure} of them good enough for intake; "
        f"outside them lies {site.outside:.0%} of an image on average."
        for name, site in breasts.items()
    ]
    return f"Breasts, images that show a tumour, near-duplicates kept together, no claim. {' '.join(said)}"
