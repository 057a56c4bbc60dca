"""Views, contrast and image modes as headers code them."""

from __future__ import annotations

from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.sr.codedict import codes

from deploy.phantom.dicom import view_codes
from shared_models.phantom.views import VIEWS
from site_agent.sources.dicom_views import IMAGE_MODE, MODES, MODIFIED, contrast_of, label_of, mode_of
from site_agent.sources.source import Region

BOX = (0, 0, 9, 9)


def _code(value: str, scheme: str, meaning: str = "") -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def _header(*view: str, modifier: tuple[str, ...] = (), **elements: Any) -> Dataset:
    made = Dataset()
    if view:
        item = _code(*view)
        if modifier:
            item.ViewModifierCodeSequence = Sequence([_code(*modifier)])
        made.ViewCodeSequence = Sequence([item])
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    return made


def test_every_view_of_the_phantom_is_read_as_it_is_written() -> None:
    for view in VIEWS.values():
        principal, modifiers = view_codes(view)
        header = _header(*principal, modifier=modifiers[0] if modifiers else ())
        assert label_of(header) == view.code, view.name


def test_older_codes_are_those_that_replaced_them() -> None:
    assert label_of(_header("G-A19C", "SRT")) == "399214001"
    assert label_of(_header("G-0396", "SNM3")) == "399139001"
    assert label_of(_header("G-0396", "SRT", modifier=("T-35400", "SRT"))) == "PLAX-AV"
    assert label_of(_header("G-0397", "SRT", modifier=("T-32602", "99SDM"))) == "PSAX-APEX"


def test_views_without_an_old_code() -> None:
    assert label_of(_header("130681", "DCM")) == "130681"
    assert label_of(_header("SC-IVC", "99CONSILIUM")) == "SC-IVC"


def test_modifiers_count_with_their_view_alone() -> None:
    (_, (valve, *_)) = MODIFIED["PLAX-AV"]
    assert label_of(_header("399214001", "SCT", modifier=(valve, "SCT"))) == "399214001"
    assert label_of(_header("399139001", "SCT", modifier=("1234", "SCT"))) == "399139001"


def test_the_hospital_has_its_own_words() -> None:
    assert label_of(_header(ViewName=" A4C ")) == "A4C"
    assert label_of(_header("12", "99MAKER", "apical four", ViewName="4ch")) == "4ch"
    assert label_of(_header("12", "99MAKER", "apical four")) == "apical four"
    assert label_of(_header("G-NOT", "SRT", "something")) == "something"
    assert label_of(_header()) == ""


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ({}, None),
        ({"ContrastBolusAgent": ""}, None),
        ({"ContrastBolusAgent": "SONOVUE"}, True),
        ({"ContrastBolusAgent": "none"}, False),
        ({"ContrastBolusAgent": "NO"}, False),
        ({"ContrastBolusAgentSequence": Sequence([_code("1", "SCT")])}, True),
        ({"ContrastBolusAgentSequence": Sequence([])}, None),
    ],
)
def test_contrast(elements: dict[str, Any], expected: bool | None) -> None:
    assert contrast_of(_header(**elements)) is expected
    suffix = "+contrast" if expected else ""
    assert label_of(_header("399232001", "SCT", **elements)) == f"399232001{suffix}"
    assert label_of(_header(ViewName="2C", **elements)) == f"2C{suffix}"
    assert label_of(_header(**elements)) == ""


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("0001", "b"),
        ("0002", "m"),
        ("0003", "m"),
        ("0004", "spectral"),
        ("0009", "spectral"),
        ("0010", "colour"),
        ("0011", "colour"),
        ("0019", "spectral"),
        ("0021", "m"),
        ("0101", "colour"),
        ("0040", ""),
        ("TEE", ""),
    ],
)
def test_modes_of_the_image_type(kind: str, expected: str) -> None:
    assert mode_of(_header(ImageType=["ORIGINAL", "PRIMARY", "TTE", kind]), ()) == expected


def test_modes_of_regions() -> None:
    tissue, colour = Region(BOX, "tissue", None), Region(BOX, "colour", None)
    spectral, moving, other = Region(BOX, "spectral", None), Region(BOX, "m", None), Region(BOX, "other", None)
    assert mode_of(_header(), (tissue, other)) == "b"
    assert mode_of(_header(), (tissue, colour)) == "colour"
    assert mode_of(_header(), (tissue, colour, spectral)) == "spectral"
    assert mode_of(_header(), (tissue, moving)) == "m"
    assert mode_of(_header(), (other,)) == ""
    doppler = _header(ImageType=["ORIGINAL", "PRIMARY", "TTE", "0010"])
    assert mode_of(doppler, (tissue,)) == "colour", "the rarer of the two"
    assert mode_of(doppler, (tissue, spectral)) == "spectral"


def test_modes_by_code_and_by_colour() -> None:
    item = Dataset()
    item.ConceptNameCodeSequence = Sequence([_code(IMAGE_MODE, "SCT")])
    for code, mode in MODES.items():
        item.ConceptCodeSequence = Sequence([_code(code, "SCT")])
        assert mode_of(_header(AcquisitionContextSequence=Sequence([item])), ()) == mode
    assert mode_of(_header(UltrasoundColorDataPresent=1), ()) == "colour"
    assert mode_of(_header(UltrasoundColorDataPresent=0), ()) == ""
    tissue = Region(BOX, "tissue", None)
    assert mode_of(_header(UltrasoundColorDataPresent=1), (tissue,)) == "b", "a palette of browns is no Doppler"


def test_mode_codes_are_those_of_the_standard() -> None:
    in_group = {getattr(codes.CID12224, name).value for name in codes.CID12224.dir()}
    assert set(MODES) <= in_group
