from __future__ import annotations

from typing import Any

import pytest

from federated.decision import Decision
from federated.parts import answer_parts, release_facts, site_parts


def _decision(label: str, image: str | None, weight: float, contribution: float, share: float) -> Decision:
    other = "b" if label == "a" else "a"
    return Decision(
        image=image,
        clip="clip",
        label=None,
        abstained=True,
        why="nobody is qualified",
        caption=None,
        scores={label: contribution, other: -9.0},
        probabilities={label: 0.9, other: 0.1},
        weights={"ada": weight},
        contributions={label: {"ada": contribution}, other: {"ada": -9.0}},
        evidence={"ada": share, "prior": 1 - share},
        qualified={"ada": 0.5},
        release="sha256:" + "0" * 64,
    )


def test_means_by_unit_label_and_site() -> None:
    parts = answer_parts(
        [
            _decision("a", "1.png", 1.0, 2.0, 0.5),
            _decision("a", "2.png", 0.0, 4.0, 0.7),
            _decision("b", "3.png", 0.5, 1.0, 1.0),
            _decision("a", None, 0.25, 3.0, 0.25),
        ]
    )
    figures = [(p.unit, p.label, p.site, p.answers, p.weight, p.contribution, p.evidence) for p in parts]
    assert figures == [
        ("clip", "a", "ada", 1, 0.25, 3.0, 0.25),
        ("clip", "a", "prior", 1, None, None, 0.75),
        ("image", "a", "ada", 2, 0.5, 3.0, pytest.approx(0.6)),
        ("image", "a", "prior", 2, None, None, pytest.approx(0.4)),
        ("image", "b", "ada", 1, 0.5, 1.0, 1.0),
        ("image", "b", "prior", 1, None, None, 0.0),
    ]


def test_parts_of_answers_add_up(federation: Any) -> None:
    model = federation.model(federation.release())
    fold = federation.folds["ben"]["test"]
    decisions = model.decide(fold.features, list(map(str, range(len(fold.clips)))), list(fold.clips))
    parts = answer_parts(decisions)
    for unit, label in {(part.unit, part.label) for part in parts}:
        group = [d for d in decisions if d.best == label and (d.image is None) == (unit == "clip")]
        rows = [part for part in parts if (part.unit, part.label) == (unit, label)]
        assert sum(part.evidence or 0 for part in rows) == pytest.approx(1.0, abs=1e-9)
        scores = sum(decision.scores[label] for decision in group) / len(group)
        assert sum(part.contribution or 0 for part in rows) == pytest.approx(scores, abs=1e-9)
        assert {part.answers for part in rows} == {len(group)}


def test_sites_of_a_release(federation: Any) -> None:
    manifest = federation.release(reporting=("ada",)).manifest
    parts = {part.site: part for part in site_parts(manifest)}
    assert list(parts) == ["ada", "ben", "cem"]
    assert parts["ada"].labels == ("plax", "a4c", "a2c")
    assert parts["ada"].patients == 36
    assert (parts["ada"].calibration, parts["ben"].calibration) == ("own", "pooled")
    assert parts["cem"].expert == ""


def test_facts_of_a_release(federation: Any) -> None:
    manifest = federation.release().manifest
    facts = release_facts(manifest)
    assert (facts["kind"], facts["weighting"], facts["alpha"]) == ("release", "refit", 0.05)
    assert facts["ridge"] == manifest.hyperparameters.ridge
