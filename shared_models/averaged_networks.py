"""Networks that segment, outline, encode, register or reconstruct, trained in rounds: how each begins, and a round.

What a network carries of a site's images (`image_reference`) stays empty in rounds: a global model is of no site.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

    from shared_models.continual import Penalty
    from shared_models.contour_training import Contoured
    from shared_models.reconstruction.reconstruction_training import Known
    from shared_models.reconstruction.view_network import ViewNetwork
    from shared_models.registration.registration_training import ImagePairs
    from shared_models.segmentation import Masked
    from shared_models.training import Task

State = dict[str, NDArray[Any]]
Config = dict[str, bool | int | float | str]
TaskOf = Callable[["torch.nn.Module", "Penalty | None"], "Task"]
"""Of a network, and what holds it near the global model, what it learns."""

BATCH, RATE = 16, 2e-3  # by Adam
HEARTS, HEARTS_RATE = 4, 1e-3  # of reconstruction, whose published rate it is
SEED = 0  # of the weights that a run begins with
MOST_VALUES = 2**21  # of an image, or a window of a clip, in the first layer: training takes some 6 GB


@dataclass(frozen=True)
class Windows:
    """Windows of clips.

    Attributes:
        clips: (n, 2 T, S, S), two clips in a row each.
        sweeps: (n,) number, from 1, of the clip that a window is of.
    """

    clips: NDArray[np.uint8]
    sweeps: NDArray[np.int64]


def begun(name: str, config: Config) -> State:
    """The state that a run begins with.

    Raises:
        TypeError, ValueError: a configuration with which the network cannot be built, or not be trained in memory.
    """
    from shared_models.clip_windows import WINDOW
    from shared_models.registry import state_form

    state_form(name, **config)  # what is absurd is refused
    frames = WINDOW if name == "clip_encoder" else 1
    if frames * int(config["width"]) * int(config["side"]) ** 2 > MOST_VALUES:
        raise ValueError(f"width {config['width']} at {config['side']} pixels a side takes too much memory in training")
    return fresh(name, config)


def fresh(name: str, config: Config) -> State:
    """The state of a new network, the same wherever it is made.

    Raises:
        TypeError, ValueError: a configuration with which the network cannot be built.
    """
    import torch

    from shared_models.registry import create_model

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        return _state_of(create_model(name, **config))


def train_unet(
    state: State, config: Config, examples: Sequence[Masked], epochs: int, proximal: float, seed: int
) -> State:
    """Soft Dice and cross-entropy of what the site labels, so that it unlearns no structure that it does not."""
    from shared_models.segmentation import SegmentationTask

    side = int(config["side"])
    return _after(
        "unet",
        state,
        config,
        lambda network, penalty: SegmentationTask(network, side, examples, penalty=penalty),
        _Course(epochs, proximal, seed),
    )


def train_contour(state: State, config: Config, examples: Contoured, epochs: int, proximal: float, seed: int) -> State:
    """Points and distances."""
    from shared_models.contour_training import ContourTask

    side = int(config["side"])
    return _after(
        "contour_network",
        state,
        config,
        lambda network, penalty: ContourTask(network, side, examples, penalty=penalty),
        _Course(epochs, proximal, seed),
    )


def train_encoder(state: State, config: Config, examples: Windows, epochs: int, proximal: float, seed: int) -> State:
    """Of two clips in a row each is to know the other; no label is read."""
    from shared_models.clip_changes import OURS
    from shared_models.retrieval_training import ContrastiveTask

    return _after(
        "clip_encoder",
        state,
        config,
        lambda network, penalty: ContrastiveTask(
            network, examples.clips, changes=OURS, sweeps=examples.sweeps, penalty=penalty
        ),
        _Course(epochs, proximal, seed),
    )


def train_registration(
    state: State, config: Config, examples: ImagePairs, epochs: int, proximal: float, seed: int
) -> State:
    """Moving frames, warped, are to look like fixed ones, by the loss of `registration_expert`; no label is read."""
    from shared_models.registration.network import RegistrationNetwork
    from shared_models.registration.registration_loss import RegistrationLoss
    from shared_models.registration.registration_training import RegistrationTask
    from shared_models.registration_expert import SIMILARITY, SMOOTHNESS

    def task_of(network: torch.nn.Module, penalty: Penalty | None) -> Task:
        assert isinstance(network, RegistrationNetwork)
        return RegistrationTask(network, examples, loss=RegistrationLoss(SIMILARITY, SMOOTHNESS), penalty=penalty)

    return _after("diff_fourier_net", state, config, task_of, _Course(epochs, proximal, seed))


def train_pix2vox(
    state: State, config: Config, examples: Sequence[Known], epochs: int, proximal: float, seed: int
) -> State:
    """Volumes from named views; running statistics of batch norms leave only where the configuration says so."""
    from shared_models.batch_norm_rounds import travelling
    from shared_models.reconstruction.reconstruction_training import ReconstructionTask

    after = _after(
        "pix2vox",
        state,
        config,
        lambda network, penalty: ReconstructionTask(cast("ViewNetwork", network), examples, penalty=penalty),
        _Course(epochs, proximal, seed, batch=HEARTS, rate=HEARTS_RATE),
    )
    return travelling(after, state, str(config["batch_norm"]))


@dataclass(frozen=True)
class _Course:
    """Of a round at a site: passes over its examples, μ of the proximal term, the seed, and how it steps."""

    epochs: int
    proximal: float
    seed: int
    batch: int = BATCH
    rate: float = RATE


def _after(name: str, state: State, config: Config, task_of: TaskOf, course: _Course) -> State:
    from shared_models.anchoring import Anchoring, anchor_of
    from shared_models.recipe import Recipe
    from shared_models.registry import create_model
    from shared_models.training import train
    from shared_models.views import load_state

    network = create_model(name, **config)
    load_state(network, state)
    penalty = Anchoring((anchor_of(network),), course.proximal) if course.proximal else None
    recipe = Recipe(epochs=course.epochs, batch=course.batch, rate=course.rate, seed=course.seed, optimiser="adam")
    train(task_of(network, penalty), recipe)
    return _state_of(network.cpu())


def _state_of(network: torch.nn.Module) -> State:
    return {name: np.array(tensor.numpy(), order="C") for name, tensor in network.state_dict().items()}
