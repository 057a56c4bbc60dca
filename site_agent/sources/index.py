"""What a hospital says about its images: an `index.csv`, or a folder with one sub-folder a label."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from federated.errors import DataError
from federated.manifest import Frozen
from site_agent.folds import FOLDS
from site_agent.sources.csv_tables import Row as Cells
from site_agent.sources.csv_tables import columns_of, header_of, read_table
from site_agent.sources.files import SUFFIXES
from site_agent.sources.source import Refused
from site_agent.sources.splits import fold_of
from site_agent.sources.walk import walk

INDEX = "index.csv"
EXAMPLE = "write for example patient=PatientID"


class Columns(Frozen):
    """Which column of an index holds what. One that was named must be there; `path` and `label` always."""

    path: str = "path"
    label: str = "label"
    patient: str = "patient"
    site: str = "site"
    clip: str = "clip"
    frame: str = "frame"
    split: str = "split"
    mask: str = "mask"
    spacing_mm: str = "spacing_mm"


@dataclass(frozen=True)
class Row:
    """One line of an index: an image, or a cine file with all its frames (`frame` None).

    Attributes:
        line: where it stands, for messages.
        name: the file as the index names it.
        path: absolute.
        label, patient, site, clip: the hospital's own words; "" where it says nothing.
        fold: the split the index asks for, if any.
        mask: absolute, of the file with the label map, if one is named.
        spacing_mm: side of a pixel, as the index writes it.
    """

    line: str
    name: str
    path: Path
    label: str
    patient: str
    site: str
    clip: str
    frame: int | None
    fold: str | None
    mask: Path | None = None
    spacing_mm: str = ""


def parse_columns(text: str) -> Columns:
    """Columns from ``site=site_group,patient=split_group``.

    Raises:
        DataError: not of this form, or a column of no use here.
    """
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    wrong = [key.strip() for key, equals, value in pairs if not equals or not value.strip()]
    if wrong:
        raise DataError(f"'{wrong[0]}' names no column", where="--columns", cure=EXAMPLE)
    try:
        return Columns(**{key.strip(): value.strip() for key, _, value in pairs})
    except ValidationError as error:
        key = error.errors()[0]["loc"][0]
        raise DataError(
            f"'{key}' is none of {', '.join(Columns.model_fields)}",
            where="--columns",
            cure=EXAMPLE,
        ) from error


def has_index(root: Path) -> bool:
    """Whether a folder holds an index that says path and label."""
    return {"path", "label"} <= columns_of(root / INDEX)


def read_index(index: Path, columns: Columns | None = None, *, labelled: bool = True) -> list[Row]:
    """Rows of an ``index.csv``, or of the folder that holds one.

    Not `labelled`, the label column may be missing or empty: to predict, none is needed.

    Raises:
        DataError: nothing there, a missing column, or a line that lacks what it must say.
    """
    columns = columns or Columns()
    if index.is_dir():
        return _read_csv(index / INDEX, columns, labelled)
    if index.suffix.lower() != ".csv":
        raise DataError("is neither an index.csv nor a folder", where=str(index), cure="name one of these")
    return _read_csv(index, columns, labelled)


def _read_csv(index: Path, columns: Columns, labelled: bool) -> list[Row]:
    present = _present(columns, list(header_of(index)), index, labelled)
    rows = [_row(fields, present, index, labelled) for fields in read_table(index)]
    if not rows:
        raise DataError("lists no images", where=str(index))
    return rows


def _present(columns: Columns, header: list[str], index: Path, labelled: bool) -> dict[str, str]:
    """Use of a column -> its name, for those that are there."""
    must = {"path", *(["label"] if labelled else []), *columns.model_fields_set}
    named = columns.model_dump()
    for use, name in named.items():
        if use in must and name not in header:
            found = ", ".join(name or "(no name)" for name in header) or "none"
            raise DataError(
                f"has no column '{name}' for the {use}; its columns are: {found}",
                where=str(index),
                cure=f"say which with --columns {use}=NAME",
            )
    return {use: name for use, name in named.items() if name in header}


def _row(fields: Cells, present: dict[str, str], index: Path, labelled: bool) -> Row:
    said = {use: fields.get(name, "") for use, name in present.items()}
    where = f"{index} line {fields.line}"
    for use in ("path", "label") if labelled else ("path",):
        if not said[use]:
            raise DataError(f"column '{present[use]}' is empty", where=where, cure=f"every line needs a {use}")
    return Row(
        line=where,
        name=said["path"],
        path=(index.parent / said["path"]).absolute(),
        label=said.get("label", ""),
        patient=said.get("patient", ""),
        site=said.get("site", ""),
        clip=said.get("clip", ""),
        frame=_frame(said.get("frame", ""), where),
        fold=_fold(said.get("split", ""), where),
        mask=(index.parent / said["mask"]).absolute() if said.get("mask") else None,
        spacing_mm=said.get("spacing_mm", ""),
    )


def _frame(text: str, where: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit()):
        raise DataError(f"frame '{text}' is not a whole number", where=where, cure="count frames from 0")
    return int(text)


def _fold(text: str, where: str) -> str | None:
    if text and fold_of(text) is None:
        raise DataError(
            f"split '{text}' is none of {', '.join(FOLDS)}", where=where, cure="leave it empty to have one chosen"
        )
    return fold_of(text)


def read_folders(root: Path) -> Iterator[Row | Refused]:
    """``root/label/file`` and ``root/label/patient/…/file``: what shares a sub-folder belongs to one patient.

    Images right in the root have no label.

    Raises:
        DataError: there is nothing of this kind.
    """
    found = [one for one in walk(root) if isinstance(one, Refused) or _listed(one, root)]
    if not found:
        what = "holds neither an index.csv nor folders of images named by label"
        raise DataError(what, where=str(root), cure="write path,label,patient,clip into an index.csv")
    yield from (one if isinstance(one, Refused) else _of_folder(one, root) for one in found)


def _listed(path: Path, root: Path) -> bool:
    parts = path.relative_to(root).parts
    return not any(part.startswith(".") for part in parts) and (len(parts) > 1 or path.suffix.lower() in SUFFIXES)


def _of_folder(path: Path, root: Path) -> Row:
    parts = path.relative_to(root).parts
    label, patient = (parts[0] if len(parts) > 1 else ""), (parts[1] if len(parts) > 2 else "")
    name = path.relative_to(root).as_posix()
    return Row(name, name, path.absolute(), label, patient, site="", clip="", frame=None, fold=None)
