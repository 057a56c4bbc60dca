from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.audit_files import audited, found_by, verdicts

MakeSample = Callable[..., tuple[Any, bytes]]


def test_predictions_that_add_up(tmp_path: Path, release: Path, lines: list[str]) -> None:
    path = tmp_path / "predictions.jsonl"
    path.write_text("".join(lines))
    audit = audited(path, release)
    assert audit.ok
    assert verdicts(audit) == {"sums": True, "answers": None, "release": True}
    assert audit.checks[0].found == f"{len(lines)} lines: contributions, evidence and weights add up"
    alone = audited(path)
    assert alone.ok
    assert verdicts(alone) == {"sums": True, "answers": None}
    assert found_by(alone, "answers") == "not recomputed: the images and their features stay with whoever asked"


def _changed(line: str, change: Callable[[dict[str, Any]], object]) -> str:
    content = json.loads(line)
    change(content)
    return json.dumps(content) + "\n"


def _add(content: dict[str, Any], name: str, key: str, value: float) -> None:
    content[name][key] += value


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda c: _add(c, "scores", next(iter(c["scores"])), 1e-6), "do not add up to its score"),
        (lambda c: _add(c["contributions"], next(iter(c["scores"])), "ada", 1e-6), "do not add up to its score"),
        (lambda c: _add(c, "evidence", next(iter(c["evidence"])), 1e-6), "evidence shares do not add up to one"),
        (lambda c: c["weights"].update(ada=1.1), "a weight or p-value lies outside 0 to 1"),
        (lambda c: c["weights"].update(ada=-0.1), "a weight or p-value lies outside 0 to 1"),
        (lambda c: c.update(abstained=True, label=c["label"] or "plax"), "the label is not the one with the largest"),
        (lambda c: c["contributions"].popitem(), "lacks"),
        (lambda c: c["weights"].update(dan=0.5), "has other sites than the release"),
        (lambda c: c.update(release="sha256:" + "0" * 64), "lines come from sha256:0000"),
        (lambda c: c.update(scores={}), "line 2"),
        (lambda c: c.update(more=1), "more: is not known here"),
        (lambda c: c.pop("weights"), "weights: is missing"),
    ],
)
def test_predictions_that_do_not(
    change: Callable[[dict[str, Any]], object], reason: str, tmp_path: Path, release: Path, lines: list[str]
) -> None:
    path = tmp_path / "predictions.jsonl"
    path.write_text(lines[0] + _changed(lines[1], change) + lines[2])
    audit = audited(path, release)
    assert not audit.ok
    assert reason in " ".join(check.found for check in audit.checks if check.ok is False)


def test_labels_of_another_release_are_noticed(tmp_path: Path, release: Path, lines: list[str]) -> None:
    def rename(content: dict[str, Any]) -> None:
        for part in ("scores", "contributions", "probabilities"):
            content[part]["other"] = content[part].pop(min(content[part]))

    path = tmp_path / "predictions.jsonl"
    path.write_text(_changed(lines[0], rename))
    assert "has other labels than the release" in audited(path, release).checks[0].found


def test_many_problems_are_told_in_part(tmp_path: Path) -> None:
    path = tmp_path / "predictions.jsonl"
    path.write_text("{}\n" * 12)
    found = audited(path).checks[0].found
    assert found.count("line ") == 5
    assert found.endswith(", and 7 more")


def test_lines_of_two_releases_are_noticed(tmp_path: Path, lines: list[str]) -> None:
    path = tmp_path / "predictions.jsonl"
    path.write_text(lines[0] + _changed(lines[1], lambda c: c.update(release="sha256:" + "0" * 64)))
    assert verdicts(audited(path)) == {"sums": True, "answers": None, "release": False}


def test_an_answer_that_goes_another_way_than_its_release_is_noticed(
    tmp_path: Path, release: Path, lines: list[str]
) -> None:
    def likelier(content: dict[str, Any]) -> None:
        content["path"][-1]["probability"] = 0.5

    path = tmp_path / "predictions.jsonl"
    path.write_text(_changed(lines[0], likelier))
    found = audited(path, release).checks[0].found
    assert "the probabilities on the path are not those of its scores" in found
