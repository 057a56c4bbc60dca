"""What the hospitals' words make of the images, and how the figures are counted; no image is drawn here."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import partial_labels
from benchmarks.partial_images import LEVELS, MACHINES, VIEWS, Images
from benchmarks.partial_labels import ABOVE, COARSE, FULL, LEFT_OUT, NAIVE, PARTIAL, interval, ways_to_label
from shared_models.phantom.hospitals import label_of


def _images(patients: int = 17, *, seed: int = 0) -> Images:
    """Views as well apart as one likes, short-axis levels near each other, and a shift a machine."""
    rng = np.random.default_rng(seed)
    centres = {view: rng.normal(size=11) for view in ("PLAX", "A4C", "PSAX")}
    levels = {level: centres["PSAX"] + 0.5 * rng.normal(size=11) for level in LEVELS}
    sites = np.repeat(list(MACHINES), patients * len(VIEWS))
    people = np.tile(np.repeat(np.arange(patients), len(VIEWS)), len(MACHINES))
    views = np.tile(list(VIEWS), patients * len(MACHINES))
    shift = {site: 0.3 * rng.normal(size=11) for site in MACHINES}
    middle = np.stack([(centres | levels)[view] + shift[site] for view, site in zip(views, sites, strict=True)])
    features = np.append(middle + 0.3 * rng.normal(size=middle.shape), np.ones((len(middle), 1)), axis=1)
    return Images(features, sites, people, views)


def test_only_the_words_of_the_coarse_hospitals_differ() -> None:
    images = _images()
    ways = {one.name: one for one in ways_to_label(images)}
    unnamed = np.isin(images.sites, COARSE) & np.isin(images.views, LEVELS)
    assert set(ways) == {FULL, PARTIAL, LEFT_OUT, NAIVE}
    assert all((one.codes[~unnamed] == ways[FULL].codes[~unnamed]).all() for one in ways.values())
    assert set(ways[PARTIAL].codes[unnamed]) == set(ways[NAIVE].codes[unnamed]) == {ABOVE}
    assert set(ways[LEFT_OUT].codes[unnamed]) == {""}
    assert set(ways[FULL].codes[unnamed]) == {label_of(level) for level in LEVELS}
    assert {concept.parents for concept in ways[NAIVE].vocabulary.concepts} == {()}


def test_the_interval_is_of_patients_and_means_of_equals_have_none() -> None:
    patients = np.array([f"1 north {number}" for number in range(40)]).repeat(3)
    same = interval(patients, np.ones(120), np.ones(120, dtype=bool))
    assert same == (1.0, 1.0, 1.0)
    half = np.repeat([0.0, 1.0], 60)
    value, low, high = interval(patients, half, np.ones(120, dtype=bool))
    assert value == 0.5
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(0.25 / 40), rel=0.15)
    assert interval(patients, half, np.arange(120) >= 60)[0] == 1.0


def test_the_whole_measurement_on_made_up_features(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partial_labels, "hospitals", lambda patients, **words: _images(patients, seed=words["seed"]))
    measured = partial_labels.measure(quick=True)
    tables = {str(row["table"]) for row in measured.rows}
    assert len(tables) == 3
    first = {str(row["labels"]): row for row in measured.rows if "labels" in row}
    levels = {name: float(str(row["all hospitals"]).split()[0]) for name, row in first.items()}
    assert levels[NAIVE] < levels[PARTIAL]
    assert levels[LEFT_OUT] <= levels[PARTIAL] + 10
    stops = [row for row in measured.rows if "answered with a level" in row]
    assert len(stops) == 2
    for stop in stops:
        counts = ("of these wrong", "answered with a level", "answered as short axis")
        wrong, named, asked = (int(str(stop[name])) for name in counts)
        assert 0 <= wrong <= named <= asked <= 2 * 4 * len(LEVELS)
    assert measured.claims[0].claim.startswith("levels: partial labels minus leaving")
