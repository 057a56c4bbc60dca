"""Classification of single images and of clips: what a site can contribute of a batch.

Cases: images of the training and validation folds; a patient weighs the same however many images there are. Model: the
closed form over frozen features, so what leaves is their statistics, the features themselves, or a linear head; or a
network of the site's own, and then what the whole panel of networks says of the images.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from threadpoolctl import threadpool_limits

from federated.disclosure import Limits
from federated.errors import DisclosureError
from federated.fusion.targets import coarse_labels
from federated.manifest import (
    ConsultationManifest,
    Contribution,
    FeaturesManifest,
    StatisticsManifest,
    Tensors,
    WeightsManifest,
    own_gram_name,
    pack_tensors,
)
from federated.statistics import Array, Statistics, from_features, pack_symmetric
from site_agent.asking import said_of
from site_agent.catalogue import Catalogue
from site_agent.drafts import Draft
from site_agent.expert_settings import HEAD
from site_agent.features import features_of
from site_agent.panel import panel_of
from site_agent.tasks.blocks import (
    TRAIN,
    Selection,
    cells_of,
    class_balance,
    facts_of,
    numbered,
    sample_weights,
    select,
    shuffled,
)
from site_agent.tasks.expert_network import trained_expert

if TYPE_CHECKING:
    from site_agent.catalogue import Case
    from site_agent.home import SiteHome
    from site_agent.policy import Policy

KINDS = ("statistics", "features", "weights", "consultation")
SENT_FOLDS = (TRAIN, "validation")
SEED = 0


@dataclass(frozen=True)
class Block:
    """A batch ready to be put into one kind or another.

    Attributes:
        labels: those with training patients, in the vocabulary's order.
        folds: fold -> cases; `features` (n, M), where they are read, and `weights` (n,) have a row for each.
    """

    batch: str
    labels: tuple[str, ...]
    folds: dict[str, list[Case]]
    features: dict[str, Array]
    weights: dict[str, Array]


def draft(home: SiteHome, kind: str, batch: str, policy: Policy) -> Draft:
    """What a batch would send as one kind; equal bytes for equal cases, so that a repeated draft is the same draft.

    Raises:
        DisclosureError: no label has patients enough, or the policy's levels cannot be kept.
    """
    chosen = selection(home, batch, policy)
    threads = None if _is_by_network(home, kind) else 1  # the last digits of a sum depend on them; networks are kept
    with threadpool_limits(threads):
        return DRAFTS[kind](home, block_of(home, kind, chosen, batch), policy)


def selection(home: SiteHome, batch: str, policy: Policy) -> Selection:
    """Cases of a batch that may leave. The same for every kind, since features must reproduce the statistics.

    Raises:
        DisclosureError: no label has patients enough.
    """
    cases = [case for case in Catalogue(home.catalogue_path).cases(batch=batch) if case.fold in SENT_FOLDS]
    return select(cases, _strictest(policy), where=f"batch {batch}")


def _strictest(policy: Policy) -> Limits:
    allowed = [policy.rule(kind).limits for kind in KINDS if policy.rule(kind).allowed] or [Limits()]
    return Limits(cell=max(limits.cell for limits in allowed), batch=max(limits.batch for limits in allowed))


def block_of(home: SiteHome, kind: str, chosen: Selection, batch: str) -> Block:
    """Features and weights of the chosen cases; a linear head has no use for the validation fold."""
    by_network = _is_by_network(home, kind)
    folds = {TRAIN: chosen.folds[TRAIN]} if kind == "weights" and not by_network else chosen.folds
    if kind in ("features", "consultation"):
        folds = {fold: shuffled(cases, home.secret()) for fold, cases in folds.items()}
    balance = class_balance(folds[TRAIN], home.config.class_balance)
    return Block(
        batch=batch,
        labels=tuple(code for code in home.vocabulary.codes if code in balance),
        folds=folds,
        features={} if by_network else {fold: features_of(home, cases) for fold, cases in folds.items()},
        weights={fold: _image_weights(cases, balance, kind, by_network) for fold, cases in folds.items()},
    )


def _image_weights(cases: Sequence[Case], balance: Mapping[str, float], kind: str, by_network: bool) -> Array:
    """What each image weighs; a network is trained on all alike, by which one patient may not weigh too much."""
    return np.ones(len(cases)) if kind == "weights" and by_network else sample_weights(cases, balance)


def _is_by_network(home: SiteHome, kind: str) -> bool:
    return kind == "consultation" or (kind == "weights" and home.config.expert.is_network)


def _statistics(home: SiteHome, block: Block, policy: Policy) -> Draft:
    level, to_sites = _levels(policy)
    features = home.config.front_end.features
    silent = coarse_labels(home.vocabulary, block.labels) if level == 2 else ()
    coarse = apart(block.folds, silent, features, policy.statistics.limits)
    tensors: Tensors = {}
    for fold in block.folds:
        sums = _sums(block, fold, coarse)
        tensors |= {f"{fold}.class_sums": sums.class_sums, f"{fold}.weights": sums.weights}
        if level == 2:
            tensors |= _grams(sums, fold)
    return _draft(
        home,
        block,
        tensors,
        StatisticsManifest,
        {
            "level": level,
            "level_to_sites": to_sites,
            "features": features,
            "folds": tuple(block.folds),
            "coarse": coarse,
        },
        level=level,
        matrix=features,
        coarse=coarse,
    )


def apart(folds: Mapping[str, Sequence[Case]], silent: Sequence[str], features: int, limits: Limits) -> tuple[str, ...]:
    """The labels that get a Gram matrix of their own: those silent on concepts below them, with patients enough.

    As many as any matrix takes must stand behind each and behind what is left of each fold. Of the others the
    coordinator makes one up from the class means.
    """
    cells = [cells_of(cases) for cases in folds.values()]
    enough = max(features / limits.gram_share, limits.cell, limits.batch)
    chosen = tuple(
        label
        for label in silent
        if all(len(found) >= enough for fold in cells for (_, name), found in fold.items() if name == label)
    )
    for fold in cells:
        others = [found for (_, label), found in fold.items() if label not in chosen]
        if others and len(frozenset().union(*others)) < enough:
            return ()
    return chosen


def _grams(sums: Statistics, fold: str) -> Tensors:
    assert sums.gram is not None
    own = {own_gram_name(fold, index): pack_symmetric(gram) for index, gram in enumerate(sums.own_grams.values())}
    return {f"{fold}.gram": pack_symmetric(sums.gram), **own}


def _levels(policy: Policy) -> tuple[Literal[1, 2], Literal[1, 2]]:
    """What the coordinator gets, and what its releases may carry on.

    Raises:
        DisclosureError: level 0, for which sums would have to be opened only together with other sites'.
    """
    rule = policy.statistics
    if rule.level_to_coordinator == 0 or rule.level_to_sites == 0:
        raise DisclosureError(
            "at level 0 statistics cannot be fused",
            filter_name="policy",
            where="statistics",
            cure="set level_to_coordinator and level_to_sites to 1 or 2, and have an approver sign the policy",
        )
    level: Literal[1, 2] = 2 if rule.level_to_coordinator == 2 else 1
    return level, 2 if level == 2 and rule.level_to_sites == 2 else 1


def _sums(block: Block, fold: str, coarse: tuple[str, ...]) -> Statistics:
    names = [case.label for case in block.folds[fold]]
    return from_features(block.features[fold], names, block.weights[fold], block.labels, coarse)


def _features(home: SiteHome, block: Block, _: Policy) -> Draft:
    tensors: Tensors = {}
    for fold, features in block.features.items():
        tensors |= {f"{fold}.features": features, **_rows(home, block, fold)}
    fields = {"features": home.config.front_end.features, "folds": tuple(block.folds)}
    return _draft(home, block, tensors, FeaturesManifest, fields)


def _rows(home: SiteHome, block: Block, fold: str, times: int = 1) -> Tensors:
    """Label, weight and patient of every image of a fold, all of them so many times."""
    cases = block.folds[fold]
    labels = np.array([block.labels.index(case.label) for case in cases], dtype=np.int64)
    patients = np.array(numbered(cases, home.secret()), dtype=np.int64)
    columns = {"label": labels, "weight": block.weights[fold], "patient": patients}
    return {f"{fold}.{name}": np.tile(column, times) for name, column in columns.items()}


def _weights(home: SiteHome, block: Block, _: Policy) -> Draft:
    """The site's own expert: a linear softmax head on its training fold, or a network."""
    from shared_models.linear_head import head_state, train_head

    if home.config.expert.is_network:
        expert = trained_expert(home, block.batch, block.labels, block.folds)
        network = {"architecture": expert.architecture, "config": expert.config}
        return _draft(home, block, expert.state(), WeightsManifest, network)
    cases, features = block.folds[TRAIN], block.features[TRAIN]
    index = np.array([block.labels.index(case.label) for case in cases], dtype=np.int64)
    weights, bias = train_head(features, index, block.weights[TRAIN], len(block.labels), seed=SEED)
    fields = {
        "architecture": HEAD,
        "config": {"features": features.shape[1], "labels": len(block.labels)},
    }
    return _draft(home, block, head_state(weights, bias), WeightsManifest, fields)


def _consultation(home: SiteHome, block: Block, _: Policy) -> Draft:
    """What every expert network that is here says of the images, and of augmented copies of training images."""
    settings, panel = home.config.expert, panel_of(home)
    if not panel:
        raise DisclosureError(
            "no expert network is here to be asked",
            filter_name="panel",
            where=f"batch {block.batch}",
            cure="name one under [expert] of config.toml, or wait for another site's",
        )
    means = {} if settings.neural_means else {"means": 0}
    asked = tuple(expert.asked.model_copy(update=means) for expert in panel)
    tensors: Tensors = {}
    for fold, cases in block.folds.items():
        copies = settings.copies if fold == TRAIN else 0
        said = [said_of(home, cases, panel, asked, copy) for copy in range(copies + 1)]
        rows = _rows(home, block, fold, copies + 1)
        tensors |= {f"{fold}.said": np.concatenate(said).astype(np.float32), **rows}
    fields = {"panel": asked, "copies": settings.copies, "folds": tuple(block.folds)}
    return _draft(home, block, tensors, ConsultationManifest, fields)


def _draft(
    home: SiteHome,
    block: Block,
    tensors: Tensors,
    kind: type[Contribution],
    fields: dict[str, Any],
    *,
    level: int | None = None,
    matrix: int | None = None,
    coarse: tuple[str, ...] = (),
) -> Draft:
    data, specs, tensors_digest = pack_tensors(tensors)
    train = block.folds[TRAIN]
    patients = {label: len(found) for (_, label), found in sorted(cells_of(train).items())}
    manifest: Any = kind(
        federation=home.config.federation,
        tensors=specs,
        tensors_digest=tensors_digest,
        site=home.config.site,
        task=home.config.task,
        front_end=home.config.front_end.digest,
        batch=block.batch,
        labels=block.labels,
        patients=patients,
        images={label: sum(case.label == label for case in train) for label in patients},
        batch_patients=len({case.patient for cases in block.folds.values() for case in cases}),
        expert=Catalogue(home.catalogue_path).expert_of(block.batch),
        **fields,
    )
    facts = facts_of(
        manifest.kind, block.folds, block.weights, size=len(data), level=level, features=matrix, coarse=coarse
    )
    return Draft(manifest, data, facts)


DRAFTS: dict[str, Callable[[SiteHome, Block, Policy], Draft]] = {
    "statistics": _statistics,
    "features": _features,
    "weights": _weights,
    "consultation": _consultation,
}
