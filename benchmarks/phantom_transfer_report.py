"""The tables and claims of the transfer from phantom to real hearts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.claims import Claim, Measured, Row, at_least, told
from benchmarks.phantom_gallery import FAMILIES, Gallery, Shot

Array = NDArray[np.float64]
Item = TypeVar("Item")

TARGET = 60.0  # percent of families right on the half kept apart
ENSEMBLE = "networks, their mean"
UNTOUCHED, GUIDING = "half kept from every choice of networks", "half that could guide development"
SHORT = {"apical-two": "A2C", "apical-three": "A3C", "apical-four": "A4C", "apical-five": "A5C"}


@dataclass(frozen=True)
class Answers:
    """Probabilities of the families, in the order of `FAMILIES`.

    Attributes:
        networks: (seeds, images, families) of real frames.
        phantom: (seeds, frames, families) of phantom patients that no network has seen.
        phantom_labels: (frames,) numbers in `FAMILIES`.
        textures: (images, families) of real frames, by features that are not learnt.
        frames: that each network was trained on.
    """

    networks: Array
    phantom: Array
    phantom_labels: NDArray[np.int64]
    textures: Array
    frames: int


def summarise(gallery: Gallery, answers: Answers) -> Measured:
    """Everything that is told of one gallery."""
    shots = gallery.shots
    named = answered(answers.networks.mean(axis=0), shots)
    groups = _groups(shots)
    rows = [_accuracy_row(name, _of(shots, its), _of(named, its), len(present(shots))) for name, its in groups.items()]
    rows += _baselines(shots, answers, groups)
    counted = groups.get(UNTOUCHED, [])
    rows += _confusion(_of(shots, counted), _of(named, counted))
    rows += _single_answers(shots, named, answers)
    rows += [
        {"table": "Images left out", "image": one.name, "view": one.view, "why": one.why} for one in gallery.left_out
    ]
    return Measured(rows=tuple(rows), claims=tuple(_claims(rows, answers)), notes=_notes(shots, gallery, answers))


def present(shots: Sequence[Shot]) -> list[str]:
    """Families of which the gallery has an image; the others are no answer."""
    there = {shot.family for shot in shots}
    return [family for family in FAMILIES if family in there]


def answered(probabilities: Array, shots: Sequence[Shot], families: Sequence[str] | None = None) -> list[str]:
    """The likeliest of some families for each row of (N, families); of those present unless said otherwise."""
    families = families or present(shots)
    columns = [FAMILIES.index(family) for family in families]
    return [families[number] for number in probabilities[:, columns].argmax(axis=1)]


def _of(items: Sequence[Item], rows: Sequence[int]) -> list[Item]:
    return [items[row] for row in rows]


def _groups(shots: Sequence[Shot]) -> dict[str, list[int]]:
    halves = {UNTOUCHED: False, GUIDING: True}
    groups = {name: [i for i, shot in enumerate(shots) if shot.development is half] for name, half in halves.items()}
    plain = {
        f"{name}, no colour box": [i for i in rows if not shots[i].frame.colour_box] for name, rows in groups.items()
    }
    return {name: rows for name, rows in (groups | plain).items() if rows}


def _accuracy_row(group: str, shots: Sequence[Shot], named: Sequence[str], families: int, by: str = ENSEMBLE) -> Row:
    right = sum(shot.family == name for shot, name in zip(shots, named, strict=True))
    low, high = interval(right, len(shots))
    most = max(Counter(shot.family for shot in shots).values())
    return {
        "table": "Families right",
        "images": group,
        "answered by": by,
        "right": right,
        "of": len(shots),
        "%": _percent(right / len(shots)),
        "95 % (Wilson)": f"{100 * low:.0f} to {100 * high:.0f}",
        "chance, %": _percent(1 / families),
        "always the most frequent family, %": _percent(most / len(shots)),
    }


def interval(right: int, of: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    from scipy.stats import binomtest

    found = binomtest(right, of).proportion_ci(method="wilson")
    return float(found.low), float(found.high)


def _baselines(shots: Sequence[Shot], answers: Answers, groups: dict[str, list[int]]) -> list[Row]:
    """The same images by single networks, with every family as an answer, and by features that are not learnt."""
    mean, families = answers.networks.mean(axis=0), present(shots)
    others = {f"network {seed + 1} alone": (found, families) for seed, found in enumerate(answers.networks)}
    if len(families) < len(FAMILIES):
        others[f"{ENSEMBLE}, all {len(FAMILIES)} families as answers"] = mean, list(FAMILIES)
    others["texture features, linear head on phantom"] = answers.textures, families
    return [
        _accuracy_row(
            group, _of(shots, groups[group]), _of(answered(found, shots, those), groups[group]), len(those), by
        )
        for group in (UNTOUCHED, GUIDING)
        if group in groups
        for by, (found, those) in others.items()
    ]


def _confusion(shots: Sequence[Shot], named: Sequence[str]) -> list[Row]:
    counts = Counter(zip((shot.family for shot in shots), named, strict=True))
    return [
        {"table": f"Answers on the {UNTOUCHED} (rows are true)", "true family": true}
        | {_short(answer): counts[true, answer] for answer in FAMILIES}
        for true in FAMILIES
        if any(shot.family == true for shot in shots)
    ]


def _single_answers(shots: Sequence[Shot], named: Sequence[str], answers: Answers) -> list[Row]:
    return [
        {
            "table": "Every image",
            "image": shot.name,
            "half": GUIDING if shot.development else UNTOUCHED,
            "colour box": shot.frame.colour_box,
            "family": shot.family,
            "answer": name,
            "right": name == shot.family,
            "probability of the answer": round(float(row[FAMILIES.index(name)]), 3),
            "of the family": round(float(row[FAMILIES.index(shot.family)]), 3),
        }
        for shot, name, row in zip(shots, named, answers.networks.mean(axis=0), strict=True)
    ]


def _claims(rows: Sequence[Row], answers: Answers) -> list[Claim]:
    found = []
    for row in rows:
        if row.get("answered by") == ENSEMBLE:
            name, value = f"phantom transfer: families right, {row['images']}", float(row["%"] or 0)
            counts = row["images"] == UNTOUCHED
            found.append(at_least(name, value, "%", TARGET) if counts else told(name, value, "%"))
    on_phantom = answers.phantom.mean(axis=0).argmax(axis=1) == answers.phantom_labels
    found.append(
        told("phantom transfer: families right, phantom patients not trained on", _percent(on_phantom.mean()), "%")
    )
    return found


def _notes(shots: Sequence[Shot], gallery: Gallery, answers: Answers) -> tuple[str, ...]:
    setting = (
        f"{answers.networks.shape[0]} networks, each trained on {answers.frames:,} phantom frames alone; no real image "
        "was trained on. The SHA-256 of an image's name decides whether networks, augmentation and stopping could be "
        "chosen on it. The phantom's machines were set by eye and by grey and speckle statistics of frames of both "
        "halves, so neither half is wholly unseen. Images under "
        "a colour box are told apart; coloured pixels were darkened. Chance is one of the families that could be "
        "answered; the most frequent family is that of the images in the row."
    )
    notes = [setting, *_missing(shots)]
    if gallery.left_out:
        counts = Counter(one.why for one in gallery.left_out)
        notes.append("Left out: " + "; ".join(f"{count} because {why}" for why, count in counts.items()) + ".")
    return tuple(notes)


def _missing(shots: Sequence[Shot]) -> list[str]:
    families = present(shots)
    gone = [family for family in FAMILIES if family not in families]
    notes = [f"The gallery has no image of {', '.join(gone)}: left out as an answer."] if gone else []
    for name, half in ((UNTOUCHED, False), (GUIDING, True)):
        there = {shot.family for shot in shots if shot.development is half}
        lacking = [family for family in families if family not in there]
        if lacking:
            notes.append(f"The {name} has no image of {', '.join(lacking)}.")
    return notes


def _short(family: str) -> str:
    return SHORT.get(family, family)


def _percent(share: float | np.floating) -> float:
    return round(100 * float(share), 1)
