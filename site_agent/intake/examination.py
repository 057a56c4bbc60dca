"""One item looked at: read, de-identified, its working images written; what is left fits into the catalogue."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from federated.errors import DataError
from site_agent.archive import Archive
from site_agent.catalogue import State
from site_agent.intake.preparation import Prepared, Rules, evenly, prepare
from site_agent.sealing import pseudonym
from site_agent.sources.source import Facts, Item, Source

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

LEARNT_FROM = 8  # frames of a clip that become cases, where none are asked for
EXTRA = "consilium["  # as in the cure of a decoder that is not installed
HASH_BLOCK = 2**20
HASH_SIDE = 16  # bits of the perceptual hash are its square


@dataclass(frozen=True)
class Frame:
    """One case: number in the source, place among the working images, digest, and ``ED``, ``ES`` or nothing."""

    number: int
    place: int
    sha256: str
    phase: str


@dataclass(frozen=True)
class Record:
    """What is known of an item after it was looked at. Names and words in it are the hospital's, and are sealed next.

    Attributes:
        key: of the item.
        state, reason: what became of it.
        doubts: what was not believed.
        patient: pseudonym; `patient_known` whether it comes from a patient's number.
        clip: without meaning.
        word: what the hospital calls the view.
        header: de-identified, as DICOM JSON.
        looks: perceptual hash.
        passing: whether the reason lies in this program or machine, so that the next ingest looks again.
    """

    key: str
    state: State
    reason: str
    doubts: tuple[str, ...] = ()
    patient: str = ""
    patient_known: bool = False
    clip: str = ""
    word: str = ""
    fold: str | None = None
    machine: str = ""
    facts: Facts = field(default_factory=Facts)
    spacing_mm: tuple[float, float] | None = None
    header: str = ""
    sector: str = ""
    quality: float = 0.0
    blanked: str = ""
    looks: bytes = b""
    frames: tuple[Frame, ...] = ()
    passing: bool = False


@dataclass(frozen=True)
class Examiner:
    """Looks at the items of one source for one archive.

    Attributes:
        machine: what a person says the images come from; "" to believe the headers.
    """

    archive: Archive
    source: Source
    rules: Rules
    machine: str = ""

    def key(self, item: Item) -> str:
        """Of the item: the same for the same file, frames and listing."""
        return self.archive.seal.key("item", str(item.path), item.name, repr(item.frames))

    def __call__(self, task: tuple[Item, bool]) -> Record:
        """The record of an item, with whether a person has cleared it; its working images are staged in the cache."""
        item, cleared = task
        try:
            opened = self.source.open(item)
            prepared = prepare(opened, replace(self.rules, cleared=cleared or self.rules.cleared), item.frames)
            return self._record(item, prepared, opened.moving)
        except DataError as error:
            return Record(self.key(item), "refused", error.what, passing=EXTRA in (error.cure or ""))

    def _record(self, item: Item, prepared: Prepared, moving: bool) -> Record:
        key, facts = self.key(item), prepared.facts
        header = _clean(facts.header, self.archive.secret)
        if prepared.state != "taken":
            return Record(key, prepared.state, prepared.reason, facts.doubts, patient=self._known(item, facts))
        digest = file_digest(item.path)
        frames = _frames(item, prepared, digest, moving)
        if not frames:
            raise DataError("is empty: no frame that would be learnt from shows anything")
        kind, word = _whose(item, facts, digest)
        patient = pseudonym(self.archive.secret, kind, word)
        self.archive.cache.stage(key, _tensors(prepared))
        sector = prepared.sector
        return Record(
            key=key,
            state="taken",
            reason="",
            doubts=facts.doubts,
            patient=patient,
            patient_known=kind == "patient",
            clip=self.archive.seal.key("clip", patient, item.clip or facts.clip or item.name),
            word=item.label or facts.label,
            fold=item.fold or facts.fold,
            machine=self.machine or _machine(facts, header),
            facts=replace(facts, header=None),
            spacing_mm=prepared.spacing_mm,
            header=_as_text(header),
            sector=json.dumps(sector.to_json()) if sector is not None else "",
            quality=sector.quality if sector is not None else 0.0,
            blanked=json.dumps(asdict(prepared.blanked)) if prepared.blanked is not None else "",
            looks=_looks(prepared),
            frames=frames,
        )

    def _known(self, item: Item, facts: Facts) -> str:
        """Pseudonym of a patient whose number is known."""
        number = item.patient or facts.patient
        return pseudonym(self.archive.secret, "patient", number) if number else ""


def _clean(header: Dataset | None, secret: bytes) -> Dataset | None:
    if header is None:
        return None
    from site_agent.intake.deidentify import deidentified

    return deidentified(header, secret)


def _as_text(header: Dataset | None) -> str:
    if header is None:
        return ""
    from site_agent.intake.deidentify import header_json

    return header_json(header)


def _machine(facts: Facts, header: Dataset | None) -> str:
    """Maker and model; of a DICOM file what is left of them when the header is de-identified."""
    maker, model = facts.maker, facts.model
    if header is not None:
        maker, model = str(header.get("Manufacturer", "")), str(header.get("ManufacturerModelName", ""))
    return " ".join(f"{maker} {model}".split())[:80]


def _whose(item: Item, facts: Facts, digest: str) -> tuple[str, str]:
    """By what a patient is known: the id; without one, the clip; without that, the file."""
    if item.patient or facts.patient:
        return "patient", item.patient or facts.patient
    return ("clip", item.clip) if item.clip else ("file", digest)


def file_digest(path: Path) -> str:
    """SHA-256 of a file, 64 hexadecimal digits.

    Raises:
        DataError: it cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(HASH_BLOCK):
                digest.update(block)
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror})") from error
    return digest.hexdigest()


def _tensors(prepared: Prepared) -> dict[str, np.ndarray]:
    return {
        "frames": prepared.frames,
        "numbers": np.array(prepared.numbers, dtype=np.int64),
        **prepared.tensors,
    }


def _frames(item: Item, prepared: Prepared, digest: str, moving: bool) -> tuple[Frame, ...]:
    """The cases: the frames asked for, or some evenly spaced and the two ends of the heart's phases; no dark ones."""
    phases = {prepared.facts.end_diastole: "ED", prepared.facts.end_systole: "ES"}
    places = range(len(prepared.numbers)) if item.frames is not None else _chosen(prepared, phases)
    return tuple(
        Frame(
            number := prepared.numbers[place],
            place,
            hashlib.sha256(f"{digest}:{number}".encode()).hexdigest() if moving else digest,
            phases.get(number, ""),
        )
        for place in places
        if np.ptp(prepared.frames[place])
    )


def _chosen(prepared: Prepared, phases: dict[int | None, str]) -> Sequence[int]:
    some = set(evenly(len(prepared.numbers), LEARNT_FROM))
    return sorted(some | {place for place, number in enumerate(prepared.numbers) if number in phases})


def _looks(prepared: Prepared) -> bytes:
    """Perceptual hash (DCT) of the middle frame, packed bits."""
    import imagehash
    from PIL import Image

    middle = Image.fromarray(prepared.frames[len(prepared.frames) // 2])
    return np.packbits(imagehash.phash(middle, hash_size=HASH_SIDE).hash).tobytes()
