"""Made-up patients: a seed and a population are all that one is, everything else follows from them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from shared_models.phantom.heart import Heart
from shared_models.phantom.population import HEALTHY, Parameters, draw_parameters

AGES = {"healthy": (20.0, 80.0), "dilated": (35.0, 85.0), "hypertrophic": (25.0, 75.0)}  # years, assumed


@dataclass(frozen=True)
class Patient:
    """A phantom patient.

    Attributes:
        key: a name of no person.
        seed: of everything drawn for this patient.
        population: which ranges the heart was drawn from.
        parameters: of the heart.
        sex: ``F`` or ``M``.
        age: in years.
        height_cm, weight_kg: of the body.
    """

    key: str
    seed: int
    population: str
    parameters: Parameters
    sex: Literal["F", "M"]
    age: int
    height_cm: float
    weight_kg: float

    @cached_property
    def heart(self) -> Heart:
        """The beating heart."""
        return Heart(self.parameters)


def draw_patient(seed: int, population: str = "healthy", *, ejection_fraction: float | None = None) -> Patient:
    """The patient of a seed; the ejection fraction (percent) is prescribed or drawn.

    Raises:
        ValueError: a negative seed, an unknown population, an impossible ejection fraction.
    """
    if seed < 0:
        raise ValueError(f"a seed of {seed} is negative: it must be 0 or more")
    generator = np.random.default_rng([seed, 3])
    parameters = draw_parameters(generator, population, ejection_fraction)
    length = HEALTHY["lv_length"]
    tall = np.clip((parameters.lv_length - length.mean) / length.deviation, -2, 2)
    sex: Literal["F", "M"] = "M" if generator.random() < 1 / (1 + np.exp(-1.5 * tall)) else "F"
    mean, deviation = (176.0, 7.0) if sex == "M" else (163.0, 6.5)  # cm, assumed
    height = mean + deviation * (0.5 * tall + 0.8 * generator.normal())
    mass = np.clip(generator.normal(25.5, 3.5), 18.0, 38.0)  # kg/m2, assumed
    return Patient(
        key=f"phantom-{seed:08d}",
        seed=seed,
        population=population,
        parameters=parameters,
        sex=sex,
        age=int(generator.uniform(*AGES[population])),
        height_cm=round(float(height), 1),
        weight_kg=round(float(mass * (height / 100) ** 2), 1),
    )
