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
from federated.log.request_file import SIGNED_SUFFIX, SUFFIX
from federated.manifest import Digest
from federated.release_status import SUFFIX as STATUS_SUFFIX
from site_agent.agent import receive, settle
from site_agent.mailbox import Outbox
from site_agent.witness import signed_file, witness_by_file

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
    """What was taken in, and what was wrong.

    Attributes:
        parcels: how many.
        answers: of the coordinator, to this site.
        errors: one for each file that was not taken in.
        lists: of releases that stand.
        witnessed: how many entries the log has that this site has now signed, if it was asked to.
    """

    parcels: int
    answers: int
    errors: tuple[ConsiliumError, ...]
    lists: int = 0
    witnessed: int | None = None


_ANSWERS = TypeAdapter(list[Answer])


def export_outbox(home: SiteHome, folder: Path) -> list[Path]:
    """Copies to a folder every parcel of the outbox, and the last checkpoint of the coordinator's log that was signed.

    Parcels stay in the outbox until the coordinator has answered.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
    written = []
    for parcel in Outbox(home).parcels():
        passage = read_passage(parcel)
        written.append(folder / f"{passage.sender}-{passage.sequence:04d}-{passage.kind}.parcel")
        write_whole(written[-1], parcel.to_bytes())
    signed = signed_file(home)
    if signed is not None:
        written.append(folder / f"{home.config.site}{SIGNED_SUFFIX}")
        write_whole(written[-1], signed)
    return written


def import_files(home: SiteHome, paths: Sequence[Path]) -> Imported:
    """Takes in what the coordinator sent: parcels in the order of their numbers, answers (JSON), its list, its log.

    Raises:
        ConsiliumError: a file cannot be read, or is neither a parcel nor answers; then nothing is taken in.
    """
    files = [file for path in paths for file in (_in_folder(path) if path.is_dir() else [path])]
    contents = {file: _read(file) for file in files}
    answers = [one for file, data in contents.items() if file.suffix == ".json" for one in _answers(file, data)]
    others = (".json", STATUS_SUFFIX, SUFFIX)
    parcels = [_numbered(file, data) for file, data in contents.items() if file.suffix not in others]
    lists = [data for file, data in contents.items() if file.suffix == STATUS_SUFFIX]
    own = [(answer.digest, answer.settlement) for answer in answers if answer.site == home.config.site]
    with home.lock():
        settle(home, own)
        errors = receive(home, [data for _, data in sorted(parcels, key=lambda item: item[0])])
        wrong = receive(home, lists)
    witnessed, unsigned = _witness(home, [data for file, data in contents.items() if file.suffix == SUFFIX])
    faults = (*errors, *wrong, *unsigned)
    return Imported(len(parcels) - len(errors), len(own), faults, len(lists) - len(wrong), witnessed)


def _witness(home: SiteHome, requests: Sequence[bytes]) -> tuple[int | None, list[ConsiliumError]]:
    size, errors = None, []
    for request in requests:
        try:
            size = witness_by_file(home, request)
        except ConsiliumError as error:
            errors.append(error)
    return size, errors


def _in_folder(path: Path) -> list[Path]:
    """Parcels, the coordinator's list of releases that stand, and what it asks to be witnessed."""
    return [file for suffix in (".parcel", STATUS_SUFFIX, SUFFIX) for file in sorted(path.glob(f"*{suffix}"))]


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
