"""Experts of tasks on still images that this site has trained, each until a later one of its batch takes its place.

One is told from another by everything that it depends on, so that the same images and settings give the same expert,
which is trained once, and goes on where its training was stopped.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from federated.canonical import canonical, digest
from federated.contract import Scalar
from federated.errors import ConsiliumError
from shared_models.checkpoint import CheckpointError, read_checkpoint, write_checkpoint
from site_agent.panel import BROKEN, Expert
from site_agent.progress import TrainingBar

if TYPE_CHECKING:
    import torch

    from shared_models.recipe import Recipe
    from shared_models.training import Task
    from site_agent.home import SiteHome

History = tuple[dict[str, float], ...]
SUFFIX = ".safetensors"


@dataclass(frozen=True)
class Wanted:
    """An expert that is to be there.

    Attributes:
        task: segmentation, contour, retrieval, registration or reconstruction.
        batch: of whose images.
        labels: what it speaks of.
        architecture, config: its line in the registry of models.
        key: of everything else that it depends on.
        metric: of its validation, to be shown while it learns.
    """

    task: str
    batch: str
    labels: tuple[str, ...]
    architecture: str
    config: Mapping[str, Scalar]
    key: object
    metric: str = ""


@dataclass(frozen=True)
class Trained:
    """An expert with how it was learnt."""

    expert: Expert
    history: History
    path: Path


def trained(
    home: SiteHome,
    wanted: Wanted,
    learn: Callable[[torch.nn.Module], tuple[Task, Recipe]],
    finish: Callable[[torch.nn.Module], None],
) -> Trained:
    """The expert from its file, or trained now.

    Args:
        home: the site's.
        wanted: which.
        learn: what a new network learns and how; called only where there is no file.
        finish: what is done with a network that has learnt: its reference is put in.

    Raises:
        ConsiliumError: the network cannot be built, the training goes astray, or a file is damaged.
    """
    path = _path(home, wanted)
    try:
        if not path.exists():
            _train(path, home, wanted, learn, finish)
        found = read(home, path)
        _drop_others(path, f"{wanted.task}-{wanted.batch}")
    except CheckpointError as error:
        raise ConsiliumError(str(error), where=f"batch {wanted.batch}") from error
    except BROKEN as error:
        raise ConsiliumError(
            f"no expert could be trained: {error}",
            where=f"batch {wanted.batch}",
            cure=f"mend [{wanted.task}] of config.toml",
        ) from error
    return found


def _train(
    path: Path,
    home: SiteHome,
    wanted: Wanted,
    learn: Callable[[torch.nn.Module], tuple[Task, Recipe]],
    finish: Callable[[torch.nn.Module], None],
) -> None:
    from shared_models.training import train

    network = new_network(wanted.architecture, wanted.config, seed=0)
    task, recipe = learn(network)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with TrainingBar(wanted.metric) as watch:
        done = train(task, recipe, folder=path.with_suffix(""), watch=watch)
    finish(network)
    said = {
        "task": wanted.task,
        "batch": wanted.batch,
        "labels": list(wanted.labels),
        "architecture": wanted.architecture,
        "config": dict(wanted.config),
        "history": list(done.history),
        "site": home.config.site,
    }
    write_checkpoint(path, network.cpu().state_dict(), said)


def new_network(architecture: str, config: Mapping[str, Scalar], *, seed: int) -> torch.nn.Module:
    """A network with random weights of a seed.

    Raises:
        ValueError, TypeError, RuntimeError: it cannot be built.
    """
    import torch

    from shared_models.registry import create_model

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return create_model(architecture, **config)


def read(home: SiteHome, path: Path) -> Trained:
    """An expert from its file.

    Raises:
        CheckpointError: the file is damaged, of another task or batch, or holds another network than it says.
        ValueError: it cannot be read.
    """
    from shared_models.registry import state_form

    tensors, said = read_checkpoint(path)
    if not path.name.startswith(f"{said['task']}-{said['batch']}-"):
        mine = f"an expert of {said['task']} of batch {said['batch']}"
        raise CheckpointError(f"{path}: holds {mine}, which belongs elsewhere; remove it and train again")
    state = {name: tensor.numpy() for name, tensor in tensors.items()}
    found = {name: (str(array.dtype), array.shape) for name, array in state.items()}
    if found != state_form(said["architecture"], **said["config"]):
        raise CheckpointError(f"{path}: is of another architecture than it says; remove it and train again")
    expert = Expert("", home.config.site, 0, said["architecture"], dict(said["config"]), tuple(said["labels"]), state)
    return Trained(expert, tuple(said["history"]), path)


def kept(home: SiteHome, task: str) -> list[Trained]:
    """All that this site has trained for a task, in the order of their batches.

    Raises:
        ConsiliumError: a file is damaged.
    """
    try:
        return [read(home, path) for path in sorted(_folder(home).glob(f"{task}-*{SUFFIX}"))]
    except BROKEN as error:
        raise ConsiliumError(str(error), where=task) from error


def _folder(home: SiteHome) -> Path:
    return home.experts / "own"


def _path(home: SiteHome, wanted: Wanted) -> Path:
    whole = [wanted.task, wanted.batch, list(wanted.labels), wanted.architecture, dict(wanted.config), wanted.key]
    name = f"{wanted.task}-{wanted.batch}-{digest(canonical(whole))[7:23]}{SUFFIX}"
    return _folder(home) / name


def learnt_from(home: SiteHome, batches: Sequence[str]) -> list[Path]:
    """Experts, and unfinished trainings, of whatever task on still images, that learnt from some batches."""
    return [path for batch in batches for path in sorted(_folder(home).glob(f"*-{batch}-*"))]


def drop(path: Path) -> None:
    """Deletes an expert, or the folder of its training."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _drop_others(path: Path, beginning: str) -> None:
    """The folder of the training, and what was trained of the batch before: it may know who was forgotten since."""
    for other in path.parent.glob(f"{beginning}-*"):
        if other != path:
            drop(other)
