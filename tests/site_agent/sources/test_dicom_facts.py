"""Whose an image is, of what machine, and how fast its frames follow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from site_agent.sources.dicom import open_dicom
from site_agent.sources.dicom_facts import patient_of, rate_of
from tests.site_agent.sources.dicom_making import WAVES, dataset, write


def _header(**elements: Any) -> Dataset:
    made = Dataset()
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    return made


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ({"PatientID": " 00123 "}, "00123"),
        ({"PatientID": "00123", "IssuerOfPatientID": "WEST"}, "00123^^^WEST"),
        ({"PatientID": ""}, ""),
        ({"PatientID": "--"}, ""),
        ({"PatientID": "--", "IssuerOfPatientID": "WEST"}, ""),
        ({}, ""),
    ],
)
def test_patients(elements: dict[str, str], expected: str) -> None:
    assert patient_of(_header(**elements)) == expected


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ({"FrameTime": "25"}, 40.0),
        ({"FrameTime": "25", "CineRate": "30"}, 40.0),
        ({"FrameTimeVector": ["0", "20", "30", "25"]}, 40.0),
        ({"FrameTime": "0", "CineRate": "30"}, 30.0),
        ({"FrameTime": "-5", "RecommendedDisplayFrameRate": "24"}, 24.0),
        ({"FrameTime": "0.00001"}, None),
        ({"CineRate": "0"}, None),
        ({}, None),
    ],
)
def test_frame_rates(elements: dict[str, Any], expected: float | None) -> None:
    assert rate_of(_header(**elements)) == expected


def test_machine_modality_and_heart_rate(tmp_path: Path) -> None:
    made = dataset(WAVES, Manufacturer="ACME ", ManufacturerModelName="One", HeartRate="72", FrameTime="20")
    facts = open_dicom(write(tmp_path / "a.dcm", made)).facts
    assert (facts.maker, facts.model, facts.modality) == ("ACME", "One", "US")
    assert facts.measures == {"heart_rate_bpm": 72.0}
    assert facts.rate_hz == 50.0
    assert facts.encoding == {
        "transfer syntax": "Explicit VR Little Endian",
        "photometric interpretation": "MONOCHROME2",
    }


@pytest.mark.parametrize("rate", ["0", "900"])
def test_heart_rates_that_no_heart_has(tmp_path: Path, rate: str) -> None:
    assert open_dicom(write(tmp_path / "a.dcm", dataset(WAVES, HeartRate=rate))).facts.measures == {}


def test_the_instance_is_named_by_the_file_where_the_data_set_does_not(tmp_path: Path) -> None:
    made = dataset(WAVES)
    del made.SOPInstanceUID
    assert open_dicom(write(tmp_path / "a.dcm", made)).facts.clip == "2.25.7"


def test_doubts_name_no_one(tmp_path: Path) -> None:
    region = _header(RegionLocationMinX0=0, RegionLocationMinY0=0, RegionLocationMaxX1=900, RegionLocationMaxY1=900)
    made = dataset(WAVES, SequenceOfUltrasoundRegions=Sequence([region]), PatientComments="JOHN")
    facts = open_dicom(write(tmp_path / "a.dcm", made)).facts
    assert facts.doubts == ("region 1 reaches outside of the image, and its spacing is not believed",)
