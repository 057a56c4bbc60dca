"""Which file shows which view: by its own name, by ``--views``, or as VIEW=FILE."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from federated.errors import DataError
from shared_models.phantom.volumes import NINE_PLANES

OTHERS: Mapping[str, str] = {  # as people and files call them
    "rvi": "RV inflow",
    "rv inflow tract": "RV inflow",
    "parasternal long axis": "PLAX",
    "psax av": "PSAX aortic",
    "psax mv": "PSAX mitral",
    "psax pm": "PSAX papillary",
    "psax mid": "PSAX papillary",
    "psax apex": "PSAX low",
    "psax apical": "PSAX low",
} | {
    name: f"A{count}C"
    for count in (2, 4, 5)
    for name in (f"{count}c", f"{count}ch", f"a{count}ch", f"ap{count}", f"ap{count}c", f"apical {count} chamber")
}
KNOWN: Mapping[str, str] = {**{view.lower(): view for view in NINE_PLANES}, **OTHERS}
LIST = ", ".join(NINE_PLANES)
CURE = "name the views in the order of the files, as in --views A4C,A2C, or each with its file, as in A4C=FILE"
WORDS = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True)
class Named:
    """A file and the view that it shows."""

    view: str
    path: Path


def named_views(files: Sequence[str], views: Sequence[str] = ()) -> list[Named]:
    """Each file with its view, none of them twice.

    Args:
        files: paths, or VIEW=path.
        views: of the files, in their order; none to go by the files' names.

    Raises:
        DataError: no file, a view that there is none of or that is given twice, or a file that does not say what it
            shows.
    """
    if not files:
        raise DataError("no picture is given", where="reconstruct", cure="give one to nine, as in A4C.png A2C.png")
    if views and len(views) != len(files):
        raise DataError(f"{len(views)} views are named for {len(files)} files", where="--views", cure="name one each")
    if views:
        found = [Named(view_named(view, "--views"), _path(file)) for view, file in zip(views, files, strict=True)]
    else:
        found = [_named(file) for file in files]
    for number, each in enumerate(found):
        if before := [other for other in found[:number] if other.view == each.view]:
            raise DataError(f"shows view {each.view}, as {before[0].path} does", where=str(each.path), cure=CURE)
    return found


def view_named(text: str, where: str) -> str:
    """The view of a name, in any letters, with spaces, hyphens or underlines between its words.

    Raises:
        DataError: there is none.
    """
    view = KNOWN.get(" ".join(_words(text)))
    if view is None:
        raise DataError(f"there is no view '{text}'", where=where, cure=f"there are {LIST}")
    return view


def view_of_file(path: Path) -> str:
    """The one view that a file's name tells of.

    Raises:
        DataError: it tells of none, or of several.
    """
    words, at = _words(path.stem), 0
    found: list[str] = []
    longest = max(len(name.split()) for name in KNOWN)
    while at < len(words):
        runs = [size for size in range(longest, 0, -1) if " ".join(words[at : at + size]) in KNOWN]
        if runs:
            found.append(KNOWN[" ".join(words[at : at + runs[0]])])
        at += runs[0] if runs else 1
    if len(set(found)) > 1:
        raise DataError(f"its name tells of several views: {', '.join(found)}", where=str(path), cure=CURE)
    if not found:
        raise DataError("its name tells of no view", where=str(path), cure=f"{CURE}; there are {LIST}")
    return found[0]


def _named(file: str) -> Named:
    view, equals, path = file.partition("=")
    if equals and not Path(file).exists():
        return Named(view_named(view, file), _path(path))
    return Named(view_of_file(Path(file)), Path(file))


def _path(text: str) -> Path:
    if not text:
        raise DataError("names no file", where="reconstruct", cure=CURE)
    return Path(text)


def _words(text: str) -> list[str]:
    return [word for word in WORDS.split(text.lower()) if word]
