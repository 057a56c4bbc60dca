from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated.audit.outcome import Check
from federated.decision_record import Record
from federated.draw import MAX_DRAWN, Draw, draw_from, indices, parse_draw, read_draw, verify_opened
from federated.envelope import Opened, Passage
from federated.errors import ConsiliumError, ContractError
from federated.manifest import DecisionManifest, SummaryManifest, Tensors, manifest_digest, pack_tensors
from tests.decision_making import AT, Tree, a_flag, a_record, an_answer, rows, shown, sums, told

RECORDS = [*(a_record(number) for number in range(20)), a_flag(20, 3)]
TREE = Tree([record.to_bytes() for record in RECORDS])
SEED = bytes(range(32))


def _opened(model: Any, tensors: Tensors, fields: dict[str, Any]) -> Opened:
    _, specs, digest = pack_tensors(tensors)
    common = {"federation": "test", "site": "ada", "tensors": specs, "tensors_digest": digest}
    manifest = model(**(common | fields))
    said: dict[str, Any] = {"federation": "test", "sender": "ada", "recipient": "hub", "sequence": 1, "previous": None}
    said |= {"kind": manifest.kind, "policy": None, "filters": {}, "approval": "each", "issued": AT}
    return Opened(Passage(**said), manifest, tensors, manifest_digest(manifest), frozenset())


SUMMARY = _opened(SummaryManifest, sums(), told(TREE))
DRAW = draw_from(SUMMARY, seed=SEED, count=6)


def _decision(record: Record, tree: Tree = TREE, **changes: Any) -> Opened:
    fields = shown(tree, record, None if record.event == "flag" else an_answer(), draw=DRAW.digest)
    tensors = {} if record.event == "flag" else {"features": rows(record.number)}
    return _opened(DecisionManifest, tensors, fields | changes)


@pytest.fixture
def answers() -> dict[int, Opened]:
    """What an honest site opens."""
    return {number: _decision(RECORDS[number]) for number in indices(DRAW)}


def _found(opened: dict[int, Opened], draw: Draw = DRAW, summary: Opened = SUMMARY) -> list[Check]:
    return list(verify_opened(draw, summary, list(opened.values())))


def _wrong(checks: list[Check]) -> dict[str, str]:
    return {check.name: check.found for check in checks if check.ok is False}


def test_an_honest_site_opens_what_was_drawn(answers: dict[int, Opened]) -> None:
    first, *others = _found(answers)
    assert (first.name, first.ok, first.found) == ("draw", True, "6 of 21 records of ada")
    assert [(check.name, check.ok) for check in others] == [(f"record {number}", True) for number in sorted(answers)]
    assert others[0].found == f"the decision that was logged at {AT}"


def test_a_flag_is_opened_as_it_is() -> None:
    everything = draw_from(SUMMARY, seed=SEED, count=100)
    opened = {number: _decision(record, draw=everything.digest) for number, record in enumerate(RECORDS)}
    checks = _found(opened, everything)
    assert _wrong(checks) == {}
    assert checks[-1].found == f"the flag that was logged at {AT}"


def test_numbers_that_are_drawn() -> None:
    assert indices(DRAW) == (0, 7, 9, 13, 17, 20)
    assert indices(draw_from(SUMMARY, seed=bytes(32), count=6)) != indices(DRAW)
    assert indices(draw_from(SUMMARY, seed=SEED, count=21)) == tuple(range(21))


@given(size=st.integers(1, 10**9), count=st.integers(1, 50), seed=st.binary(min_size=32, max_size=32))
def test_numbers_are_different_and_in_the_tree(size: int, count: int, seed: bytes) -> None:
    drawn = indices(DRAW.model_copy(update={"size": size, "count": count, "seed": seed.hex()}))
    assert len(set(drawn)) == len(drawn) == min(count, size)
    assert drawn == tuple(sorted(drawn))
    assert 0 <= drawn[0] <= drawn[-1] < size


def test_every_number_is_as_likely() -> None:
    """Of 2,000 draws of 2 from 5, each number is in 800; the standard deviation of that is 22."""
    counts = dict.fromkeys(range(5), 0)
    for number in range(2000):
        for drawn in indices(DRAW.model_copy(update={"size": 5, "count": 2, "seed": f"{number:064x}"})):
            counts[drawn] += 1
    assert all(abs(count - 800) < 100 for count in counts.values())


def _missing(opened: dict[int, Opened]) -> None:
    del opened[7]


def _swapped(opened: dict[int, Opened]) -> None:
    opened[7] = _decision(RECORDS[6])


def _renamed(opened: dict[int, Opened]) -> None:
    opened[7] = _decision(RECORDS[6].model_copy(update={"number": 7}), proof=TREE.inclusion(6))


def _edited(opened: dict[int, Opened]) -> None:
    opened[7] = _decision(RECORDS[7].model_copy(update={"patient": "f" * 64}))


def _another_answer(opened: dict[int, Opened]) -> None:
    opened[7] = _decision(RECORDS[7], decision=an_answer(label="plax"))


def _other_features(opened: dict[int, Opened]) -> None:
    opened[7] = replace(opened[7], tensors={"features": rows(6)})


def _without_features(opened: dict[int, Opened]) -> None:
    opened[7] = replace(opened[7], tensors={})


def _made_up_log(opened: dict[int, Opened]) -> None:
    nicer = [record.to_bytes() for record in RECORDS[:7]] + [a_record(7, patient="f" * 64).to_bytes()]
    opened[7] = _decision(a_record(7, patient="f" * 64), Tree(nicer + [r.to_bytes() for r in RECORDS[8:]]))


def _later_log(opened: dict[int, Opened]) -> None:
    opened[7] = _decision(RECORDS[7], Tree([*(record.to_bytes() for record in RECORDS), b"more"]))


def _another_release(opened: dict[int, Opened]) -> None:
    opened[7] = _decision(RECORDS[7], release="sha256:" + "3" * 64)


def _another_site(opened: dict[int, Opened]) -> None:
    opened[7] = _decision(RECORDS[7], site="ben")


def _another_draw(opened: dict[int, Opened]) -> None:
    opened[7] = _decision(RECORDS[7], draw=None)


def _twice(opened: dict[int, Opened]) -> None:
    opened[-7] = _decision(RECORDS[7], draw=None)


@pytest.mark.parametrize(
    ("lie", "said"),
    [
        (_missing, "was drawn and is not opened"),
        (_swapped, "was drawn and is not opened; record 6 was opened instead"),
        (_renamed, "is not in the log under this number: it was changed, or is another one"),
        (_edited, "is not in the log under this number: it was changed, or is another one"),
        (_another_answer, "the answer is not the one that was logged"),
        (_other_features, "the features are not those that were logged"),
        (_without_features, "its answer or its features are not shown"),
        (_made_up_log, "is shown in another tree than the one that the summary named"),
        (_later_log, "is shown in another tree than the one that the summary named"),
        (_another_release, "names another release than its record"),
        (_another_site, "is of another site, 'ben'"),
        (_another_draw, "was opened for another draw"),
        (_twice, "was opened twice, differently"),
    ],
)
def test_each_lie_is_named(answers: dict[int, Opened], lie: Callable[[dict[int, Opened]], None], said: str) -> None:
    lie(answers)
    assert _wrong(_found(answers)) == {"record 7": said}


def test_what_nobody_drew_is_said_and_is_no_lie(answers: dict[int, Opened]) -> None:
    checks = _found(answers | {6: _decision(RECORDS[6])})
    assert _wrong(checks) == {}
    assert checks[-1] == Check(name="record 6", ok=None, found="was not drawn")


def test_a_draw_is_from_its_summary(answers: dict[int, Opened]) -> None:
    other = _opened(SummaryManifest, sums(), told(TREE, patients=19))
    assert _wrong(_found(answers, summary=other)) == {"draw": "was drawn from another summary than this one"}
    smaller = DRAW.model_copy(update={"size": 20})
    assert _wrong(_found({}, smaller))["draw"] == "names another size than the summary"
    assert _wrong(_found(answers, summary=answers[7]))["draw"] == "was drawn from another summary than this one"


def test_a_draw_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "draw.json"
    path.write_bytes(DRAW.to_bytes())
    assert read_draw(path) == DRAW
    assert read_draw(path).digest == DRAW.digest
    with pytest.raises(ConsiliumError, match="cannot be read"):
        read_draw(tmp_path / "none.json")


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[" * 4000, b" " * 5000, DRAW.to_bytes().replace(b'"count":6', b'"count":0')]
)
def test_other_bytes_are_no_draw(data: bytes) -> None:
    with pytest.raises(ContractError, match=r"draw\.json: "):
        parse_draw(data, where="draw.json")


def test_what_cannot_be_drawn() -> None:
    with pytest.raises(ContractError, match="draw: count"):
        draw_from(SUMMARY, seed=SEED, count=MAX_DRAWN + 1)
    with pytest.raises(ContractError, match="is a 'decision', not a summary"):
        draw_from(_decision(RECORDS[0]), seed=SEED, count=1)
