"""The phantom in the layouts of public data sets. A new one is its file, its test and one line in `EXPORTS`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from deploy.phantom.exports import (
    camus,
    camus_mhd,
    dicom,
    echonet_dynamic,
    echonet_lvh,
    echonet_pediatric,
    hearts,
    metaimage,
    muscle,
    tmed2,
    unity,
    views,
)
from deploy.phantom.exports.layout import ExportOrder, Layout
from deploy.phantom.orders import LEAST_SIZE, MOST_FRAMES, MOST_SIZE, check_patients, check_range, check_seed
from deploy.phantom.provenance import provenance_of
from deploy.phantom.workplace import Part, Plan
from federated.errors import ConsiliumError

EXPORTS: Mapping[str, Layout] = {
    "echonet-dynamic": echonet_dynamic.LAYOUT,
    "echonet-pediatric": echonet_pediatric.LAYOUT,
    "echonet-lvh": echonet_lvh.LAYOUT,
    "camus": camus.LAYOUT,
    "camus-mhd": camus_mhd.LAYOUT,
    "tmed2": tmed2.LAYOUT,
    "unity": unity.LAYOUT,
    "metaimage": metaimage.LAYOUT,
    "dicom": dicom.LAYOUT,
    "muscle": muscle.LAYOUT,
    "hearts": hearts.LAYOUT,
    "views": views.LAYOUT,
}
LEAST_FRAMES = 4


def export_plan(name: str, *, patients: int, seed: int, frames: int, size: int) -> Plan:
    """Everything that a folder in this layout is to hold.

    Raises:
        ConsiliumError: an unknown layout, or a number out of range.
    """
    if name not in EXPORTS:
        raise ConsiliumError(f"there is no layout '{name}'", where="--as", cure=f"known are {', '.join(EXPORTS)}")
    check_patients(patients)
    check_seed(seed)
    check_range("--frames", frames, LEAST_FRAMES, MOST_FRAMES)
    if size:
        check_range("--size", size, LEAST_SIZE, MOST_SIZE)
    layout, order = EXPORTS[name], ExportOrder(patients, seed, frames, size or None)
    parts = [Part(f"{number:05d}", partial(layout.patient, order, number)) for number in range(1, patients + 1)]
    given = {"as": name, "patients": str(patients), "frames": str(frames), "size": str(size) if size else ""}
    return Plan(provenance_of("export", seed, given), layout.about, parts, partial(layout.tables, order))
