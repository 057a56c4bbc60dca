from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated.disclosure import (
    FILTERS,
    TABLE,
    Cell,
    Check,
    Facts,
    Filter,
    Limits,
    evaluate,
    gram_patients,
    suppressed,
)
from federated.envelope import VERDICT
from federated.manifest import COORDINATOR_KINDS, SITE_KINDS, AnyManifest

LIMITS = Limits()


def _patients(*numbers: int) -> frozenset[str]:
    return frozenset(f"p{number}" for number in numbers)


def _facts(cells: dict[Cell, frozenset[str]] | None = None, **changes: object) -> Facts:
    cells = cells or {("train", "a"): _patients(*range(40)), ("train", "b"): _patients(*range(40, 80))}
    base = Facts(kind="statistics", level=2, features=20, cells=cells, largest_share=0.1, size=1000)
    return replace(base, **changes)  # type: ignore[arg-type]


def _failed(facts: Facts, limits: Limits = LIMITS, earlier: tuple[Facts, ...] = ()) -> list[str]:
    return [check.name for check in evaluate(facts, limits, earlier) if not check.passed]


def test_published_defaults() -> None:
    assert Limits().model_dump() == {
        "cell": 5,
        "batch": 5,
        "difference": 5,
        "gram_share": 0.33,
        "dominance": 0.5,
        "levels": 40,
        "max_bytes": 64 * 2**20,
    }


def test_every_kind_of_the_contract_has_a_row() -> None:
    kinds = {
        kind for model in get_args(get_args(AnyManifest)[0]) for kind in get_args(model.model_fields["kind"].annotation)
    }
    assert kinds == {*SITE_KINDS, *COORDINATOR_KINDS}
    assert set(TABLE) == set(SITE_KINDS)


def test_filters_are_named_like_their_limits() -> None:
    assert set(FILTERS) == set(Limits.model_fields)
    assert {name for row in TABLE.values() for name in row} == set(FILTERS)


def _spy(name: str, original: Filter, called: list[str]) -> Filter:
    def filter_(facts: Facts, limits: Limits, earlier: Sequence[Facts]) -> Check:
        called.append(name)
        return original(facts, limits, earlier)

    return filter_


@pytest.mark.parametrize("kind", SITE_KINDS)
def test_every_filter_of_a_kind_is_evaluated(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []
    for name, original in FILTERS.items():
        monkeypatch.setitem(FILTERS, name, _spy(name, original, called))
    checks = evaluate(_facts(kind=kind), LIMITS, ())
    assert tuple(called) == tuple(check.name for check in checks) == TABLE[kind]


EXPECTED_TABLE = {
    "cell": {"statistics", "features", "weights", "update", "synthetic", "consultation", "report", "summary"},
    "batch": {"statistics", "features", "weights", "update", "synthetic", "consultation", "report", "summary"},
    "difference": {"statistics", "features", "weights", "update", "synthetic", "consultation", "report", "summary"},
    "gram_share": {"statistics", "report"},
    "dominance": {"statistics", "features", "weights", "update", "synthetic", "consultation"},
    "levels": {
        "statistics",
        "features",
        "weights",
        "update",
        "synthetic",
        "consultation",
        "report",
        "summary",
        "decision",
    },
    "max_bytes": set(SITE_KINDS),
}
TOO_MUCH = {
    "cell": _facts({("train", "a"): _patients(1, 2, 3, 4), ("train", "b"): _patients(*range(5, 90))}),
    "batch": _facts({("train", "a"): _patients(1, 2, 3, 4)}),
    "difference": _facts({("train", "a"): _patients(*range(79))}),
    "gram_share": _facts(features=27),
    "dominance": _facts(largest_share=0.51),
    "levels": _facts({("train", f"l{n}"): _patients(*range(70)) for n in range(41)}),
    "max_bytes": _facts(size=64 * 2**20 + 1),
}
BEFORE = _facts({("train", "a"): _patients(*range(80))})


@pytest.mark.parametrize("kind", SITE_KINDS)
@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_refuses_the_kinds_of_its_row_and_no_other(name: str, kind: str) -> None:
    earlier = (replace(BEFORE, kind=kind),) if name == "difference" else ()
    refused = name in _failed(replace(TOO_MUCH[name], kind=kind), earlier=earlier)
    assert refused == (kind in EXPECTED_TABLE[name])


@pytest.mark.parametrize("name", FILTERS)
def test_a_refusal_names_a_cure_and_a_pass_needs_none(name: str) -> None:
    earlier = (BEFORE,) if name == "difference" else ()
    checks = {check.name: check for check in evaluate(TOO_MUCH[name], LIMITS, earlier)}
    assert checks[name].cure
    assert all(not check.cure for check in evaluate(_facts(), LIMITS, ()))


def test_lines_show_limit_and_found() -> None:
    lines = {check.name: check.line for check in evaluate(_facts(), LIMITS, ())}
    assert lines == {
        "cell": "5 <= 40",
        "batch": "5 <= 80",
        "difference": "5 <= none smaller",
        "gram_share": "20/80=0.25 <= 0.33",
        "dominance": "0.1 <= 0.5",
        "levels": "2 <= 40",
        "max_bytes": "1000 <= 67108864",
    }


@pytest.mark.parametrize("kind", TABLE)
@pytest.mark.parametrize("level", [1, 2, None])
@pytest.mark.parametrize("share", [0.33, 1e9])
def test_an_envelope_takes_the_line_of_every_verdict_that_lets_a_draft_pass(
    kind: str, level: int | None, share: float
) -> None:
    facts = _facts(kind=kind, level=level, features=None if kind == "features" else 2)
    checks = evaluate(facts, LIMITS.model_copy(update={"gram_share": share, "cell": 1}), ())
    lines = {check.name: check.line for check in checks if check.passed}
    assert set(lines) == set(TABLE[kind])
    assert [line for line in lines.values() if not re.fullmatch(VERDICT, line)] == []


@pytest.mark.parametrize(("features", "patients"), [(128, 388), (512, 1552), (1024, 3104)])
def test_published_patients_for_a_gram(features: int, patients: int) -> None:
    enough = _facts({("train", "a"): _patients(*range(patients))}, features=features)
    one_less = _facts({("train", "a"): _patients(*range(patients - 1))}, features=features)
    assert _failed(enough) == []
    assert _failed(one_less) == ["gram_share"]


def test_gram_cure_names_features_patients_and_level() -> None:
    check = next(c for c in evaluate(_facts(features=500), LIMITS, ()) if c.name == "gram_share")
    assert check.cure == (
        "set level_to_coordinator to 1 in the policy, where another site sends level 2, wait for a batch with 1516 "
        "patients in every fold, or take a front end of at most 26 features"
    )


def test_class_sums_alone_need_no_patients_per_feature() -> None:
    assert _failed(_facts(level=1, features=4000)) == []


def test_a_report_counts_training_patients_behind_each_class_covariance() -> None:
    cells = {("train", "a"): _patients(*range(100)), ("train", "b"): _patients(*range(100, 140))}
    cells[("calibration", "a")] = _patients(*range(140, 150))
    assert _failed(_facts(cells, kind="report", features=20, level=None)) == ["gram_share"]
    assert _failed(_facts(cells, kind="report", features=13, level=None)) == []
    assert _failed(_facts(cells, kind="report", features=None, level=None)) == []


def test_no_patients_at_all_is_refused_at_any_limit() -> None:
    least = Limits(cell=1, batch=1, difference=1)
    for cells in ({("train", "a"): _patients()}, {("train", "a"): _patients(), ("train", "b"): _patients()}):
        assert _failed(_facts(cells, features=None), least) == ["cell", "batch"]


def test_smallest_fold_counts() -> None:
    cells = {("train", "a"): _patients(*range(60)), ("validation", "a"): _patients(60, 61, 62, 63, 64)}
    assert _failed(_facts(cells, features=1), Limits(batch=6)) == ["batch"]


def test_differences_are_seen_between_features_and_statistics_but_not_between_other_kinds() -> None:
    now = _facts({("train", "a"): _patients(*range(79))})
    assert "difference" in _failed(now, earlier=(replace(BEFORE, kind="features"),))
    assert "difference" in _failed(replace(now, kind="features"), earlier=(BEFORE,))
    assert "difference" not in _failed(now, earlier=(replace(BEFORE, kind="weights"),))


@pytest.mark.parametrize("other", ["statistics", "features", "weights", "update"])
def test_an_update_is_held_against_sums_and_networks_and_they_against_it(other: str) -> None:
    now = _facts({("train", "a"): _patients(*range(79))})
    assert "difference" in _failed(replace(now, kind="update"), earlier=(replace(BEFORE, kind=other),))
    assert "difference" in _failed(replace(now, kind=other), earlier=(replace(BEFORE, kind="update"),))
    assert "difference" not in _failed(replace(BEFORE, kind="update"), earlier=(replace(BEFORE, kind=other),))


def test_difference_within_one_label_is_seen_where_the_fold_hides_it() -> None:
    before = _facts({("train", "a"): _patients(*range(40)), ("train", "b"): _patients(*range(40, 80))})
    moved = _facts({("train", "a"): _patients(*range(39)), ("train", "b"): _patients(*range(39, 80))})
    assert _failed(moved, earlier=(before,)) == ["difference"]


def test_other_images_of_the_same_patients_are_a_difference_where_known() -> None:
    images = dict.fromkeys(_patients(*range(80)), "x")
    before = _facts(images=images)
    assert _failed(_facts(images=images), earlier=(before,)) == []
    assert _failed(_facts(images={**images, "p3": "y"}), earlier=(before,)) == ["difference"]
    assert _failed(_facts(), earlier=(before,)) == []


def test_folds_are_unions_over_labels() -> None:
    facts = _facts(
        {("train", "a"): _patients(1, 2), ("train", "b"): _patients(2, 3), ("validation", "a"): _patients(4)}
    )
    assert facts.folds == {"train": _patients(1, 2, 3), "validation": _patients(4)}


cells = st.dictionaries(
    st.tuples(st.sampled_from(["train", "validation"]), st.sampled_from(["a", "b", "c"])),
    st.frozensets(st.integers(0, 30).map(str), max_size=12),
    max_size=6,
)


@given(cells, st.integers(1, 8))
def test_what_is_left_after_suppression_passes_the_cell_filter(cells: dict[Cell, frozenset[str]], least: int) -> None:
    limits = Limits(cell=least, batch=1)
    dropped = suppressed(cells, limits)
    kept = {cell: patients for cell, patients in cells.items() if cell not in dropped}
    assert all(len(cells[cell]) < least for cell in dropped)
    assert ("cell" in _failed(_facts(kept or {("train", "a"): _patients()}), limits)) == (not kept)


COARSE = {
    ("train", "psax"): _patients(*range(70)),
    ("train", "a4c"): _patients(*range(60, 200)),
    ("validation", "a4c"): _patients(*range(200, 300)),
}


def _coarse(**changes: object) -> Facts:
    return _facts(COARSE, coarse=("psax",), **changes)


def test_every_gram_matrix_that_can_be_read_counts_its_patients() -> None:
    assert {name: len(found) for name, found in gram_patients(_coarse()).items()} == {
        "train": 200,
        "train, label psax": 70,
        "train, other labels": 140,
        "validation": 100,
        "validation, other labels": 100,
    }
    assert set(gram_patients(_facts(COARSE))) == {"train", "validation"}


def test_the_smallest_of_them_is_held_against_the_features() -> None:
    assert "gram_share" not in _failed(_facts(COARSE, features=33))
    assert "gram_share" not in _failed(_coarse(features=23))
    assert "gram_share" in _failed(_coarse(features=24))  # 70 patients with the coarse label
    few_others = COARSE | {("train", "a4c"): _patients(*range(60, 80))}
    assert "gram_share" in _failed(_facts(few_others, coarse=("psax",), features=20))  # what is left: 20 patients
    assert "gram_share" not in _failed(_facts(few_others, features=20))


def test_a_matrix_apart_may_not_isolate_few_patients_against_what_left_before() -> None:
    """Before, the whole; now the same with one label apart, but for two patients of another label."""
    before = _facts({("train", "psax"): _patients(*range(40)), ("train", "a4c"): _patients(*range(40, 90))})
    same = _facts(dict(before.cells), coarse=("psax",))
    assert "difference" not in _failed(same, earlier=(before,))
    fewer = _facts({**before.cells, ("train", "a4c"): _patients(*range(42, 90))}, coarse=("psax",))
    assert "difference" in _failed(fewer, earlier=(before,))


def test_images_that_are_called_otherwise_now_are_held_against_the_matrix_they_had_apart() -> None:
    """The whole, less what left of the short axis alone, would be of one new patient."""
    apart = _patients(*range(100))
    before = _facts({("train", "psax"): apart, ("train", "a4c"): _patients(*range(100, 200))}, coarse=("psax",))
    cells = {("train", "psax-av"): _patients(*range(50)), ("train", "psax-pm"): _patients(*range(50, 101))}
    assert _failed(_facts(cells | {("train", "psax-pm"): _patients(*range(50, 100), 300)}), earlier=(before,)) == [
        "difference"
    ]
    assert _failed(_facts(cells | {("train", "psax-pm"): _patients(*range(50, 100))}), earlier=(before,)) == []


def test_what_is_left_over_is_held_against_what_left_before() -> None:
    """One label and the whole of another upload; their sum, less a patient, would be that patient."""
    before = _facts({("train", "a4c"): _patients(*range(40, 90))})
    now = _facts(
        {("train", "psax"): _patients(*range(40)), ("train", "a4c"): _patients(*range(41, 90))}, coarse=("psax",)
    )
    assert "difference" in _failed(now, earlier=(before,))


@given(st.sets(st.integers(0, 30), min_size=1), st.sets(st.integers(0, 30), min_size=1))
def test_matrices_apart_never_pass_what_the_whole_does_not(one: set[int], other: set[int]) -> None:
    cells = {("train", "psax"): _patients(*one), ("train", "a4c"): _patients(*other)}
    whole, apart = (_failed(_facts(cells, features=8, coarse=coarse)) for coarse in ((), ("psax",)))
    assert set(whole) <= set(apart)
