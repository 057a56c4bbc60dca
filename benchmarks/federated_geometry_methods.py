"""How the two networks of geometry are learnt at several hospitals, and what they find: alone, pooled, averaged, fused.

A round trains by the function that a site calls, and averages by Flower's strategy as the coordinator asks it. Experts
are fused by the code with which a site fuses them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from benchmarks.federated_geometry_data import (
    CALIBRATION,
    SITES,
    TEST,
    TRAIN,
    VIEWS,
    Beat,
    Counts,
    Heart,
    beats,
    hearts,
    image_pairs,
)
from benchmarks.registration_scores import dice, endpoint_error_mm, folded_percent, moved_labels
from federated.averaging import Plan
from federated.in_distribution import histogram
from server.averaging import as_declared
from server.flower_app import EXAMPLES, record_of, strategy_of
from shared_models.averaged_models import averaged_model
from shared_models.averaged_networks import Config, State
from shared_models.batch_norm_rounds import AVERAGED
from shared_models.image_reference import put_reference, reference
from shared_models.phantom.labels import LA, LV, MYOCARDIUM, RA, RV
from shared_models.reconstruction.volume_metrics import ious
from shared_models.reconstruction_expert import rebuilt, with_own_statistics
from shared_models.registration_expert import velocities
from site_agent.asked_experts import network_of
from site_agent.panel import Expert
from site_agent.reconstruction.reconstructor import Reconstructor
from site_agent.registration.registrar import Registrar

REGISTRATION, RECONSTRUCTION = "registration", "reconstruction"
TASKS = (REGISTRATION, RECONSTRUCTION)
STRUCTURES = (LV, MYOCARDIUM, LA, RV, RA)
POOLED = "pooled"
STREAM = 89  # of random numbers, apart from other uses of the same seeds
NO_FRONT_END = f"sha256:{0:064x}"  # networks of images have none
Case = Beat | Heart
Gray = NDArray[np.uint8]


@dataclass(frozen=True)
class Setting:
    """How large and how long.

    Attributes:
        counts: patients of every hospital.
        side, width: of the network of registration, in pixels and channels.
        edge: of volumes, in voxels.
        network: other options of the network of reconstruction.
        rounds: of averaging, by task.
        local: passes of a hospital over its own in each round; divides the pooled network's passes evenly.
        seeds: each has patients of its own.
    """

    counts: Counts = field(default_factory=lambda: Counts(20, 12, 8))
    side: int = 64
    width: int = 8
    edge: int = 32
    network: Mapping[str, int | str] = field(
        default_factory=lambda: {"trunk": "test_resnet", "shrink": 8, "bottleneck": 128}
    )
    rounds: Mapping[str, int] = field(default_factory=lambda: {REGISTRATION: 48, RECONSTRUCTION: 7})
    local: int = 3
    seeds: tuple[int, ...] = (1, 2, 3)


@dataclass(frozen=True)
class Lesson:
    """What hospitals learn of a task in one seed.

    Attributes:
        task: one of `TASKS`.
        setting: how large.
        seed: of patients, and of the order in which they are seen.
    """

    task: str
    setting: Setting
    seed: int

    @property
    def model(self) -> str:
        """Name of the network among those that are trained in rounds."""
        return "diff_fourier_net" if self.task == REGISTRATION else "pix2vox"

    @property
    def config(self) -> Config:
        """Of the network."""
        if self.task == REGISTRATION:
            return {"side": self.setting.side, "width": self.setting.width}
        return {"size": self.setting.edge, "views": ",".join(VIEWS), **self.setting.network, "batch_norm": AVERAGED}

    @property
    def rounds(self) -> int:
        """Of averaging."""
        return self.setting.rounds[self.task]

    def cases(self, site: str, fold: str) -> tuple[Case, ...]:
        """Of a hospital's patients."""
        if self.task == REGISTRATION:
            return beats(site, fold, self.seed, self.setting.counts, self.setting.side)
        return hearts(site, fold, self.seed, self.setting.counts, self.setting.edge)

    def asked(self) -> list[Case]:
        """Held back, of all hospitals."""
        return [case for site in SITES for case in self.cases(site, TEST)]

    def taught(self, site: str, state: State, epochs: int, number: int = 0) -> State:
        """After so many passes over what a hospital, or all of them, learns from."""
        cases = [case for each in (SITES if site == POOLED else (site,)) for case in self.cases(each, TRAIN)]
        place = (*SITES, POOLED).index(site)
        drawn = np.random.SeedSequence([STREAM, self.seed, number, place]).generate_state(1)[0]
        examples: Any = [case.example for case in cases if isinstance(case, Heart)]
        if self.task == REGISTRATION:
            examples = image_pairs(tuple(case for case in cases if isinstance(case, Beat)))
        return averaged_model(self.model).train(state, self.config, examples, epochs, 0.0, int(drawn))

    def begun(self) -> State:
        """First weights, the same for everyone."""
        return averaged_model(self.model).start(self.config)


def alone(lesson: Lesson, site: str) -> State:
    """One hospital's network."""
    return lesson.taught(site, lesson.begun(), lesson.rounds * lesson.setting.local)


def joint(lesson: Lesson) -> State:
    """One network of what all hospitals have, which none of them could learn; it sees as much as a hospital's own."""
    return lesson.taught(POOLED, lesson.begun(), max(1, lesson.rounds * lesson.setting.local // len(SITES)))


def averaged(lesson: Lesson) -> State:
    """After all rounds of FedAvg. Running statistics of batch norms are averaged too; no training reads them."""
    state = lesson.begun()
    images = [len(lesson.cases(site, TRAIN)) for site in SITES]
    for number in range(1, lesson.rounds + 1):
        updates = [lesson.taught(site, state, lesson.setting.local, number) for site in SITES]
        state = mean_of(lesson, number, state, updates, images)
    return state


def mean_of(lesson: Lesson, number: int, before: State, updates: Sequence[State], images: Sequence[int]) -> State:
    """The next global model, by Flower's FedAvg as the coordinator asks it."""
    from flwr.app import Message, MessageType, MetricRecord, RecordDict

    plan = Plan(
        task=lesson.task,
        front_end=NO_FRONT_END,
        labels=VIEWS,
        model=lesson.model,
        config=lesson.config,
        strategy="fedavg",
        rounds=lesson.rounds,
        epochs=lesson.setting.local,
        proximal=0.0,
        least=len(updates),
    )
    with _in_a_flower_task():
        messages = [
            Message(
                content=RecordDict({"arrays": record_of(state), "metrics": MetricRecord({EXAMPLES: count})}),
                dst_node_id=0,
                message_type=MessageType.TRAIN,
            )
            for state, count in zip(updates, images, strict=True)
        ]
        arrays, _ = strategy_of(plan).aggregate_train(number, messages)
    assert arrays is not None
    return dict(as_declared({name: array.numpy() for name, array in arrays.items()}, before))


@contextmanager
def _in_a_flower_task() -> Iterator[None]:
    """Elsewhere Flower lets nobody make a message."""
    from flwr.supercore.task_identity import TaskIdentity

    with patch.multiple(TaskIdentity, _run_id=1, _node_id=1, _task_id=1):
        yield


def expert(lesson: Lesson, site: str, state: State) -> Expert:
    """A network under the name of a hospital."""
    return Expert("", site, 0, lesson.model, dict(lesson.config), VIEWS, state)


def with_reference(lesson: Lesson, site: str, state: State) -> State:
    """The state with what the hospital's cases look like to its network."""
    network = network_of(expert(lesson, site, state))
    seen = [_features(network, lesson.cases(site, fold)) for fold in (TRAIN, CALIBRATION)]
    put_reference(network, reference(seen[0], seen[1], histogram))
    return _state_of(network)


def _features(network: Any, cases: Sequence[Case]) -> NDArray[np.floating[Any]]:
    pairs = [case.pair for case in cases if isinstance(case, Beat)]
    if not pairs:
        return rebuilt(network, [case.example for case in cases if isinstance(case, Heart)]).features
    moving, fixed = (np.stack([_gray(getattr(pair, which)) for pair in pairs]) for which in ("moving", "fixed"))
    return velocities(network, moving, fixed).features


def re_estimated(lesson: Lesson, site: str, state: State) -> State:
    """A global model after a hospital has shown it the hearts that it learns from."""
    network = network_of(expert(lesson, site, state))
    shown = [case.example for case in lesson.cases(site, TRAIN) if isinstance(case, Heart)]
    return _state_of(with_own_statistics(cast(Any, network), shown))


def _state_of(network: Any) -> State:
    return {name: np.array(tensor.cpu().numpy(), order="C") for name, tensor in network.state_dict().items()}


def found(lesson: Lesson, states: Mapping[str, State], cases: Sequence[Case]) -> list[list[float]]:
    """What one network, or several fused, come to in every case, as `fit` has it.

    Where states carry no reference, all count alike.
    """
    experts = {name: expert(lesson, name, state) for name, state in states.items()}
    if lesson.task == REGISTRATION:
        registrar = Registrar(experts)
        return [_registered(registrar, case) for case in cases if isinstance(case, Beat)]
    reconstructor = Reconstructor(experts)
    return [_reconstructed(reconstructor, case) for case in cases if isinstance(case, Heart)]


def _registered(registrar: Registrar, case: Beat) -> list[float]:
    return fit(case, registrar.register(_gray(case.pair.moving), _gray(case.pair.fixed)).field)


def fit(case: Beat, moves: NDArray[np.float32]) -> list[float]:
    """Mean Dice of structures and folded pixels, both in percent, about the error of end points in mm."""
    pair = case.pair
    assert pair.moving_labels is not None
    assert pair.fixed_labels is not None
    assert pair.displacement is not None
    overlap = dice(moved_labels(pair.moving_labels, moves, STRUCTURES), pair.fixed_labels, STRUCTURES)
    error = endpoint_error_mm(moves, pair.displacement, pair.spacing_mm, pair.valid)
    return [100 * float(np.nanmean(overlap)), error, folded_percent(moves)]


def unmoved(lesson: Lesson) -> list[list[float]]:
    """What it comes to where nothing is registered."""
    still = np.zeros((2, lesson.setting.side, lesson.setting.side), np.float32)
    return [fit(case, still) for case in lesson.asked() if isinstance(case, Beat)]


def _reconstructed(reconstructor: Reconstructor, case: Heart) -> list[float]:
    """Overlap at each of `volume_metrics.THRESHOLDS`."""
    views = dict(zip(case.example.views, case.example.planes, strict=True))
    overlaps: list[float] = ious(reconstructor.volume(views).probabilities[None], case.example.target[None])[0].tolist()
    return overlaps


def _gray(image: NDArray[np.float32]) -> Gray:
    return np.rint(image * 255).astype(np.uint8)
