"""The site's own expert of views, trained at its command before any work, with a page on how that went."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from federated.disclosure import Limits
from federated.errors import ConsiliumError, DisclosureError
from site_agent.asking import grey_levels_of, images_of
from site_agent.catalogue import Catalogue
from site_agent.local_experts import Trained
from site_agent.panel import Expert
from site_agent.policy import read_policy
from site_agent.tasks.blocks import TRAIN, select
from site_agent.tasks.expert_network import VALIDATION, expert_path, history_of, trained_expert
from site_agent.training_report.page import Picture, Report, Table

if TYPE_CHECKING:
    from shared_models.views import ExpertNetwork
    from site_agent.catalogue import Case
    from site_agent.home import SiteHome

SHOWN = 12
ONE = "all images show the same: there is nothing to tell apart, and the network stays as it began"


def train(home: SiteHome, batch: str) -> Trained:
    """The expert of a batch, which is trained once; what work would send later is the same.

    Raises:
        ConsiliumError: the site's expert is no network, no label has patients enough, or the training goes astray.
    """
    settings = home.config.expert
    if not settings.is_network:
        raise ConsiliumError(
            "the expert of views is a linear head, which is fitted when it is sent",
            where=str(home.path / "config.toml"),
            cure='set architecture = "small_resnet18" under [expert]',
        )
    labels, folds = _taught(home, batch)
    network = trained_expert(home, batch, labels, folds)
    path = expert_path(home, batch, labels, folds)
    expert = Expert("", home.config.site, 0, network.architecture, dict(network.config), labels, network.state())
    return Trained(expert, tuple(history_of(path)), path)


def _taught(home: SiteHome, batch: str) -> tuple[tuple[str, ...], dict[str, list[Case]]]:
    """Labels and folds of a batch within the limits of the policy; without one, within none."""
    cases = [case for case in Catalogue(home.catalogue_path).cases(batch=batch) if case.fold in (TRAIN, VALIDATION)]
    folds = select(cases, _limits(home), where=f"batch {batch}").folds
    there = {case.label for case in folds[TRAIN]}
    return tuple(code for code in home.vocabulary.codes if code in there), folds


def _limits(home: SiteHome) -> Limits:
    try:
        rule = read_policy(home).weights
    except DisclosureError:
        return Limits(cell=1, batch=1)
    return rule.limits if rule.allowed else Limits(cell=1, batch=1)


def report(home: SiteHome, done: Trained) -> Report:
    """The page on an expert: figures and pictures are of validation patients."""
    from shared_models.expert_training import ACCURACY
    from shared_models.views import frozen_expert

    network = frozen_expert(done.expert.architecture, done.expert.config, done.expert.state)
    cases = [case for case in Catalogue(home.catalogue_path).cases(fold=VALIDATION) if case.label in done.expert.labels]
    kept = max(done.history, key=lambda epoch: epoch.get(ACCURACY, epoch["epoch"]), default=None)
    said = _probabilities(home, network, cases)
    settings = home.config.expert.model_dump(exclude={"architecture", "name", "copies", "neural_means"})
    return Report(
        title="Training of views",
        facts=[
            ("validation images", len(cases)),
            *((name.replace("_", " "), value) for name, value in settings.items()),
        ],
        history=done.history,
        tables=[_confusion(home, done.expert.labels, cases, said)] if cases else [],
        pictures=_pictures(home, done.expert.labels, cases, said),
        best=int(kept["epoch"]) if kept else None,
        about=[f"site {home.config.site}; figures and pictures are of the validation fold"],
        notes=[] if done.history else [ONE],
    )


def _probabilities(home: SiteHome, network: ExpertNetwork, cases: Sequence[Case]) -> Any:
    """(n, C) softmax of the logits."""
    if not cases:
        return np.zeros((0, 0))
    mean, deviation = grey_levels_of(home)
    logits = network.look(images_of(home, cases, network.side), mean, deviation).logits.astype(np.float64)
    sure = np.exp(logits - logits.max(axis=1, keepdims=True))
    return sure / sure.sum(axis=1, keepdims=True)


def _confusion(home: SiteHome, labels: Sequence[str], cases: Sequence[Case], said: Any) -> Table:
    answers = [labels[best] for best in said.argmax(axis=1)]
    counts = Counter(zip((case.label for case in cases), answers, strict=True))
    rows: list[tuple[str | int, ...]] = [
        (home.vocabulary.meaning(true), *(counts[true, answer] for answer in labels))
        for true in labels
        if any(case.label == true for case in cases)
    ]
    right = sum(case.label == answer for case, answer in zip(cases, answers, strict=True))
    columns = ("true label", *(home.vocabulary.meaning(label) for label in labels))
    return Table("validation images by true label and answer", columns, rows, f"{right} of {len(cases)} are right")


def _pictures(home: SiteHome, labels: Sequence[str], cases: Sequence[Case], said: Any) -> list[Picture]:
    """Those whose own label is least believed, worst first."""
    own = [float(said[row, labels.index(case.label)]) for row, case in enumerate(cases)]
    found = []
    for row in np.argsort(own, kind="stable")[:SHOWN]:
        case, best = cases[row], int(said[row].argmax())
        image = home.archive.cache.frames(case.key, [case.place])[0]
        answer = f"{home.vocabulary.meaning(labels[best])} {said[row, best]:.2f}"
        found.append(
            Picture(f"{home.vocabulary.meaning(case.label)} {own[row]:.2f}; said: {answer}", image, "the worst")
        )
    return found
