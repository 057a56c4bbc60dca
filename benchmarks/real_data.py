"""Where real data sets lie, one folder each: ``../shared/data`` beside the checkout, or where CONSILIUM_DATA says."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

VARIABLE = "CONSILIUM_DATA"
BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data"


def data_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """The folder of the data sets; an empty variable is as good as none."""
    return Path(environment.get(VARIABLE) or BESIDE).expanduser().resolve()


LUNG = data_folder() / "pocus_lung_multisite"
BREAST = data_folder() / "breast_us_two_site"
GALLERY = data_folder() / "tte47_gallery"
APICAL_FOUR = data_folder() / "vital_echo_mhd"
HIPPOCAMPUS = data_folder() / "msd_hippocampus"
BRAINS = data_folder() / "ants_brain"
