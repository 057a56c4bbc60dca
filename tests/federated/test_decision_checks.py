from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from federated.decision_checks import check_growth, check_shown, check_tree
from federated.errors import ContractError
from federated.manifest import DecisionManifest, SummaryManifest, Tensors, pack_tensors
from tests.decision_making import LABELS, SITES, Tree, a_flag, a_record, an_answer, rows, shown, sums, told

LEAVES = [a_record(0).to_bytes(), *(b"%d" % number for number in range(1, 30))]
TREE = Tree(LEAVES)
EARLIER = Tree(LEAVES[:21])


def _made(model: Any, tensors: Tensors, fields: dict[str, Any]) -> Any:
    _, specs, digest = pack_tensors(tensors)
    return model(federation="test", site="ada", tensors=specs, tensors_digest=digest, **fields)


def _summary(tree: Tree, **changes: Any) -> SummaryManifest:
    made: SummaryManifest = _made(SummaryManifest, sums(), told(tree, **changes))
    return made


def _decision(features: Tensors | None = None, **changes: Any) -> DecisionManifest:
    fields = shown(TREE, a_record(0), an_answer()) | changes
    made: DecisionManifest = _made(DecisionManifest, features or {"features": rows(0)}, fields)
    return made


def test_a_log_that_grows_is_taken() -> None:
    check_growth(_summary(EARLIER), None)
    check_growth(_summary(TREE, first=21, since=21), _summary(EARLIER))
    check_growth(_summary(TREE, first=25, since=21), _summary(EARLIER))
    check_growth(_summary(EARLIER, first=15, since=21), _summary(EARLIER, last=14))


@pytest.mark.parametrize(
    ("newer", "last", "said"),
    [
        (_summary(EARLIER), _summary(TREE), "has shrunk from 30 records to 21"),
        (_summary(TREE, first=20, since=21), _summary(EARLIER), "those up to 20 were counted"),
        (_summary(TREE, first=21), _summary(EARLIER), "go on from 0 records, not from 21"),
        (_summary(TREE, since=21), None, "go on from 21 records, not from 0"),
        (_summary(TREE, first=21, since=21, root="0" * 64), _summary(EARLIER), "was changed since it had 21 records"),
        (_summary(TREE, first=21, since=21), _summary(EARLIER, root="0" * 64), "was changed since it had 21 records"),
        (_summary(TREE, first=21, since=21, proof=()), _summary(EARLIER), "was changed since it had 21 records"),
        (_summary(EARLIER, first=16, since=21, root="0" * 64), _summary(EARLIER, last=15), "was changed since"),
        (_summary(TREE, proof=("0" * 64,)), None, "was changed since it had 0 records"),
    ],
)
def test_a_log_that_does_not_only_grow_is_refused(
    newer: SummaryManifest, last: SummaryManifest | None, said: str
) -> None:
    with pytest.raises(ContractError, match=said):
        check_growth(newer, last)


RELEASE: Any = SimpleNamespace(width=3, labels=LABELS, sites=[SimpleNamespace(name=name) for name in SITES])


def test_a_decision_is_the_one_that_was_logged() -> None:
    check_shown(_decision(), {"features": rows(0)}, RELEASE)


def test_a_flag_needs_no_features() -> None:
    flag = a_flag(2, 0)
    tree = Tree([LEAVES[0], b"1", flag.to_bytes()])
    fields = shown(tree, flag, None)
    check_shown(_made(DecisionManifest, {}, fields), {}, RELEASE)


def test_what_was_not_logged_is_refused() -> None:
    unsound = an_answer(evidence={"ada": 0.7, "ben": 0.5})
    leaf = a_record(0, unsound)
    tree = Tree([leaf.to_bytes(), b"1"])
    for manifest, features, said in (
        (_decision(), rows(0, 4), r"is \(1, 4\), \(n, 3\) expected"),
        (_decision(), rows(1), "the features are not those that were logged"),
        (_decision(decision=an_answer(clip="3" * 32)), rows(0), "the answer is not the one that was logged"),
        (_decision(release="sha256:" + "3" * 64), rows(0), "release: is not that of its record"),
        (_decision(record=a_record(0, patient="f" * 64)), rows(0), "is not in the log under this number"),
        (_made(DecisionManifest, {}, shown(tree, leaf, unsound)), rows(0), "evidence shares do not add up"),
    ):
        with pytest.raises(ContractError, match=said):
            check_shown(manifest, {"features": features}, RELEASE)


def test_an_answer_of_other_labels_than_the_releases_is_refused() -> None:
    answer = an_answer(labels=("a4c", "sub"))
    leaf = a_record(0, answer)
    tree = Tree([leaf.to_bytes(), b"1"])
    with pytest.raises(ContractError, match="are not of its release's labels"):
        check_shown(_made(DecisionManifest, {}, shown(tree, leaf, answer)), {"features": np.array(rows(0))}, RELEASE)


def test_what_was_drawn_is_shown_in_the_tree_that_was_told() -> None:
    summaries = [_summary(TREE, first=21, since=21), _summary(EARLIER)]
    draw = "sha256:" + "d" * 64
    check_tree(_decision(), iter(()))
    check_tree(_decision(draw=draw), iter(summaries))
    with pytest.raises(ContractError, match="no summary of this site names"):
        check_tree(_decision(draw=draw), iter(summaries[1:]))
    with pytest.raises(ContractError, match="another tree of 30 records than a summary named"):
        check_tree(_decision(root="0" * 64), iter(summaries))
