"""Ridge and scatter from validation statistics alone; no image is looked at again.

The outside weight and the scatter say what is expected of images that no site has shown: of labels that a site does not
hold, and of another scanner. Validation patients are of what was shown, and leaving sites out leaves another
federation: chosen by the least of such errors, both came out where unseen images were answered worse. So the outside
weight holds for all, and the scatter is the largest that validation does not speak against, by the rule of one standard
error (method page, section 2, which says on what draws this was settled).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

import numpy as np

from federated.fusion.closed_form import fit, held_labels, labelling_sites
from federated.fusion.effective_number import counted
from federated.fusion.linear_rule import LinearRule
from federated.fusion.pairwise_error import pairwise_error
from federated.fusion.targets import FLAT, Targets
from federated.manifest import Hyperparameters
from federated.statistics import Statistics, merge

RIDGES = (1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0)  # less would cost the sums their ninth decimal
UNTOLD = 1e-2  # where there is no validation block
START = 1e-1  # of the search: on a plain, the side of more ridge
SCATTERS = (10.0, 1.0, 0.1, 0.0)  # the first where there is no validation block
OUTSIDE = 0.1
VOLUME = 10.0  # patients
MAX_GROUPS = 5
Blocks = Mapping[str, Statistics]


def select(
    train: Blocks, validation: Blocks, labels: Sequence[str], mode: str = "shared", targets: Targets = FLAT
) -> Hyperparameters:
    """Hyper-parameters: lambda, then gamma, then lambda again. Isolated mode pins rho to 0.

    A ridge is a multiple of the mean eigenvalue of the summed Gram matrix, the scatter one of the summed weights; both
    of labels that count by their effective number.
    """
    search = Search(train, validation, labels, mode, targets)
    scatter = SCATTERS[0]
    if not search.checks:
        return search.build(UNTOLD, scatter)
    if len(train) > 1:
        scatter = search.scatter(search.ridge(scatter))
    return search.build(search.ridge(scatter), scatter)


class Search:
    """Errors at a ridge and a scatter: of all sites together, and the mean of those with sites left out.

    Those left out are asked of labels that the others hold. By the first error alone, too little ridge is enough.
    """

    def __init__(self, train: Blocks, validation: Blocks, labels: Sequence[str], mode: str, targets: Targets) -> None:
        self.labels, self.mode, self.targets = tuple(labels), mode, targets
        asked = {name: block for name, block in validation.items() if block.gram is not None and block.weights.sum()}
        self.patients = float(sum(block.weights.sum() for block in asked.values()))
        self.blocks, self.checks = counted(train, VOLUME), counted(asked, VOLUME)
        self.others = left_out(self.blocks, self.checks)
        total = merge(self.blocks[name] for name in sorted(self.blocks))
        assert total.gram is not None
        self.ridge_unit = float(np.trace(total.gram) / total.features)
        self.scatter_unit = float(total.weights.sum()) if len(train) > 1 else 0.0
        self._found: dict[tuple[float, float], tuple[float, float]] = {}

    def build(self, ridge: float, scatter: float) -> Hyperparameters:
        """These shares of the mean eigenvalue and of the summed weights, with all that is given."""
        return Hyperparameters(
            ridge=ridge * self.ridge_unit,
            scatter=scatter * self.scatter_unit,
            outside=0.0 if self.mode == "isolated" else OUTSIDE,
            mode="isolated" if self.mode == "isolated" else "shared",
            volume=VOLUME,
        )

    def ridge(self, scatter: float) -> float:
        """The first valley, downhill from the start."""
        errors = [partial(self._error, ridge, scatter) for ridge in RIDGES]
        return RIDGES[first_valley(errors, RIDGES.index(START))]

    def scatter(self, ridge: float) -> float:
        """The largest whose error is within a standard error of the least, over validation patients."""
        least = min(SCATTERS, key=partial(self._error, ridge))
        spread = sum(error * (1 - error) for error in self._errors(ridge, least)) / self.patients
        bound = self._error(ridge, least) + np.sqrt(spread)
        return next(scatter for scatter in SCATTERS if self._error(ridge, scatter) <= bound)

    def _error(self, ridge: float, scatter: float) -> float:
        return sum(self._errors(ridge, scatter))

    def _errors(self, ridge: float, scatter: float) -> tuple[float, float]:
        if (ridge, scatter) not in self._found:
            chosen = self.build(ridge, scatter)
            pooled = self._judged(self.blocks, list(self.checks.values()), chosen)
            apart = [self._judged(rest, judges, chosen) for rest, judges in self.others]
            self._found[ridge, scatter] = (pooled, float(np.mean(apart)) if apart else 0.0)
        return self._found[ridge, scatter]

    def _judged(self, blocks: Blocks, judges: Sequence[Statistics], chosen: Hyperparameters) -> float:
        held = tuple(label for label in self.labels if labelling_sites(blocks, label, self.targets))
        weights = fit(blocks, held, chosen, self.targets)
        rule = LinearRule(held, ("all",), weights[None], np.zeros((1, len(held))))
        return pairwise_error(rule, judges, self.targets)


def first_valley(values: Sequence[Callable[[], float]], start: int) -> int:
    """Place of the first value, downhill from the one at `start`, that neither neighbour is below."""
    near = [place for place in (start, start - 1, start + 1) if 0 <= place < len(values)]
    least = min(near, key=lambda place: values[place]())
    return start if least == start else first_valley(values, least)


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
