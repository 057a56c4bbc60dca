"""Real lung ultrasound of four sources as features, split by patient as the sites themselves would split it."""

from __future__ import annotations

import csv
import hashlib
import hmac
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from benchmarks.real_data import LUNG
from deploy.demo.baselines import SiteFolds
from federated.disclosure import Limits
from federated.errors import DataError, DisclosureError
from federated.local_fold import LocalFold
from federated.statistics import Array
from site_agent.catalogue import Case
from site_agent.folds import FOLDS, assign_folds
from site_agent.sources.images import decode_still, luma
from site_agent.sources.index import parse_columns, read_index
from site_agent.tasks.blocks import class_balance, sample_weights, select

COLUMNS = "site=site_group,patient=split_group,clip=clip_id"
ORDER = ("neuruppin", "northumbria", "pocus_atlas", "web_and_publications")
LABELS = ("covid", "healthy", "pneumonia", "viral")
STRANGE_PROBE = "linear"


@dataclass(frozen=True)
class Shot:
    """One image: whose it is, what it shows, with which probe it was taken, and the row of its features."""

    site: str
    patient: str
    label: str
    clip: str
    probe: str
    row: int


@dataclass(frozen=True)
class Images:
    """All images, with (n, M) features."""

    shots: tuple[Shot, ...]
    features: Array

    def fold(self, shots: Sequence[Shot]) -> LocalFold:
        """Some of the images, as held-back images of weight one."""
        return LocalFold(
            features=self.features[[shot.row for shot in shots]],
            labels=tuple(shot.label for shot in shots),
            patients=tuple(shot.patient for shot in shots),
            clips=tuple(shot.clip for shot in shots),
            weights=np.ones(len(shots)),
        )


@cache
def load_images(folder: Path = LUNG) -> Images:
    """Features of every image by the texture front end.

    Raises:
        DataError: the data are not there.
    """
    from shared_models.front_ends import create_front_end

    rows = read_index(folder, parse_columns(COLUMNS))
    with (folder / "index.csv").open(encoding="utf-8") as file:
        probes = [line["probe"] for line in csv.DictReader(file)]
    front_end = create_front_end("texture")
    features = [front_end(luma(decode_still(row.path))) for row in rows]
    shots = [
        Shot(row.site, row.patient, row.label, row.clip, probe, number)
        for number, (row, probe) in enumerate(zip(rows, probes, strict=True))
    ]
    if {shot.site for shot in shots} != set(ORDER):
        raise DataError(f"holds other sites than {', '.join(ORDER)}", where=str(folder))
    return Images(tuple(shots), np.stack(features))


def split(images: Images, shots: Sequence[Shot], seed: int, limits: Limits | None = None) -> list[SiteFolds]:
    """Every site's folds, in the order of arrival; a site that has nothing to train on is left out.

    Args:
        images: where the features are.
        shots: the images that take part.
        seed: stands for the sites' secrets, which decide whose patients fall into which fold.
        limits: minimum counts, by which small cells of the folds that leave are dropped.
    """
    by_site: dict[str, list[Shot]] = defaultdict(list)
    for shot in shots:
        by_site[shot.site].append(shot)
    found = [_site_folds(images, name, by_site[name], seed, limits) for name in ORDER if by_site[name]]
    return [site for site in found if site is not None]


def _site_folds(images: Images, name: str, shots: Sequence[Shot], seed: int, limits: Limits | None) -> SiteFolds | None:
    cases = _cases(shots, seed)
    chosen = {fold: [case for case in cases if case.fold == fold] for fold in FOLDS}
    if limits is not None:
        try:
            kept = select(cases, limits, where=name).folds
        except DisclosureError:
            return None
        chosen |= {fold: kept.get(fold, []) for fold in ("train", "validation")}
    if not chosen["train"]:
        return None
    balance = class_balance(chosen["train"], "site")
    return SiteFolds(name, {fold: _local(images, shots, cases, balance) for fold, cases in chosen.items()})


def _cases(shots: Sequence[Shot], seed: int) -> list[Case]:
    secret = f"seed {seed}".encode()
    hidden = {shot.patient: hmac.new(secret, shot.patient.encode(), hashlib.sha256).hexdigest() for shot in shots}
    labels: dict[str, set[str]] = defaultdict(set)
    for shot in shots:
        labels[hidden[shot.patient]].add(shot.label)
    folds = assign_folds({patient: frozenset(its) for patient, its in labels.items()}, {}, {})
    return [
        Case(
            id=number,
            key=shot.clip,
            sha256=str(shot.row),
            patient=shot.patient,
            label=shot.label,
            clip=shot.clip,
            frame=0,
            place=0,
            fold=folds[hidden[shot.patient]],
            batch="b",
        )
        for number, shot in enumerate(shots)
    ]


def _local(images: Images, shots: Sequence[Shot], cases: Sequence[Case], balance: dict[str, float]) -> LocalFold:
    plain = images.fold([shots[case.id] for case in cases])
    weights = sample_weights(cases, {label: balance.get(label, 1.0) for label in set(plain.labels)})
    return LocalFold(plain.features, plain.labels, plain.patients, plain.clips, weights)


def without(shots: Sequence[Shot], leave_out: Callable[[Shot], bool]) -> tuple[list[Shot], list[Shot]]:
    """Images that stay and those left out."""
    gone = [shot for shot in shots if leave_out(shot)]
    rows = {shot.row for shot in gone}
    return [shot for shot in shots if shot.row not in rows], gone
