"""The standard views: name, plain code string, family and acoustic window.

Codes are those of DICOM CID 12226 (SNOMED CT). Four views have none there: the apical five-chamber view takes its
code of CID 501; the zoom on the aortic valve, the short axis at the apex and the subcostal view of the inferior
vena cava take a private one. The subcostal four-chamber view is coded as the subcostal long axis. Contrast is no
part of a view.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class View:
    """A standard view.

    Attributes:
        name: the short name, as in ``A4C``.
        code: of the view, unique.
        family: what views that look alike have in common.
        window: where the transducer stands: apical, parasternal or subcostal.
        meaning: in words.
    """

    name: str
    code: str
    family: str
    window: str
    meaning: str

    @property
    def private(self) -> bool:
        """Whether the code is none of DICOM's."""
        return not self.code.isdigit()


_LIST = (
    View("A2C", "399232001", "apical-two", "apical", "apical two-chamber"),
    View("A3C", "399339008", "apical-three", "apical", "apical long axis"),
    View("A4C", "399214001", "apical-four", "apical", "apical four-chamber"),
    View("A5C", "398994001", "apical-five", "apical", "apical five-chamber"),
    View("PLAX", "399139001", "plax", "parasternal", "parasternal long axis"),
    View("PLAX-AV", "PLAX-AV", "plax", "parasternal", "parasternal long axis zoomed on the aortic valve"),
    View("PSAX-AV", "399239005", "psax", "parasternal", "parasternal short axis at the aortic valve"),
    View("PSAX-MV", "399036006", "psax", "parasternal", "parasternal short axis at the mitral valve"),
    View("PSAX-PM", "399271003", "psax", "parasternal", "parasternal short axis at the papillary muscles"),
    View("PSAX-APEX", "PSAX-APEX", "psax", "parasternal", "parasternal short axis at the apex"),
    View("RV-INFLOW", "398998003", "rv-inflow", "parasternal", "right ventricular inflow tract"),
    View("SC-4C", "399310008", "subcostal", "subcostal", "subcostal four-chamber"),
    View("SC-IVC", "SC-IVC", "subcostal", "subcostal", "subcostal inferior vena cava"),
)
VIEWS: Mapping[str, View] = {view.name: view for view in _LIST}


def view_named(name: str) -> View:
    """The view of a name.

    Raises:
        ValueError: there is none.
    """
    if name not in VIEWS:
        raise ValueError(f"there is no view '{name}'; known are {', '.join(VIEWS)}")
    return VIEWS[name]
