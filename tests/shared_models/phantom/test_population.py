from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared_models.phantom.anatomy import Anatomy
from shared_models.phantom.population import POPULATIONS, Parameters, Range, check_ejection_fraction, draw_parameters
from tests.shared_models.phantom.hearts import SOME, seeds

ADJUSTED = ("sinus", "mitral", "rv_length")  # to the other measures of the same heart
names = st.sampled_from(list(POPULATIONS))


def drawn(count, population):
    hearts = [draw_parameters(np.random.default_rng([seed, 3]), population) for seed in range(count)]
    return {name: np.array([getattr(one, name) for one in hearts]) for name in POPULATIONS[population]}


@given(seeds, names)
def test_every_measure_lies_within_its_published_limits(seed, population):
    heart = draw_parameters(np.random.default_rng(seed), population)
    for name, limits in POPULATIONS[population].items():
        if name not in ADJUSTED:
            assert limits.low <= getattr(heart, name) <= limits.high, name
    assert heart.sinus >= 1.2 * heart.annulus
    assert heart.rv_length <= 0.95 * heart.lv_length


@given(seeds, names, st.floats(5.0, 85.0))
def test_any_allowed_ejection_fraction_can_be_prescribed_to_any_heart(seed, population, percent):
    heart = draw_parameters(np.random.default_rng(seed), population, percent)
    assert heart.ejection_fraction == percent
    assert 0 < heart.shortening < 1 - (1 - percent / 100) ** 0.8


@given(seeds, names)
@SOME
def test_the_same_seed_draws_the_same_heart(seed, population):
    first, again, other = (draw_parameters(np.random.default_rng(one), population) for one in (seed, seed, seed + 1))
    assert first == again
    assert first != other


@pytest.mark.parametrize("name", ["septal_wall", "ascending", "heart_rate"])
def test_draws_have_the_mean_and_deviation_of_their_range(name):
    limits = Range(**{**vars(POPULATIONS["healthy"][name]), "low": -np.inf, "high": np.inf})
    generator = np.random.default_rng(1)
    values = [limits.draw(generator, generator.normal()) for _ in range(4000)]
    assert np.mean(values) == pytest.approx(limits.mean, abs=5 * limits.deviation / 4000**0.5)
    assert np.std(values) == pytest.approx(limits.deviation, rel=0.06)


def test_measures_go_together_through_body_size():
    hearts = drawn(500, "healthy")

    def correlation(first, second):
        return np.corrcoef(hearts[first], hearts[second])[0, 1]

    assert correlation("lv_radius", "lv_length") == pytest.approx(0.8 * 0.8, abs=0.12)
    assert correlation("lv_length", "la_length") == pytest.approx(0.8 * 0.6, abs=0.14)
    assert correlation("lv_length", "rv_wall") == pytest.approx(0.0, abs=0.18)


def test_populations_differ_as_diseases_do():
    healthy, dilated, thick = (drawn(200, name) for name in POPULATIONS)
    assert 2 * dilated["lv_radius"].min() > 58.4  # Lang 2015: beyond the normal diameter of men
    assert dilated["ejection_fraction"].max() <= 40
    assert thick["septal_wall"].min() >= 15  # Maron 2003
    assert healthy["septal_wall"].max() <= 10
    assert np.mean(dilated["la_radius"]) > np.mean(healthy["la_radius"]) + 2


def test_healthy_ventricles_hold_what_is_published():
    hearts = [draw_parameters(np.random.default_rng([seed, 3])) for seed in range(300)]
    volumes = np.array([Anatomy(one).endocardial_volume() for one in hearts])
    assert np.mean((volumes > 46) & (volumes < 150)) > 0.9  # 62-150 ml men, 46-106 ml women (Lang 2015, table 2)
    assert 80 < volumes.mean() < 120


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"ejection_fraction": 95.0}, "ejection_fraction of 95 % is none of a beating heart: 5 to 85 %"),
        ({"ejection_fraction": 2.0}, "ejection_fraction of 2 %"),
        ({"rv_ejection_fraction": 90.0}, "rv_ejection_fraction of 90 %"),
        ({"septal_wall": 60.0}, "septal_wall of 60 mm is thicker than the heart"),
        ({"apical_wall": 60.0}, "apical_wall of 60 mm is thicker than the heart"),
        ({"lv_length": -3.0}, "lv_length of -3 is no measure of a heart"),
        ({"rv_wall": float("nan")}, "rv_wall of nan is no measure"),
        ({"chest_wall": float("inf")}, "chest_wall of inf is no measure"),
        ({"shortening": 0.6}, "the ventricle would have to widen"),
        ({"shortening": -0.1}, "shortening of -0.1"),
        ({"lv_length": 25.0}, "longer than 1.2 times its radius"),
        ({"lv_oval": 0.3}, "below 0.2"),
    ],
)
def test_an_impossible_heart_is_refused_in_one_line(changes, why):
    with pytest.raises(ValueError, match=why) as told:
        replace(Parameters(), **changes)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("population", "percent", "why"),
    [
        ("elephants", None, "no population 'elephants'; known are healthy, dilated, hypertrophic"),
        ("healthy", 95.0, "ejection fraction of 95 %"),
        ("healthy", float("nan"), "ejection fraction of nan %"),
    ],
)
def test_an_impossible_draw_is_refused_in_one_line(population, percent, why):
    with pytest.raises(ValueError, match=why) as told:
        draw_parameters(np.random.default_rng(0), population, percent)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("percent", [5.0, 85.0])
def test_the_limits_of_the_ejection_fraction_are_allowed(percent):
    check_ejection_fraction(percent)
