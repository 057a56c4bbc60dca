"""Four real cardiology hospitals as rows of a table (UCI Heart Disease): grades 0 to 4, one of them 0 and 1 only.

Hungary's 1 is a coarse label above the grades 1 to 4. A missing value becomes the median of the site's own training
patients, with a feature beside it that says so; where a site has none at all, the middle of the scale.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.incremental.cases import Cases, split_site
from benchmarks.incremental.contestant import Fold, Site
from benchmarks.incremental.suite import Preset, Suite
from benchmarks.real_data import VARIABLE, data_folder
from federated.canonical import digest
from federated.errors import ConsiliumError
from federated.manifest import FrontEndCard
from federated.statistics import Array
from federated.vocabulary import Concept, Vocabulary

FOLDER = data_folder() / "uci_heart_four_site"
SITES = ("cleveland", "hungarian", "switzerland", "va")
ORDERS = (SITES, SITES[::-1], ("hungarian", "va", "cleveland", "switzerland"))
COARSE = "hungarian"
ABSENT, PRESENT = "absent", "present"
GRADES = ("grade-1", "grade-2", "grade-3", "grade-4")
SCALES = {  # middle and width, roughly those of adults at a cardiologist's
    "age": (55.0, 10.0),
    "sex": (0.5, 0.5),
    "trestbps": (130.0, 20.0),
    "chol": (240.0, 50.0),
    "fbs": (0.5, 0.5),
    "thalach": (140.0, 25.0),
    "exang": (0.5, 0.5),
    "oldpeak": (1.0, 1.0),
    "ca": (1.0, 1.0),
}
KINDS = {"cp": (1, 2, 3, 4), "restecg": (0, 1, 2), "slope": (1, 2, 3), "thal": (3, 6, 7)}
NEVER_ZERO = ("trestbps", "chol")  # 0 stands for missing
COLUMNS = (*SCALES, *KINDS)
FEATURES = len(SCALES) + sum(len(kinds) for kinds in KINDS.values()) + len(COLUMNS) + 1


def heart_table(seed: int, preset: Preset) -> Suite:  # noqa: ARG001 (nothing here has a size)
    """The suite of one seed.

    Raises:
        ConsiliumError: the table is not there.
    """
    rows = _rows(FOLDER / "index.csv")
    sites = [_cases(site, [row for row in rows if row["site"] == site]) for site in SITES]
    return Suite(
        vocabulary=grades(),
        front_end=FrontEndCard(name="table", config={}, digest=digest(b"heart table 1"), features=FEATURES),
        sites=tuple(_filled_in(split_site(cases, seed, set(cases.labels))) for cases in sites),
        external=(),
        orders=ORDERS,
    )


def grades() -> Vocabulary:
    """No disease, disease, and its four grades."""
    plain = [Concept(code=code, scheme="local", meaning=code) for code in (ABSENT, PRESENT)]
    below = [Concept(code=code, scheme="local", meaning=code, parents=(PRESENT,)) for code in GRADES]
    return Vocabulary(name="heart-table", concepts=(*plain, *below))


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except OSError as error:
        raise ConsiliumError("cannot be read", where=str(path), cure=f"{VARIABLE} says where data lie") from error


def _cases(site: str, rows: Sequence[dict[str, str]]) -> Cases:
    values = np.array([[_value(row, column) for column in COLUMNS] for row in rows])
    names = tuple(f"{site}-{number:04d}" for number in range(len(rows)))
    nothing = np.zeros((len(rows), 0, 0), dtype=np.uint8)
    return Cases(site, nothing, values, tuple(_label(site, row["num"]) for row in rows), names, names)


def _value(row: dict[str, str], column: str) -> float:
    text = row[column]
    missing = not text or (column in NEVER_ZERO and float(text) == 0)
    return np.nan if missing else float(text)


def _label(site: str, grade: str) -> str:
    if grade == "0":
        return ABSENT
    return PRESENT if site == COARSE else GRADES[int(grade) - 1]


def _filled_in(site: Site) -> Site:
    """The same site with features in the place of values."""
    middles = medians(site.folds["train"].local.features)
    return Site(site.name, {name: _featured(fold, middles) for name, fold in site.folds.items()})


def _featured(fold: Fold, middles: Array) -> Fold:
    return replace(fold, local=replace(fold.local, features=features_of(fold.local.features, middles)))


def medians(values: Array) -> Array:
    """(columns,) lower medians of what is there, so that a kind stays a kind; NaN where nothing is."""
    found = [np.sort(column[~np.isnan(column)]) for column in values.T]
    return np.array([column[(column.size - 1) // 2] if column.size else np.nan for column in found])


def features_of(values: Array, middles: Array) -> Array:
    """(n, columns) values, NaN where missing, to (n, M) features: scaled, by kind, what was missing, and one."""
    missing = np.isnan(values)
    filled = np.where(missing, middles, values)
    scaled = [(filled[:, [number]] - middle) / width for number, (middle, width) in enumerate(SCALES.values())]
    kinds = [
        (filled[:, [number]] == np.array(kinds)).astype(np.float64)
        for number, kinds in enumerate(KINDS.values(), start=len(SCALES))
    ]
    parts = [np.nan_to_num(np.hstack(scaled), nan=0.0), *kinds, missing.astype(np.float64), np.ones((len(values), 1))]
    return np.hstack(parts)
