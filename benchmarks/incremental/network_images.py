"""Images of the contest as networks are given them: labels as numbers, grey levels by site."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.incremental.contestant import Fold, Setting, Site
from benchmarks.incremental.kept import Arrays
from federated.statistics import Array
from shared_models.expert_training import Examples, paper_recipe, small_recipe
from shared_models.recipe import Recipe
from shared_models.training import chosen_device
from shared_models.views import ExpertNetwork, grey_levels

ARCHITECTURE = "small_resnet18"
PAPER_WIDTH = 64


def config_of(site: Site, setting: Setting, classes: int) -> dict[str, bool | int | float | str]:
    """Of the small-image ResNet-18, for images of the side that the site's have."""
    return {"classes": classes, "side": site.folds["train"].images.shape[1], "width": setting.width}


def recipe_of(setting: Setting, seed: int) -> Recipe:
    """The paper's at the paper's width; a narrower network, which has few epochs, gets the recipe made for that."""
    chosen = paper_recipe if setting.width == PAPER_WIDTH else small_recipe
    return chosen(epochs=setting.expert_epochs, batch=setting.batch, seed=seed)


def training_examples(site: Site, labels: Sequence[str]) -> Examples:
    """Its training images; labels count their place among those given, all of which it need not have."""
    return _examples(site.folds["train"], labels, grey_levels(site.folds["train"].images))


def validation_examples(site: Site, labels: Sequence[str]) -> Examples | None:
    """Its validation images of labels that it taught, with the grey levels of its training images; None without any."""
    fold = site.folds["validation"]
    rows = [row for row, label in enumerate(fold.local.labels) if label in site.labels]
    chosen = Fold(fold.images[rows], fold.local.rows(rows))
    return _examples(chosen, labels, grey_levels(site.folds["train"].images)) if rows else None


def said(network: ExpertNetwork, fold: Fold) -> Array:
    """(n, C) logits of a fold's images, which are of one site and normalised by their own grey levels."""
    return network.look(fold.images, *levels_of(fold)).logits.astype(np.float64)


def levels_of(fold: Fold) -> tuple[float, float]:
    """Mean and deviation of a fold's grey levels over 255; any, where there is no image."""
    return grey_levels(fold.images) if len(fold.images) else (0.0, 1.0)


def placed(network: ExpertNetwork) -> ExpertNetwork:
    """The same on the accelerator, where there is one: of a file it is on the CPU."""
    network.network.to(chosen_device("auto"))
    return network


def state_bytes(state: Arrays) -> int:
    """Of all arrays."""
    return sum(array.nbytes for array in state.values())


def every_label(sites: Sequence[Site], codes: Sequence[str]) -> tuple[str, ...]:
    """Those that some site teaches, in the order of the vocabulary."""
    taught = {label for site in sites for label in site.labels}
    return tuple(code for code in codes if code in taught)


def _examples(fold: Fold, labels: Sequence[str], levels: tuple[float, float]) -> Examples:
    numbers = np.array([labels.index(label) for label in fold.local.labels], dtype=np.int64)
    return Examples(fold.images, numbers, *levels)
