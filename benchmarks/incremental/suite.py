"""A suite: sites that arrive, sites that only test, and the orders in which those arrive."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.incremental.contestant import Setting, Site
from federated.manifest import FrontEndCard
from federated.vocabulary import Vocabulary

TRAINING_FOLDS = ("train", "validation", "calibration")


@dataclass(frozen=True)
class Preset:
    """How large a contest is.

    Attributes:
        setting: of the networks.
        patients: at each computed hospital.
        cases: of each label at each site of real digits at most; None for all.
        digit_side: of an image of a digit in pixels, to which its few pixels are enlarged.
        orders: of arrival that are played at most.
    """

    setting: Setting
    patients: int
    cases: int | None
    digit_side: int
    orders: int


@dataclass(frozen=True)
class Suite:
    """What one seed draws.

    Attributes:
        vocabulary: all its labels.
        front_end: what made the features.
        sites: those that arrive, in the usual order.
        external: those that only test.
        orders: names of the arriving sites, the usual order first.
    """

    vocabulary: Vocabulary
    front_end: FrontEndCard
    sites: tuple[Site, ...]
    external: tuple[Site, ...]
    orders: tuple[tuple[str, ...], ...]

    @property
    def everyone(self) -> tuple[Site, ...]:
        """All sites, those that arrive first."""
        return (*self.sites, *self.external)

    def arriving(self, order: int) -> list[Site]:
        """The arriving sites in one of the orders."""
        by_name = {site.name: site for site in self.sites}
        return [by_name[name] for name in self.orders[order]]


def for_training(site: Site) -> Site:
    """What a contestant is shown of a site that arrives: all but the test fold."""
    return Site(site.name, {fold: site.folds[fold] for fold in TRAINING_FOLDS})
