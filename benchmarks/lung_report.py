"""From answers to tables, claims, and paragraphs on what can and what cannot be told apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.claims import Claim, Measured, Row, at_most, told
from benchmarks.lung_methods import ALPHA, FUSED, JOINT_RIDGE, LOOSE, LOOSE_ALPHA, METHODS
from deploy.demo.baselines import JOINT, MOST_FREQUENT
from deploy.demo.evaluation import Answers, HeldBack, Interval, difference, share

OURS = FUSED["none"]
COUNTED = "fused experts (none), minimum counts of 5"
PAIR = ("healthy", "pneumonia")
HELD_BACK = "Held-back clips, all four sites have arrived"
INSIDE = "Healthy against pneumonia inside northumbria"
TO_COME = "Held-back clips of sites to come, labels known (unseen pairs)"
LEFT_OUT = "All clips of a site left out, labels known"
PROBE = "Clips of a probe that no site trained on (linear)"
UNKNOWN = "Clips of a label that no site trained on"
ACCURACY_QUESTIONS = (HELD_BACK, INSIDE, TO_COME, LEFT_OUT, PROBE)
KNOWN_GROUP = "held-back clips of sites and labels that are there (wrong refusals)"
UNKNOWN_GROUP = "clips of a label no site trained on, all together"


@dataclass(frozen=True)
class Line:
    """One clip that was asked about in one split.

    Attributes:
        answers: every method's forced answer.
        refused: whether it refused to give it.
        p: the largest p-value of a site by our default.
        calibrated: patients by whom its p-values are calibrated, at the site that has fewest.
    """

    question: str
    seed: int
    site: str
    patient: str
    clip: str
    label: str
    answers: Mapping[str, str | None]
    refused: Mapping[str, bool]
    p: float
    calibrated: int


@dataclass(frozen=True)
class Difference:
    """Our default minus another method on one question, paired, in accuracy: over patients and over splits."""

    question: str
    method: str
    by_patient: Interval
    by_split: Interval

    @property
    def told_apart(self) -> bool:
        """Both intervals leave out zero."""
        return all(_leaves_out_zero(interval) for interval in (self.by_patient, self.by_split))

    @property
    def alike(self) -> bool:
        """No draw of patients makes a difference."""
        return self.by_patient.low == self.by_patient.high == 0.0

    @property
    def points(self) -> float:
        """Percentage points."""
        return _percent(self.by_patient.value)

    @property
    def verdict(self) -> str:
        """In words."""
        return "told apart" if self.told_apart else "not told apart"


@dataclass(frozen=True)
class Refusal:
    """How often our default refused the clips of a group, and how well p-values tell them from clips it should know.

    Attributes:
        loose: share refused at the looser α.
        auroc: of the largest p-value, known clips against these: 0.5 says nothing, 1 everything; None for the known
            clips themselves.
    """

    group: str
    share: Interval
    loose: Interval
    auroc: float | None


def summarise(lines: Sequence[Line]) -> Measured:
    """Tables, claims and notes."""
    asked: dict[str, list[Line]] = {}
    for line in lines:
        asked.setdefault(line.question, []).append(line)
    questions = [question for question in ACCURACY_QUESTIONS if question in asked]
    rows = [
        _accuracy_row(question, asked[question], name) for question in questions for name in _methods(asked[question])
    ]
    differences = [one for question in questions for one in _differences(question, asked[question])]
    refusals = refusals_of(asked)
    return Measured(
        rows=(*rows, *map(_refusal_row, refusals.values()), *map(_difference_row, differences)),
        claims=tuple(_claims(asked, differences, refusals)),
        notes=(
            _setting(asked[HELD_BACK]),
            *what_is_told_apart(differences),
            _cost_of_counts(differences),
            refusal_note(refusals, [line.calibrated for line in asked[HELD_BACK]]),
        ),
    )


def _held(lines: Sequence[Line]) -> HeldBack:
    """Lines as clips to be resampled by patient within their site."""
    return HeldBack(
        tuple(line.site for line in lines),
        tuple(line.patient for line in lines),
        tuple(line.clip for line in lines),
        tuple(line.label for line in lines),
    )


def _by_split(lines: Sequence[Line]) -> HeldBack:
    """Lines as clips to be resampled by split."""
    return HeldBack(
        ("all",) * len(lines),
        tuple(str(line.seed) for line in lines),
        tuple(line.clip for line in lines),
        tuple(line.label for line in lines),
    )


def _answers(lines: Sequence[Line], method: str) -> Answers:
    return Answers(
        method,
        tuple(line.answers.get(method) for line in lines),
        tuple(line.refused.get(method, False) for line in lines),
    )


def _everything(lines: Sequence[Line]) -> np.ndarray:
    return np.ones(len(lines), dtype=bool)


def _methods(lines: Sequence[Line]) -> list[str]:
    """Methods that have an answer to any of these clips."""
    return [name for name in (*METHODS, COUNTED) if any(line.answers.get(name) is not None for line in lines)]


def accuracy(lines: Sequence[Line], method: str, *, balanced: bool = False) -> Interval:
    """Accuracy of forced labels."""
    hits = np.array([line.answers.get(method) == line.label for line in lines], dtype=bool)
    return share(_held(lines), hits, _everything(lines), balanced=balanced)


def _accuracy_row(question: str, lines: Sequence[Line], method: str) -> Row:
    plain, balanced = accuracy(lines, method), accuracy(lines, method, balanced=True)
    return {
        "table": f"{question}: {len({line.clip for line in lines})} clips of {plain.patients} patients",
        "method": method,
        "accuracy, %": _percent(plain.value),
        "95 % by patient": _bounds(plain),
        "balanced accuracy, %": _percent(balanced.value),
        "95 % by patient ": _bounds(balanced),
    }


def _differences(question: str, lines: Sequence[Line]) -> list[Difference]:
    return [_difference(question, lines, method) for method in _methods(lines) if method != OURS]


def _difference(question: str, lines: Sequence[Line], method: str) -> Difference:
    pair = _answers(lines, OURS), _answers(lines, method)
    by_patient, by_split = (difference(held(lines), *pair, _everything(lines)) for held in (_held, _by_split))
    return Difference(question, method, by_patient, by_split)


def _difference_row(one: Difference) -> Row:
    return {
        "table": f"{OURS} minus …, paired, points of accuracy. {one.question}",
        "method": one.method,
        "points": one.points,
        "95 % by patient": _bounds(one.by_patient, sign=True),
        "95 % by split": _bounds(one.by_split, sign=True),
        "told apart": one.told_apart,
    }


def refusals_of(asked: Mapping[str, Sequence[Line]]) -> dict[str, Refusal]:
    """Refusals of each group of clips, wrong refusals first."""
    known, unknown = asked[HELD_BACK], asked.get(UNKNOWN, [])
    groups: dict[str, Sequence[Line]] = {KNOWN_GROUP: known}
    for label in sorted({line.label for line in unknown}):
        groups[f"clips of '{label}' where no site trained on it"] = [line for line in unknown if line.label == label]
    groups[UNKNOWN_GROUP] = unknown
    groups |= {"clips of sites to come": asked.get(TO_COME, []), "clips of a site left out": asked.get(LEFT_OUT, [])}
    groups["clips of a probe that no site trained on"] = asked.get(PROBE, [])
    return {name: _refusal(name, lines, known) for name, lines in groups.items() if lines}


def _refusal(name: str, lines: Sequence[Line], known: Sequence[Line]) -> Refusal:
    strict, loose = (_refused(lines, method) for method in (OURS, LOOSE["none"]))
    return Refusal(name, strict, loose, None if lines is known else _auroc(known, lines))


def _refused(lines: Sequence[Line], method: str) -> Interval:
    hits = np.array([line.refused[method] for line in lines], dtype=bool)
    return share(_held(lines), hits, _everything(lines))


def _auroc(known: Sequence[Line], unknown: Sequence[Line]) -> float:
    from sklearn.metrics import roc_auc_score

    p = [line.p for line in (*known, *unknown)]
    return float(roc_auc_score([1] * len(known) + [0] * len(unknown), p))


def _refusal_row(refusal: Refusal) -> Row:
    return {
        "table": f"Refusals of {OURS}",
        "asked about": refusal.group,
        "refused, %": _percent(refusal.share.value),
        "95 % by patient": _bounds(refusal.share),
        f"refused at α = {LOOSE_ALPHA}, %": _percent(refusal.loose.value),
        "95 % by patient ": _bounds(refusal.loose),
        "patients": refusal.share.patients,
        "AUROC of the largest p-value, known against these": refusal.auroc,
    }


def _claims(
    asked: Mapping[str, Sequence[Line]], differences: Sequence[Difference], refusals: Mapping[str, Refusal]
) -> list[Claim]:
    found = [told(f"lung: accuracy of {OURS}", _percent(accuracy(asked[HELD_BACK], OURS).value), "%")]
    for one in differences:
        if one.question in {HELD_BACK, LEFT_OUT} and one.method in {JOINT_RIDGE, JOINT, MOST_FREQUENT, COUNTED}:
            name = f"lung, {one.question.lower()}: {OURS} minus {one.method} ({one.verdict})"
            found.append(told(name, one.points, "points"))
    wrong = refusals[KNOWN_GROUP].share
    return [*found, at_most("lung: held-back clips wrongly refused", _percent(wrong.value), "%", 100 * ALPHA)]


def _setting(lines: Sequence[Line]) -> str:
    splits = len({line.seed for line in lines})
    clips, patients = len({line.clip for line in lines}), accuracy(lines, OURS).patients
    return (
        f"{splits} splits by patient; a split holds back about {len(lines) / splits:.0f} clips, over all splits "
        f"{clips} clips of {patients} patients were held back at least once. Accuracies are of the forced label, "
        "refused or not. Intervals by patient resample patients within their sites, with all their clips in all "
        "splits; they do not cover the choice of these four sources. Site and label are confounded: read the most "
        "frequent label's row first."
    )


def what_is_told_apart(differences: Sequence[Difference]) -> list[str]:
    """What can and cannot be told apart, one paragraph a question."""
    questions = dict.fromkeys(one.question for one in differences)
    return [_told_of(question, [one for one in differences if one.question == question]) for question in questions]


def _told_of(question: str, differences: Sequence[Difference]) -> str:
    apart = sorted((one for one in differences if one.told_apart), key=lambda one: -one.points)
    named = [f"{one.method} ({one.points:+.1f})" for one in apart]
    better = sum(one.points > 0 for one in apart)
    alike = [one.method for one in differences if one.alike]
    same = [one.method for one in differences if not one.told_apart and not one.alike]
    parts = [
        f"better than {', '.join(named[:better])}" if better else "",
        f"worse than {', '.join(named[better:])}" if better < len(named) else "",
        f"not told apart from {', '.join(same)}" if same else "",
        f"right as often as {', '.join(alike)} on every patient" if alike else "",
    ]
    return f"{question}: the {OURS} are {'; '.join(part for part in parts if part)}."


def _cost_of_counts(differences: Sequence[Difference]) -> str:
    found = [one for one in differences if (one.question, one.method) == (HELD_BACK, COUNTED)]
    if not found:
        return "With the default minimum counts no site could contribute."
    (cost,) = found
    return (
        "The default minimum of 5 patients a cell drops every smaller block of a site; it costs "
        f"{cost.points:.1f} points of accuracy [{_bounds(cost.by_patient, sign=True)}] ({cost.verdict})."
    )


def refusal_note(refusals: Mapping[str, Refusal], calibrated: Sequence[int]) -> str:
    """Whether refusing says anything, in words; `calibrated` are the patients of the site that has fewest, by split."""
    needed = round(1 / ALPHA) - 1
    counts = f"The least calibrated site of a release has {min(calibrated)} to {max(calibrated)} patients for it"
    wrong, unknown = refusals[KNOWN_GROUP], refusals.get(UNKNOWN_GROUP)
    if min(calibrated) < needed:
        counts += f", too few at times for a refusal or a lower weight at α = {ALPHA}, which needs {needed}"
    if unknown is None:
        return f"{counts}. Refusals of unknown labels were not measured."
    return " ".join(
        [f"{counts}.", _power(wrong.share, unknown.share, ALPHA), _power(wrong.loose, unknown.loose, LOOSE_ALPHA)]
    )


def _power(wrong: Interval, unknown: Interval, alpha: float) -> str:
    percents = _percent(wrong.value), _percent(unknown.value)
    shares = f"At α = {alpha}: wrong refusals {percents[0]} %, refusals of unknown labels {percents[1]} %"
    if (unknown.low or 0.0) > (wrong.high or 0.0):
        return f"{shares}; the intervals do not touch, so refusing tells the unknown from the known."
    return f"{shares}; the intervals touch, so on these patients a refusal says little about unknown labels."


def _leaves_out_zero(interval: Interval) -> bool:
    return interval.low is not None and interval.high is not None and (interval.low > 0 or interval.high < 0)


def _percent(value: float | None) -> float:
    assert value is not None  # every group that is shown has clips
    return round(100 * value, 1)


def _bounds(interval: Interval, *, sign: bool = False) -> str:
    if interval.low is None or interval.high is None:
        return "–"
    form = "+.0f" if sign else ".0f"
    return f"{100 * interval.low:{form}} to {100 * interval.high:{form}}"
