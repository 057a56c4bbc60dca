"""How an expert learns: cross-entropy on a site's own labels, from the site's own images.

Bransby et al., step 2: all layers learn, from the weights of the base expert, which is the first site's; the weights of
the best validation accuracy are kept, and then frozen for ever. Three defects of the published code are left out. The
base's classifier, which is of the base's labels, is dropped before anything is loaded; the neural mean feature is a
mean over images as they are; a site of one class, from whose images cross-entropy learns nothing, is a case of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from shared_models.backmix import Masks, Mixing
from shared_models.expert_architectures import FEATURE, classifier_of
from shared_models.recipe import Recipe
from shared_models.scaling import resized_labels
from shared_models.training import Device, Rows, Watch, train
from shared_models.view_augmentation import augmented, augmented_with_masks
from shared_models.views import (
    LEAST_DEVIATION,
    ExpertNetwork,
    Floats,
    Images,
    Level,
    Scalar,
    load_state,
    own_grey_levels,
    scaled,
)

if TYPE_CHECKING:
    import torch

ACCURACY = "accuracy"


@dataclass(frozen=True)
class Examples:
    """Labelled images of one site, or of several.

    Attributes:
        images: (n, H, W) grey levels.
        labels: (n,) numbers of their classes.
        mean, deviation: of grey levels over 255 at the images' site, one for all or (n,).
        sectors: (n, H, W) whether a pixel lies in the ultrasound sector, nowhere in an image whose sector is not
            known; None where none is. Only training images need them, and only if backgrounds are changed.
    """

    images: Images
    labels: Rows
    mean: Level
    deviation: Level
    sectors: Masks | None = None


@dataclass(frozen=True)
class Presentation:
    """How an expert is shown what it learns from, beside the augmentation.

    Attributes:
        background: what becomes of what lies outside the sector, one of `backgrounds.BACKGROUNDS`.
        strength: lambda of wBackMix, by which images with a changed background count more; 0 for all alike.
        levels: grey levels are normalised by those of the ``site`` (Bransby et al.), or by each ``image``'s own
            after its background was changed (BackMix). Ask an expert as it was taught: see `own_grey_levels`.
    """

    background: str = "none"
    strength: float = 0.0
    levels: Literal["site", "image"] = "site"


AS_IT_IS = Presentation()


def paper_recipe(*, epochs: int = 200, batch: int = 64, seed: int = 10) -> Recipe:
    """Adam at 1e-3 throughout, the best validation accuracy kept (Bransby et al., step 2)."""
    return Recipe(epochs=epochs, batch=batch, rate=1e-3, seed=seed, optimiser="adam", metric=ACCURACY)


def small_recipe(*, epochs: int = 12, batch: int = 32, seed: int = 10) -> Recipe:
    """As much in a dozen epochs as a CPU has time for: the rate rises to 8e-3 and falls as half a cosine.

    Of the paper's constant 1e-3 a dozen epochs are too few: on the phantom's first hospital (640 images of 8 views at
    48 pixels, width 16, batches of 32) they come to 68 and 71 % of other patients' images with two seeds, these to 87
    and 88 %.
    """
    return Recipe(
        epochs=epochs,
        batch=batch,
        rate=8e-3,
        seed=seed,
        optimiser="adam",
        schedule="cosine",
        warm_up=0.1,
        metric=ACCURACY,
    )


class ExpertTask:
    """Cross-entropy on augmented images, and the accuracy on images as they are.

    Attributes:
        expert: that learns.
        network: the same as torch has it.
        examples: n.
    """

    def __init__(
        self,
        expert: ExpertNetwork,
        train: Examples,
        validation: Examples | None = None,
        presentation: Presentation = AS_IT_IS,
    ) -> None:
        """For an expert.

        Raises:
            ValueError: no such background, no image whose sector is known, or a strength that is too much.
        """
        self.expert, self.network, self.examples = expert, expert.network, len(train.labels)
        self._train = _at(expert.side, train)
        self._validation = (
            None if validation is None else presented(_at(expert.side, validation), expert.side, presentation)
        )
        self._mean, self._deviation = (np.broadcast_to(level, self.examples) for level in (train.mean, train.deviation))
        self._presentation = presentation
        self._mixing = None
        if presentation.background != "none":
            self._mixing = Mixing(presentation.background, presentation.strength, self._train.sectors)

    def loss(self, rows: Rows, generator: torch.Generator, device: torch.device) -> torch.Tensor:
        """Mean cross-entropy over examples by number, each counted as wBackMix says."""
        import torch

        labels = torch.from_numpy(self._train.labels[rows]).to(device)
        logits = self.network(self.shown(rows, generator))
        if self._mixing is None or not self._mixing.strength:
            return torch.nn.functional.cross_entropy(logits, labels)
        each = torch.nn.functional.cross_entropy(logits, labels, reduction="none")
        return (each * self._mixing.weights(rows).to(device)).mean()

    def shown(self, rows: Rows, generator: torch.Generator) -> torch.Tensor:
        """(b, channels, S, S) examples by number, where the network is: augmented, mixed, then normalised."""
        pixels = self.expert.pixels(self._train.images[rows])
        if self._mixing is None:
            pixels = augmented(pixels, generator)
        else:
            masks = self._mixing.masks(rows).to(pixels.device)
            pixels, masks = augmented_with_masks(pixels, masks, generator)
            pixels = self._mixing.mixed(rows, pixels, masks, self._donated, generator)
        if self._presentation.levels == "site":
            return self.expert.normalised(pixels, self._mean[rows], self._deviation[rows])
        return self.expert.normalised(pixels, *_levels_of(pixels))

    def _donated(self, rows: Rows) -> torch.Tensor:
        """(b, 1, S, S) examples by number as they are."""
        return self.expert.pixels(self._train.images[rows])

    def validate(self) -> Mapping[str, float]:
        """The accuracy, if there is anything to validate on."""
        held = self._validation
        if held is None or not len(held.labels):
            return {}
        best = self.expert.look(held.images, held.mean, held.deviation).logits.argmax(axis=1)
        return {ACCURACY: float(np.mean(best == held.labels))}


def train_expert(
    architecture: str,
    config: Mapping[str, Scalar],
    examples: Examples,
    *,
    recipe: Recipe,
    validation: Examples | None = None,
    presentation: Presentation = AS_IT_IS,
    start: Mapping[str, NDArray[Any]] | None = None,
    folder: Path | None = None,
    device: Device = "auto",
    watch: Watch | None = None,
) -> ExpertNetwork:
    """A frozen expert of a site.

    A site of one class gets the backbone it begins with and a classifier that says 0 of every image: its logit is no
    evidence, its softmax is always 1, and `ExpertNetwork.degenerate` tells who fuses. Its neural mean feature is that
    of its own images, so that it can still tell which are of its kind.

    Args:
        architecture: a line of the registry of models.
        config: of it; ``classes`` is how many labels the site has.
        examples: of the site's training patients; every class occurs.
        recipe: how it learns; its seed also makes the first weights.
        validation: of other patients of the site; without them the last weights are kept.
        presentation: how the images are shown while it learns.
        start: state of the base expert; its classifier and neural mean feature are not taken over.
        folder: for a checkpoint, see `train`.
        device: where.
        watch: is told how far it is.

    Raises:
        ValueError: a class without an image, a start that is of another architecture, or what `ExpertTask` or `train`
            says.
        TypeError: a configuration that the architecture does not take.
    """
    expert = new_expert(architecture, config, seed=recipe.seed, start=start)
    _check_labels(examples, int(config["classes"]))
    if not expert.degenerate:
        task = ExpertTask(expert, examples, validation, presentation)
        train(task, recipe, folder=folder, device=device, watch=watch)
    expert.freeze(neural_mean_feature(expert, presented(examples, expert.side, presentation)))
    return expert


def new_expert(
    architecture: str, config: Mapping[str, Scalar], *, seed: int, start: Mapping[str, NDArray[Any]] | None = None
) -> ExpertNetwork:
    """An expert that has not learnt yet: random where it does not take over a start's backbone.

    Raises:
        ValueError: the start is of another architecture.
    """
    expert = ExpertNetwork(architecture, config, seed)
    head, classifier = classifier_of(expert.network)
    own = (FEATURE, f"{head}.weight", f"{head}.bias")
    if start is not None:
        kept = {name: array for name, array in expert.state().items() if name in own}
        load_state(expert.network, {name: array for name, array in start.items() if name not in own} | kept)
    if expert.degenerate:
        for parameter in classifier.parameters():
            parameter.detach().zero_()
    return expert


def neural_mean_feature(expert: ExpertNetwork, examples: Examples) -> Floats:
    """(N,) mean of the neural means over images as they are (step 4)."""
    means = expert.look(examples.images, examples.mean, examples.deviation).means
    return means.mean(axis=0, dtype=np.float64).astype(np.float32)


def presented(examples: Examples, side: int, presentation: Presentation) -> Examples:
    """Examples whose grey levels are those by which an expert that was taught so is to be shown them."""
    if presentation.levels == "site":
        return examples
    mean, deviation = own_grey_levels(examples.images, side)
    return replace(examples, mean=mean, deviation=deviation)


def _levels_of(pixels: torch.Tensor) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """`own_grey_levels` of pixels (n, 1, S, S)."""
    values = pixels.double().flatten(1)
    deviation = values.std(dim=1, correction=0).cpu().numpy()
    return values.mean(dim=1).cpu().numpy(), np.maximum(deviation, LEAST_DEVIATION)


def _at(side: int, examples: Examples) -> Examples:
    sectors = examples.sectors
    if sectors is not None and sectors.shape[1:] != (side, side):
        sectors = np.stack([resized_labels(one.view(np.uint8), (side, side)) for one in sectors]).view(np.bool_)
    return replace(examples, images=scaled(examples.images, side), sectors=sectors)


def _check_labels(examples: Examples, classes: int) -> None:
    found = set(np.unique(examples.labels).tolist())
    if found != set(range(classes)):
        raise ValueError(f"images of classes {sorted(found)}, each of 0 to {classes - 1} is to have some")
