"""Splits are by patient, as the sites make them, and minimum counts drop what a hospital would keep back."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from benchmarks.lung_data import COLUMNS, LABELS, ORDER, Images, Shot, split, without
from federated.disclosure import Limits
from site_agent.folds import FOLDS
from site_agent.sources.index import parse_columns, read_index

HELD = {
    "neuruppin": ("healthy",),
    "northumbria": ("healthy", "pneumonia"),
    "pocus_atlas": ("covid", "healthy", "pneumonia"),
    "web_and_publications": LABELS,
}


def synthetic(patients: int = 12, frames: int = 2, *, seed: int = 0) -> Images:
    """Four sites whose labels lie apart; a fifth of the patients of the last site have another probe."""
    rng = np.random.default_rng(seed)
    centres = dict(zip(LABELS, 2 * rng.normal(size=(len(LABELS), 7)), strict=True))
    shots: list[Shot] = []
    rows: list[np.ndarray] = []
    for site in ORDER:
        for label in HELD[site]:
            for patient in range(patients):
                probe = "linear" if site == ORDER[-1] and patient % 5 == 0 else "convex"
                for _ in range(frames):
                    name = f"{site}-{label}-{patient}"
                    shots.append(Shot(site, name, label, f"clip-{name}", probe, len(rows)))
                    rows.append(np.append(centres[label] + rng.normal(size=7), 1.0))
    return Images(tuple(shots), np.array(rows))


def test_a_patient_is_in_one_fold_and_nobody_is_lost() -> None:
    images = synthetic()
    for seed in range(3):
        sites = split(images, images.shots, seed)
        assert [site.name for site in sites] == list(ORDER)
        for site in sites:
            folds = [set(site.folds[fold].patients) for fold in FOLDS]
            assert sum(map(len, folds)) == len(set.union(*folds)) == 12 * len(HELD[site.name])


def test_a_seed_gives_the_same_split_and_another_seed_another() -> None:
    images = synthetic()
    first, again, other = (split(images, images.shots, seed)[1].test.patients for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_patients_and_labels_weigh_alike() -> None:
    site = split(synthetic(), synthetic().shots, 0)[3]
    by_label: Counter[str] = Counter()
    by_patient: Counter[tuple[str, str]] = Counter()
    for label, patient, weight in zip(site.train.labels, site.train.patients, site.train.weights, strict=True):
        by_label[label] += weight
        by_patient[label, patient] += weight
    assert len({round(weight, 9) for weight in by_label.values()}) == 1
    assert all(weight == pytest.approx(by_label[label] / 6) for (label, _), weight in by_patient.items())


def test_minimum_counts_drop_small_cells_and_keep_held_back_clips() -> None:
    images = synthetic(patients=4)
    plain = split(images, images.shots, 0)
    assert split(images, images.shots, 0, Limits()) == []  # two training patients a label are too few
    loose = split(images, images.shots, 0, Limits(cell=2, batch=2))
    assert [site.name for site in loose] == [site.name for site in plain]
    assert [site.test.clips for site in loose] == [site.test.clips for site in plain]


def test_images_left_out_are_told_from_those_that_stay() -> None:
    images = synthetic()
    stay, gone = without(images.shots, lambda shot: shot.probe == "linear")
    assert {shot.site for shot in gone} == {ORDER[-1]}
    assert len(stay) + len(gone) == len(images.shots)
    assert not {shot.row for shot in stay} & {shot.row for shot in gone}


def test_the_real_index_names_these_sites_and_labels(shared_data: Path) -> None:
    rows = read_index(shared_data / "pocus_lung_multisite", parse_columns(COLUMNS))
    assert {row.site for row in rows} == set(ORDER)
    assert {row.label for row in rows} == set(LABELS)
