"""What changed between two releases is told by image and clip, and counted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from federated.comparison import compare, compare_releases
from federated.decision import Decision
from federated.errors import ContractError

BEFORE, AFTER = "sha256:" + "b" * 64, "sha256:" + "a" * 64


def _decision(image: str | None, label: str | None, release: str, evidence: dict[str, float], p: float) -> Decision:
    scores = {"plax": 0.2, "a4c": 0.1} | ({label: 0.9} if label else {})
    return Decision(
        image=image,
        clip="clip",
        label=label,
        abstained=label is None,
        why=None if label else "nobody is qualified",
        caption=None,
        scores=scores,
        probabilities={"plax": 0.5, "a4c": 0.5},
        weights={"ada": 1.0},
        contributions={name: {"ada": score} for name, score in scores.items()},
        evidence=evidence,
        qualified={"ada": p, "ben": p / 2},
        release=release,
    )


def test_changes_by_hand() -> None:
    even = {"ada": 0.5, "prior": 0.5}
    before = [
        _decision("1.png", "plax", BEFORE, even, 0.5),
        _decision("2.png", "plax", BEFORE, even, 0.4),
        _decision("3.png", "plax", BEFORE, even, 0.3),
        _decision(None, "a4c", BEFORE, even, 0.2),
        _decision("gone.png", "a4c", BEFORE, even, 0.2),
    ]
    after = [
        _decision(None, "a4c", AFTER, {"ada": 0.1, "prior": 0.9}, 0.2),
        _decision("3.png", "a4c", AFTER, {"ada": 0.4, "ben": 0.6}, 0.8),
        _decision("1.png", "plax", AFTER, {"ada": 0.1, "prior": 0.9}, 0.5),
        _decision("2.png", None, AFTER, {"ada": 0.3, "ben": 0.1, "prior": 0.6}, 0.01),
    ]
    found = compare(before, after)
    assert (found.releases_before, found.releases_after) == ((BEFORE,), (AFTER,))
    assert (found.answers, found.only_before, found.only_after) == ({"clip": 1, "image": 3}, 1, 0)
    rows = [
        (each.image, each.before, each.after, each.best_after, each.p_before, each.p_after) for each in found.changed
    ]
    assert rows == [("2.png", "plax", None, "plax", 0.4, 0.01), ("3.png", "plax", "a4c", "a4c", 0.3, 0.8)]
    shares = [(each.share, each.share_before, each.share_after) for each in found.changed]
    assert shares == [("ada", 0.5, 0.3), ("ben", 0.0, 0.6)]
    counts = [(each.unit, each.before, each.after, each.share, each.answers) for each in found.counts]
    assert counts == [("image", "plax", "a4c", "ben", 1), ("image", "plax", None, "ada", 1)][::-1]


def test_an_arrival_changes_answers_and_its_share_moves(federation: Any) -> None:
    before, after = (federation.model(federation.release(names)) for names in (("ada", "ben"), ("ada", "ben", "cem")))
    folds = [federation.folds["cem"]["test"], federation.folds["ada"]["test"]]
    features = np.concatenate([fold.features for fold in folds])
    clips = [clip for fold in folds for clip in fold.clips]
    images = [str(row) for row in range(len(clips))]
    found = compare_releases(before, after, features, images, clips)
    assert found.answers == {"clip": len(set(clips)), "image": len(clips)}
    subs = [each for each in found.changed if "-sub-" in each.clip]
    assert len(subs) > 20
    assert {each.after for each in subs} == {"sub"}
    assert sum(each.share == "cem" for each in subs) > len(subs) / 2
    assert sum(each.answers for each in found.counts) == len(found.changed)
    again = compare_releases(after, after, features, images, clips)
    assert (again.changed, again.counts) == ((), ())


def test_what_cannot_be_compared_is_one_line(federation: Any) -> None:
    first = _decision("1.png", "plax", BEFORE, {"ada": 1.0}, 0.5)
    with pytest.raises(ContractError, match="audit compare: the two have no image in common; predict the same"):
        compare([first], [_decision("2.png", "plax", BEFORE, {"ada": 1.0}, 0.5)])
    with pytest.raises(ContractError, match=r"after: '1\.png' is answered twice"):
        compare([first], [first, first])
    model = federation.model(federation.candidate())
    other = federation.model(federation.candidate())
    front_end = other.manifest.front_end.model_copy(update={"digest": BEFORE})
    other.manifest = other.manifest.model_copy(update={"front_end": front_end})
    with pytest.raises(ContractError, match="different front ends"):
        compare_releases(model, other, federation.folds["ada"]["test"].features[:1], ["1"], ["1"])
