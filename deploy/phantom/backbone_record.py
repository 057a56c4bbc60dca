"""What stands beside a start backbone: what it is, what it was trained on, how, and how well it did."""

from __future__ import annotations

import hashlib
import importlib.metadata
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from deploy.phantom.provenance import Provenance, difference, provenance_of
from federated.errors import ConsiliumError, cannot_read
from federated.manifest import Frozen

COMMAND = "backbone FILE.safetensors"
NOTE = (
    "PHANTOM: a network trained from random weights on computed images of hearts that never were; no image of a "
    "person, private or public, and no weights of others went into it. Its figures say nothing about patients. "
    "Research use only."
)
INPUT = "grey image stretched to a square of this size, divided by 255, less timm's mean, over timm's deviation, thrice"
PARTS = (
    "batches",
    "early_stop",
    "recipe",
    "schedules",
    "start_backbone",
    "timm_networks",
    "training",
    "training_state",
    "weight_average",
)
SOURCES = tuple(f"shared_models/{part}.py" for part in PARTS)  # beside those of all phantom files
LIBRARIES = ("numpy", "scipy", "timm", "torch")


class Epoch(Frozen):
    """After every image was seen once more: mean loss; shares of held-out frames answered rightly, 0 to 1."""

    loss: float
    labels_right: float
    views_right: float
    contrast_right: float


class BackboneRecord(Provenance):
    """A start backbone.

    Attributes:
        architecture: timm's name.
        size: side of the images in pixels.
        input: how an image goes in.
        classes: what the classifier tells apart, in its order; ``+contrast`` with a contrast agent.
        machines: which took the images.
        populations: where patients come from -> share.
        patients, images: that it learnt from.
        patients_held_out, images_held_out: that it was only asked about.
        optimiser: and its settings.
        libraries: and their versions.
        threads: of the training; another number gives other last digits.
        device: of the training; another gives other last digits too.
        history: of all epochs; the last tells how good it is.
    """

    note: str = NOTE
    architecture: str
    size: int
    input: str = INPUT
    classes: tuple[str, ...]
    machines: tuple[str, ...]
    populations: dict[str, float]
    patients: int
    images: int
    patients_held_out: int
    images_held_out: int
    optimiser: dict[str, str | float]
    libraries: dict[str, str]
    threads: int
    device: Literal["cpu", "cuda"] = "cpu"
    history: tuple[Epoch, ...] = ()


def what_is_asked(seed: int, parameters: dict[str, str]) -> Provenance:
    """The part of a record that says which command makes it again, and with which code."""
    asked = provenance_of(COMMAND, seed, parameters)
    root = Path(__file__).resolve().parents[2]
    digests = [hashlib.sha256((root / path).read_bytes()).hexdigest() for path in SOURCES]
    source = hashlib.sha256(" ".join([asked.source, *digests]).encode()).hexdigest()
    return asked.model_copy(update={"source": f"sha256:{source}"})


def versions() -> dict[str, str]:
    """Of the libraries on which the numbers depend."""
    return {name: importlib.metadata.version(name) for name in LIBRARIES}


def read_record(path: Path) -> BackboneRecord:
    """A record that we have written.

    Raises:
        ConsiliumError: it is none, or not there.
    """
    try:
        return BackboneRecord.model_validate_json(path.read_bytes())
    except OSError as error:
        raise cannot_read(path, error) from error
    except ValidationError as error:
        raise ConsiliumError("is no start backbone's", where=str(path), cure="choose another file") from error


def record_difference(there: BackboneRecord, wanted: BackboneRecord) -> str:
    """The first thing in which what was asked for differs, in words; "" where nothing does."""
    if there.machines != wanted.machines:
        return f"machines {', '.join(there.machines)}, not {', '.join(wanted.machines)}"
    return difference(there, wanted)


def record_bytes(record: BackboneRecord) -> bytes:
    """As it is written down."""
    return (record.model_dump_json(indent=1) + "\n").encode()
