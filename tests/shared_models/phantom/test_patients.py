from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared_models.phantom.patients import AGES, draw_patient
from shared_models.phantom.population import POPULATIONS
from tests.shared_models.phantom.hearts import SOME, seeds

names = st.sampled_from(list(POPULATIONS))


@given(seeds, names)
@SOME
def test_a_patient_is_a_seed_and_a_population(seed, population):
    patient, again = (draw_patient(seed, population) for _ in range(2))
    assert patient == again
    assert patient.key == f"phantom-{seed:08d}"
    assert (patient.seed, patient.population) == (seed, population)
    assert patient.heart is patient.heart
    assert patient.heart.parameters == patient.parameters


@given(seeds, names)
@SOME
def test_bodies_are_adult_ones(seed, population):
    patient = draw_patient(seed, population)
    low, high = AGES[population]
    assert low <= patient.age <= high
    assert 140 < patient.height_cm < 215
    assert 17.5 < patient.weight_kg / (patient.height_cm / 100) ** 2 < 38.5
    assert patient.sex in {"F", "M"}


@given(seeds, names, st.floats(5.0, 85.0))
@SOME
def test_a_prescribed_ejection_fraction_changes_nothing_else(seed, population, percent):
    drawn, prescribed = draw_patient(seed, population), draw_patient(seed, population, ejection_fraction=percent)
    assert prescribed.parameters.ejection_fraction == percent
    for name in ("sex", "age", "height_cm", "weight_kg", "key"):
        assert getattr(drawn, name) == getattr(prescribed, name)
    ours, theirs = vars(drawn.parameters), vars(prescribed.parameters)
    assert {name for name in ours if ours[name] != theirs[name]} <= {"ejection_fraction", "shortening"}


def test_larger_hearts_belong_to_taller_people_and_more_often_to_men():
    people = [draw_patient(seed) for seed in range(400)]
    length = np.array([one.parameters.lv_length for one in people])
    assert np.corrcoef(length, [one.height_cm for one in people])[0, 1] > 0.4
    men = np.array([one.sex == "M" for one in people])
    assert length[men].mean() > length[~men].mean() + 3
    assert 0.35 < men.mean() < 0.65


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((-1,), "a seed of -1 is negative"),
        ((0, "martians"), "no population 'martians'"),
    ],
)
def test_an_impossible_patient_is_refused_in_one_line(arguments, why):
    with pytest.raises(ValueError, match=why) as told:
        draw_patient(*arguments)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("percent", [95.0, 4.9, -10.0, float("nan")])
def test_an_impossible_ejection_fraction_is_refused_in_one_line(percent):
    with pytest.raises(ValueError, match="is none of a beating heart: 5 to 85 %") as told:
        draw_patient(0, ejection_fraction=percent)
    assert "\n" not in str(told.value)
