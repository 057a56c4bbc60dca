"""Fixed random features on top of a front end: what is not linear in the features becomes linear in these.

RanPAC (McDonnell et al., NeurIPS 2023) lifts frozen features by relu(zR) with R drawn once, then solves a ridge. The
lift is fixed by how many features it makes and by its seed, and is part of the front end: both are in its digest.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from shared_models.front_ends import Array, FrontEnd, RandomLift, Scalar, create_front_end, front_end_digest

LIFT_VERSION = 1
LIFTED, SEED = 1000, 1993
OWN = ("base", "lifted", "seed")


def lift_features(features: Array, lifted: int = LIFTED, seed: int = SEED) -> Array:
    """(n, M) features with the constant 1 last to (n, lifted + M): lifted ones, then the old ones with their 1.

    Raises:
        ValueError: there is nothing to lift, or no room to lift it to.
    """
    if features.ndim != 2 or features.shape[1] < 2 or lifted < 1:
        raise ValueError(f"{features.shape} features cannot be lifted to {lifted} more")
    lift = RandomLift(features.shape[1] - 1, lifted, seed)
    return np.concatenate([lift(features[:, :-1]), features[:, -1:]], axis=1)


def create_lifted(weights_file: Path | None, config: Mapping[str, Scalar]) -> FrontEnd:
    """The front end ``lifted``: `base` is the one below, `lifted` and `seed` say how; the rest is the base's own.

    Raises:
        ValueError: no such base, or a configuration that is not one.
    """
    below, lifted, seed = config.get("base"), config.get("lifted", LIFTED), config.get("seed", SEED)
    if not isinstance(below, str) or below == "lifted":
        raise ValueError("front end 'lifted' needs `base`, the name of the one that it lifts")
    if type(lifted) is not int or type(seed) is not int or lifted < 1 or seed < 0:
        raise ValueError("`lifted` and `seed` of front end 'lifted' are whole numbers, at least 1 and 0")
    own = {name: value for name, value in config.items() if name not in OWN}
    base = create_front_end(below, weights_file=weights_file, **own)
    lift = RandomLift(base.features - 1, lifted, seed)
    said: dict[str, Scalar] = {"base": below, "lifted": lifted, "seed": seed}
    digest = front_end_digest("lifted", LIFT_VERSION, said | {"digest": base.digest})
    return FrontEnd(
        "lifted", {**base.config, **said}, lifted + base.features, digest, lambda image: lift(base.extract(image))
    )
