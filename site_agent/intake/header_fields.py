"""Which fields of a DICOM header identify a patient, by their names in the standard: their values are never told."""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING

from federated.manifest import Frozen
from site_agent.intake.deidentify import DEEPEST, IDENTIFYING, OF_BIRTH, deidentified
from site_agent.sources.dicom_file import sheltered

if TYPE_CHECKING:
    from pydicom.dataelem import DataElement
    from pydicom.dataset import Dataset

SECRET_BYTES = 32


class HeaderFields(Frozen):
    """Names of fields that hold something.

    Attributes:
        identifying: names of people, numbers of patients and examinations, places, dates of birth.
        removed: all that de-identification takes away.
        changed: all that it replaces, as UIDs and dates.
        private: how many are the maker's own, or unknown; all of these go.
    """

    identifying: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    private: int


def header_fields(header: Dataset) -> HeaderFields:
    """What becomes of a header, in sequences too.

    Raises:
        DataError: it makes no sense.
    """
    with sheltered("is damaged: its header makes no sense"):
        elements = list(_elements(header))
        before, after = (
            _values(elements),
            _values(list(_elements(deidentified(header, secrets.token_bytes(SECRET_BYTES))))),
        )
        removed = {name for name in before if name not in after}
        changed = {name for name in before if name in after and before[name] != after[name]}
        people = {element.keyword for element in elements if element.VR == "PN"}
        who = (removed | changed) & (people | IDENTIFYING | OF_BIRTH)
        private = sum(not element.keyword for element in elements)
    return HeaderFields(
        identifying=tuple(sorted(who)), removed=tuple(sorted(removed)), changed=tuple(sorted(changed)), private=private
    )


def _elements(dataset: Dataset, depth: int = 0) -> Iterator[DataElement]:
    """Those with a value that can be read, of sequences the ones inside."""
    for tag in sorted(dataset.keys()):
        try:
            element = dataset[tag]
        except Exception:  # noqa: BLE001, S112  # whatever broken bytes lead pydicom to
            continue
        if element.VR == "SQ":
            for item in element.value if depth < DEEPEST else ():
                yield from _elements(item, depth + 1)
        elif str(element.value or "").strip():
            yield element


def _values(elements: list[DataElement]) -> dict[str, list[str]]:
    values: dict[str, list[str]] = defaultdict(list)
    for element in elements:
        if element.keyword:
            values[element.keyword].append(str(element.value))
    return dict(values)
