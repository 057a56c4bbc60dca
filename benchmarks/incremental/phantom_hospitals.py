"""The six made-up hospitals of the heart phantom, with the label sets of the source paper.

``phantom`` has the paper's 15 flat labels, where a view with contrast is a label of its own. In ``phantom-factored`` a
label is the view, with contrast or without, so that the laboratory for contrast shares its labels with the others.
Test patients of a hospital are also seen in the views that it does not teach.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.incremental.cases import TEST, Cases, external_site, folds_of_patients, split_site
from benchmarks.incremental.suite import Preset, Suite
from deploy.phantom.acquisition import Take, draw, shot_named
from deploy.phantom.orders import choose
from deploy.phantom.seeds import seed_of, share_of
from federated.manifest import FrontEndCard
from federated.vocabulary import plain_vocabulary
from shared_models.front_ends import create_front_end
from shared_models.phantom.hospitals import CONTRAST, HOSPITALS, Hospital
from shared_models.scaling import resized

SIDE = 112  # pixels of every image that the front end sees
EXTERNAL_SHARE = 3  # a hospital that only tests has a third of the patients
ARRIVING = tuple(name for name, hospital in HOSPITALS.items() if hospital.role != "external")
BASE, TWO, WIDE, CONTRASTED = ARRIVING
ORDERS = (
    ARRIVING,
    (TWO, BASE, WIDE, CONTRASTED),  # the site of two labels first
    (CONTRASTED, WIDE, TWO, BASE),  # the widest shift first, the base last
    (WIDE, BASE, CONTRASTED, TWO),  # all plain labels at once
)
Label = Callable[[str], str]


@dataclass(frozen=True)
class Wanted:
    """An image to come: of whom, and of which shot as in ``A4C+contrast``."""

    patient: int
    shot: str


def phantom(seed: int, preset: Preset) -> Suite:
    """Fifteen flat labels."""
    return _suite(seed, preset, label=str)


def phantom_factored(seed: int, preset: Preset) -> Suite:
    """Eleven views, whether with contrast or without."""
    return _suite(seed, preset, label=lambda shot: shot.removesuffix(CONTRAST))


def _suite(seed: int, preset: Preset, *, label: Label) -> Suite:
    everything = [shot for hospital in HOSPITALS.values() for shot in hospital.labels]
    labels = list(dict.fromkeys(map(label, everything)))
    front_end = create_front_end("texture")
    inside = [_arriving(HOSPITALS[name], seed, preset, labels, label) for name in ARRIVING]
    outside = [
        _cases(hospital, seed, _taken(hospital, seed, max(1, preset.patients // EXTERNAL_SHARE)), preset, label)
        for name, hospital in HOSPITALS.items()
        if name not in ARRIVING
    ]
    return Suite(
        vocabulary=plain_vocabulary("phantom", labels),
        front_end=FrontEndCard(
            name=front_end.name, config=dict(front_end.config), digest=front_end.digest, features=front_end.features
        ),
        sites=tuple(
            split_site(cases, seed, {label(shot) for shot in HOSPITALS[cases.site].labels}) for cases in inside
        ),
        external=tuple(external_site(cases) for cases in outside),
        orders=ORDERS,
    )


def _arriving(hospital: Hospital, seed: int, preset: Preset, labels: Sequence[str], label: Label) -> Cases:
    """What it takes of its patients, and of those who test the other labels too, as it would take them."""
    taken = _taken(hospital, seed, preset.patients)
    by_patient: dict[str, set[str]] = defaultdict(set)
    for one in taken:
        by_patient[_name(hospital, seed, one.patient)].add(label(one.shot))
    own = {label(shot) for shot in hospital.labels}
    folds = folds_of_patients(by_patient, seed, own)
    testing = [number for number in range(preset.patients) if folds[_name(hospital, seed, number)] == TEST]
    end = CONTRAST if label(CONTRAST) == "" and hospital.labels[0].endswith(CONTRAST) else ""
    others = [other + end for other in labels if other not in own]
    return _cases(hospital, seed, [*taken, *(Wanted(n, shot) for n in testing for shot in others)], preset, label)


def _taken(hospital: Hospital, seed: int, patients: int) -> list[Wanted]:
    """The shots of every patient; one at least, the likeliest."""
    often = {shot: hospital.balance.get(shot, 1.0) for shot in hospital.labels}
    found: list[Wanted] = []
    for number in range(patients):
        shares = {shot: share_of(seed, "contest", hospital.name, number, shot, "taken") for shot in often}
        chosen = [shot for shot in often if shares[shot] < often[shot]]
        found += [Wanted(number, shot) for shot in chosen or [max(often, key=often.__getitem__)]]
    return found


def _name(hospital: Hospital, seed: int, number: int) -> str:
    return f"{hospital.name}-{seed}-{number:05d}"


def _cases(hospital: Hospital, seed: int, wanted: Sequence[Wanted], preset: Preset, label: Label) -> Cases:
    front_end = create_front_end("texture")
    images, features = [], []
    for one in wanted:
        image = still(hospital, seed, one)
        features.append(front_end(image))
        images.append(resized(image, preset.setting.side))
    names = tuple(_name(hospital, seed, one.patient) for one in wanted)
    return Cases(
        hospital.name,
        np.stack(images),
        np.stack(features),
        tuple(label(one.shot) for one in wanted),
        names,
        tuple(f"{name}-{one.shot}" for name, one in zip(names, wanted, strict=True)),
    )


def still(hospital: Hospital, seed: int, wanted: Wanted) -> NDArray[np.uint8]:
    """At any moment of the beat, with the patient's one machine."""
    words = "contest", hospital.name, wanted.patient
    population = choose(hospital.populations, share_of(seed, *words, "population"))
    take = Take(
        draw(seed_of(seed, *words, "patient"), population),
        shot_named(wanted.shot),
        choose(hospital.machines, share_of(seed, *words, "machine")),
        frames=(share_of(seed, *words, wanted.shot, "phase"),),
        seed=seed_of(seed, *words, wanted.shot, "acquisition"),
        size=(SIDE, SIDE),
    )
    return next(take.frames()).image
