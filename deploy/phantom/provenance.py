"""What a folder of phantom images says of itself: what made it, from which seed and parameters, and its digest."""

from __future__ import annotations

import hashlib
import importlib.metadata
import shlex
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from federated.errors import ConsiliumError, cannot_read
from federated.manifest import Frozen

PROVENANCE = "provenance.json"
NOTICE = "PHANTOM.txt"
NOTE = "PHANTOM: computed images of a heart that never was; no patient, no hospital. Research use only."
SOURCES = ("shared_models/phantom", "deploy/phantom")
LIBRARIES = ("numpy", "scipy")


class Provenance(Frozen):
    """Where the files of a folder come from.

    Attributes:
        generator: always ``phantom``.
        note: says so in words.
        version: of this program.
        source: digest of the code that computes the images and writes them.
        command: makes the same bytes again, in any folder.
        seed: all randomness comes from it.
        parameters: everything else that was asked for.
        files: how many there are, once all are there.
        digest: over the names and digests of all of them, once all are there.
    """

    generator: str = "phantom"
    note: str = NOTE
    version: str
    source: str
    command: str
    seed: int
    parameters: dict[str, str]
    files: int | None = None
    digest: str | None = None

    @property
    def complete(self) -> bool:
        """Whether everything was written."""
        return self.digest is not None


def provenance_of(command: str, seed: int, parameters: Mapping[str, str]) -> Provenance:
    """What is known before anything is written.

    Args:
        command: the words after ``consilium phantom`` that stand before the options.
        seed: the seed.
        parameters: option -> its value; "" for an option that is not given.
    """
    given = {name: value for name, value in parameters.items() if value}
    words = " ".join(
        f"--{name} {shlex.quote(value)}" if value != "yes" else f"--{name}" for name, value in given.items()
    )
    return Provenance(
        version=importlib.metadata.version("consilium"),
        source=_digest_of_sources(),
        command=f"consilium phantom {command} {words} --seed {seed}",
        seed=seed,
        parameters=given,
    )


def read_provenance(folder: Path) -> Provenance | None:
    """What a folder says of itself; None where it says nothing.

    Raises:
        ConsiliumError: the file is there, but is not one of ours.
    """
    path = folder / PROVENANCE
    try:
        return Provenance.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise cannot_read(path, error) from error
    except ValidationError as error:
        raise ConsiliumError("is no provenance of a phantom", where=str(path), cure="choose another folder") from error


def difference(there: Provenance, wanted: Provenance) -> str:
    """The first thing in which two differ, in words; "" where nothing does."""
    if there.command.split(" --")[0] != wanted.command.split(" --")[0]:
        return f"'{there.command.split(' --')[0]}', not '{wanted.command.split(' --')[0]}'"
    before = {"seed": str(there.seed), **there.parameters, "version": there.version, "code": there.source}
    now = {"seed": str(wanted.seed), **wanted.parameters, "version": wanted.version, "code": wanted.source}
    for name in [*before, *now]:
        if before.get(name) != now.get(name):
            return f"{name} {before.get(name, '(none)')}, not {now.get(name, '(none)')}"
    return ""


def notice(provenance: Provenance, about: str) -> bytes:
    """`NOTICE`: what this is, for whoever opens the folder."""
    made = f"Made by: {provenance.command} (and a folder)"
    code = f"{provenance.generator} {provenance.version}, {provenance.source}"
    return f"{NOTE}\n\n{about}\n\n{made}\n{code}\n".encode()


def _digest_of_sources() -> str:
    """Other code, of our own or of the libraries that compute, may make other images from the same seed."""
    root = Path(__file__).resolve().parents[2]
    total = hashlib.sha256()
    for library in LIBRARIES:
        total.update(f"{library} {importlib.metadata.version(library)}\n".encode())
    for folder in SOURCES:
        for path in sorted((root / folder).rglob("*.py")):
            total.update(
                f"{path.relative_to(root).as_posix()} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode()
            )
    return f"sha256:{total.hexdigest()}"
