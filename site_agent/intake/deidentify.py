"""DICOM headers without identity: the basic profile of PS3.15 Annex E with modified dates, and no free text but a few.

The table of the profile (E.1-1 of edition 2026c) is the one of dicom-anonymizer; where the standard leaves a choice
between removing and replacing, the attribute goes, since the header is kept as a record and not as an instance. UIDs
and dates are changed in the same way wherever they stand, by keys made of a secret that the site keeps. Stricter than
the profile: times of day go; a text that the profile leaves stays only where it is listed here; and nothing stays that
holds a word of what was removed.
"""

from __future__ import annotations

import hmac
import json
import logging
import math
import re
import unicodedata
import uuid
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from pydicom.dataelem import DataElement
    from pydicom.dataset import Dataset

Fate = Literal["gone", "empty", "dummy", "same", "uid", "day", "items"]
Rule = Callable[["Dataset", tuple[int, int]], None]

EDITION = "2026c"
LONGEST_SHIFT_DAYS = 3650
DEEPEST = 8  # sequences in sequences, beyond which nothing of use lies
SHORTEST_NAME, SHORTEST_FOREIGN_NAME, SHORTEST_ID = 3, 2, 4
PART = re.compile(r"[^\W_]+")

KEPT_TEXT = frozenset(
    {
        "Manufacturer",
        "ManufacturerModelName",
        "SoftwareVersions",
        "CodeValue",
        "CodingSchemeDesignator",
        "CodingSchemeVersion",
        "CodeMeaning",
    }
)
NUMBERS = frozenset({"AT", "DS", "FD", "FL", "IS", "SL", "SS", "SV", "UL", "US", "UV"})
OF_BIRTH = frozenset({"PatientBirthDate"})  # the option on dates does not speak of it: it is emptied
IDENTIFYING = frozenset(
    {
        "PatientID",
        "OtherPatientIDs",
        "OtherPatientNames",
        "PatientAddress",
        "PatientTelephoneNumbers",
        "MedicalRecordLocator",
        "MilitaryRank",
        "AccessionNumber",
        "StudyID",
        "AdmissionID",
        "ServiceEpisodeID",
        "RequestedProcedureID",
        "ScheduledProcedureStepID",
        "PerformedProcedureStepID",
        "PlacerOrderNumberImagingServiceRequest",
        "FillerOrderNumberImagingServiceRequest",
        "InstitutionName",
        "InstitutionAddress",
        "InstitutionalDepartmentName",
        "StationName",
        "DeviceSerialNumber",
        "RequestingService",
        "ReferringPhysicianTelephoneNumbers",
    }
)
# of context group 7050
METHODS = (
    ("113100", "Basic Application Confidentiality Profile"),
    ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
)


@dataclass
class _Pass:
    """What one header is cleaned with, and how many of its values were not trusted."""

    secret: bytes
    days: int
    words: frozenset[str]
    dropped: int = 0


def deidentified(dataset: Dataset, secret: bytes) -> Dataset:
    """A new header by the profile, without pixels, file meta information and preamble; `dataset` stays as it is.

    Dates go back by `day_shift` of the patient, of the study where no patient is named. The number of values that
    stood where the profile keeps them, and were dropped for what they held, is told in Deidentification Method.
    """
    with _silence():
        whose = _text(dataset, "PatientID") or _text(dataset, "StudyInstanceUID")
        work = _Pass(secret, day_shift(whose, secret), frozenset(_words(dataset)))
        clean = _cleaned(dataset, work, 0)
        _say_so(clean, work.dropped)
    return clean


def header_json(dataset: Dataset) -> str:
    """A de-identified header as DICOM JSON (PS3.18 Annex F) on one line, in the order of tags."""
    with _silence():
        return json.dumps(dataset.to_json_dict(), separators=(",", ":"), sort_keys=True, allow_nan=False)


def pseudonymous_uid(uid: str, secret: bytes) -> str:
    """A UID of root 2.25 (ITU-T X.667) that is always the same for this UID and secret, and tells nothing of it."""
    return f"2.25.{uuid.UUID(bytes=_digest('uid', uid, secret)[:16], version=5).int}"


def day_shift(patient_id: str, secret: bytes) -> int:
    """By how many whole days, 1 to 3650, the dates of a patient are put back."""
    return 1 + int.from_bytes(_digest("days", patient_id, secret)[:8]) % LONGEST_SHIFT_DAYS


@contextmanager
def _silence() -> Iterator[None]:
    """Foreign headers break rules of form all the time, and what pydicom says of it shows the values."""
    logger = logging.getLogger("pydicom")
    was = logger.disabled
    logger.disabled = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.disabled = was


def _digest(purpose: str, text: str, secret: bytes) -> bytes:
    return hmac.digest(secret, f"header {purpose}\0{text}".encode(), "sha256")


def _text(dataset: Dataset, keyword: str) -> str:
    try:
        return str(dataset.get(keyword, "") or "").strip()
    except Exception:  # noqa: BLE001  # whatever broken bytes lead pydicom to
        return ""


# --- what becomes of an attribute ------------------------------------------------------------------------------------


@cache
def _profile() -> Mapping[tuple[int, ...], Rule]:
    from dicomanonymizer.simpledicomanonymizer import initialize_actions

    rules: dict[tuple[int, ...], Rule] = initialize_actions(f"dicomfields_{EDITION}")
    return rules


@cache
def _fate(tag: int) -> tuple[Fate, str]:
    """What becomes of an attribute, and the VRs it may have; what the dictionary does not know goes."""
    from pydicom.datadict import dictionary_keyword, dictionary_VR

    group, element = tag >> 16, tag & 0xFFFF
    repeated = group & 0xFF00 in {0x5000, 0x6000}  # curves and overlays
    if group % 2 or group < 8 or repeated or group >= 0x7FE0:
        return "gone", ""
    try:
        vr, keyword = dictionary_VR(tag), dictionary_keyword(tag)
    except KeyError:
        return "gone", ""
    rule = _profile().get((group, element))
    return _by_rule(vr, keyword, rule.__name__ if rule else ""), vr


def _by_rule(vr: str, keyword: str, rule: str) -> Fate:
    if vr == "SQ":
        return "items" if rule in {"", "delete_or_empty_or_replace_UID"} else "gone"
    if vr in {"DA", "DT"}:
        return "empty" if keyword in OF_BIRTH else "day"
    if vr == "TM" or rule.startswith("delete"):
        return "gone"
    if vr == "UI":
        return "uid"
    if rule:
        return "empty" if rule.startswith("empty") else "dummy"
    kept = vr == "CS" or keyword in KEPT_TEXT or NUMBERS.issuperset(vr.split(" or "))
    return "same" if kept else "gone"


# --- cleaning --------------------------------------------------------------------------------------------------------


def _cleaned(dataset: Dataset, work: _Pass, depth: int) -> Dataset:
    from pydicom.dataset import Dataset

    clean = Dataset()
    for tag in sorted(dataset.keys()):
        fate, vr = _fate(int(tag))
        if fate == "gone":
            continue
        element = _read(dataset, tag)
        if element is None or element.VR not in vr.split(" or "):
            work.dropped += 1
        else:
            try:
                _take(clean, element, fate, work, depth)
            except Exception:  # noqa: BLE001  # a value that is none of its VR
                work.dropped += 1
    return clean


def _read(dataset: Dataset, tag: Any) -> DataElement | None:
    try:
        return dataset[tag]
    except Exception:  # noqa: BLE001  # whatever broken bytes lead pydicom to
        return None


def _take(clean: Dataset, element: DataElement, fate: Fate, work: _Pass, depth: int) -> None:
    """The element as its fate has it, added to `clean`; `element` itself stays as it is."""
    if fate == "same":
        if _speaks_of(element.value, work.words) or (element.VR in NUMBERS and not _numbers(element.value)):
            work.dropped += 1
        else:
            _add(clean, element, deepcopy(element.value))
    elif fate == "uid":
        _add(clean, element, _each(element.value, lambda uid: _other_uid(uid, element.keyword, work)))
    elif fate == "day":
        _add(clean, element, _each(element.value, lambda day: _other_day(day, work.days)))
    elif fate == "items":
        if depth < DEEPEST:
            _add(clean, element, [_cleaned(item, work, depth + 1) for item in element.value])
        else:
            work.dropped += 1
    else:
        _add(clean, element, None)
        if fate == "dummy":
            _apply(clean, element)


def _add(clean: Dataset, element: DataElement, value: Any) -> None:
    from pydicom import config
    from pydicom.dataelem import DataElement

    clean[element.tag] = DataElement(element.tag, element.VR, value, validation_mode=config.IGNORE)


def _apply(clean: Dataset, element: DataElement) -> None:
    """The library's own dummy value; it has none for some VRs, and such an element goes."""
    try:
        _profile()[element.tag.group, element.tag.element](clean, (element.tag.group, element.tag.element))
    except NotImplementedError:
        del clean[element.tag]


def _each(value: Any, change: Callable[[str], str]) -> Any:
    from pydicom.multival import MultiValue

    if isinstance(value, (MultiValue, list)):
        return [change(str(one)) for one in value]
    return change(str(value)) if value else None


def _other_uid(uid: str, keyword: str, work: _Pass) -> str:
    """The UID itself where the standard has registered it, or where it says of which kind an object is."""
    from pydicom.uid import UID_dictionary

    uid = uid.strip("\0 ")
    if not uid or uid in UID_dictionary:
        return uid
    if keyword.endswith("SOPClassUID") and not _speaks_of(uid, work.words):
        return uid
    return pseudonymous_uid(uid, work.secret)


def _other_day(moment: str, days: int) -> str:
    """YYYYMMDD of a date or the date of a moment, put back; nothing where it is no date."""
    day = _day(moment)
    if day is None or day.toordinal() <= days:
        return ""
    return f"{day - timedelta(days):%Y%m%d}".rjust(8, "0")


def _day(moment: str) -> date | None:
    digits = moment.strip().replace(".", "", 2)[:8]  # with dots as before DICOM 3
    if len(digits) != 8 or not (digits.isascii() and digits.isdigit()):
        return None
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return None


# --- what was removed must not stand elsewhere -----------------------------------------------------------------------


def _words(dataset: Dataset, depth: int = 0) -> Iterator[str]:
    """What identifies in a header: names in their parts, numbers, places, and dates as people write them."""
    for tag in dataset.keys():  # noqa: SIM118  # going through the dataset itself reads every element
        if tag.is_private or tag.group >= 0x6000 or (element := _read(dataset, tag)) is None:
            continue
        if element.VR == "SQ" and depth < DEEPEST:
            for item in element.value:
                yield from _words(item, depth + 1)
        elif element.VR == "PN":
            yield from _names(_values(element.value))
        elif element.VR in {"DA", "DT"}:
            for moment in _values(element.value):
                yield from _written(_day(moment))
        elif element.keyword in IDENTIFYING:
            for one in _values(element.value):
                yield from _numbers_of(one)


def _values(value: Any) -> Iterable[str]:
    from pydicom.multival import MultiValue

    return map(str, value) if isinstance(value, (MultiValue, list)) else [str(value or "")]


def _names(people: Iterable[str]) -> Iterator[str]:
    """Names, and the parts of those that are written with a hyphen or in another way as one."""
    for person in people:
        whole = person.replace("^", " ").replace("=", " ").replace(",", " ").split()
        for part in map(plain, (*whole, *PART.findall(unicodedata.normalize("NFC", person)))):
            if len(part) >= (SHORTEST_NAME if part.isascii() else SHORTEST_FOREIGN_NAME):
                yield part


def _numbers_of(said: str) -> Iterator[str]:
    """What identifies as a whole, the parts of it that hold digits, and these without zeros in front."""
    parts = [part for part in map(plain, PART.findall(said)) if any(sign.isdigit() for sign in part)]
    for word in (plain(said), *parts, *(part.lstrip("0") for part in parts)):
        if len(word) >= SHORTEST_ID:
            yield word


def _written(day: date | None) -> Iterator[str]:
    if day is None:
        return
    y, m, d = f"{day.year:04d}", f"{day.month:02d}", f"{day.day:02d}"
    yield from (y + m + d, d + m + y, m + d + y, y[2:] + m + d, d + m + y[2:], m + d + y[2:])


def plain(text: str) -> str:
    """Letters and digits alone, without accents and capitals."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKD", text).casefold()))


def _speaks_of(value: Any, words: frozenset[str]) -> bool:
    """Whether a text holds one of the words, or a number is one of them."""
    if isinstance(value, (int, float)):
        return math.isfinite(value) and value == int(value) and str(abs(int(value))) in words
    if isinstance(value, str):
        said = plain(value)
        return any(word in said for word in words)
    return any(_speaks_of(one, words) for one in value or ())


def _numbers(value: Any) -> bool:
    """Whether an attribute of numbers, or of none, holds nothing else: broken files have texts and NaN there."""
    if value is None or isinstance(value, (str, int, float)):
        return value in {None, ""} or (not isinstance(value, str) and math.isfinite(value))
    return all(isinstance(one, (int, float)) and math.isfinite(one) for one in value)


def _say_so(clean: Dataset, dropped: int) -> None:
    from pydicom.dataset import Dataset

    clean.PatientIdentityRemoved = "YES"
    clean.LongitudinalTemporalInformationModified = "MODIFIED"
    clean.DeidentificationMethod = [f"PS3.15 {EDITION} E.1-1", f"dropped values: {dropped}"]
    items = []
    for code, meaning in METHODS:
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code, "DCM", meaning
        items.append(item)
    clean.DeidentificationMethodCodeSequence = items
