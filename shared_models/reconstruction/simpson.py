"""A rival: the left ventricle's volume by Simpson's method of discs, from the apical views that there are.

It gives a number and no shape. With both views the discs are ellipses, with one of them circles (Lang et al.,
"Recommendations for cardiac chamber quantification by echocardiography in adults", 2015).
"""

from __future__ import annotations

from collections.abc import Mapping

from shared_models.ejection_fraction import Chamber, volume_ml

FOUR, TWO = "A4C", "A2C"


def simpson_volume_ml(chambers: Mapping[str, Chamber]) -> float:
    """Of the left ventricle, from its masks by name of the view; views other than A4C and A2C say nothing.

    Raises:
        ValueError: neither is there, or one in which no outline can be found.
    """
    apical = [chambers[view] for view in (FOUR, TWO) if view in chambers]
    if not apical:
        raise ValueError(f"discs need view {FOUR} or {TWO}; there are {', '.join(chambers) or 'none'}")
    return volume_ml(apical[0], apical[-1])
