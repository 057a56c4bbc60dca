"""The ready-made hospitals as orders: which views each labels and how often, its machine, its patients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from deploy.phantom.acquisition import shot_named
from deploy.phantom.orders import SiteOrder, mix_named

EXTERNAL = "external"


class Hospital(Protocol):
    """What is read of a ready-made hospital.

    Attributes:
        name: of the site.
        role: when it arrives; `EXTERNAL` for one whose images only test.
        labels: shots as in ``A4C`` or ``A4C+contrast``.
        machine: with what it sees.
        populations: weights of where its patients come from.
        balance: the share of its patients in whom each label is acquired, 1 where it does not say.
    """

    name: str
    role: str
    labels: tuple[str, ...]
    machine: str
    populations: Mapping[str, float]
    balance: Mapping[str, float]


def hospitals() -> Mapping[str, Hospital]:
    """The ready-made hospitals by name; none while they are being built."""
    try:
        from shared_models.phantom.hospitals import HOSPITALS
    except ModuleNotFoundError:
        return {}
    return HOSPITALS


def order_of(hospital: Hospital, patients: int) -> SiteOrder:
    """What this hospital is to have.

    Raises:
        ConsiliumError: it asks for a view that there is none of.
    """
    return SiteOrder(
        site=hospital.name,
        patients=patients,
        shots={shot_named(label): hospital.balance.get(label, 1.0) for label in hospital.labels},
        machine=hospital.machine,
        populations=mix_named(",".join(f"{name}={weight}" for name, weight in hospital.populations.items())),
        split="test" if hospital.role == EXTERNAL else "",
    )
