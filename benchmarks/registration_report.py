"""Tables and claims of the contest of registration, from its cells and costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from benchmarks.claims import Claim, Row, at_least, at_most, told
from benchmarks.registration_cells import Cell, Costs, Scores
from benchmarks.registration_cost import Cost
from benchmarks.registration_learned import LEARNED
from benchmarks.registration_ours import ALONE, DIFFEOMORPHIC, FORCES, HALF_FORCES, OURS
from benchmarks.registration_peers import CHOICES, SYN, SYN_PLAIN

Array = NDArray[np.float64]

RESAMPLES = 2000
TIME, MEMORY, OVER_SYN = 1 / 5, 1 / 4, 20.0
MEGA, GIGA = 1e6, 1e9


@dataclass(frozen=True)
class Asked:
    """What all methods made of one set of pairs.

    Attributes:
        name: of the set.
        problem: that it belongs to.
        patients: of each of n pairs.
        found: method -> seed -> scores of the pairs.
        agreement: of each method, on the pairs for choosing, the mean over seeds.
    """

    name: str
    problem: str
    patients: Sequence[tuple[str, ...]]
    found: Mapping[str, Sequence[Sequence[Scores]]]
    agreement: Mapping[str, float]

    def dice(self, method: str) -> Array:
        """(n,) percent: mean over labels, then over seeds; NaN where there are no labels."""
        return self._means(method, lambda one: np.nan if one.dice is None else 100 * float(np.nanmean(one.dice)))

    def error_mm(self, method: str) -> Array:
        """(n,), means over seeds; NaN where the true field is unknown."""
        return self._means(method, lambda one: np.nan if one.error_mm is None else one.error_mm)

    def folded(self, method: str) -> Array:
        """(n,) percent of voxels, means over seeds."""
        return self._means(method, lambda one: one.folded)

    def correlation(self, method: str) -> Array:
        """(n,), means over seeds."""
        return self._means(method, lambda one: one.correlation)

    def _means(self, method: str, of: Callable[[Scores], float]) -> Array:
        return np.array([[of(one) for one in seed] for seed in self.found[method]], dtype=np.float64).mean(axis=0)

    @cached_property
    def weights(self) -> Array:
        """(resamples, n) how often each pair is there; see `drawn`."""
        return drawn(self.patients)

    def interval(self, values: Array) -> tuple[float, float]:
        """95 % of the mean of (n,) values."""
        means = (self.weights @ values) / self.weights.sum(axis=1)
        low, high = np.quantile(means, [0.025, 0.975])
        return float(low), float(high)

    @property
    def ours(self) -> str:
        """Our method that is best on the pairs for choosing, which are none of these."""
        return max((name for name in OURS if name in self.found), key=self.agreement.__getitem__)

    @property
    def claimed(self) -> list[str]:
        """That network, and the fastest of our methods that learn nothing."""
        return [self.ours, *(name for name in (HALF_FORCES,) if name in self.found)]

    @property
    def rival(self) -> str:
        """Which learned rival has the highest mean Dice on these pairs."""
        return max((name for name in LEARNED if name in self.found), key=lambda name: float(self.dice(name).mean()))

    def has_learned(self) -> bool:
        """Whether networks were asked."""
        return any(name in self.found for name in OURS)


def drawn(patients: Sequence[tuple[str, ...]], seed: int = 0) -> Array:
    """(resamples, pairs): patients are drawn with replacement, and a pair counts as often as its patients' product.

    Draws that leave no pair are left out.
    """
    names = sorted({name for pair in patients for name in pair})
    place = {name: number for number, name in enumerate(names)}
    picks = np.random.default_rng(seed).integers(0, len(names), (RESAMPLES, len(names)))
    counts = np.stack([np.bincount(pick, minlength=len(names)) for pick in picks]).astype(np.float64)
    weights = np.stack([counts[:, [place[name] for name in pair]].prod(axis=1) for pair in patients], axis=1)
    return np.asarray(weights[weights.sum(axis=1) > 0])


def by_set(cells: Sequence[Cell]) -> list[Asked]:
    """Cells, set by set."""
    found = []
    for problem in dict.fromkeys(cell.problem for cell in cells):
        own = [cell for cell in cells if cell.problem == problem]
        methods = list(dict.fromkeys(cell.method for cell in own))
        of = {method: [cell for cell in own if cell.method == method] for method in methods}
        agreement = {method: float(np.mean([cell.agreement for cell in each])) for method, each in of.items()}
        for name, scores in own[0].scores.items():
            seeds = {method: [cell.scores[name] for cell in each] for method, each in of.items()}
            found.append(Asked(name, problem, [one.patients for one in scores], seeds, agreement))
    return found


def rows(sets: Sequence[Asked], cells: Sequence[Cell], costs: Costs) -> list[Row]:
    """All tables."""
    return [
        *(row for asked in sets for row in _accuracy(asked)),
        *(row for asked in sets if asked.has_learned() for row in _against(asked, costs)),
        *(row for pair, methods in costs.items() for row in _costs(pair, methods)),
        *_learning(cells),
    ]


def _accuracy(asked: Asked) -> Iterator[Row]:
    for name in asked.found:
        dice, error = asked.dice(name), asked.error_mm(name)
        row: Row = {"table": f"{asked.name}: {len(asked.patients)} pairs", "method": name}
        if not np.isnan(dice).any():
            row["Dice, %"] = _with_interval(asked, dice)
        if not np.isnan(error).any():
            row["end point, mm"] = _with_interval(asked, error)
        row["folded, %"] = float(asked.folded(name).mean())
        yield {**row, "correlation": float(asked.correlation(name).mean())}


def _against(asked: Asked, costs: Costs) -> Iterator[Row]:
    """All of ours against the best learned rival."""
    rival = asked.rival
    for name in (name for name in (*OURS, *ALONE) if name in asked.found):
        row: Row = {
            "table": f"{asked.name}: ours against {rival}, the best rival that learns",
            "method": name,
            "Dice, points more": _with_interval(asked, asked.dice(name) - asked.dice(rival)),
            "folded, % less": float((asked.folded(rival) - asked.folded(name)).mean()),
        }
        for methods in (methods for pair, methods in costs.items() if _is_of(asked, pair)):
            row["times as fast"] = methods[rival].median / methods[name].median
            row["memory, share"] = methods[name].peak_bytes / max(1, methods[rival].peak_bytes)
        yield row


def _is_of(asked: Asked, pair: str) -> bool:
    """Whether a cost is of one of these pairs, or of one like them."""
    return asked.name == asked.problem == pair.partition(",")[0]


def _with_interval(asked: Asked, values: Array) -> str:
    low, high = asked.interval(values)
    return f"{values.mean():.2f} ({low:.2f} to {high:.2f})"


def _costs(pair: str, methods: Mapping[str, Cost]) -> Iterator[Row]:
    for name, cost in methods.items():
        yield {
            "table": f"Cost of a pair of {pair}",
            "method": name,
            "seconds": cost.median,
            "runs": len(cost.seconds),
            "least": min(cost.seconds),
            "most": max(cost.seconds),
            "memory, MB": cost.peak_bytes / MEGA,
            "parameters": cost.parameters,
            "multiply-adds, G": None if cost.multiply_adds is None else cost.multiply_adds / GIGA,
        }


def _learning(cells: Sequence[Cell]) -> Iterator[Row]:
    for cell in cells:
        if cell.learnt_seconds and cell.method in {**LEARNED, **OURS}:
            choice = CHOICES[cell.choice]
            yield {
                "table": "Learning",
                "problem": cell.problem,
                "method": cell.method,
                "seed": cell.seed + 1,
                "rate": choice.rate,
                "weight of smoothness": choice.weight,
                "pairs": "changed" if choice.changed else "as they are",
                "seconds": cell.learnt_seconds,
            }


def claims(sets: Sequence[Asked], costs: Costs) -> Iterator[Claim]:
    """What is asked of ours, where rivals have learnt; names of networks say which have learnt for longer."""
    for asked in (asked for asked in sets if asked.has_learned()):
        for mine in asked.claimed:
            yield from _accurate(asked, mine)
        yield _unfolded(asked)
    for pair, methods in costs.items():
        (asked,) = (each for each in sets if _is_of(each, pair))
        for mine in asked.claimed:
            yield from _cheap(asked, pair, methods, mine)
        for syn in (name for name in (SYN_PLAIN, SYN) if name in methods and name in asked.found):
            for mine in (*asked.claimed, *(name for name in (FORCES,) if name in methods)):
                yield from _over_syn(asked, pair, methods, mine, syn)


def _accurate(asked: Asked, mine: str) -> Iterator[Claim]:
    peer, where = asked.rival, f"registration, {asked.name}"
    gain = asked.dice(mine) - asked.dice(peer)
    low, high = asked.interval(gain)
    yield told(f"{where}: Dice of {mine} less that of {peer}", float(gain.mean()), "points")
    yield at_least(f"{where}: Dice of {mine} less {peer}'s, upper end of 95 % (lower {low:.2f})", high, "points", 0.0)
    most = float(asked.folded(peer).mean())
    yield at_most(f"{where}: folds of {mine}, at most {peer}'s", float(asked.folded(mine).mean()), "%", most)


def _unfolded(asked: Asked) -> Claim:
    smooth = [name for name in OURS if DIFFEOMORPHIC in name and name in asked.found]
    worst = max(float(asked.folded(name).max()) for name in smooth)
    name = f"registration, {asked.name}: folds of our diffeomorphic networks, the most of any pair"
    return at_most(name, worst, "%", 0.0)


def _cheap(asked: Asked, pair: str, methods: Mapping[str, Cost], mine: str) -> Iterator[Claim]:
    peer = asked.rival
    time = methods[mine].median / methods[peer].median
    memory = methods[mine].peak_bytes / max(1, methods[peer].peak_bytes)
    yield at_most(f"registration, {pair}: time of {mine} over {peer}'s", time, "x", TIME)
    yield at_most(f"registration, {pair}: memory of {mine} over {peer}'s", memory, "x", MEMORY)


def _over_syn(asked: Asked, pair: str, methods: Mapping[str, Cost], mine: str, syn: str) -> Iterator[Claim]:
    faster = methods[syn].median / methods[mine].median
    low, high = asked.interval(asked.dice(mine) - asked.dice(syn))
    yield at_least(f"registration, {pair}: {mine} is faster than {syn}", faster, "x", OVER_SYN)
    name = f"registration, {asked.name}: Dice of {mine} less that of {syn}, upper end of 95 % (lower {low:.2f})"
    yield at_least(name, high, "points", 0.0)
