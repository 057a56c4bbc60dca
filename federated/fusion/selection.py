"""The ridge from validation statistics alone; no image is looked at again. Scatter, outside weight, volume are given.

Scatter and outside weight say what is expected of images that no site has shown: of another scanner, and of labels that
a site does not hold. Validation patients are of what was shown, and leaving sites out leaves another federation: chosen
by either, both came out where unseen images were answered worse. So they hold for all; draws of the phantom and of the
digits that take no part in the contest told which values (method page, section 2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial

import numpy as np

from federated.fusion.closed_form import fit, held_labels, labelling_sites
from federated.fusion.effective_number import counted
from federated.fusion.linear_rule import LinearRule
from federated.fusion.pairwise_error import pairwise_error
from federated.fusion.targets import FLAT, Targets
from federated.manifest import Hyperparameters
from federated.statistics import Statistics, merge

RIDGES = (1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0)  # less would cost the sums their ninth decimal
UNTOLD = 1e-2  # where there is no validation block, and where the search begins
SCATTER = 10.0
OUTSIDE = 0.1
VOLUME = 10.0  # patients
MAX_GROUPS = 5
Blocks = Mapping[str, Statistics]


def select(
    train: Blocks, validation: Blocks, labels: Sequence[str], mode: str = "shared", targets: Targets = FLAT
) -> Hyperparameters:
    """Hyper-parameters with the ridge of least `pairwise_error`. Isolated mode pins rho to 0.

    The error is that of all sites together plus the mean of those with sites left out, on what these ask of labels that
    the others hold: for the one alone, too little ridge is enough. A ridge is a multiple of the mean eigenvalue of the
    summed Gram matrix, the scatter one of the summed weights; both of labels that count by their effective number.
    """
    blocks = counted(train, VOLUME)
    checks = {name: block for name, block in validation.items() if block.gram is not None and block.weights.sum() > 0}
    checks = counted(checks, VOLUME)
    total = merge(blocks[name] for name in sorted(blocks))
    assert total.gram is not None
    asked = [
        Hyperparameters(
            ridge=ridge * float(np.trace(total.gram) / total.features),
            scatter=SCATTER * float(total.weights.sum()) if len(train) > 1 else 0.0,
            outside=0.0 if mode == "isolated" else OUTSIDE,
            mode="isolated" if mode == "isolated" else "shared",
            volume=VOLUME,
        )
        for ridge in (RIDGES if checks else (UNTOLD,))
    ]
    if not checks:
        return asked[0]
    others = left_out(blocks, checks)

    def error(hyperparameters: Hyperparameters) -> float:
        pooled = pairwise_error(_fitted(blocks, labels, hyperparameters, targets), checks.values(), targets)
        apart = [
            pairwise_error(_fitted(rest, labels, hyperparameters, targets), judges, targets) for rest, judges in others
        ]
        return pooled + (float(np.mean(apart)) if apart else 0.0)

    return asked[first_valley([cache(partial(error, each)) for each in asked], RIDGES.index(UNTOLD))]


def first_valley(values: Sequence[Callable[[], float]], start: int) -> int:
    """Place of the first value, downhill from the one at `start`, that neither neighbour is below."""
    near = [place for place in (start, start - 1, start + 1) if 0 <= place < len(values)]
    least = min(near, key=lambda place: values[place]())
    return start if least == start else first_valley(values, least)


def _fitted(blocks: Blocks, labels: Sequence[str], hyperparameters: Hyperparameters, targets: Targets) -> LinearRule:
    """The fused classifier as one rule, of the labels that these sites hold."""
    held = tuple(label for label in labels if labelling_sites(blocks, label, targets))
    weights = fit(blocks, held, hyperparameters, targets)
    return LinearRule(held, ("all",), weights[None], np.zeros((1, len(held))))


def left_out_groups(sites: Iterable[str]) -> list[list[str]]:
    """Sites that are left out together: each alone, where there are no more than `MAX_GROUPS`."""
    names = sorted(sites)
    count = min(MAX_GROUPS, len(names))
    return [names[start::count] for start in range(count)]


def left_out(blocks: Blocks, checks: Blocks) -> list[tuple[Blocks, list[Statistics]]]:
    """For each group, the other sites, and the validation of those left out of whose labels the others hold some."""
    found: list[tuple[Blocks, list[Statistics]]] = []
    for group in left_out_groups(blocks):
        rest = {name: block for name, block in blocks.items() if name not in group}
        held = {label for block in rest.values() for label in held_labels(block)}
        judges = [checks[name] for name in group if name in checks and held & held_labels(checks[name])]
        if judges:
            found.append((rest, judges))
    return found
