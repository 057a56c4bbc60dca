"""Lines of predictions.jsonl are recomputed by whoever reads them."""

from __future__ import annotations

import pytest

from federated.decision import Step, check_decision, parse_decision
from federated.errors import ContractError


@pytest.fixture
def line(federation):
    model = federation.model(federation.release())
    fold = federation.folds["ada"]["test"]
    return model.decide(fold.features[:1], ["one.png"], ["clip"])[0]


def test_a_line_is_read_back_as_it_was(line):
    assert parse_decision(line.json_line(), where="line 1") == line
    assert check_decision(line) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: {"scores": d.scores | {d.best: d.scores[d.best] + 1e-6}}, "do not add up to its score"),
        (lambda d: {"evidence": d.evidence | {"prior": d.evidence["prior"] + 1e-6}}, "add up to one"),
        (lambda d: {"weights": d.weights | {"ada": 1.5}}, "outside 0 to 1"),
        (lambda d: {"label": min(d.scores, key=d.scores.get), "abstained": False}, "largest score"),
    ],
)
def test_what_does_not_add_up_is_found(line, change, message):
    with pytest.raises(ContractError, match=message):
        check_decision(line.model_copy(update=change(line)))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"image": 1}', "\x00"])
def test_what_is_no_line_is_said_with_its_place(text):
    with pytest.raises(ContractError, match=r"^line 7"):
        parse_decision(text, where="line 7")


def test_what_is_no_json_is_told_in_words():
    with pytest.raises(ContractError) as caught:
        parse_decision("hello", where="line 1")
    assert str(caught.value) == "line 1: is not JSON (expected value at line 1 column 1)"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda _: {"label": "plax"}, "largest score, nor above it"),
        (lambda d: {"path": tuple(reversed(d.path))}, "likelier than the one before"),
        (lambda d: {"path": (*d.path, Step(concept="x", probability=0.0))}, "does not lead to the label"),
    ],
)
def test_the_path_leads_over_the_label_to_the_best(nested, change, message):
    model = nested.model(nested.release())
    lines = model.decide(nested.folds["ada"]["test"].features, ["a.png"] * 80, ["clip"] * 80)
    line = next(line for line in lines if line.label == "psax" and line.path[1].probability < 0.999)
    assert check_decision(line) is None
    with pytest.raises(ContractError, match=message):
        check_decision(line.model_copy(update=change(line)))


def test_a_label_within_an_unlikely_one_may_score_more_than_the_best(line):
    """Its probability is a part of next to nothing, so that all of them add up to one as if none lay within another."""
    best, inner = line.best, next(label for label in line.scores if label != line.best)
    parts = {site: part + 9.0 * (site == "ada") for site, part in line.contributions[inner].items()}
    more = line.model_copy(
        update={
            "scores": line.scores | {inner: sum(parts.values())},
            "contributions": line.contributions | {inner: parts},
            "probabilities": dict.fromkeys(line.scores, 0.0) | {best: 1.0, inner: 1e-12},
        }
    )
    assert check_decision(more) is None
    likely = more.model_copy(update={"probabilities": more.probabilities | {best: 0.6, inner: 0.4}})
    with pytest.raises(ContractError, match="largest score"):
        check_decision(likely)
