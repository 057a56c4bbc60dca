"""Where everything lies under ``OUT``, and whose folder that is."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from federated.errors import ConsiliumError

MARK = "this-is-a-demo"
MARK_TEXT = "A demonstration wrote this folder; the next one with the same --out removes everything in it.\n"


@dataclass(frozen=True)
class Places:
    """Files and folders of one demonstration."""

    out: Path

    @property
    def coordinator(self) -> Path:
        """The coordinator's home."""
        return self.out / "coordinator"

    @property
    def data(self) -> Path:
        """Images that the demonstration made itself."""
        return self.out / "data"

    @property
    def exchange(self) -> Path:
        """Every parcel of an offline run, in the order in which it passed."""
        return self.out / "exchange"

    @property
    def release(self) -> Path:
        """The last release, as the coordinator signed it."""
        return self.out / "release"

    @property
    def log(self) -> Path:
        """Everything that happened, as the sites have witnessed it."""
        return self.out / "log"

    @property
    def bundle(self) -> Path:
        """The whole record for an auditor, with the last release's answers."""
        return self.out / "record.bundle"

    @property
    def keys(self) -> Path:
        """Whose signatures count, for an auditor."""
        return self.out / "keys.toml"

    @property
    def predictions(self) -> Path:
        """The last release's answers on held-back images and clips."""
        return self.out / "predictions.jsonl"

    @property
    def results(self) -> Path:
        """All figures."""
        return self.out / "results.json"

    @property
    def tables(self) -> Path:
        """Everything that was shown."""
        return self.out / "tables.txt"

    @property
    def accuracy_plot(self) -> Path:
        """Accuracy over arrivals."""
        return self.out / "accuracy.png"

    @property
    def parts_plot(self) -> Path:
        """Weights and contributions per site and class."""
        return self.out / "weights_and_contributions.png"

    def site(self, name: str) -> Path:
        """A site's home."""
        return self.out / "sites" / name

    def kit(self, name: str) -> Path:
        """What the coordinator hands to a site."""
        return self.out / "kits" / f"{name}.json"


@contextmanager
def claimed(out: Path, say: Callable[[str], None]) -> Iterator[Places]:
    """An empty folder of ours; an earlier demonstration's is replaced, anybody else's is left alone.

    Raises:
        ConsiliumError: it is not empty and no demonstration's, or one is running there.
    """
    mark = out / MARK
    if mark.is_file():
        with mark.open("a") as file:
            _require_idle(file.fileno(), out)
            say(f"Replacing the earlier demo in {out}.")
            shutil.rmtree(out)
    elif out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConsiliumError("is not empty and no demo's folder", where=str(out), cure="choose another with --out")
    out.mkdir(parents=True, exist_ok=True)
    with mark.open("w", encoding="utf-8") as file:
        _require_idle(file.fileno(), out)
        file.write(MARK_TEXT)
        file.flush()
        yield Places(out)


def _require_idle(file: int, out: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ConsiliumError("a demo is running here", where=str(out), cure="choose another with --out") from error
