"""Views of the heart at a hospital whose machines draw a mark that gives the view away, and without it elsewhere.

The hospital draws a small picture over every image, outside the sector: one for each view, each in a place of its own.
A network that learns there may learn the pictures. It is asked about other patients: with the same pictures, with the
picture of another view, with none, and at hospitals with other machines.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from deploy.phantom.acquisition import draw
from deploy.phantom.seeds import seed_of, share_of
from shared_models.phantom import overlays
from shared_models.phantom.machines import MACHINES, Machine
from shared_models.phantom.study import Acquisition

SIDE = 48
VIEWS = ("A2C", "A3C", "A4C", "PLAX", "PSAX-PM")
PICTURES = (4, 5, 6, 7, 13)  # which of the overlays' marks each view has: five shapes, beside and above the sector
PICTURE_SIZE = 0.12  # of the image's height
HOME = ("bittern", "curlew")
AWAY = ("albatross", "dunlin", "eider", "fulmar", "hoopoe")
POPULATIONS = ("healthy", "healthy", "dilated", "hypertrophic")

SAME, OTHERS, NONE, MACHINES_AWAY = "same pictures", "another view's picture", "no picture", "other machines"

Picture = Callable[[int, float], int | None]  # of a label and a share from 0 to 1


@dataclass(frozen=True)
class Pictures:
    """Images of n, patient by patient.

    Attributes:
        images: (n, S, S).
        labels: (n,) numbers in `VIEWS`.
        sectors: (n, S, S) whether a pixel lies in the sector.
        patients: (n,) numbers.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    sectors: NDArray[np.bool_]
    patients: NDArray[np.int64]


def given_away(label: int, share: float) -> int:  # noqa: ARG001
    """The view's own picture."""
    return PICTURES[label]


def misleading(label: int, share: float) -> int:
    """The picture of another view, each as likely."""
    others = [picture for view, picture in enumerate(PICTURES) if view != label]
    return others[int(share * len(others))]


def no_picture(label: int, share: float) -> None:
    """What the machine draws anyway, and nothing more."""


def taken(
    seed: int, fold: str, patients: int, machines: Sequence[str], pictures: Sequence[Picture], side: int = SIDE
) -> list[Pictures]:
    """Every view of new patients, each patient at one of the machines, once for every way of drawing pictures.

    Args:
        seed: of everything.
        fold: patients of different words are different ones.
        patients: how many.
        machines: at which.
        pictures: what is drawn; what lies below is the same.
        side: of the images, in pixels.
    """
    images: list[list[NDArray[np.uint8]]] = [[] for _ in pictures]
    sectors = []
    for number in range(patients):
        for label, view in enumerate(VIEWS):
            words = "backmix", fold, number, view
            bare, held, phase = _bare(seed, fold, number, view, machines, side)
            sectors.append(held.scanner.sector)
            for kept, picture in zip(images, pictures, strict=True):
                kept.append(_drawn_over(bare, held, phase, picture(label, share_of(seed, *words, "picture"))))
    labels = np.tile(np.arange(len(VIEWS)), patients)
    owners = np.repeat(np.arange(patients), len(VIEWS))
    return [Pictures(np.stack(kept), labels, np.stack(sectors), owners) for kept in images]


def _bare(
    seed: int, fold: str, number: int, view: str, machines: Sequence[str], side: int
) -> tuple[NDArray[np.uint8], Acquisition, float]:
    """An image before its machine draws over it, how it was acquired, and when."""
    words = "backmix", fold, number
    population = POPULATIONS[int(share_of(seed, *words, "population") * len(POPULATIONS))]
    machine = machines[int(share_of(seed, *words, "machine") * len(machines))]
    patient = draw(seed_of(seed, *words, "patient"), population)
    held = Acquisition(
        patient, view, with_pictures(machine), seed=seed_of(seed, *words, view, "hand"), size=(side, side)
    )
    phase = share_of(seed, *words, view, "phase")
    return held.scanner.frame(patient.heart, phase), held, phase


def with_pictures(name: str) -> Machine:
    """A machine whose mark of orientation is as large as a picture."""
    machine = MACHINES[name]
    marks = tuple(replace(mark, size=PICTURE_SIZE, grey=220) if mark.kind == "key" else mark for mark in machine.marks)
    return replace(machine, marks=marks)


def _drawn_over(bare: NDArray[np.uint8], held: Acquisition, phase: float, picture: int | None) -> NDArray[np.uint8]:
    rate = held.patient.parameters.heart_rate
    return overlays.draw(bare[None], held.scanner, [phase], heart_rate_bpm=rate, overlay_key=picture)[0]
