from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from federated.errors import ContractError
from federated.fusion.experts import together
from federated.fusion.gated import GatedModel, GatedShape
from federated.manifest import ReleaseManifest, manifest_bytes, parse_manifest
from federated.panel import MAX_WIDTH, Asked, consulted_in, width_of

MakeSample = Callable[..., tuple[Any, bytes]]
LABELS = {"ada": ("a4c", "plax"), "ben": ("plax",), "cem": ("sub", "a4c", "plax")}
SIZES = {"ada": (4, 2, 3), "ben": (2, 1, 0), "cem": (4, 3, 5)}
WIDEST, MEANS = 4, 5


def _asked(*names: str) -> list[Asked]:
    return [
        Asked(contribution=f"sha256:{ord(name[0]):064d}", features=size[0], logits=size[1], means=size[2])
        for name, size in ((name, SIZES[name]) for name in names)
    ]


def _said(*names: str, rows: int = 6, seed: int = 0) -> np.ndarray:
    """Of each expert the same whoever else is asked."""
    parts = [np.random.default_rng([seed, *name.encode()]).normal(size=(rows, sum(SIZES[name]))) for name in names]
    return np.concatenate(parts, axis=1).astype(np.float32)


def _consulted(*names: str, means: int = 0, seed: int = 0) -> Any:
    labels = [LABELS[name] for name in names]
    return consulted_in(_asked(*names), names, labels, _said(*names, seed=seed), features=WIDEST, means=means)


def test_what_stands_side_by_side_is_taken_apart() -> None:
    found, said = _consulted("ada", "ben", "cem", means=MEANS), _said("ada", "ben", "cem")
    assert width_of(_asked("ada", "ben", "cem")) == said.shape[1] == 24
    np.testing.assert_array_equal(found.features[:, 0], said[:, :4])
    np.testing.assert_array_equal(found.features[:, 1], np.pad(said[:, 9:11], ((0, 0), (0, 2))))
    np.testing.assert_array_equal(found.features[:, 2], said[:, 12:16])
    np.testing.assert_array_equal(np.concatenate(found.logits, axis=1), said[:, [4, 5, 11, 16, 17, 18]])
    assert found.discrepancy is not None
    np.testing.assert_array_equal(found.discrepancy[:, 0], np.pad(said[:, 6:9], ((0, 0), (0, 2))))
    assert not found.discrepancy[:, 1].any()
    np.testing.assert_array_equal(found.discrepancy[:, 2], said[:, 19:])


def test_without_need_there_are_no_discrepancies() -> None:
    assert _consulted("ada", "cem").discrepancy is None


def test_other_numbers_than_the_panel_says_are_refused() -> None:
    with pytest.raises(ContractError, match=r"says \(6, 23\), \(n, 24\) expected"):
        consulted_in(
            _asked("ada", "ben", "cem"),
            list(LABELS),
            list(LABELS.values()),
            _said("ada", "ben", "cem")[:, 1:],
            features=WIDEST,
        )


@pytest.mark.parametrize("reads", ["features", "discrepancy"])
def test_a_site_that_lacked_an_expert_is_answered_by_the_others(reads: Any) -> None:
    """Whatever stands for the expert that was not asked, it has no weight, and the sites beside are as they were."""
    means = MEANS if reads == "discrepancy" else 0
    whole, lacking = _consulted(*LABELS, means=means), _consulted("ada", "cem", means=means, seed=1)
    joined = together(LABELS, [whole, lacking])
    shape = GatedShape(tuple(LABELS), tuple(LABELS.values()), reads, WIDEST, means)
    draw = np.random.default_rng(2)
    state = {name: draw.normal(size=size).astype(np.float32) for name, size in shape.tensors.items()}
    model = GatedModel.from_tensors(shape, state)
    answers = model.answer(joined)
    assert answers.present.tolist() == [[True, True, True]] * 6 + [[True, False, True]] * 6
    assert not answers.weights[6:, 1].any()
    np.testing.assert_allclose(answers.weights.sum(axis=1), 1)
    np.testing.assert_allclose(answers.contributions.sum(axis=1), answers.scores, atol=1e-12)
    np.testing.assert_array_equal(answers.scores[:6], model.answer(whole).scores)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"panel": ()}, "at least 1 item"),
        ({"panel": tuple(each.model_dump() for each in _asked("ada", "ada"))}, "an expert was asked twice"),
        ({"panel": ({**_asked("ada")[0].model_dump(), "means": MAX_WIDTH},)}, "65542 numbers an image, at most 65536"),
        ({"copies": 17}, "less than or equal to 16"),
        ({"folds": ("train", "validation", "train")}, "at most 2 items"),
    ],
)
def test_a_consultation_beyond_bounds_is_refused(changes: dict[str, Any], reason: str, make_sample: MakeSample) -> None:
    with pytest.raises(ValidationError, match=reason):
        make_sample("consultation", **changes)


def test_a_release_says_its_panel_and_one_without_reads_as_before(make_sample: MakeSample) -> None:
    asked = tuple(each.model_dump() for each in _asked("ada", "cem"))
    lacked = ({"site": "ben", "expert": asked[1]["contribution"]},)
    panel = {"experts": asked, "consultations": ("sha256:" + "c" * 64,), "unasked": lacked}
    plain, consulting = make_sample("release")[0], make_sample("release", panel=panel, rule="gated-experts")[0]
    assert b"panel" not in manifest_bytes(plain)
    read = parse_manifest(manifest_bytes(consulting))
    assert isinstance(read, ReleaseManifest)
    assert read.panel is not None
    assert read.panel.unasked[0].site == "ben"
    assert (plain.width, read.width) == (3, 3 + 9 + 12)
