"""What is seen in an ultrasound image, as DICOM codes it: views, contrast agents and image modes.

The view stands in View Code Sequence with its modifiers (PS3.3, C.8.5.6.1.19; CID 12226). Codes of the older scheme
SRT are taken as those of SNOMED CT that replaced them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from site_agent.sources.source import Mode, Region

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

Code = tuple[str, str, str]

SCHEME = "99CONSILIUM"  # PS3.16, section 8.2: private schemes begin with 99
SNOMED, SNOMED_OLD = "SCT", {"SRT", "SNM3", "99SDM"}
SCHEMES = {SNOMED, "DCM", SCHEME}
PLAX, PSAX = ("399139001", "SCT", "Parasternal long axis"), ("399306005", "SCT", "Parasternal short axis")
MODIFIED: Mapping[str, tuple[Code, Code]] = {
    "PLAX-AV": (PLAX, ("34202007", "SCT", "Aortic Valve")),
    "PSAX-APEX": (PSAX, ("128564006", "SCT", "Apex of left ventricle")),
}
CONTRAST = "+contrast"
NO_AGENT = {"NO", "NONE", "N", "0", "-", "--"}

# PS3.3, C.8.5.6.1.1: value 4 of Image Type, in hexadecimal digits
IMAGE_TYPE: tuple[tuple[int, Mode], ...] = ((0x000C, "spectral"), (0x0022, "m"), (0x0110, "colour"), (0x0001, "b"))
REGIONS: tuple[tuple[str, Mode], ...] = (("spectral", "spectral"), ("m", "m"), ("colour", "colour"), ("tissue", "b"))
IMAGE_MODE = "399264008"
MODES: Mapping[str, Mode] = {  # CID 12224
    "261199008": "spectral",
    "261198000": "spectral",
    "399155008": "m",
    "261197005": "colour",
    "439858009": "colour",
    "425704008": "colour",
    "399064001": "b",
    "399009009": "b",
}


def label_of(header: Dataset) -> str:
    """The view: a code of the vocabulary, else the hospital's own word, with "+contrast" behind it; "" if none."""
    label = _coded(header) or _own_word(header)
    return f"{label}{CONTRAST}" if label and contrast_of(header) else label


def contrast_of(header: Dataset) -> bool | None:
    """Whether a contrast agent was given; None where the header does not say."""
    agent = str(header.get("ContrastBolusAgent") or "").strip().upper()
    if agent:
        return agent not in NO_AGENT
    return True if header.get("ContrastBolusAgentSequence") else None


def mode_of(header: Dataset, regions: tuple[Region, ...]) -> Mode:
    """The image mode: of its regions, its Image Type, a code, or whether there is colour; the rarest mode wins."""
    types = {region.data_type for region in regions}
    said: Mode = next((mode for data_type, mode in REGIONS if data_type in types), "")
    bits = _image_type(header)
    for among, mode in IMAGE_TYPE[:3]:
        if bits & among and said in {"", "b"}:
            return mode
    return said or ("b" if bits & 1 else "") or _coded_mode(header) or _from_colour(header)


def _coded(header: Dataset) -> str:
    views = header.get("ViewCodeSequence")
    if not views:
        return ""
    code, scheme = _code(views[0])
    modifiers = {_code(item)[0] for item in views[0].get("ViewModifierCodeSequence") or ()}
    for label, ((principal, *_), (modifier, *_)) in MODIFIED.items():
        if code == principal and modifier in modifiers:
            return label
    return code if scheme in SCHEMES else ""


def _own_word(header: Dataset) -> str:
    views = header.get("ViewCodeSequence")
    meaning = str(views[0].get("CodeMeaning") or "") if views else ""
    return str(header.get("ViewName") or "").strip() or meaning.strip()


def _code(item: Dataset) -> tuple[str, str]:
    """Value and scheme, in SNOMED CT where it is an older code of SNOMED."""
    from pydicom.sr._snomed_dict import mapping

    code = str(item.get("CodeValue") or item.get("LongCodeValue") or "").strip()
    scheme = str(item.get("CodingSchemeDesignator") or "").strip()
    if scheme in SNOMED_OLD and code in mapping["SRT"]:
        return str(mapping["SRT"][code]), SNOMED
    return code, scheme


def _image_type(header: Dataset) -> int:
    values = header.get("ImageType")
    if values is None or isinstance(values, str) or len(values) < 4:
        return 0
    try:
        return int(str(values[3]), 16)
    except ValueError:
        return 0


def _coded_mode(header: Dataset) -> Mode:
    for item in header.get("AcquisitionContextSequence") or ():
        names, values = item.get("ConceptNameCodeSequence"), item.get("ConceptCodeSequence")
        if names and values and _code(names[0])[0] == IMAGE_MODE:
            return MODES.get(_code(values[0])[0], "")
    return ""


def _from_colour(header: Dataset) -> Mode:
    return "colour" if header.get("UltrasoundColorDataPresent") == 1 else ""
