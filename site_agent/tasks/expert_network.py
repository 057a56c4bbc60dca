"""The site's own expert network of a batch: trained once, going on where it was stopped, kept until a later one.

It starts from the first expert of the panel where that is of the same architecture, and from random weights where this
site is the first (Bransby et al., step 2).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from federated.canonical import canonical, digest
from federated.contract import Scalar
from federated.errors import ConsiliumError
from federated.files import write_whole
from shared_models.checkpoint import CheckpointError
from site_agent.asking import grey_levels_of, images_of
from site_agent.panel import base_of
from site_agent.progress import TrainingBar
from site_agent.sectors import sectors_of
from site_agent.tasks.blocks import TRAIN

if TYPE_CHECKING:
    from shared_models.expert_training import Examples
    from shared_models.views import ExpertNetwork
    from site_agent.catalogue import Case
    from site_agent.home import SiteHome
    from site_agent.panel import Expert

VALIDATION = "validation"
HISTORY = ".jsonl"


def trained_expert(
    home: SiteHome, batch: str, labels: Sequence[str], folds: Mapping[str, Sequence[Case]]
) -> ExpertNetwork:
    """The frozen expert of a batch; the same images, settings and start give the same one, which is trained once.

    Args:
        home: the site's, whose settings name the network.
        batch: its name.
        labels: of the training images, in the order of the logits.
        folds: training images and, where there are any, validation images, by which the epoch is chosen.

    Raises:
        ConsiliumError: the network cannot be built, or the training goes astray.
    """
    from shared_models.expert_training import ACCURACY, Presentation, paper_recipe, train_expert

    settings = home.config.expert
    config = settings.config(len(labels))
    base = _base(home, batch, config)
    path = expert_path(home, batch, labels, folds)
    try:
        if path.exists():
            return _kept(path, settings.architecture, config)
        train, validation = (_examples(home, labels, folds.get(fold, ())) for fold in (TRAIN, VALIDATION))
        assert train is not None
        if settings.augment != "none":
            train = replace(train, sectors=_known_sectors(home, folds[TRAIN]))
        with TrainingBar(ACCURACY) as watch:
            expert = train_expert(
                settings.architecture,
                config,
                train,
                recipe=replace(paper_recipe(epochs=settings.epochs), precision="auto"),
                validation=validation,
                presentation=Presentation(settings.augment, settings.augment_strength),
                start=base.state if base else None,
                folder=path.with_suffix(""),
                watch=watch,
            )
    except CheckpointError as error:
        raise ConsiliumError(str(error), where=f"batch {batch}") from error
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        raise ConsiliumError(
            f"no expert could be trained: {error}", where=f"batch {batch}", cure="mend [expert] of config.toml"
        ) from error
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(path, save(expert.state()))
    _keep_history(path)
    _remove_others(path, batch)
    return expert


def _kept(path: Path, architecture: str, config: Mapping[str, Scalar]) -> ExpertNetwork:
    """The frozen expert from its file.

    Raises:
        CheckpointError: it does not hold a state of this network.
    """
    from shared_models.views import frozen_expert

    try:
        return frozen_expert(architecture, config, load(path.read_bytes()))
    except (SafetensorError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{path}: is damaged, or of another network; remove it and train again") from error


def expert_path(home: SiteHome, batch: str, labels: Sequence[str], folds: Mapping[str, Sequence[Case]]) -> Path:
    """Where the expert of a batch lies once it is trained; the history of its training lies beside it."""
    base = _base(home, batch, home.config.expert.config(len(labels)))
    return home.experts / "own" / f"{batch}-{_key(home, labels, folds, base)}.safetensors"


def history_of(path: Path) -> list[dict[str, float]]:
    """Of every epoch of an expert's training its figures; none where the site has one class, which is not learnt."""
    beside = path.with_suffix(HISTORY)
    return [json.loads(line) for line in beside.read_text().splitlines()] if beside.exists() else []


def _keep_history(path: Path) -> None:
    from shared_models.training_folder import METRICS

    metrics = path.with_suffix("") / METRICS
    if metrics.exists():
        metrics.replace(path.with_suffix(HISTORY))


def _base(home: SiteHome, batch: str, config: Mapping[str, Scalar]) -> Expert | None:
    """The panel's first expert, if only its labels are others."""
    base, architecture = base_of(home, batch), home.config.expert.architecture
    same = base is not None and (base.architecture, {**base.config, "classes": 0}) == (
        architecture,
        {**config, "classes": 0},
    )
    return base if same else None


def _key(home: SiteHome, labels: Sequence[str], folds: Mapping[str, Sequence[Case]], base: Expert | None) -> str:
    """What tells this expert from any other that might be trained of the batch."""
    images = {fold: sorted([case.sha256, case.label] for case in cases) for fold, cases in folds.items()}
    chosen = {"architecture", "name", "side", "width", "epochs"}
    if home.config.expert.augment != "none":
        chosen |= {"augment", "augment_share", "augment_strength"}
    settings = home.config.expert.model_dump(mode="json", include=chosen)
    start = base.contribution if base else ""
    return digest(canonical([images, list(labels), settings, start, list(grey_levels_of(home))]))[7:23]


def _examples(home: SiteHome, labels: Sequence[str], cases: Sequence[Case]) -> Examples | None:
    from shared_models.expert_training import Examples

    if not cases:
        return None
    mean, deviation = grey_levels_of(home)
    answers = np.array([labels.index(case.label) for case in cases], dtype=np.int64)
    return Examples(images_of(home, cases, home.config.expert.side), answers, mean, deviation)


def _known_sectors(home: SiteHome, cases: Sequence[Case]) -> NDArray[np.bool_]:
    """(n, side, side) sectors of the share of images that the settings say; nowhere in the others."""
    from shared_models.backmix import masked_items

    settings = home.config.expert
    chosen = masked_items([case.sha256 for case in cases], settings.augment_share)
    return sectors_of(home, cases, settings.side) & chosen[:, None, None]


def _remove_others(path: Path, batch: str) -> None:
    """The folder of the training, and what was trained of the batch before: it may know who was forgotten since."""
    for other in path.parent.glob(f"{batch}-*"):
        if other.is_dir():
            shutil.rmtree(other)
        elif other.stem != path.stem:
            other.unlink()
