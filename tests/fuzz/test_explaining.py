"""An answer of another form is explained, or refused in one line; so are statements for a dossier."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given

from federated.audit.dossier.stated import Stated, read_stated
from federated.audit.explain import Explanation, explain
from federated.audit.given import Decisions
from federated.audit.wording import sentences
from federated.decision import Decision
from tests.fuzz.mutation import CHANGES, EDITS, Change, Edit, changed, edited, fuzzed, survived

SITES = ("ada", "ben")
DECISION = Decision(
    image="image-1",
    clip="clip-1",
    label="a4c",
    abstained=False,
    why=None,
    caption=None,
    scores={"a4c": 1.0, "plax": -0.5},
    probabilities={"a4c": 0.8, "plax": 0.2},
    weights=dict.fromkeys(SITES, 1.0),
    contributions={"a4c": {"ada": 0.75, "ben": 0.25}, "plax": {"ada": -0.5, "ben": 0.0}},
    evidence={"ada": 0.25, "prior": 0.75},
    qualified=dict.fromkeys(SITES, 0.5),
    release="sha256:" + "a" * 64,
)
STATED = b'intended_use = "Teaching."\nethics = """Board,\n2026"""\nfunding = "None."\n'


def _explained(path: Path) -> Explanation | None:
    """A wrong line is found where the file is read, or where it is explained."""
    return survived(lambda: explain(Decisions(path, None, None).choose(None).decision))


@given(edits=EDITS)
@fuzzed(200)
def test_a_decision_of_another_form(tmp_path: Path, edits: list[Edit]) -> None:
    path = tmp_path / "predictions.jsonl"
    path.write_bytes(edited(json.loads(DECISION.json_line()), edits) + b"\n")
    found = _explained(path)
    if found is not None:
        assert all(line.isprintable() for line in sentences(found))
        assert abs(sum(site.contribution for site in found.sites) - found.score) < 1e-6


@given(changes=CHANGES)
@fuzzed(100)
def test_changed_bytes_of_statements(tmp_path: Path, changes: list[Change]) -> None:
    path = tmp_path / "statements.toml"
    path.write_bytes(changed(STATED, changes))
    found = survived(lambda: read_stated(path))
    assert found is None or all(found.model_dump()[name] != "" for name in Stated.model_fields)


def test_the_samples_are_sound(tmp_path: Path) -> None:
    (tmp_path / "predictions.jsonl").write_text(DECISION.json_line())
    found = _explained(tmp_path / "predictions.jsonl")
    assert found is not None
    assert (found.best, found.standing) == ("a4c", "nobody knows")
    (tmp_path / "statements.toml").write_bytes(STATED)
    assert read_stated(tmp_path / "statements.toml").ethics == "Board,\n2026"
