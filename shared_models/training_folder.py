"""The folder of a training: its checkpoint after every epoch, and its metrics, a line of JSON an epoch.

The metrics are written first. Who is killed between the two does that epoch again and writes the same line.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared_models.checkpoint import digest_of, read_checkpoint, replace_file, write_checkpoint
from shared_models.early_stop import Epoch
from shared_models.recipe import Recipe
from shared_models.training_state import TrainingState

if TYPE_CHECKING:
    import torch

CHECKPOINT, METRICS = "checkpoint.safetensors", "metrics.jsonl"


class TrainingFolder:
    """Where a training is kept, and what tells it from others.

    Attributes:
        path: of the folder, which is made where missing.
    """

    def __init__(self, path: Path, recipe: Recipe, examples: int, network: torch.nn.Module) -> None:
        self.path = path
        self._asked = {"recipe": asdict(recipe), "examples": examples, "start": digest_of(network.state_dict())}
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(f"{path}: cannot be made ({error.strerror or error})") from error

    def resume(self, state: TrainingState) -> None:
        """Brings a state to where the training stopped; leaves it if there was none.

        Raises:
            ValueError: the checkpoint is damaged or of another training.
        """
        path = self.path / CHECKPOINT
        if not path.exists():
            return
        tensors, said = read_checkpoint(path)
        if other := _difference(said, self._asked):
            raise ValueError(f"{path}: is of another training ({other}); choose another folder")
        state.load(tensors)
        state.history = said["history"]

    def write(self, state: TrainingState) -> None:
        """Writes down where a training is.

        Raises:
            ValueError: the files cannot be written.
        """
        replace_file(self.path / METRICS, "".join(_line(epoch) for epoch in state.history).encode())
        write_checkpoint(self.path / CHECKPOINT, state.tensors(), self._asked | {"history": state.history})


def _difference(there: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """The first thing in which two trainings differ, in words; "" where nothing does."""
    for name, value in wanted["recipe"].items():
        if (other := there["recipe"].get(name)) != value:
            return f"{name} {other}, not {value}"
    if there["examples"] != wanted["examples"]:
        return f"{there['examples']} examples, not {wanted['examples']}"
    return "" if there["start"] == wanted["start"] else "it began with another network or other weights"


def _line(epoch: Epoch) -> str:
    """An epoch as JSON, which has no word for what is not a number."""
    return json.dumps({name: value if math.isfinite(value) else None for name, value in epoch.items()}) + "\n"
