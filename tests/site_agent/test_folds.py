from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from site_agent.folds import FOLDS, TARGETS, assign_folds, neediest


def names(number: int, prefix: str = "p") -> list[str]:
    return [f"{prefix}{i:04d}" for i in range(number)]


def of_one_label(number: int) -> dict[str, frozenset[str]]:
    return dict.fromkeys(names(number), frozenset({"a"}))


def tally(folds: dict[str, str], patients: dict[str, frozenset[str]]) -> Counter[tuple[str, str]]:
    return Counter((fold, label) for patient, fold in folds.items() for label in patients[patient])


def test_targets_are_shares_of_all_folds() -> None:
    assert set(TARGETS) == set(FOLDS)
    assert sum(TARGETS.values()) == 100


def test_the_first_patients_fill_train_test_validation_calibration() -> None:
    order = list(assign_folds(of_one_label(10), {}, {}).values())
    assert order[:5] == ["train", "test", "train", "validation", "calibration"]
    assert list(dict.fromkeys(order)) == list(TARGETS)


@given(st.integers(1, 300))
def test_every_fold_is_within_one_patient_of_its_target(number: int) -> None:
    counts = Counter(assign_folds(of_one_label(number), {}, {}).values())
    assert all(abs(counts[fold] - TARGETS[fold] * number / 100) < 1 for fold in TARGETS)


@given(st.lists(st.frozensets(st.sampled_from("abcd"), min_size=1), min_size=1, max_size=60))
def test_every_label_is_trained_on_somewhere(sets: list[frozenset[str]]) -> None:
    patients = dict(zip(names(len(sets)), sets, strict=True))
    placed = tally(assign_folds(patients, {}, {}), patients)
    assert all(sum(placed[fold, label] for fold in FOLDS) > 0 for label in frozenset().union(*sets))
    alone = {label for label in frozenset().union(*sets) if any(its == {label} for its in sets)}
    assert all(placed["train", label] for label in alone if sum(label in its for its in sets) == 1)


@given(st.integers(1, 40), st.integers(1, 40))
def test_later_patients_go_where_the_earlier_ones_left_gaps(first: int, second: int) -> None:
    early = of_one_label(first)
    late = dict.fromkeys(names(second, "q"), frozenset({"a"}))
    then = assign_folds(early, {}, {})
    now = assign_folds(late, {}, tally(then, early))
    counts = Counter([*then.values(), *now.values()])
    assert all(abs(counts[fold] - TARGETS[fold] * (first + second) / 100) < 1 for fold in TARGETS)


def test_patients_with_every_mixture_of_labels_do_not_all_train() -> None:
    mixtures = [frozenset(f"v{j}" for j in range(10) if i >> j & 1) for i in range(1, 1024, 5)]
    counts = Counter(assign_folds(dict(zip(names(len(mixtures)), mixtures, strict=True)), {}, {}).values())
    assert all(abs(counts[fold] / len(mixtures) - TARGETS[fold] / 100) < 0.08 for fold in TARGETS)


def test_the_only_patient_of_a_rare_label_trains_even_if_also_of_a_common_one() -> None:
    assert neediest({"common", "rare"}, {("train", "common"): 80, ("test", "common"): 2}) == "train"


def test_folds_that_the_hospital_gave_stay_and_count() -> None:
    given_folds = {"p0000": "calibration", "p0001": "calibration"}
    folds = assign_folds(of_one_label(6), given_folds, {})
    assert {patient: folds[patient] for patient in given_folds} == given_folds
    assert Counter(folds.values()) == {"calibration": 2, "train": 3, "test": 1}
