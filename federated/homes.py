"""What a site's home and a coordinator's home have in common: a configuration in TOML, and one process at a time."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TypeVar

from pydantic import BaseModel, ValidationError

from federated.errors import ConsiliumError, cannot_read
from federated.faults import first_fault
from federated.toml_text import toml_as_json

Config = TypeVar("Config", bound=BaseModel)
LOCK_SECONDS = 120.0
POLL_SECONDS = 0.05


def read_config(path: Path, model: type[Config], *, missing: ConsiliumError) -> Config:
    """A home's ``config.toml``.

    Raises:
        ConsiliumError: `missing` where there is none; else what is wrong in it.
    """
    try:
        return model.model_validate_json(toml_as_json(path.read_bytes()))  # from JSON a list may be a tuple
    except (FileNotFoundError, NotADirectoryError) as error:
        raise missing from error
    except ValidationError as error:
        raise ConsiliumError(first_fault(error), where=str(path)) from error
    except (OSError, ValueError) as error:
        raise cannot_read(path, error) from error


@contextmanager
def held(home: Path, *, by: str, seconds: float) -> Iterator[None]:
    """Holds a home, so that two processes never change it at once.

    Args:
        home: the folder.
        by: who else may be at work there, for the message.
        seconds: how long to wait.

    Raises:
        ConsiliumError: another process held it for longer.
    """
    with (home / "lock").open("a") as file:
        _wait_for(file, home, by, seconds)
        yield


def _wait_for(file: IO[str], home: Path, by: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() >= deadline:
                raise ConsiliumError(f"{by} is at work here", where=str(home), cure="wait until it is done") from error
            time.sleep(POLL_SECONDS)
        else:
            return
