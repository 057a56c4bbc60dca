"""Six made-up hospitals: who labels which views, with which machine, in which patients, and how often.

The label sets are those of the source paper (``docs/methods/closed_form_experts.md``): a base of 8 labels, then sites
of 2, 11 and 4 arrive, and two external sites with all 15 only test. The 4 are views with contrast, which nobody else
teaches. Names are minerals and no hospital's; machines, mixes of patients and shares are assumed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from shared_models.phantom.machines import machine_named
from shared_models.phantom.population import POPULATIONS
from shared_models.phantom.views import VIEWS, view_named

Role = Literal["base", "arriving", "external"]
CONTRAST = "+contrast"
ROUNDING = 1e-9


def label_of(name: str) -> str:
    """The plain code of a label's name: the view's, with ``+contrast`` where the name has it.

    Raises:
        ValueError: there is no such view.
    """
    view, contrast = parted(name)
    return view_named(view).code + (CONTRAST if contrast else "")


def overlay_key(name: str) -> int:
    """A mark of its own for each label: drawn over the images, it is a shortcut that a model must not learn.

    Raises:
        ValueError: there is no such view.
    """
    view, contrast = parted(name)
    return 2 * list(VIEWS).index(view_named(view).name) + contrast


def parted(name: str) -> tuple[str, bool]:
    """``A4C+contrast`` as the view's name, and whether the left ventricle is filled with contrast."""
    return name.removesuffix(CONTRAST), name.endswith(CONTRAST)


@dataclass(frozen=True)
class Hospital:
    """A made-up hospital.

    Attributes:
        name: of the site.
        role: ``base`` comes first, ``arriving`` later; the images of an ``external`` one only test.
        labels: what it labels, as in ``A4C`` or ``A4C+contrast``.
        machines: with what it sees -> the share of its patients.
        populations: where its patients come from -> their share.
        balance: label -> the share of its patients in whom it is acquired, where that is not 1.

    Raises:
        ValueError: a view, machine or population that there is none of, or shares that are none.
    """

    name: str
    role: Role
    labels: tuple[str, ...]
    machines: Mapping[str, float]
    populations: Mapping[str, float]
    balance: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for machine in self.machines:
            machine_named(machine)
        for label in self.labels:
            label_of(label)
        if not self.labels or len(set(self.labels)) < len(self.labels):
            raise ValueError(f"{self.name} must name each of its labels once, and one at least")
        if strangers := set(self.balance) - set(self.labels):
            raise ValueError(f"{self.name} has a share of {min(strangers)}, which it does not label")
        if strangers := set(self.populations) - set(POPULATIONS):
            raise ValueError(f"there is no population '{min(strangers)}'; known are {', '.join(POPULATIONS)}")
        for shares in (self.machines, self.populations, self.balance):
            if not all(0 < share <= 1 for share in shares.values()):
                raise ValueError(f"a share of {self.name} is not above 0 and at most 1")
        for shares in (self.machines, self.populations):
            if abs(sum(shares.values()) - 1) > ROUNDING:
                raise ValueError(f"{' and '.join(shares)} of {self.name} do not add up to 1")


_BASE = ("A2C", "A3C", "A4C", "A5C", "PLAX", "PLAX-AV", "PSAX-AV", "PSAX-PM")
_WIDE = (*_BASE, "RV-INFLOW", "SC-4C", "SC-IVC")
_CONTRAST = tuple(view + CONTRAST for view in ("A2C", "A3C", "A4C", "PLAX"))

_LIST = (
    Hospital(  # healthy volunteers, examined by a protocol
        name="agate",
        role="base",
        labels=_BASE,
        machines={"albatross": 1.0},
        populations={"healthy": 1.0},
        balance={"A2C": 0.7, "A3C": 0.6, "A4C": 0.9, "A5C": 0.4, "PLAX": 0.9, "PLAX-AV": 0.4, "PSAX-AV": 0.6}
        | {"PSAX-PM": 0.7},
    ),
    Hospital(  # two views of everybody, many weak hearts
        name="beryl",
        role="arriving",
        labels=("A2C", "A4C"),
        machines={"eider": 1.0},
        populations={"healthy": 0.4, "dilated": 0.6},
    ),
    Hospital(  # a general clinic: common views often, rare ones rarely
        name="citrine",
        role="arriving",
        labels=_WIDE,
        machines={"bittern": 0.5, "fulmar": 0.5},
        populations={"healthy": 0.5, "dilated": 0.25, "hypertrophic": 0.25},
        balance={"A2C": 0.6, "A3C": 0.5, "A4C": 0.8, "A5C": 0.4, "PLAX": 0.8, "PLAX-AV": 0.3, "PSAX-AV": 0.4}
        | {"PSAX-PM": 0.6, "RV-INFLOW": 0.35, "SC-4C": 0.5, "SC-IVC": 0.4},
    ),
    Hospital(  # a laboratory for contrast: hearts that are hard to see without
        name="diorite",
        role="arriving",
        labels=_CONTRAST,
        machines={"fulmar": 0.5, "bittern": 0.5},
        populations={"healthy": 0.4, "dilated": 0.5, "hypertrophic": 0.1},
        balance={"A3C+contrast": 0.7, "PLAX+contrast": 0.4},
    ),
    Hospital(  # a general hospital; some of its images were kept as small squares only
        name="onyx",
        role="external",
        labels=(*_WIDE, *_CONTRAST),
        machines={"albatross": 0.4, "bittern": 0.4, "godwit": 0.2},
        populations={"healthy": 0.6, "dilated": 0.2, "hypertrophic": 0.2},
        balance=dict.fromkeys((*_WIDE, *_CONTRAST), 0.4) | {"A4C": 0.8, "PLAX": 0.8},
    ),
    Hospital(  # a clinic for cardiomyopathy; half of its images come from an old machine, off the screen
        name="quartz",
        role="external",
        labels=(*_WIDE, *_CONTRAST),
        machines={"bittern": 0.5, "dunlin": 0.5},
        populations={"healthy": 0.15, "dilated": 0.5, "hypertrophic": 0.35},
        balance=dict.fromkeys((*_WIDE, *_CONTRAST), 0.5) | {"A4C": 0.9},
    ),
)
HOSPITALS: Mapping[str, Hospital] = {hospital.name: hospital for hospital in _LIST}
