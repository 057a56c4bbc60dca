"""Parcels as files: the outbox copied to a stick, and what came on one taken in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints, TypeAdapter, ValidationError

from federated.envelope import parse_parcel, read_passage
from federated.errors import ConsiliumError, ContractError, cannot_read
from federated.files import cannot_write, write_whole
from federated.manifest import Digest
from federated.release_status import SUFFIX
from site_agent.agent import receive, settle
from site_agent.mailbox import Outbox

if TYPE_CHECKING:
    from site_agent.home import SiteHome


class Answer(BaseModel):
    """What became of one parcel: an entry of the coordinator's ``accept --json``, of which only this much is read."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    site: str
    digest: Digest
    outcome: Annotated[str, StringConstraints(pattern=r"^[a-z]{1,20}$")]
    numbered: bool = False

    @property
    def settlement(self) -> str:
        """The outcome as a settled list says it: a parcel whose number was not used up is sent again."""
        if self.outcome in ("accepted", "same"):
            return self.outcome
        return "rejected" if self.numbered else "again"


@dataclass(frozen=True)
class Imported:
    """How many parcels and lists of releases were taken in, and how many answers were for this site; what was wrong."""

    parcels: int
    answers: int
    errors: tuple[ConsiliumError, ...]
    lists: int = 0


_ANSWERS = TypeAdapter(list[Answer])


def export_outbox(home: SiteHome, folder: Path) -> list[Path]:
    """Copies every parcel of the outbox to a folder; they stay in the outbox until the coordinator has answered."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
    written = []
    for parcel in Outbox(home).parcels():
        passage = read_passage(parcel)
        written.append(folder / f"{passage.sender}-{passage.sequence:04d}-{passage.kind}.parcel")
        write_whole(written[-1], parcel.to_bytes())
    return written


def import_files(home: SiteHome, paths: Sequence[Path]) -> Imported:
    """Takes in the coordinator's parcels, in the order of their numbers, its answers (JSON) and its list of releases.

    Raises:
        ConsiliumError: a file cannot be read, or is neither a parcel nor answers; then nothing is taken in.
    """
    files = [file for path in paths for file in (_in_folder(path) if path.is_dir() else [path])]
    contents = {file: _read(file) for file in files}
    answers = [one for file, data in contents.items() if file.suffix == ".json" for one in _answers(file, data)]
    parcels = [_numbered(file, data) for file, data in contents.items() if file.suffix not in (".json", SUFFIX)]
    lists = [data for file, data in contents.items() if file.suffix == SUFFIX]
    own = [(answer.digest, answer.settlement) for answer in answers if answer.site == home.config.site]
    with home.lock():
        settle(home, own)
        errors = receive(home, [data for _, data in sorted(parcels, key=lambda item: item[0])])
        wrong = receive(home, lists)
    return Imported(len(parcels) - len(errors), len(own), (*errors, *wrong), len(lists) - len(wrong))


def _in_folder(path: Path) -> list[Path]:
    """Parcels, and the coordinator's list of releases that stand."""
    return [file for suffix in (".parcel", SUFFIX) for file in sorted(path.glob(f"*{suffix}"))]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise cannot_read(path, error) from error


def _numbered(path: Path, data: bytes) -> tuple[int, bytes]:
    try:
        return read_passage(parse_parcel(data)).sequence, data
    except ContractError as error:
        raise ContractError(error.what, where=f"{path}, {error.where}", cure=error.cure) from error


def _answers(path: Path, data: bytes) -> list[Answer]:
    try:
        return _ANSWERS.validate_json(data)
    except ValidationError as error:
        cure = "expected the output of: consilium coordinator accept --json"
        raise ContractError("holds no answers of the coordinator", where=str(path), cure=cure) from error
