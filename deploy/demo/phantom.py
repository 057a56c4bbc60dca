"""The images of the demonstration itself: six made-up hospitals, computed as it begins."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from deploy.demo.data import INDEX, Material
from deploy.phantom.acquisition import shot_named
from deploy.phantom.hospitals import EXTERNAL, hospital_order
from deploy.phantom.orders import Pictures, SiteOrder
from deploy.phantom.site_images import site_plan
from deploy.phantom.workplace import fill
from federated.vocabulary import builtin_vocabulary
from shared_models.phantom.hospitals import HOSPITALS, Hospital, label_of

SEED = 1993
PATIENTS = 80
TESTING = 0.4  # of as many patients: sites that only test
UNTAUGHT = 0.15  # of as many patients: with labels that a site does not teach
UNTAUGHT_SHARE = 0.4  # of these labels in each of them
KIND = "phantom"
ABOUT = (
    "computed ultrasound images of hearts that never were (a phantom): no hospital, no patient. Six made-up hospitals "
    "with the label sets of the source paper, machines and patients of their own; four arrive, two only test. "
    "Views that an arriving hospital does not label are among its held-back images."
)


def phantom_material(folder: Path) -> Material:
    """The made-up hospitals, whose images `write_phantom` puts into the folder; they arrive as listed."""
    names = {label_of(label): label for hospital in HOSPITALS.values() for label in hospital.labels}
    arriving = tuple(hospital.name for hospital in HOSPITALS.values() if not _only_tests(hospital))
    return Material(
        index=folder / INDEX,
        columns="",
        sites={name: name for name in HOSPITALS},
        arriving=arriving,
        labels={code: code for code in names},
        taught={name: tuple(label_of(label) for label in HOSPITALS[name].labels) for name in arriving},
        vocabulary=builtin_vocabulary("heart"),
        about=ABOUT,
        names=names,
        kind=KIND,
    )


def write_phantom(folder: Path, patients: int = PATIENTS) -> None:
    """PNG files and an index; the same bytes every time.

    Args:
        folder: empty or missing.
        patients: of each hospital that arrives, not counting those with labels that it does not teach.

    Raises:
        ConsiliumError: no number of patients.
    """
    orders = [order for hospital in HOSPITALS.values() for order in _orders(hospital, patients)]
    plan = site_plan("federation", orders, Pictures(SEED), {"patients": str(patients)})
    told = plan.provenance.model_copy(update={"command": f"consilium demo --patients {patients}"})
    fill(folder, replace(plan, provenance=told), processes=len(os.sched_getaffinity(0)))


def _orders(hospital: Hospital, patients: int) -> Iterator[SiteOrder]:
    """What a hospital has; where it arrives, also patients who only test, with the labels that it does not teach."""
    if _only_tests(hospital):
        yield hospital_order(hospital, max(1, round(TESTING * patients)))
        return
    own = hospital_order(hospital, patients)
    yield own
    labels = dict.fromkeys(label for other in HOSPITALS.values() for label in other.labels)
    untaught = {shot_named(label): UNTAUGHT_SHARE for label in labels if label not in hospital.labels}
    yield replace(own, patients=max(1, round(UNTAUGHT * patients)), shots=untaught, split="test", first=patients + 1)


def _only_tests(hospital: Hospital) -> bool:
    return hospital.role == EXTERNAL
