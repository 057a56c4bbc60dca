"""An opened decision comes out again; one that was touched anywhere does not, and what was touched is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from pydantic import ValidationError

from federated.audit.replay import NOT_SHOWN, Replay, compare, not_replayable, replay
from federated.deciding import decide_alone
from federated.decision import Decision
from federated.envelope import Opened, Passage
from federated.errors import ContractError
from federated.fused_model import FusedModel
from federated.manifest import DecisionManifest, manifest_digest, pack_tensors, unpack_tensors
from federated.release import Built
from tests.decision_making import Tree, a_flag, a_record, shown
from tests.fuzz.mutation import EDITS, Edit, edited, fuzzed, survived

IMAGE, CLIP = "0" * 32, "1" * 32
PASSAGE: Any = Passage(
    federation="test",
    sender="ada",
    recipient="hub",
    sequence=1,
    previous=None,
    kind="decision",
    policy=None,
    filters={},
    approval="each",
    issued="2020-01-01T00:00:00Z",
)


def _opened(manifest: Any, data: bytes) -> Opened:
    return Opened(PASSAGE, manifest, unpack_tensors(data, manifest), manifest_digest(manifest), frozenset())


@pytest.fixture(scope="module")
def built(federation: Any) -> Built:
    return federation.release()


@pytest.fixture(scope="module")
def model(built: Built, federation: Any) -> FusedModel:
    return federation.model(built)


def _shown(decision: Decision | None, features: np.ndarray, logged: Decision | None = None, **changes: Any) -> Opened:
    """An opened decision whose record is of `logged`, or of what is shown."""
    named = logged or decision
    record = a_record(1, named, features) if named else a_flag(1, 0)
    tree = Tree([b"one", record.to_bytes(), b"three"])
    data, specs, digest = pack_tensors({"features": features} if decision else {})
    fields = {"federation": "test", "site": "ada", "tensors": specs, "tensors_digest": digest}
    return _opened(DecisionManifest(**(fields | shown(tree, record, decision) | changes)), data)


@pytest.fixture(scope="module")
def image(model: FusedModel, federation: Any) -> tuple[Decision, np.ndarray]:
    features = federation.folds["cem"]["test"].features[[80]]
    return decide_alone(model, features, IMAGE, CLIP), features


@pytest.fixture(scope="module")
def foreign(model: FusedModel, federation: Any) -> tuple[Decision, np.ndarray]:
    features = federation.draw(np.random.default_rng(5), "nowhere", "foreign", 1, "test").features[:2]
    decision = decide_alone(model, features, None, CLIP)
    assert decision.abstained
    return decision, features


def _found(result: Replay, name: str) -> tuple[bool | None, str]:
    (check,) = [check for check in result.checks if check.name == name]
    return check.ok, check.found


@pytest.mark.parametrize("which", ["image", "foreign"])
def test_in_the_same_environment_it_is_the_same_bit_for_bit(
    which: str, model: FusedModel, request: pytest.FixtureRequest
) -> None:
    decision, features = request.getfixturevalue(which)
    result = replay(_shown(decision, features), model)
    assert (result.ok, result.equal, result.difference) == (True, "bit for bit", 0.0)
    assert _found(result, "answer") == (True, "bit for bit the same")
    assert [check.ok for check in result.checks] == [True, True, True, True, None]
    assert _found(result, "image") == (None, NOT_SHOWN)
    assert (result.site, result.number) == ("ada", 1)


def test_elsewhere_last_digits_may_differ(image: tuple[Decision, np.ndarray], model: FusedModel) -> None:
    decision, features = image
    scores = {label: score + 3e-13 for label, score in decision.scores.items()}
    result = replay(_shown(decision.model_copy(update={"scores": scores}), features), model)
    assert (result.ok, result.equal) == (True, "within 1e-9")
    assert result.difference == pytest.approx(3e-13, abs=1e-15)
    assert _found(result, "answer") == (
        True,
        f"the same label and refusal, numbers within {result.difference:.1e}: decided in another environment",
    )


def _edited_score(told: Decision) -> dict[str, Any]:
    return {"scores": told.scores | {told.best: told.scores[told.best] + 1e-6}}


def _more_of_ben(told: Decision) -> dict[str, Any]:
    parts = told.contributions[told.best]
    moved = parts | {"ben": parts["ben"] + 0.1, "cem": parts["cem"] - 0.1}
    return {"contributions": told.contributions | {told.best: moved}}


LIES: dict[str, tuple[str, Callable[[Decision], dict[str, Any]], str]] = {
    "an edited score": ("image", _edited_score, "scores of sub: "),
    "another label": ("image", lambda _: {"label": "plax"}, "label: plax is told, sub comes out"),
    "a refusal turned into an answer": (
        "foreign",
        lambda told: {"label": told.best, "abstained": False, "why": None},
        "label: psax is told, None comes out",
    ),
    "an answer turned into a refusal": ("image", lambda _: {"abstained": True}, "abstained: True is told"),
    "a qualified site": ("foreign", lambda told: {"qualified": told.qualified | {"ada": 0.9}}, "qualified of ada: 0.9"),
    "another's part": ("image", _more_of_ben, "contributions of sub of ben: "),
    "more evidence": ("image", lambda told: {"evidence": told.evidence | {"cem": 0.9}}, "evidence of cem: 0.9 is told"),
    "no warning": ("foreign", lambda _: {"caption": None}, "caption: None is told, foreign evidence only comes out"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_in_the_answer_is_named(lie: str, model: FusedModel, request: pytest.FixtureRequest) -> None:
    """The liar writes record, tree and signature anew over the lie: only deciding again finds it."""
    which, change, words = LIES[lie]
    decision, features = request.getfixturevalue(which)
    result = replay(_shown(decision.model_copy(update=change(decision)), features), model)
    assert (result.ok, result.equal, result.difference) == (False, None, None)
    ok, found = _found(result, "answer")
    assert ok is False
    assert words in found
    assert [check.ok for check in result.checks[:3]] == [True, True, True]


def test_swapped_features_are_found_twice(
    image: tuple[Decision, np.ndarray], model: FusedModel, federation: Any
) -> None:
    decision, features = image
    others = federation.folds["cem"]["test"].features[[81]]
    result = replay(_shown(decision, others), model)
    assert _found(result, "answer")[0] is False  # the record was written anew over them
    opened = _shown(decision, features)
    result = replay(replace(opened, tensors={"features": others}), model)
    assert _found(result, "record") == (False, "record 1: the features are not those that were logged")
    assert not result.ok


def test_an_answer_that_is_not_the_logged_one(image: tuple[Decision, np.ndarray], model: FusedModel) -> None:
    decision, features = image
    edited = decision.model_copy(update=_edited_score(decision))
    result = replay(_shown(decision, features, logged=edited), model)
    assert _found(result, "record") == (False, "record 1: the answer is not the one that was logged")
    assert _found(result, "answer")[0] is True  # what is shown comes out, and is not what was logged
    assert not result.ok


def test_a_record_that_is_not_in_the_tree(image: tuple[Decision, np.ndarray], model: FusedModel) -> None:
    decision, features = image
    result = replay(_shown(decision, features, root="7" * 64), model)
    ok, found = _found(result, "tree")
    assert not result.ok
    assert (ok, "is not in the log under this number" in found) == (False, True)


def test_another_release(image: tuple[Decision, np.ndarray], model: FusedModel, federation: Any) -> None:
    decision, features = image
    other = federation.model(federation.release(hyperparameters=model.manifest.hyperparameters, number=2))
    result = replay(_shown(decision, features), other)
    assert _found(result, "release") == (False, f"{decision.release} answered, the release given is {other.digest}")
    assert _found(result, "answer") == (None, "not decided again: the release is another")
    claimed = decision.model_copy(update={"release": other.digest})
    for lie in (claimed, claimed.model_copy(update=_edited_score(claimed))):
        assert replay(_shown(lie, features), other).ok is (lie is claimed)  # the same bytes answer the same


def test_features_that_are_not_what_the_release_reads(
    image: tuple[Decision, np.ndarray], foreign: tuple[Decision, np.ndarray], model: FusedModel
) -> None:
    decision, features = image
    narrow = replay(_shown(decision, features[:, :3]), model)
    assert _found(narrow, "answer") == (False, "features are (1, 3), which is not what the release reads of it")
    two = replay(_shown(decision, np.repeat(features, 2, axis=0)), model)
    assert not two.ok
    one_frame = replay(_shown(foreign[0], foreign[1][:1]), model)
    assert _found(one_frame, "answer")[0] is False


def test_what_has_other_labels_or_sites(image: tuple[Decision, np.ndarray], model: FusedModel) -> None:
    decision, features = image
    result = replay(_shown(decision.model_copy(update={"weights": {"ada": 1.0}}), features), model)
    assert _found(result, "answer") == (False, "weights: are not of its release's labels and sites")


def test_features_that_are_no_numbers(image: tuple[Decision, np.ndarray], model: FusedModel) -> None:
    features = image[1].copy()
    features[0, 3] = np.nan
    assert _found(replay(_shown(image[0], features), model), "answer") == (False, "features are no finite numbers")


def test_a_release_that_cannot_decide_is_named(image: tuple[Decision, np.ndarray], model: FusedModel) -> None:
    broken = FusedModel.from_release(model.manifest, dict(model.tensors))
    broken.tensors.pop("calibration.ben.image")
    result = replay(_shown(*image), broken)
    assert _found(result, "answer") == (False, "the release cannot decide on it ('calibration.ben.image')")


def test_a_rule_of_networks_says_so(model: FusedModel, image: tuple[Decision, np.ndarray]) -> None:
    manifest = model.manifest.model_copy(update={"rule": "gated-experts"})
    panel = replace(model)
    panel.manifest = manifest
    assert not_replayable(panel, image[1]) is None  # all that the release reads is there
    asked: Any = type("Card", (), {"front_end": manifest.front_end, "width": 99, "rule": "gated-experts"})
    panel.manifest = asked
    assert not_replayable(panel, image[1]) == (
        "the rule 'gated-experts' asks networks, and what they said of the image is not in the record"
    )


def test_what_is_no_opened_decision_is_one_line(
    image: tuple[Decision, np.ndarray], model: FusedModel, built: Built
) -> None:
    _, features = image
    with pytest.raises(ContractError, match="is a 'release', not an opened decision"):
        replay(_opened(built.manifest, built.tensors), model)
    with pytest.raises(ContractError, match="is a flag, which answers nothing; open the record it is about"):
        replay(_shown(None, features), model)


def test_a_decision_is_as_far_from_itself_as_nothing(image: tuple[Decision, np.ndarray]) -> None:
    decision = image[0]
    assert compare(decision, Decision.model_validate_json(decision.json_line())) == 0.0
    with pytest.raises(ContractError, match=r"path 1 of concept: sub is told, plax comes out"):
        compare(
            decision, decision.model_copy(update={"path": (decision.path[0].model_copy(update={"concept": "plax"}),)})
        )


@given(edits=EDITS)
@fuzzed(60)
def test_any_other_answer_is_named(edits: list[Edit], image: tuple[Decision, np.ndarray], model: FusedModel) -> None:
    """Whatever is changed in an answer: it is none, or does not come out again."""
    decision, features = image
    try:
        forged = Decision.model_validate_json(edited(decision.model_dump(mode="json"), edits))
    except ValidationError:
        return
    result = survived(lambda: replay(_shown(forged, features), model))
    named = {"image", "clip", "release"}  # whatever they are, the same comes out
    same = forged.model_dump(exclude=named) == decision.model_dump(exclude=named)
    if result is not None and result.ok:
        assert (
            same
            or compare(decision, forged.model_copy(update={name: getattr(decision, name) for name in named})) < 1e-9
        )
