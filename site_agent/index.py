"""What a hospital says about its images: an `index.csv`, or a folder with one sub-folder a label."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from federated.errors import DataError
from federated.manifest import Frozen
from site_agent.folds import FOLDS

EXAMPLE = "write for example patient=PatientID"
FOLD_WORDS = {fold: fold for fold in FOLDS} | {"val": "validation", "valid": "validation", "cal": "calibration"}


class Columns(Frozen):
    """Which column of an index holds what. One that was named must be there; `path` and `label` always."""

    path: str = "path"
    label: str = "label"
    patient: str = "patient"
    site: str = "site"
    clip: str = "clip"
    frame: str = "frame"
    split: str = "split"


@dataclass(frozen=True)
class Row:
    """One line of an index: an image, or a cine file with all its frames (`frame` None).

    Attributes:
        line: where it stands, for messages.
        name: the file as the index names it.
        path: absolute.
        label, patient, site, clip: the hospital's own words; "" where it says nothing.
        fold: the split the index asks for, if any.
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


def read_index(index: Path, columns: Columns | None = None, *, labelled: bool = True) -> list[Row]:
    """Rows of an ``index.csv``, of the folder that holds one, or of a folder with one sub-folder a label.

    Not `labelled`, the label column may be missing or empty: to predict, none is needed.

    Raises:
        DataError: nothing there, a missing column, or a line that lacks what it must say.
    """
    columns = columns or Columns()
    if index.is_dir():
        inside = index / "index.csv"
        return _read_csv(inside, columns, labelled) if inside.is_file() else _read_folders(index)
    if index.suffix.lower() != ".csv":
        raise DataError("is neither an index.csv nor a folder", where=str(index), cure="name one of these")
    return _read_csv(index, columns, labelled)


def _read_csv(index: Path, columns: Columns, labelled: bool) -> list[Row]:
    try:
        with index.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            present = _present(columns, list(reader.fieldnames or ()), index, labelled)
            rows = [_row(fields, present, index, reader.line_num, labelled) for fields in reader]
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror})", where=str(index)) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"is not a CSV file in UTF-8 ({error})", where=str(index), cure="save it as CSV in UTF-8"
        ) from error
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


def _row(fields: dict[str, str | None], present: dict[str, str], index: Path, line: int, labelled: bool) -> Row:
    said = {use: (fields[name] or "").strip() for use, name in present.items()}
    where = f"{index} line {line}"
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
    )


def _frame(text: str, where: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit()):
        raise DataError(f"frame '{text}' is not a whole number", where=where, cure="count frames from 0")
    return int(text)


def _fold(text: str, where: str) -> str | None:
    if text and text.lower() not in FOLD_WORDS:
        raise DataError(
            f"split '{text}' is none of {', '.join(FOLDS)}", where=where, cure="leave it empty to have one chosen"
        )
    return FOLD_WORDS[text.lower()] if text else None


def _read_folders(root: Path) -> list[Row]:
    """``root/label/file`` and ``root/label/patient/…/file``: what shares a sub-folder belongs to one patient."""
    rows = []
    for path in sorted(root.rglob("*")):
        parts = path.relative_to(root).parts
        if len(parts) < 2 or any(part.startswith(".") for part in parts) or not path.is_file():
            continue
        patient = parts[1] if len(parts) > 2 else ""
        name = path.relative_to(root).as_posix()
        rows.append(Row(name, name, path.absolute(), parts[0], patient, site="", clip="", frame=None, fold=None))
    if not rows:
        what = "holds neither an index.csv nor folders of images named by label"
        raise DataError(what, where=str(root), cure="write path,label,patient,clip into an index.csv")
    return rows
