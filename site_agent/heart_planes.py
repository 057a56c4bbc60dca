"""The planes of which hearts are made in three dimensions: their names, in the order of channels, with their codes."""

from __future__ import annotations

from collections.abc import Mapping

CODES: Mapping[str, str] = {  # the nine planes are cut by landmarks; each bears the code of the view that it stands for
    "RV inflow": "398998003",
    "PLAX": "399139001",
    "PSAX aortic": "399239005",
    "PSAX mitral": "399036006",
    "PSAX papillary": "399271003",
    "PSAX low": "PSAX-APEX",
    "A4C": "399214001",
    "A5C": "398994001",
    "A2C": "399232001",
}


def named(views: str) -> tuple[str, ...]:
    """Views of a configuration, which parts them by commas."""
    return tuple(view.strip() for view in views.split(","))
