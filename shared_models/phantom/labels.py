"""Values of a label map, one structure a pixel."""

from __future__ import annotations

OUTSIDE = 0
BACKGROUND = 1
LV = 2
MYOCARDIUM = 3
LA = 4
RV = 5
RA = 6
AORTA = 7

LABEL_NAMES = (
    "outside the sector",
    "background",
    "left ventricle",
    "myocardium",
    "left atrium",
    "right ventricle",
    "right atrium",
    "aorta",
)
