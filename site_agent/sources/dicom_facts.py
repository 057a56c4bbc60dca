"""What the header of an ultrasound image says: whose it is, of what view and machine, its scale and its frame rate.

Nothing is de-identified here: whoever takes the image in replaces patient and UIDs, and strips the header.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from site_agent.sources.dicom_file import DicomFile
from site_agent.sources.dicom_pixels import Layout
from site_agent.sources.dicom_regions import regions_of, spacing_of
from site_agent.sources.dicom_views import contrast_of, label_of, mode_of
from site_agent.sources.source import Facts

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

MAX_RATE_HZ, MAX_HEART_RATE = 10_000.0, 400.0
RATES = ("CineRate", "RecommendedDisplayFrameRate")


def facts_of(dicom: DicomFile, layout: Layout) -> Facts:
    """All that the header says, as it says it."""
    header = dicom.header
    regions, doubts = regions_of(header, layout.columns, layout.rows)
    return Facts(
        patient=patient_of(header),
        clip=_text(header, "SOPInstanceUID") or _text(header.file_meta, "MediaStorageSOPInstanceUID"),
        label=label_of(header),
        contrast=contrast_of(header),
        mode=mode_of(header, regions),
        modality=_text(header, "Modality"),
        maker=_text(header, "Manufacturer"),
        model=_text(header, "ManufacturerModelName"),
        spacing_mm=spacing_of(header, regions),
        rate_hz=rate_of(header),
        regions=regions,
        measures=_measures(header),
        encoding={"transfer syntax": dicom.syntax.name, "photometric interpretation": layout.photometric},
        doubts=(*dicom.doubts, *doubts),
        header=header,
    )


def patient_of(header: Dataset) -> str:
    """Patient ID, with its issuer as HL7 writes the two; "" where it has no letter and no digit."""
    patient, issuer = _text(header, "PatientID"), _text(header, "IssuerOfPatientID")
    if not any(sign.isalnum() for sign in patient):
        return ""
    return f"{patient}^^^{issuer}" if issuer else patient


def rate_of(header: Dataset) -> float | None:
    """Frames a second: from the time between frames, else as the header names it."""
    times = _numbers(header, "FrameTime")[:1] or _numbers(header, "FrameTimeVector")[1:]
    mean = sum(times) / len(times) if times else 0.0
    rates = [1000 / mean] if mean > 0 else []
    rates += [number for keyword in RATES for number in _numbers(header, keyword)[:1]]
    return next((rate for rate in rates if 0 < rate <= MAX_RATE_HZ), None)


def _measures(header: Dataset) -> Mapping[str, float]:
    rates = [rate for rate in _numbers(header, "HeartRate") if 0 < rate <= MAX_HEART_RATE]
    return {"heart_rate_bpm": rates[0]} if rates else {}


def _numbers(header: Dataset, keyword: str) -> list[float]:
    value = header.get(keyword)
    if value is None or value == "":
        return []
    values = [value] if isinstance(value, int | float | str) else list(value)
    return [float(number) for number in values if math.isfinite(float(number))]


def _text(header: Dataset, keyword: str) -> str:
    value = header.get(keyword)
    if value is None:
        return ""
    return (str(value) if isinstance(value, str) else str(next(iter(value), ""))).strip()
