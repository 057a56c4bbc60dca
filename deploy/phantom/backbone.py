"""Trains a start backbone on phantom images and writes it down; stopped after any epoch, it goes on from there.

Beside FILE.safetensors a folder FILE.safetensors.unfinished holds what was asked for, the frames and, after every
epoch, the whole state of the training. It goes when the weights are there. The record beside the weights is written
before them, so that weights without their record never are.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from deploy.phantom.acquisition import told
from deploy.phantom.backbone_frames import (
    CLASSES,
    POPULATIONS,
    VIEW_COUNT,
    FramePlan,
    Frames,
    Labels,
    all_parts,
    heart_machines,
)
from deploy.phantom.backbone_record import (
    BackboneRecord,
    Epoch,
    read_record,
    record_bytes,
    record_difference,
    versions,
    what_is_asked,
)
from deploy.phantom.orders import LEAST_SIZE, check_range, check_seed
from federated.errors import ConsiliumError
from federated.files import cannot_write, write_whole
from shared_models.start_backbone import Settings, ViewTask, answers, new_network, weight_of
from shared_models.training import Progress, Trained, chosen_device, train
from site_agent.progress import TrainingBar, track

if TYPE_CHECKING:
    import torch

SUFFIX, UNFINISHED = ".safetensors", ".unfinished"
RECORD = "record.json"
KEY = "consilium"  # of the metadata: one key, for several are written in any order
MOST_BYTES = 64 * 2**20  # as much as a site's policy lets out by default
LEAST_IMAGES, MOST_IMAGES = 32, 100_000  # with fewer nobody is held out
MOST_SIZE, MOST_EPOCHS = 512, 1_000
OTHER = "choose another file"

Say = Callable[[str], None]


@dataclass(frozen=True)
class BackboneOrder:
    """What is asked for.

    Attributes:
        architecture: timm's name.
        images: phantom images, those held out included.
        epochs: how often every image is learnt from.
        size: side of an image in pixels.
        seed: all randomness comes from it.
        machines: which take the images; all that are made for hearts, unless a measurement keeps some back.
    """

    architecture: str = "resnet10t"
    images: int = 5000
    epochs: int = 10
    size: int = 112
    seed: int = 1
    machines: tuple[str, ...] = field(default_factory=heart_machines)

    def settings(self) -> Settings:
        """How the network is trained."""
        return Settings(self.architecture, self.size, len(CLASSES), self.epochs, self.seed)

    def plan(self) -> FramePlan:
        """Which frames it is trained on."""
        return FramePlan(self.images, self.size, self.seed, self.machines)

    def given(self) -> dict[str, str]:
        """The options of the command, but the seed."""
        numbers = {"images": self.images, "epochs": self.epochs, "size": self.size}
        return {"architecture": self.architecture} | {name: str(number) for name, number in numbers.items()}


def _nothing(_line: str) -> None:
    pass


def train_backbone(path: Path, order: BackboneOrder, say: Say = _nothing) -> BackboneRecord:
    """Writes the weights to `path` and their record beside it, unless they are there.

    Args:
        path: ends in .safetensors.
        order: what is asked for.
        say: is told a line after every epoch.

    Raises:
        ConsiliumError: something that cannot be done, or `path` is something else.
    """
    check_order(path, order)
    with told("--architecture"):
        new_network(order.settings())
    wanted = _record(order)
    if path.exists():
        return _finished(path, wanted)
    with _claimed(path, wanted) as folder:
        begun = read_record(folder / RECORD)
        frames = _frames(folder, order.plan())
        trained = _trained(folder, order, begun, frames, say)
        return _finish(path, begun.model_copy(update={"history": _history(trained)}), trained)


def check_order(path: Path, order: BackboneOrder) -> None:
    """Refuses, before anything is computed, what cannot be done.

    Raises:
        ConsiliumError: in one line.
    """
    if path.suffix != SUFFIX:
        raise ConsiliumError(f"does not end in {SUFFIX}", where=str(path), cure=f"as in start{SUFFIX}")
    if not path.parent.is_dir():
        raise ConsiliumError("there is no such folder", where=str(path.parent), cure="make it first")
    check_range("--images", order.images, LEAST_IMAGES, MOST_IMAGES)
    check_range("--epochs", order.epochs, 1, MOST_EPOCHS)
    check_range("--size", order.size, LEAST_SIZE, MOST_SIZE)
    check_seed(order.seed)
    with told("--architecture"):
        weight = weight_of(order.settings())
    if weight > MOST_BYTES:
        most = MOST_BYTES // 2**20
        what = f"'{order.architecture}' has {weight / 2**20:.0f} MiB of weights, more than {most}"
        raise ConsiliumError(what, where="--architecture", cure="choose a smaller one")


def _record(order: BackboneOrder) -> BackboneRecord:
    """All that is known before the first epoch."""
    plan = order.plan()
    held = plan.held_out()
    outside = len(np.unique(plan.patient_of_frame()[held]))
    return BackboneRecord(
        **what_is_asked(order.seed, order.given()).model_dump(exclude={"note"}),
        architecture=order.architecture,
        size=order.size,
        classes=CLASSES,
        machines=order.machines,
        populations=POPULATIONS,
        patients=plan.patients - outside,
        images=int((~held).sum()),
        patients_held_out=outside,
        images_held_out=int(held.sum()),
        optimiser=order.settings().optimiser(),
        libraries=versions(),
        threads=len(os.sched_getaffinity(0)),
        device="cuda" if chosen_device("auto").type == "cuda" else "cpu",
    )


def _beside(path: Path) -> Path:
    return path.with_suffix(".json")


def _unfinished(path: Path) -> Path:
    return path.with_name(path.name + UNFINISHED)


def _finished(path: Path, wanted: BackboneRecord) -> BackboneRecord:
    """The record of weights that are there, if they are the ones that are wanted."""
    from shared_models.backbones import file_digest

    if not path.is_file() or not _beside(path).is_file():
        raise ConsiliumError("is there already and is no start backbone", where=str(path), cure=OTHER)
    there = read_record(_beside(path))
    if there.digest != file_digest(path):
        raise ConsiliumError(f"is not what {_beside(path).name} says", where=str(path), cure=OTHER)
    _require_same(path, there, wanted)
    shutil.rmtree(_unfinished(path), ignore_errors=True)
    return there


def _require_same(where: Path, there: BackboneRecord, wanted: BackboneRecord) -> None:
    if other := record_difference(there, wanted):
        raise ConsiliumError(f"was made with {other}", where=str(where), cure=OTHER)


@contextmanager
def _claimed(path: Path, wanted: BackboneRecord) -> Iterator[Path]:
    """The folder of the unfinished work, ours alone, with the record of what was asked for in it."""
    folder = _unfinished(path)
    if _beside(path).exists() and not folder.exists():
        raise ConsiliumError("is there already", where=str(_beside(path)), cure=OTHER)
    try:
        folder.mkdir(exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise cannot_write(folder, error) from error
    try:
        _require_idle(descriptor, folder)
        if (folder / RECORD).exists():
            _require_same(folder, read_record(folder / RECORD), wanted)
        else:
            write_whole(folder / RECORD, record_bytes(wanted))
        yield folder
    finally:
        os.close(descriptor)


def _require_idle(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ConsiliumError("is in use by another process", where=str(folder), cure="wait for it") from error


def _frames(folder: Path, plan: FramePlan) -> Frames:
    """(N, S, S) all frames; those that are not there yet are made."""
    paths = [folder / f"frames-{part:05d}.npy" for part in range(plan.parts)]
    missing = [part for part, path in enumerate(paths) if not path.exists()]
    with told("phantom"), closing(all_parts(plan, missing)) as made:
        for part, frames in track(made, total=len(missing), what="phantom frames"):
            buffer = io.BytesIO()
            np.save(buffer, frames, allow_pickle=False)
            write_whole(paths[part], buffer.getvalue())
        return np.concatenate([np.load(path, allow_pickle=False) for path in paths])


def _trained(folder: Path, order: BackboneOrder, begun: BackboneRecord, frames: Frames, say: Say) -> Trained:
    """All epochs, or those that are still to come."""
    labels, held = order.plan().labels(), order.plan().held_out()
    task = ViewTask(order.settings(), frames[~held], labels[~held], partial(_asked, frames[held], labels[held]))
    recipe = order.settings().recipe(task.examples)
    with _threads(begun.threads), told("training"), TrainingBar("views_right") as bar:

        def watch(progress: Progress) -> None:
            bar(progress)
            if progress.metrics is not None:
                say(_line(progress, progress.metrics["views_right"]))

        return train(task, recipe, folder=folder, device=begun.device, watch=watch)


def _line(progress: Progress, right: float) -> str:
    found = f"loss {progress.loss:.3f}, {100 * right:.1f} % of views right in phantom patients held out"
    return f"epoch {progress.epoch} of {progress.epochs}: {found}"


def _asked(frames: Frames, labels: Labels, network: torch.nn.Module) -> dict[str, float]:
    """Shares of held-out frames that are answered rightly."""
    found = answers(network, frames)
    return {
        "labels_right": float(np.mean(found == labels)),
        "views_right": float(np.mean(found % VIEW_COUNT == labels % VIEW_COUNT)),
        "contrast_right": float(np.mean(found // VIEW_COUNT == labels // VIEW_COUNT)),
    }


@contextmanager
def _threads(number: int) -> Iterator[None]:
    """As many as the training began with; as many as before, after it."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _history(trained: Trained) -> tuple[Epoch, ...]:
    return tuple(Epoch(**{name: epoch[name] for name in Epoch.model_fields}) for epoch in trained.history)


def _finish(path: Path, record: BackboneRecord, trained: Trained) -> BackboneRecord:
    """The record, then the weights; then the unfinished work goes."""
    from safetensors.torch import save

    weights = save(trained.state, metadata={KEY: record.model_dump_json(exclude={"files", "digest"})})
    digest = f"sha256:{hashlib.sha256(weights).hexdigest()}"
    record = record.model_copy(update={"files": 1, "digest": digest})
    write_whole(_beside(path), record_bytes(record))
    write_whole(path, weights)
    shutil.rmtree(_unfinished(path))
    return record
