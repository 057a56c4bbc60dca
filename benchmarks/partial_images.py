"""Four made-up hospitals with machines of their own, each with the same views of its patients, as features."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from deploy.phantom.acquisition import Take, draw, shot_named
from deploy.phantom.seeds import seed_of, share_of
from federated.statistics import Array

LEVELS = ("PSAX-AV", "PSAX-MV", "PSAX-PM", "PSAX-APEX")
VIEWS = ("PLAX", "A4C", *LEVELS)
MACHINES = {"north": "albatross", "east": "bittern", "south": "eider", "west": "fulmar"}
POPULATIONS = ("healthy", "healthy", "dilated", "hypertrophic")
FRONT_END = "texture"
SIDE = 112  # pixels


@dataclass(frozen=True)
class Images:
    """One still of every view of every patient: (n, M) features, and site, patient and view of each."""

    features: Array
    sites: NDArray[np.str_]
    patients: NDArray[np.int64]
    views: NDArray[np.str_]

    def rows(self, chosen: NDArray[np.bool_]) -> Images:
        """Some of them."""
        return Images(self.features[chosen], self.sites[chosen], self.patients[chosen], self.views[chosen])


def hospitals(patients: int, *, seed: int, processes: int = 1) -> Images:
    """So many patients at each of four hospitals, who differ from seed to seed."""
    people = [(site, number) for site in MACHINES for number in range(patients)]
    with ProcessPoolExecutor(processes) as pool:
        look: Callable[..., Array] = partial(_patient, seed)
        features = list(pool.map(look, *zip(*people, strict=True), chunksize=4))
    names = [site for site, _ in people]
    return Images(
        np.concatenate(features),
        np.repeat(names, len(VIEWS)),
        np.repeat([number for _, number in people], len(VIEWS)),
        np.array(list(VIEWS) * len(people)),
    )


@threadpool_limits.wrap(1)
def _patient(seed: int, site: str, number: int) -> Array:
    from shared_models.front_ends import create_front_end

    words = ("partial labels", site, number)
    population = POPULATIONS[int(share_of(seed, *words, "population") * len(POPULATIONS))]
    patient = draw(seed_of(seed, *words, "patient"), population, ejection_fraction=None, wall_mm=None)
    front_end = create_front_end(FRONT_END)
    return np.stack([front_end(_still(patient, view, site, seed, words)) for view in VIEWS])


def _still(patient: object, view: str, site: str, seed: int, words: Sequence[str | int]) -> NDArray[np.uint8]:
    """At any moment of the beat."""
    take = Take(
        patient,  # type: ignore[arg-type]
        shot_named(view),
        MACHINES[site],
        frames=(share_of(seed, *words, view, "phase"),),
        seed=seed_of(seed, *words, view, "acquisition"),
        size=(SIDE, SIDE),
        shortcut=False,
    )
    return next(frame.image for frame in take.frames())
