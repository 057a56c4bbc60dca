from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from federated.envelope import Opened, Passage
from federated.errors import ContractError
from federated.labelled_images import decided_images, labelled_images
from federated.manifest import unpack_tensors
from tests.decision_making import RELEASE, Tree, a_flag, a_record, an_answer, rows, shown

FRONT_END = "sha256:" + "a" * 64  # of the sample manifests


def _rows(fold: str, count: int, label: list[int] | None = None) -> dict[str, np.ndarray]:
    return {
        f"{fold}.features": np.arange(3.0 * count).reshape(count, 3),
        f"{fold}.label": np.array(label or [0] * count, dtype=np.int64),
        f"{fold}.weight": np.ones(count),
        f"{fold}.patient": np.arange(count, dtype=np.int64) // 2,
    }


def _opened(
    make_sample: Callable[..., Any], tensors: dict[str, np.ndarray], kind: str = "features", **fields: Any
) -> Any:
    manifest, data = make_sample(kind, tensors, **fields)
    fields = {"previous": None, "policy": None, "filters": {}, "approval": "none", "issued": "2020-01-01T00:00:00Z"}
    passage = Passage(federation="test", sender="ada", recipient="hub", sequence=1, kind=kind, **fields)
    return Opened(passage, manifest, unpack_tensors(data, manifest), "sha256:" + "1" * 64, frozenset())


def test_validation_images_are_taken_and_training_images_for_want_of_them(make_sample: Callable[..., Any]) -> None:
    both = _rows("train", 6) | _rows("validation", 4, [0, 1, 1, 0])
    one = _opened(make_sample, both, folds=("train", "validation"))
    other = _opened(make_sample, _rows("train", 2), site="ben", batch="b0002", folds=("train",))
    images = labelled_images([one, other], FRONT_END)
    assert images.features.shape == (6, 3)
    assert images.features[:4].tolist() == both["validation.features"].tolist()
    assert images.labels == ("a4c", "plax", "plax", "a4c", "a4c", "a4c")
    assert images.sites == ("ada",) * 4 + ("ben",) * 2
    assert images.patients == ("ada b0001 0", "ada b0001 0", "ada b0001 1", "ada b0001 1", "ben b0002 0", "ben b0002 0")
    assert images.names[3:5] == ("ada b0001 validation 3", "ben b0002 train 0")
    assert images.trained_on == ("ben b0002",)


def _decided(make_sample: Callable[..., Any], image: str | None, number: int, release: str = RELEASE) -> Any:
    """An opened answer to an image, or to a clip of two frames."""
    decision = an_answer(image, release=release)
    features = rows(number, count=1 if image else 2)
    record = a_record(number, decision, features)
    fields = shown(Tree([b"x"] * number + [record.to_bytes()]), record, decision)
    return _opened(make_sample, {"features": features}, kind="decision", **fields)


def test_clips_that_were_opened_count_before_images(make_sample: Callable[..., Any]) -> None:
    image, clip = _decided(make_sample, "5" * 32, 1), _decided(make_sample, None, 2)
    other = _decided(make_sample, None, 3, "sha256:" + "7" * 64)
    flag = _opened(make_sample, {}, kind="decision", **shown(Tree([b"x"] * 4), a_flag(4 - 1, 1), None))
    images = decided_images([image, clip, other, flag], RELEASE, 3)
    assert images.features.tolist() == [rows(2, count=2).mean(axis=0).tolist()]
    assert (images.names, images.unit, images.labels) == (("1" * 32,), "clip", ())
    assert images.patients == (f"ada {2:064x}",)
    alone = decided_images([image, flag], RELEASE, 3)
    assert (alone.names, alone.unit, alone.features.tolist()) == (("5" * 32,), "image", rows(1).tolist())
    with pytest.raises(ContractError, match="no decision of it was opened, and there are no features; open decisions"):
        decided_images([other, flag], RELEASE, 3)
    with pytest.raises(ContractError, match="its features are not 4 numbers an image"):
        decided_images([image], RELEASE, 4)


def test_what_does_not_fit_is_one_line(make_sample: Callable[..., Any]) -> None:
    train = _opened(make_sample, _rows("train", 2))
    with pytest.raises(ContractError, match="ada b0001: its features come from another front end than the release's"):
        labelled_images([train], "sha256:" + "b" * 64)
    with pytest.raises(ContractError, match="ada b0001: a row has a label that its contribution does not name"):
        labelled_images([_opened(make_sample, _rows("train", 2, [0, 2]))], FRONT_END)
    adoption = _opened(make_sample, {}, kind="adoption")
    with pytest.raises(ContractError, match="is 'adoption', not features"):
        labelled_images([adoption], FRONT_END)
