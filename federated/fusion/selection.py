"""Ridge, scatter and outside weight from validation statistics alone; no image is looked at again.

lambda is chosen by the pooled validation error of the columns each site labels. gamma and rho trade what a site has
shown against what it has not, so they are chosen by the mean of the pooled error and the leave-sites-out error over
all columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from federated.fusion.closed_form import fit, held_labels, validation_loss
from federated.fusion.targets import FLAT, Targets
from federated.manifest import Hyperparameters
from federated.statistics import Statistics, merge

RIDGES = (1e-4, 1e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0, 3.0, 10.0)  # less would cost the sums their ninth decimal
SCATTERS = (0.0, 0.1, 1.0, 10.0)
OUTSIDES = (0.0, 0.1, 0.5, 1.0)
MAX_GROUPS = 5


def select(
    train: Mapping[str, Statistics],
    validation: Mapping[str, Statistics],
    labels: Sequence[str],
    mode: str = "shared",
    targets: Targets = FLAT,
) -> Hyperparameters:
    """Hyper-parameters by coordinate search: lambda, gamma, rho, then lambda again. Isolated mode pins rho to 0.

    A ridge is a multiple of the mean eigenvalue of the summed Gram matrix, a scatter one of the summed weights.
    """
    search = _Search(train, validation, labels, mode, targets)
    outside = 0.0 if mode == "isolated" else 0.5
    ridge, scatter = 0.1, 1.0
    if not search.validation:
        return search.build(ridge, scatter, outside)
    ridge = min(RIDGES, key=lambda value: search.pooled(search.build(value, scatter, outside), masked=True))
    if len(train) > 1:
        scatter = min(SCATTERS, key=lambda value: search.transfer(search.build(ridge, value, outside)))
        if mode == "shared":
            outside = min(OUTSIDES, key=lambda value: search.transfer(search.build(ridge, scatter, value)))
    ridge = min(RIDGES, key=lambda value: search.pooled(search.build(value, scatter, outside), masked=True))
    return search.build(ridge, scatter, outside)


def left_out_groups(sites: Iterable[str]) -> list[list[str]]:
    """Sites that are left out together: each alone, where there are no more than `MAX_GROUPS`."""
    names = sorted(sites)
    count = min(MAX_GROUPS, len(names))
    return [names[start::count] for start in range(count)]


class _Search:
    def __init__(
        self,
        train: Mapping[str, Statistics],
        validation: Mapping[str, Statistics],
        labels: Sequence[str],
        mode: str,
        targets: Targets,
    ) -> None:
        self.train, self.labels, self.mode, self.targets = train, tuple(labels), mode, targets
        self.validation = {
            name: block for name, block in validation.items() if block.gram is not None and block.weights.sum() > 0
        }
        total = merge(train[name] for name in sorted(train))
        assert total.gram is not None
        self.ridge_unit = float(np.trace(total.gram) / total.features)
        self.scatter_unit = float(total.weights.sum())
        self.groups = left_out_groups(train)

    def build(self, ridge: float, scatter: float, outside: float) -> Hyperparameters:
        return Hyperparameters(
            ridge=ridge * self.ridge_unit,
            scatter=scatter * self.scatter_unit if len(self.train) > 1 else 0.0,
            outside=outside,
            mode="isolated" if self.mode == "isolated" else "shared",
        )

    def pooled(self, hyperparameters: Hyperparameters, *, masked: bool) -> float:
        weights = fit(self.train, self.labels, hyperparameters, self.targets)
        return self._error(weights, list(self.validation), masked=masked, known=None)

    def transfer(self, hyperparameters: Hyperparameters) -> float:
        left_out = [self._left_out(group, hyperparameters) for group in self.groups]
        losses = [loss for loss in left_out if loss is not None]
        pooled = self.pooled(hyperparameters, masked=False)
        return (pooled + float(np.mean(losses))) / 2 if losses else pooled

    def _left_out(self, group: Sequence[str], hyperparameters: Hyperparameters) -> float | None:
        rest = {name: block for name, block in self.train.items() if name not in group}
        tested = [name for name in group if name in self.validation]
        if not rest or not tested:
            return None
        known = {label for block in rest.values() for label in held_labels(block)}
        weights = fit(rest, self.labels, hyperparameters, self.targets)
        return self._error(weights, tested, masked=False, known=known)

    def _error(self, weights: np.ndarray, names: Sequence[str], *, masked: bool, known: set[str] | None) -> float:
        loss, weight = 0.0, 0.0
        for name in names:
            block = self.validation[name]
            held = held_labels(self.train[name]) if masked else set(self.labels)
            columns = np.array([self._counts(label, held) and self._counts(label, known) for label in self.labels])
            loss += validation_loss(weights, block, self.labels, columns, self.targets)
            weight += float(block.weights.sum())
        return loss / weight

    def _counts(self, column: str, held: set[str] | None) -> bool:
        return held is None or self.targets.holds(held, column)
