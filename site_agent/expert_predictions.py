"""What the predictions of all experts have in common: a line on each answer, and what could not be used.

Files of each answer lie in a folder under a number and the image's name; lines come last, when all is there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from federated.errors import DataError
from federated.files import write_whole
from federated.manifest import Frozen
from site_agent.predict import Shown, by_file, rows_of, shown_in
from site_agent.progress import track
from site_agent.sources.index import Columns

LINES = "predictions.jsonl"
UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
Usable = TypeVar("Usable")


class Written(Frozen):
    """What came out.

    Attributes:
        unreadable: names of images that could not be used, with the reason.
    """

    out: str
    images: int
    unreadable: tuple[tuple[str, str], ...]


class Predictions:
    """Answers on what people brought, as they are made.

    Attributes:
        said: lines so far.
    """

    def __init__(self, inputs: Sequence[Path], out: Path, what: str = "images") -> None:
        """Of indexes, folders or files, to be written into a folder; `what` they hold."""
        self.said = list[Mapping[str, Any]]()
        self._unreadable = list[tuple[str, str]]()
        self._inputs, self._out, self._what = inputs, out, what

    def images(self, columns: Columns | None, doing: str) -> Iterator[tuple[str, list[Shown]]]:
        """Name and images of each file that can be used, with a bar."""
        files = by_file(rows_of(self._inputs, columns))
        for path, rows in track(files.items(), total=len(files), what=doing):
            shown = self.usable(rows[0].name, lambda: list(shown_in(path, rows)))  # noqa: B023
            if shown is not None:
                yield rows[0].name, shown

    def usable(self, name: str, read: Callable[[], Usable]) -> Usable | None:
        """What is read; None where that cannot be used, which is kept for whoever asked."""
        try:
            return read()
        except DataError as error:
            self._unreadable.append((name, error.what))
            return None

    def stem(self, name: str) -> str:
        """Of the next answer's files: its number, and the end of the image's name, where a frame keeps its number."""
        path, _, frame = name.partition("#")
        plain = UNSAFE.sub("-", Path(path).name.partition(".")[0])
        return f"{len(self.said) + 1:04d}-{plain}" + (f"-{frame}" if frame else "")

    def written(self) -> Written:
        """The lines, written.

        Raises:
            DataError: nothing could be used.
            ConsiliumError: they cannot be written.
        """
        if not self.said:
            name, reason = self._unreadable[0]
            what = f"none of the {len(self._unreadable)} {self._what} can be used; {name} {reason}"
            raise DataError(what, where=str(self._inputs[0]))
        write_whole(self._out / LINES, "".join(json.dumps(line) + "\n" for line in self.said).encode())
        return Written(out=str(self._out), images=len(self.said), unreadable=tuple(self._unreadable))
