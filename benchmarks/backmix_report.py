"""What was found of changed backgrounds, as tables and claims; differences are paired by seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.backmix_images import AWAY, MACHINES_AWAY, NONE, OTHERS, SAME
from benchmarks.backmix_training import BACKMIX, METHODS, NOTHING, WEIGHTED, Answers, Focus, mean_of
from benchmarks.claims import Claim, Row, at_least, told
from shared_models.region_focus import THRESHOLD

Array = NDArray[np.float64]
Key = tuple[str, float]  # a method's name and its share of masks

ELSEWHERE = (OTHERS, NONE, MACHINES_AWAY)
OUT = "mean of the three"
LEVEL = 0.975
BLANKED, UNMARKED = "black before learning and asking", "taught without pictures"


@dataclass(frozen=True)
class Run:
    """One network: what it answers in each set, and where it looks in some."""

    answers: Mapping[str, Answers]
    focus: Mapping[str, Focus]

    def accuracy(self, where: str) -> float:
        """Of a set, or the mean over those that are not as in training."""
        chosen = ELSEWHERE if where == OUT else (where,)
        return mean_of([self.answers[name] for name in chosen]).accuracy


Runs = Mapping[Key, Sequence[Run]]


@dataclass(frozen=True)
class Difference:
    """A mean over seeds and its 95 % interval by Student's t."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:+.1f} [{self.low:+.1f}, {self.high:+.1f}]"


def difference(values: Array) -> Difference:
    """Of differences, one a seed; of a single one nothing is known."""
    from scipy.stats import t

    mean, count = float(values.mean()), len(values)
    half = float(t.ppf(LEVEL, count - 1) * values.std(ddof=1) / np.sqrt(count)) if count > 1 else float("inf")
    return Difference(mean, mean - half, mean + half)


def less(runs: Runs, first: Key, second: Key, where: str) -> Difference:
    """Accuracy of the first less that of the second, over the seeds that both have."""
    pairs = zip(runs[first], runs[second], strict=False)
    return difference(np.array([one.accuracy(where) - other.accuracy(where) for one, other in pairs]))


def rows(runs: Runs) -> list[Row]:
    """All tables of the phantom."""
    return [*_accuracies(runs), *_differences(runs), *_shares(runs), *_looks(runs)]


def spread(values: Sequence[float]) -> str:
    """Mean over seeds, standard deviation in brackets."""
    return f"{np.mean(values):.1f} ({np.std(values, ddof=1):.1f})" if len(values) > 1 else f"{values[0]:.1f}"


def _accuracies(runs: Runs) -> list[Row]:
    names = [method.name for method in METHODS if (method.name, 1.0) in runs]
    return [_accuracy(name, runs[name, 1.0]) for name in [*names, BLANKED, UNMARKED]]


def _accuracy(name: str, held: Sequence[Run]) -> Row:
    found: Row = {"table": f"Accuracy, %, every image with a mask, {len(held)} seeds", "background": name}
    for where in (SAME, *ELSEWHERE, OUT):
        found[where] = spread([run.accuracy(where) for run in held])
    found[f"macro F1, {SAME}"] = spread([run.answers[SAME].macro_f1 for run in held])
    elsewhere = [mean_of([run.answers[where] for where in ELSEWHERE]).macro_f1 for run in held]
    return found | {f"macro F1, {OUT}": spread(elsewhere)}


def _differences(runs: Runs) -> list[Row]:
    rivals = [name for name, share in runs if share == 1 and name != BACKMIX.name]
    found: list[Row] = []
    for rival in rivals:
        row: Row = {"table": "BackMix less another, points of accuracy, paired by seed", "less": rival}
        for where in (SAME, *ELSEWHERE, OUT):
            row[where] = str(less(runs, (BACKMIX.name, 1.0), (rival, 1.0), where))
        found.append(row)
    return found


def _shares(runs: Runs) -> list[Row]:
    shares = sorted({share for _, share in runs if share < 1}, reverse=True)
    found: list[Row] = []
    for share in shares:
        for method in METHODS:
            if held := runs.get((method.name, share)):
                row: Row = {"table": f"Fewer masks, {len(held)} seeds", "masks": f"{share:.0%}"}
                row |= {"background": method.name}
                for where in (SAME, *ELSEWHERE, OUT):
                    row[where] = spread([run.accuracy(where) for run in held])
                row[f"{OUT}, less none"] = str(less(runs, (method.name, share), (NOTHING.name, 1.0), OUT))
                found.append(row)
    return found


def _looks(runs: Runs) -> list[Row]:
    return [
        _look(name, share, where, looks)
        for (name, share), held in runs.items()
        for where in (SAME, MACHINES_AWAY)
        if (looks := [run.focus[where] for run in held if where in run.focus])
    ]


def _look(name: str, share: float, where: str, looks: Sequence[Focus]) -> Row:
    return {
        "table": f"Where it looks: %E and, above q = {THRESHOLD:g} of the largest, %F",
        "background": name,
        "masks": f"{share:.0%}",
        "images": where,
        "%E of Grad-CAM": spread([one.energy for one in looks]),
        "%F of Grad-CAM": spread([one.focus for one in looks]),
        "%E of integrated gradients": spread([one.gradients_energy for one in looks]),
        "%F of integrated gradients": spread([one.gradients_focus for one in looks]),
        "even": f"{np.mean([one.even for one in looks]):.1f}",
    }


def claims(runs: Runs) -> list[Claim]:
    """That BackMix is better where the pictures tell nothing, by more than seeds explain, and looks elsewhere."""
    mixed, plain = (BACKMIX.name, 1.0), (NOTHING.name, 1.0)
    found = []
    for where in (*ELSEWHERE, OUT):
        margin = less(runs, mixed, plain, where)
        found.append(told(f"BackMix less none, {where}, mean", margin.mean, "points"))
        found.append(at_least(f"BackMix less none, {where}, lower end of the interval", margin.low, "points", 0))
    found.append(told(f"BackMix less none, {SAME}, mean", less(runs, mixed, plain, SAME).mean, "points"))
    for rival in METHODS:
        if rival not in (NOTHING, BACKMIX, WEIGHTED):
            margin = less(runs, mixed, (rival.name, 1.0), OUT)
            found.append(told(f"BackMix less {rival.name}, {OUT}, lower end of the interval", margin.low, "points"))
    fewest = min(share for _, share in runs)
    for method in (BACKMIX, WEIGHTED):
        margin = less(runs, (method.name, fewest), plain, OUT)
        name = f"{method.name} with {fewest:.0%} of masks less none, {OUT}"
        found += [told(f"{name}, mean", margin.mean, "points")]
        found += [told(f"{name}, lower end of the interval", margin.low, "points")]
    return [*found, *_focus_claims(runs, mixed, plain)]


def _focus_claims(runs: Runs, mixed: Key, plain: Key) -> list[Claim]:
    found = []
    for name, part in (("Grad-CAM", "energy"), ("integrated gradients", "gradients_energy")):
        pairs = zip(runs[mixed], runs[plain], strict=True)
        values = [getattr(one.focus[SAME], part) - getattr(other.focus[SAME], part) for one, other in pairs]
        margin = difference(np.array(values))
        what = f"%E of {name}, BackMix less none, lower end of the interval"
        found.append(at_least(what, margin.low, "points", 0))
    return found


NOTE = (
    "Phantom: five views; the hospital draws one of five small pictures outside the sector, a view's own. Mean over "
    "seeds, standard deviation in brackets; each seed draws patients, weights and masks anew. Other machines are "
    f"{', '.join(AWAY)}, which draw what they draw and no picture. Intervals: Student's t over paired seeds, 95 %. "
    "%E is 100 times the saliency inside the sector over all of it; %F the share inside of pixels with at least q "
    "times the image's largest saliency; `even` is what a look that is the same everywhere would have. "
    f"'{BLANKED}': images black outside the sector, those asked too, which takes a mask of every image. "
    f"'{UNMARKED}' bounds what can be had of so few images. wBackMix with every mask is BackMix itself."
)
