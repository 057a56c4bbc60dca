"""A made-up problem: labels as clouds of images, sites that move them all, three images a patient."""

from __future__ import annotations

import numpy as np

from benchmarks.refusal_data import Images, Problem, folds_of

SITES, LABELS, UNKNOWN = ("ada", "ben"), ("a", "b", "c", "d"), "e"
TAUGHT = {"ada": ("a", "b", "c"), "ben": ("b", "c", "d")}
FEATURES = 12


def toy(seed: int = 0, *, patients: int = 60, apart: float = 5.0, moved: float = 3.0) -> Problem:
    """Every patient has an image of each label, the unknown among them; a site's images lie `moved` elsewhere."""
    random = np.random.default_rng(seed)
    names = (*LABELS, UNKNOWN)
    middle = {label: apart * np.eye(FEATURES)[number] for number, label in enumerate(names)}
    shift = {"ada": np.zeros(FEATURES), "ben": moved * np.eye(FEATURES)[-1]}
    rows = [(site, f"{site} {number}", label) for site in SITES for number in range(patients) for label in names]
    features = np.stack([middle[label] + shift[site] + random.normal(size=FEATURES) for site, _, label in rows])
    parts = [np.array(part) for part in zip(*rows, strict=True)]
    images = Images(np.append(features, np.ones((len(rows), 1)), axis=1), *parts)
    strangers = np.append(random.normal(size=(40, FEATURES)) - 6, np.ones((40, 1)), axis=1)
    return Problem(images, folds_of(images, (0.4, 0.1, 0.35, 0.15), random), TAUGHT, UNKNOWN, {"noise": strangers})
