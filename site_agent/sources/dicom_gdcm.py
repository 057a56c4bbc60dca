"""GDCM, which decodes JPEG lossless: it fills in what is damaged and tells the terminal alone; here it is heard."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from federated.errors import DataError

STANDARD_ERROR = 2
DAMAGED = "is damaged: its JPEG data is corrupt"


@contextmanager
def complaints_heard() -> Iterator[None]:
    """What the decoder writes to standard error is an error, and does not reach the terminal.

    Raises:
        DataError: it has written something.
    """
    _silence()
    terminal = os.dup(STANDARD_ERROR)
    with tempfile.TemporaryFile() as heard:
        os.dup2(heard.fileno(), STANDARD_ERROR)
        try:
            yield
        finally:
            os.dup2(terminal, STANDARD_ERROR)
            os.close(terminal)
        if heard.tell():
            raise DataError(DAMAGED)


def _silence() -> None:
    """Its own messages, which repeat those of the codec inside."""
    import gdcm  # type: ignore[import-untyped]

    gdcm.Trace.DebugOff()
    gdcm.Trace.WarningOff()
    gdcm.Trace.ErrorOff()
