"""The images of the demonstration itself: six made-up hospitals, computed as it begins."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from deploy.demo.data import INDEX, Material
from deploy.phantom.acquisition import shot_named
from deploy.phantom.hospitals import EXTERNAL, hospital_order
from deploy.phantom.orders import Pictures, SiteOrder
from deploy.phantom.site_images import site_plan
from deploy.phantom.workplace import fill
from federated.errors import DataError
from federated.hierarchy import descendants
from federated.vocabulary import builtin_vocabulary
from shared_models.phantom.hospitals import HOSPITALS, Hospital, label_of

SEED = 1993
PATIENTS = 80
TESTING = 0.4  # of as many patients: sites that only test
UNTAUGHT = 0.15  # of as many patients: with labels that a site does not teach
UNTAUGHT_SHARE = 0.4  # of these labels in each of them
KIND = "phantom"
SHORT_AXIS = "399306005"  # parasternal, no level named
ABOUT = (
    "computed ultrasound images of hearts that never were (a phantom): no hospital, no patient. Six made-up hospitals "
    "with the label sets of the source paper, machines and patients of their own; four arrive, two only test. "
    "Views that an arriving hospital does not label are among its held-back images."
)


def phantom_material(folder: Path, coarse: Sequence[str] = ()) -> Material:
    """The made-up hospitals, whose images `write_phantom` puts into the folder; they arrive as listed.

    Those in `coarse` name no level of the short axis.
    """
    names = {label_of(label): label for hospital in HOSPITALS.values() for label in hospital.labels}
    arriving = tuple(hospital.name for hospital in HOSPITALS.values() if not _only_tests(hospital))
    words = {name: dict.fromkeys(_levels(), SHORT_AXIS) for name in coarse}
    taught = {name: tuple(label_of(label) for label in HOSPITALS[name].labels) for name in arriving}
    return Material(
        index=folder / INDEX,
        columns="",
        sites={name: name for name in HOSPITALS},
        arriving=arriving,
        labels={code: code for code in names},
        taught={
            name: tuple(dict.fromkeys(words.get(name, {}).get(code, code) for code in codes))
            for name, codes in taught.items()
        },
        vocabulary=builtin_vocabulary("heart"),
        about=ABOUT,
        names=names | ({SHORT_AXIS: "PSAX"} if coarse else {}),
        kind=KIND,
        words=words,
    )


def _levels() -> tuple[str, ...]:
    """Codes of the levels of the short axis that some hospital names."""
    below = descendants(builtin_vocabulary("heart"), SHORT_AXIS)
    codes = dict.fromkeys(label_of(label) for hospital in HOSPITALS.values() for label in hospital.labels)
    return tuple(code for code in codes if code in below)


def coarse_hospitals(text: str) -> tuple[str, ...]:
    """Hospitals that arrive and could name levels, from their names between commas.

    Raises:
        DataError: another name.
    """
    able = [
        hospital.name
        for hospital in HOSPITALS.values()
        if not _only_tests(hospital) and {label_of(label) for label in hospital.labels}.intersection(_levels())
    ]
    asked = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    for name in asked:
        if name not in able:
            raise DataError(
                "is no arriving hospital with a level of the short axis", where=name, cure=f"--coarse {','.join(able)}"
            )
    return asked


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
