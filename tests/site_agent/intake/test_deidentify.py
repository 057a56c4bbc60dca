from __future__ import annotations

import io
import json
import string
import warnings
from copy import deepcopy
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.datadict import DicomDictionary
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, UltrasoundImageStorage

from site_agent.intake.deidentify import (
    EDITION,
    LONGEST_SHIFT_DAYS,
    day_shift,
    deidentified,
    header_json,
    plain,
    pseudonymous_uid,
)

SECRET = bytes(range(32))
OTHER = bytes(range(1, 33))


def header(**values: Any) -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID = UltrasoundImageStorage
    dataset.SOPInstanceUID, dataset.StudyInstanceUID = "1.2.3.4.5", "1.2.3.4"
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate = "Okonkwo^Adaeze", "MRN-4711-0815", "19610423"
    dataset.StudyDate, dataset.ContentDate = "20240229", "20240302"
    dataset.Modality, dataset.Rows = "US", 480
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


SPOILT = header(
    SeriesNumber="7",
    PhysicalDeltaX=0.1,
    ImageType=["ORIGINAL", "PRIMARY"],
    PixelAspectRatio=["1", "1"],
    WindowCenter="127.5",
    IrradiationEventUID=["1.2.9", "1.2.10"],
    AcquisitionDateTime="20240301142233",
)


def written(dataset: Dataset) -> bytes:
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


def item(**values: Any) -> Dataset:
    dataset = Dataset()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


def methods(dataset: Dataset) -> list[str]:
    return [str(code.CodeValue) for code in dataset.DeidentificationMethodCodeSequence]


def test_the_library_brings_the_edition_that_is_named():
    from dicomanonymizer.simpledicomanonymizer import initialize_actions

    rules = initialize_actions(f"dicomfields_{EDITION}")
    assert len(rules) == 655
    assert rules[0x0010, 0x0030].__name__ == "empty"  # birth date: Z


def test_who_the_patient_is_goes_and_what_the_machine_is_stays():
    clean = deidentified(header(Manufacturer="Acme", ManufacturerModelName="Echo 5", StationName="ROOM3"), SECRET)
    assert not clean.PatientName
    assert not clean.PatientID
    assert not clean.PatientBirthDate
    assert (clean.Manufacturer, clean.ManufacturerModelName, clean.Rows, clean.Modality) == (
        "Acme",
        "Echo 5",
        480,
        "US",
    )
    assert "StationName" not in clean


def test_it_says_that_it_was_done_and_how():
    clean = deidentified(header(), SECRET)
    assert clean.PatientIdentityRemoved == "YES"
    assert clean.LongitudinalTemporalInformationModified == "MODIFIED"
    assert methods(clean) == ["113100", "113107"]
    assert list(clean.DeidentificationMethod) == ["PS3.15 2026c E.1-1", "dropped values: 0"]


def test_age_size_and_sex_go_with_the_basic_profile():
    clean = deidentified(header(PatientAge="093Y", PatientSex="F", PatientSize="1.61", PatientWeight="55"), SECRET)
    assert not clean.PatientSex
    assert not {"PatientAge", "PatientSize", "PatientWeight"} & {element.keyword for element in clean}


def test_dates_keep_their_distance_and_lose_the_time_of_day():
    clean = deidentified(header(AcquisitionDateTime="20240301142233.5+0100", StudyTime="142233"), SECRET)
    days = [pydicom.valuerep.DA(clean[k].value) for k in ("StudyDate", "ContentDate")]
    assert (days[1] - days[0]).days == 2  # over a leap day: 29 February to 2 March
    assert len(clean.AcquisitionDateTime) == 8
    assert (pydicom.valuerep.DA(clean.AcquisitionDateTime) - days[0]).days == 1
    assert "StudyTime" not in clean
    back = pydicom.valuerep.DA("20240229") - days[0]
    assert back.days == day_shift("MRN-4711-0815", SECRET)


def test_a_study_without_a_patient_has_a_shift_of_its_own():
    clean = deidentified(header(PatientID=""), SECRET)
    back = pydicom.valuerep.DA("20240229") - pydicom.valuerep.DA(clean.StudyDate)
    assert back.days == day_shift("1.2.3.4", SECRET)


@pytest.mark.parametrize("written", ["", "--", "2024", "20241399", "00010101", "٢٠٢٤٠٢٢٩"])
def test_what_is_no_date_is_emptied(written):
    dataset = header()
    dataset.StudyDate = ""
    dataset["StudyDate"]._value = written
    assert not deidentified(dataset, SECRET).StudyDate


def test_dates_with_dots_as_before_dicom_3_are_dates():
    dataset = header()
    dataset["StudyDate"]._value = "2024.02.29"
    assert deidentified(dataset, SECRET).StudyDate == deidentified(header(), SECRET).StudyDate


@given(st.text(max_size=20), st.binary(min_size=1, max_size=40))
def test_a_shift_is_of_whole_days_and_always_the_same(patient, secret):
    days = day_shift(patient, secret)
    assert 1 <= days <= LONGEST_SHIFT_DAYS
    assert days == day_shift(patient, secret)


def test_shifts_are_spread_over_all_days():
    days = [day_shift(str(i), SECRET) for i in range(20_000)]
    counts = np.bincount(np.array(days) * 10 // (LONGEST_SHIFT_DAYS + 1), minlength=10)
    assert abs(counts / 2000 - 1).max() < 0.1  # four standard deviations are 0.085
    assert day_shift("1", SECRET) != day_shift("1", OTHER)


def test_a_pseudonymous_uid_is_pinned():
    assert pseudonymous_uid("1.2.3", b"secret") == "2.25.1846016661505682686561600976275992881"


@given(st.text(alphabet="0123456789.", min_size=1, max_size=64))
def test_a_pseudonymous_uid_is_valid_and_one_of_this_site(uid):
    other = pydicom.uid.UID(pseudonymous_uid(uid, SECRET))
    assert other.is_valid
    assert other.startswith("2.25.")
    assert len(other) <= 64
    assert other != pseudonymous_uid(uid, OTHER)


def test_references_still_lead_to_each_other():
    first = deidentified(header(SOPInstanceUID="1.2.840.99.7"), SECRET)
    reference = item(ReferencedSOPClassUID=UltrasoundImageStorage, ReferencedSOPInstanceUID="1.2.840.99.7")
    second = deidentified(header(SourceImageSequence=Sequence([reference])), SECRET)
    assert first.SOPClassUID == UltrasoundImageStorage
    assert first.SOPInstanceUID == pseudonymous_uid("1.2.840.99.7", SECRET)
    found = second.SourceImageSequence[0]
    assert (found.ReferencedSOPClassUID, found.ReferencedSOPInstanceUID) == (
        UltrasoundImageStorage,
        first.SOPInstanceUID,
    )


def test_several_uids_in_one_attribute_are_all_changed():
    clean = deidentified(header(IrradiationEventUID=["1.2.9", "1.2.10"]), SECRET)
    assert list(clean.IrradiationEventUID) == [pseudonymous_uid(uid, SECRET) for uid in ("1.2.9", "1.2.10")]


def test_private_tags_overlays_curves_icons_and_pixels_go():
    dataset = header(PixelData=b"\0" * 8)
    dataset.private_block(0x0009, "ACME", create=True).add_new(0x01, "LO", "Okonkwo")
    dataset.add_new((0x6002, 0x3000), "OW", b"\0\1")
    dataset.add_new((0x6002, 0x4000), "LT", "Okonkwo")
    dataset.add_new((0x6000, 0x0010), "US", 8)
    dataset.add_new((0x5004, 0x3000), "OW", b"\0\1")
    dataset.IconImageSequence = Sequence([item(Rows=8)])
    dataset.add_new((0xFFFC, 0xFFFC), "OB", b"\0\0")
    left = deidentified(dataset, SECRET)
    assert {element.tag.group for element in left} <= {0x0008, 0x0010, 0x0012, 0x0020, 0x0028}
    assert "IconImageSequence" not in left


def test_nothing_of_the_file_meta_information_or_the_preamble_comes_along():
    dataset = header()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.SourceApplicationEntityTitle = "OKONKWO"
    dataset.file_meta.PrivateInformationCreatorUID = "1.2.3"
    dataset.file_meta.PrivateInformation = b"OKONKWO "
    dataset.preamble = b"OKONKWO".ljust(128, b"\0")
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    clean = deidentified(pydicom.dcmread(io.BytesIO(file.getvalue())), SECRET)
    assert not hasattr(clean, "preamble")
    assert not hasattr(clean, "file_meta")
    assert "okonkwo" not in header_json(clean).casefold()


def test_nested_items_are_cleaned_as_the_header_is():
    deep = item(PatientName="Okonkwo", CodeMeaning="of Okonkwo", CodeValue="T-1", SeriesDate="20240301")
    for _ in range(3):
        deep = item(ViewCodeSequence=Sequence([deep]))
    clean = deidentified(header(ViewCodeSequence=Sequence([deep])), SECRET)
    inner = clean
    for _ in range(4):
        inner = inner.ViewCodeSequence[0]
    assert inner.CodeValue == "T-1"
    assert not inner.PatientName
    assert "CodeMeaning" not in inner
    assert inner.SeriesDate > clean.StudyDate
    assert "dropped values: 1" in clean.DeidentificationMethod


def test_sequences_deeper_than_any_of_use_are_dropped():
    deep = item(CodeValue="deepest")
    for _ in range(12):
        deep = item(ViewCodeSequence=Sequence([deep]))
    text = header_json(deidentified(header(ViewCodeSequence=Sequence([deep])), SECRET))
    assert "deepest" not in text
    assert "dropped values: 1" in text


@pytest.mark.parametrize(
    "model",
    [
        "Echo of OKONKWO",
        "adaeze's machine",
        "Adáeze",
        "MRN 4711 0815",
        "born 23.04.1961",
        "1961-04-23",
        "04/23/61",
        "seen 2024-02-29",
        "St. Eligius",
        "A-99812",
    ],
)
def test_a_text_that_holds_what_was_removed_is_dropped_and_counted(model):
    dataset = header(ManufacturerModelName=model, InstitutionName="St Eligius", AccessionNumber="A99812")
    clean = deidentified(dataset, SECRET)
    assert "ManufacturerModelName" not in clean
    assert "dropped values: 1" in clean.DeidentificationMethod


@pytest.mark.parametrize(
    ("said", "model"),
    [
        ({"PatientName": "Schmidt-Okafor^Ada"}, "Vivid Okafor"),
        ({"PatientName": "OKAFOR_ADA"}, "okafor's"),
        ({"PatientName": "Okafor.Ada"}, "Okafor"),
        ({"PatientName": "O'Neil^Ada"}, "V Neil"),
        ({"PatientName": "Okafor^Ame\u0301lie-Zoe\u0301"}, "for Zoé"),
        ({"PatientID": "0012345678"}, "X 12345678"),
        ({"PatientID": "AB/12345/77"}, "V 12345"),
    ],
)
def test_parts_of_names_and_numbers_are_looked_for(said, model):
    assert "ManufacturerModelName" not in deidentified(header(ManufacturerModelName=model, **said), SECRET)


def test_a_number_without_its_zeros_is_the_patients_too():
    clean = deidentified(header(PatientID="0012345", SeriesNumber="12345", InstitutionName="Echo Centre"), SECRET)
    assert "SeriesNumber" not in clean
    assert deidentified(header(ManufacturerModelName="Echo", InstitutionName="Echo Centre"), SECRET).get(
        "ManufacturerModelName"
    )


def test_a_number_that_is_the_patients_is_dropped_and_others_stay():
    clean = deidentified(header(PatientID="700123", HeartRate="700123", SeriesNumber="7", CineRate="60"), SECRET)
    assert "HeartRate" not in clean
    assert (clean.SeriesNumber, clean.CineRate) == (7, 60)


def test_broken_values_are_dropped_and_not_repaired():
    data = written(header(CineRate="60", SeriesNumber="77", PhysicalDeltaX=float("nan")))
    broken = pydicom.dcmread(io.BytesIO(data.replace(b"IS\x02\x0060", b"IS\x02\x00x0")))
    clean = deidentified(broken, SECRET)
    assert "CineRate" not in clean
    assert "PhysicalDeltaX" not in clean
    assert clean.SeriesNumber == 77
    assert "dropped values: 2" in clean.DeidentificationMethod
    json.loads(header_json(clean))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10**6), st.sampled_from([0, 1, 13, 32, 92, 133, 255]) | st.integers(0, 255))))
def test_broken_headers_are_cleaned_or_refused_by_pydicom_itself(changes):
    data = bytearray(written(SPOILT))
    for place, value in changes:
        data[132 + place % (len(data) - 132)] = value
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            dataset = pydicom.dcmread(io.BytesIO(data), force=True)
        except Exception:  # noqa: BLE001  # whatever broken bytes lead pydicom to
            return
    assert json.loads(header_json(deidentified(dataset, SECRET)))


def test_a_blank_among_numbers_is_no_number():
    data = written(header(PixelAspectRatio=["14", "15"])).replace(b"14\\15 ", b"14\\\r  ")
    clean = deidentified(pydicom.dcmread(io.BytesIO(data)), SECRET)
    assert "PixelAspectRatio" not in clean
    assert json.loads(header_json(clean))


def test_an_attribute_of_another_kind_than_the_standard_has_is_dropped():
    dataset = header()
    dataset.add_new(0x00280011, "LO", "of nobody listed")  # Columns
    clean = deidentified(dataset, SECRET)
    assert "Columns" not in clean
    assert "dropped values: 1" in clean.DeidentificationMethod


def test_the_original_stays_as_it_is():
    dataset = header(ImageType=["ORIGINAL", "PRIMARY"], IrradiationEventUID=["1.2.9", "1.2.10"])
    dataset.ViewCodeSequence = Sequence([item(PatientName="Okonkwo", CodeMeaning="parasternal")])
    dataset.PixelData = b"\0\1"
    before = deepcopy(dataset)
    clean = deidentified(dataset, SECRET)
    clean.ImageType[0] = "DERIVED"
    assert dataset == before


def test_nothing_is_printed_or_logged(capsys, caplog):
    data = written(header()).replace(b"1.2.3.4.5\0", b"Okonkwo.5\0")
    header_json(deidentified(pydicom.dcmread(io.BytesIO(data)), SECRET))
    assert capsys.readouterr() == ("", "")
    assert not caplog.records
    with pytest.warns(UserWarning, match="Okonkwo"):  # which pydicom says, left to itself
        assert pydicom.dcmread(io.BytesIO(data)).SOPInstanceUID
    assert "Okonkwo" in caplog.text


# --- plant and search ------------------------------------------------------------------------------------------------

TEXTS = {"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"}
STANDARD_TEXTS = tuple(tag for tag, entry in DicomDictionary.items() if entry[0] in TEXTS and tag >> 16 > 8)
names = st.text(alphabet=string.ascii_letters + "äøéßłЖ漢", min_size=5, max_size=14)
# letters that DICOM JSON's own keys and constants do not bring together
numbers = st.from_regex(r"\A[QXZ][0-9]{6}[A-F]\Z")
dates = st.dates(min_value=date(1930, 1, 1), max_value=date(2020, 12, 31))


def planted(name: str, number: str, day: str, turn: int) -> Dataset:
    """A header in whose every standard text stands one of the three, in private tags and nested items too."""
    words = (name, number, day)
    dataset = Dataset()
    for index, tag in enumerate(STANDARD_TEXTS):
        dataset.add(unchecked(tag, DicomDictionary[tag][0], words[(index + turn) % 3]))
    for tag, vr, word in ((0x00100010, "PN", name), (0x00100020, "LO", number), (0x00100030, "DA", day)):
        dataset.add(unchecked(tag, vr, word))
    dataset.add(unchecked(0x00091001, "LO", name))
    dataset.add(unchecked(0x00090010, "LO", number))
    return dataset


def unchecked(tag: int, vr: str, value: str) -> pydicom.DataElement:
    return pydicom.DataElement(tag, vr, value, validation_mode=pydicom.config.IGNORE)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(names, numbers, dates, st.integers(0, 2))
def test_whatever_is_planted_anywhere_is_found_nowhere(name, number, day, turn):
    digits = f"{day:%Y%m%d}"
    dataset = planted(name, number, digits, turn)
    dataset.ViewCodeSequence = Sequence([planted(name, number, digits, turn + 1)])
    dataset.ReferencedImageSequence = Sequence([planted(name, number, digits, turn + 2)])
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.add(unchecked(0x00020016, "AE", name))
    clean = deidentified(dataset, SECRET)
    text = header_json(clean)
    assert len(clean.ViewCodeSequence) == 1
    for word in (name, number, digits):
        assert word.casefold() not in text.casefold()
        assert json.dumps(word)[1:-1].casefold() not in text.casefold()
        assert plain(word) not in plain(text)


def test_real_headers_lose_what_they_say_of_people_and_places(shared_data: Path):
    files = sorted((shared_data / "us_dicom").glob("*.dcm"))
    assert len(files) == 10
    secrets = ("Citizen", "CompressedSamples", "13US1", "BAPTIST", "mvme22", "4121885", "OEM-4K7CO2TYJWP", "199999")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        headers = [pydicom.dcmread(file, stop_before_pixels=True) for file in files]
        said = [str(dataset) for dataset in headers]
    told = [header_json(deidentified(dataset, SECRET)) for dataset in headers]
    assert all(any(word in text for text in said) for word in secrets)
    assert not [word for word in secrets for text in told if word.casefold() in text.casefold()]
    assert not [text for text in told if "20190124" in text or "20110525" in text or "20040826" in text]
    assert "EPIQ 7C" in told[0]
    assert "00186011" in told[0]
