"""One pair registered: by descent on its own loss, by forces, or by a network, refined if that is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from federated.errors import ConsiliumError
from site_agent.progress import Bar

if TYPE_CHECKING:
    from torch import Tensor

    from shared_models.registration.demons import Demons
    from shared_models.registration.network import Estimate, RegistrationNetwork
    from shared_models.registration.pair_grids import Step
    from shared_models.registration.registration_loss import RegistrationLoss
    from site_agent.registration.placement import PlacedPair

SIMILARITY = "local_ncc"
SMOOTHNESS = {"mse": 0.01, "local_ncc": 1.0, "self_similarity": 0.1, "band_limited_mse": 0.01}
DESCENT, FORCES = WAYS = ("descent", "forces")  # of a pair alone
WINDOWS = {"mse": 0.0, "local_ncc": 5.0}  # of forces: greys as they are, or by the neighbourhoods of their voxels
FORCES_SMOOTHNESS = 0.8
STEPS = 100
PATIENCE = 20
LOW, HIGH = 1.0, 99.0  # percentiles of an image that become 0 and 1
Values = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Settings:
    """How a pair is registered.

    Attributes:
        similarity: name of one of `similarity.SIMILARITIES`.
        smoothness: weight of the regulariser, or of forces deviation of the Gaussian in voxels; None for the
            similarity's own.
        diffeomorphic: whether a velocity is sought, so that nothing folds; None where nobody said, which is yes. A
            network says itself, but for the authors' files.
        steps: of the descent, at each size.
        refine: steps by which a network's weights are brought nearer to the pair; 0 for none.
        way: how a pair alone is registered, one of `WAYS`.

    Raises:
        ConsiliumError: no such similarity or way, or numbers that are too small.
    """

    similarity: str = SIMILARITY
    smoothness: float | None = None
    diffeomorphic: bool | None = None
    steps: int = STEPS
    refine: int = 0
    way: str = DESCENT

    def __post_init__(self) -> None:
        if self.way not in WAYS:
            raise ConsiliumError("is no way", where=f"--by '{self.way}'", cure=f"there are {', '.join(WAYS)}")
        similarities = WINDOWS if self.way == FORCES else SMOOTHNESS
        if self.similarity not in similarities:
            known = f"there are {', '.join(similarities)}"
            raise ConsiliumError("is not known", where=f"the similarity '{self.similarity}'", cure=known)
        for name, least in (("steps", 1), ("refine", 0)):
            if getattr(self, name) < least:
                raise ConsiliumError(f"is {getattr(self, name)}", where=f"--{name}", cure=f"{least} or more")
        if self.smoothness is not None and not 0 <= self.smoothness < np.inf:
            raise ConsiliumError(f"is {self.smoothness}", where="--smoothness", cure="0 or more")
        if self.way == FORCES and not self.weight:
            raise ConsiliumError("is 0", where="--smoothness", cure="forces want some: 0.8 is usual")

    @cached_property
    def loss(self) -> RegistrationLoss:
        """What is to be least."""
        from shared_models.registration.registration_loss import RegistrationLoss

        return RegistrationLoss(self.similarity, self.weight)

    @property
    def forces(self) -> Demons:
        """How they are sought."""
        from shared_models.registration.demons import Demons

        return Demons(smoothing=self.weight, window=WINDOWS[self.similarity], diffeomorphic=self.velocity)

    @property
    def velocity(self) -> bool:
        """Whether one is sought."""
        return self.diffeomorphic is not False

    @property
    def weight(self) -> float:
        """Of the regulariser, or a Gaussian's deviation."""
        usual = FORCES_SMOOTHNESS if self.way == FORCES else SMOOTHNESS[self.similarity]
        return usual if self.smoothness is None else self.smoothness


@dataclass(frozen=True)
class Registered:
    """What was found.

    Attributes:
        field: (d, *N) in voxels of the fixed image, which leads into the moving one brought onto its grid.
        before, after: how unlike the images are by the similarity, as they came and once the field is applied.
        steps: that were taken.
    """

    field: NDArray[np.float32]
    before: float
    after: float
    steps: int


def register_pair(pair: PlacedPair, settings: Settings, network: RegistrationNetwork | None = None) -> Registered:
    """The field of a pair, with a bar where that takes long.

    Args:
        pair: the images.
        settings: how they are registered.
        network: that is asked; without one the pair alone tells the field.

    Raises:
        ConsiliumError: images that the network does not take, or a descent that goes astray.
    """
    import torch

    from shared_models.registration.fields import to_voxels

    moving, fixed = (_shown(values) for values in (pair.moving_values, pair.fixed.values))
    try:
        found, steps = _found(moving, fixed, settings, network)
        padding = "border" if network is None else network.padding
        with torch.inference_mode():
            still = torch.zeros_like(found.field)
            before, after = (
                settings.loss.unlikeness(field, moving, fixed, padding).item() for field in (still, found.field)
            )
    except ValueError as error:
        raise ConsiliumError(str(error), where=f"{pair.moving.name} to {pair.fixed.name}") from error
    field = np.asarray(to_voxels(found.field.detach())[0].numpy(), np.float32)
    return Registered(field, before, after, steps)


def unlikeness(pair: PlacedPair, settings: Settings) -> float:
    """How unlike the images are as they lie, by the similarity."""
    import torch

    moving, fixed = (_shown(values) for values in (pair.moving_values, pair.fixed.values))
    still = torch.zeros(1, fixed.dim() - 2, *fixed.shape[2:])
    with torch.inference_mode():
        return float(settings.loss.unlikeness(still, moving, fixed, "border").item())


def normalised(values: Values) -> NDArray[np.float32]:
    """Greys in [0, 1] between the 1st and the 99th percentile, or the least and greatest where these are one.

    Where there is but one grey, it is 0.
    """
    low, high = np.percentile(values, (LOW, HIGH))
    if not high > low:
        low, high = values.min(), values.max()
    if not high > low:
        return np.zeros(values.shape, np.float32)
    return np.asarray(np.clip((values - low) / (high - low), 0, 1), np.float32)


def _shown(values: Values) -> Tensor:
    import torch

    return torch.from_numpy(np.ascontiguousarray(normalised(values)))[None, None]


def _found(
    moving: Tensor, fixed: Tensor, settings: Settings, network: RegistrationNetwork | None
) -> tuple[Estimate, int]:
    """The estimate, and the steps that it took."""
    from shared_models.registration.descent import Effort
    from shared_models.registration.network import Estimate, register
    from shared_models.registration.pair_grids import halvings
    from shared_models.registration.per_pair import register_by_patch, register_by_weights

    if network is not None and not settings.refine:
        field = register(network, moving, fixed)
        return Estimate(field, field), 0
    if network is None and settings.way == FORCES:
        return _by_forces(moving, fixed, settings)
    most = settings.refine if network is not None else settings.steps
    sizes = 1 if network is not None else len(halvings(moving.shape[2:]))
    effort, counted = Effort(most, PATIENCE), _Counted(Bar("registering", sizes * most))
    try:
        if network is not None:
            found = register_by_weights(network, moving, fixed, settings.loss, effort=effort, watch=counted)
        else:
            found = register_by_patch(
                moving,
                fixed,
                settings.loss,
                diffeomorphic=settings.velocity,
                effort=effort,
                watch=counted,
            )
    finally:
        counted.bar.close()
    return found, counted.steps


def _by_forces(moving: Tensor, fixed: Tensor, settings: Settings) -> tuple[Estimate, int]:
    from shared_models.registration.demons import register_by_demons

    counted = _Counted(Bar("registering", sum(steps for _, steps in settings.forces.course(moving.shape[2:]))))
    try:
        return register_by_demons(moving, fixed, settings.forces, watch=counted), counted.steps
    finally:
        counted.bar.close()


class _Counted:
    """Counts steps, and moves a bar."""

    def __init__(self, bar: Bar) -> None:
        self.bar, self.steps = bar, 0

    def __call__(self, step: Step) -> None:
        self.steps += 1
        self.bar.at(step.step, f"size {step.size} of {step.sizes}, loss {step.loss:.4f}")
