"""Fields are named, and nothing that stands in them is."""

from __future__ import annotations

from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from site_agent.intake.header_fields import header_fields

SAID = {
    "PatientName": "Okonkwo^Adaeze",
    "PatientID": "MRN-4711",
    "PatientBirthDate": "19610423",
    "ReferringPhysicianName": "Lindqvist^Saga",
    "InstitutionName": "St. Elsewhere",
    "StudyDate": "20240229",
    "StudyTime": "101112",
    "StudyDescription": "heart of Adaeze",
    "SOPInstanceUID": "1.2.3.4.5",
    "Manufacturer": "GE",
    "Modality": "US",
}


def _header(**values: Any) -> Dataset:
    dataset = Dataset()
    for keyword, value in (SAID | values).items():
        setattr(dataset, keyword, value)
    return dataset


def test_what_identifies_is_named() -> None:
    fields = header_fields(_header())
    assert fields.identifying == (
        *("InstitutionName", "PatientBirthDate", "PatientID", "PatientName"),
        "ReferringPhysicianName",
    )
    assert {"StudyTime", "StudyDescription", "InstitutionName", "PatientID"} <= {*fields.removed}
    assert fields.changed == ("SOPInstanceUID", "StudyDate")
    assert not {"Manufacturer", "Modality"} & {*fields.removed, *fields.changed}
    assert fields.private == 0


def test_nothing_that_stands_there_is_told() -> None:
    told = header_fields(_header()).model_dump_json()
    for word in ("Okonkwo", "4711", "1961", "Lindqvist", "Elsewhere", "2024", "Adaeze", "1.2.3", "GE"):
        assert word not in told


def test_sequences_are_looked_into() -> None:
    inner = Dataset()
    inner.PatientID = "77"
    fields = header_fields(_header(PatientID=None, OtherPatientIDsSequence=Sequence([inner])))
    assert "PatientID" in fields.identifying


def test_empty_fields_are_not_there() -> None:
    empty = Dataset()
    empty.PatientName, empty.PatientID = "", None
    assert header_fields(empty).model_dump() == {"identifying": (), "removed": (), "changed": (), "private": 0}


def test_private_fields_are_counted_and_not_named() -> None:
    header = _header()
    block = header.private_block(0x0043, "ADAEZE SYSTEMS", create=True)
    block.add_new(1, "LO", "Okonkwo")
    fields = header_fields(header)
    assert fields.private == 2
    assert "ADAEZE" not in fields.model_dump_json()


@pytest.mark.parametrize("value", ["31.2.2024", "\x00\x01"])
def test_a_value_that_is_none_of_its_kind_is_no_failure(value: str) -> None:
    header = _header()
    header["StudyDate"].__dict__["_value"] = value
    assert "StudyDate" in {*(fields := header_fields(header)).removed, *fields.changed}
