"""How long a network has learnt, whoever stopped it in between."""

from __future__ import annotations

import json
import time
from pathlib import Path

from federated.files import write_whole
from shared_models.training import Progress

FILE = "seconds.json"


class CourseClock:
    """Watches a training; its seconds are written down after each epoch where the training has a folder.

    Attributes:
        seconds: of a processor until the last step, in all runs of the training.
    """

    def __init__(self, folder: Path | None) -> None:
        self._file = folder / FILE if folder else None
        self.seconds = float(json.loads(self._file.read_text())) if self._file and self._file.is_file() else 0.0
        self._begun = time.process_time() - self.seconds

    def __call__(self, done: Progress) -> None:
        """After a step or an epoch."""
        self.seconds = time.process_time() - self._begun
        if self._file and done.metrics is not None:
            write_whole(self._file, json.dumps(self.seconds).encode())
