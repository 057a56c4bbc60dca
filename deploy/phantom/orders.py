"""What a person may ask for: checked before the first patient is drawn."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from deploy.phantom.acquisition import (
    CONTRAST,
    Shot,
    all_views,
    check_machine,
    check_population,
    check_wall,
    shot_named,
)
from federated.errors import ConsiliumError
from federated.faults import FORMS, NAME

MOST_PATIENTS = 99_999  # five digits in a name
MOST_FRAMES = 1_000
LEAST_SIZE, MOST_SIZE = 32, 1_024
MACHINE = "bittern"
POPULATION = "healthy"


@dataclass(frozen=True)
class SiteOrder:
    """What one site is to have.

    Attributes:
        site: its name.
        patients: how many.
        shots: what is acquired -> the share of patients in whom it is, 0 to 1.
        machines: with what -> the share of patients; they add up to one.
        populations: name -> the share of patients that come from it; they add up to one.
        ejection_fraction: of all patients, in percent; None to draw it.
        wall_mm: thickness of the septum and of the free wall of all patients; None to draw them.
        split: of all patients, as an index says it; "" to let whoever takes the images in choose.
        first: number of the first patient, where a site has more than one order.
    """

    site: str
    patients: int
    shots: Mapping[Shot, float]
    machines: Mapping[str, float] = field(default_factory=lambda: {MACHINE: 1.0})
    populations: Mapping[str, float] = field(default_factory=lambda: {POPULATION: 1.0})
    ejection_fraction: float | None = None
    wall_mm: float | None = None
    split: str = ""
    first: int = 1


@dataclass(frozen=True)
class Pictures:
    """How every site's images are made.

    Attributes:
        seed: all randomness comes from it.
        frames: in a clip; 1 for stills, at a random moment of the beat each.
        size: side in pixels.
        truth: whether label maps, sectors, contours and volumes are written as well.
        shortcut: whether a mark of its own gives every label away, which no model should learn.
    """

    seed: int
    frames: int = 1
    size: int = 112
    truth: bool = False
    shortcut: bool = False

    def given(self) -> dict[str, str]:
        """The options that stand for these, but the seed."""
        switches = {"truth": self.truth, "shortcut": self.shortcut}
        return {"frames": str(self.frames), "size": str(self.size)} | {
            name: "yes" if on else "" for name, on in switches.items()
        }


def site_order(
    site: str,
    patients: int,
    *,
    population: str = "",
    views: str = "",
    contrast: bool = False,
    machine: str = "",
    ejection_fraction: float | None = None,
    wall_mm: float | None = None,
) -> SiteOrder:
    """The order of one site as a person words it; a ready-made hospital's, changed where the person says so.

    Raises:
        ConsiliumError: an unknown view, or a mix that is none.
    """
    from deploy.phantom.hospitals import hospital_order
    from shared_models.phantom.hospitals import HOSPITALS

    ready = HOSPITALS.get(site)
    order = hospital_order(ready, patients) if ready else SiteOrder(site, patients, {})
    if views or contrast or not ready:
        order = replace(order, shots=shots_named(views, contrast=contrast))
    if population:
        order = replace(order, populations=mix_named(population, "--population", "healthy=3,dilated=1"))
    if machine:
        order = replace(order, machines=mix_named(machine, "--machine", "albatross=3,bittern=1"))
    return replace(order, ejection_fraction=ejection_fraction, wall_mm=wall_mm)


def check_pictures(pictures: Pictures) -> None:
    """Refuses numbers out of range.

    Raises:
        ConsiliumError: a number out of range.
    """
    check_range("--frames", pictures.frames, 1, MOST_FRAMES)
    check_range("--size", pictures.size, LEAST_SIZE, MOST_SIZE)
    check_seed(pictures.seed)


def check_order(order: SiteOrder) -> None:
    """Refuses what the phantom cannot fill.

    Raises:
        ConsiliumError: a name, a number, a machine or a population that is none.
    """
    if not re.fullmatch(NAME, order.site):
        raise ConsiliumError(f"'{order.site}' {FORMS[NAME]}", where="--site")
    check_patients(order.patients)
    for machine in order.machines:
        check_machine(machine)
    for population in order.populations:
        check_population(population, order.ejection_fraction)
        if order.wall_mm is not None:
            check_wall(order.wall_mm, population)


def check_patients(count: int) -> None:
    """Refuses none, and more than their names can tell apart.

    Raises:
        ConsiliumError: out of range.
    """
    check_range("--patients", count, 1, MOST_PATIENTS)


def check_seed(seed: int) -> None:
    """Refuses what numpy takes for no seed.

    Raises:
        ConsiliumError: negative.
    """
    if seed < 0:
        raise ConsiliumError(f"{seed} is negative", where="--seed", cure="0 or more")


def check_range(option: str, value: int, least: int, most: int) -> None:
    """Refuses a number out of range.

    Raises:
        ConsiliumError: naming the range.
    """
    if not least <= value <= most:
        raise ConsiliumError(f"{value} is not from {least} to {most}", where=option)


def shots_named(views: str, *, contrast: bool) -> dict[Shot, float]:
    """Views between commas, all of them where none is named; with `contrast` each of them a second time.

    Raises:
        ConsiliumError: an unknown view, or the same one twice.
    """
    names = [name.strip() for name in views.split(",") if name.strip()] or list(all_views())
    shots = [shot_named(name) for name in names]
    if contrast:
        shots = [each for shot in shots for each in (shot, Shot(shot.view, contrast=True))]
    if len(set(shots)) < len(shots):
        raise ConsiliumError(f"'{views}' names a view twice", where="--views", cure=f"NAME or NAME{CONTRAST}, once")
    return dict.fromkeys(shots, 1.0)


def mix_named(text: str, option: str, example: str) -> dict[str, float]:
    """Shares from ``healthy`` or ``healthy=3,dilated=1``.

    Raises:
        ConsiliumError: not of this form.
    """
    parts = [part.partition("=") for part in text.split(",") if part.strip()]
    wrong = ConsiliumError(f"'{text}' is no mix", where=option, cure=f"as in {example}")
    try:
        weights = {name.strip(): float(weight or 1) for name, _, weight in parts}
    except ValueError as error:
        raise wrong from error
    total = sum(weights.values())
    if not weights or min(weights.values()) <= 0 or not total < float("inf"):
        raise wrong
    return {name: weight / total for name, weight in weights.items()}


def choose(shares: Mapping[str, float], number: float) -> str:
    """The name on which a number in [0, 1) falls when the shares are laid side by side."""
    reached = 0.0
    for name, share in shares.items():
        reached += share
        if number < reached:
            return name
    return name
