"""The ready-made hospitals as orders: which views each labels and how often, its machines, its patients."""

from __future__ import annotations

from deploy.phantom.acquisition import shot_named
from deploy.phantom.orders import SiteOrder
from shared_models.phantom.hospitals import HOSPITALS, Hospital

EXTERNAL = "external"


def hospital_order(hospital: Hospital, patients: int) -> SiteOrder:
    """What this hospital is to have; whatever an external one has only tests."""
    return SiteOrder(
        site=hospital.name,
        patients=patients,
        shots={shot_named(label): hospital.balance.get(label, 1.0) for label in hospital.labels},
        machines=hospital.machines,
        populations=hospital.populations,
        split="test" if hospital.role == EXTERNAL else "",
    )


def federation_orders(patients: int) -> list[SiteOrder]:
    """What all of them are to have, with so many patients each."""
    return [hospital_order(hospital, patients) for hospital in HOSPITALS.values()]
