"""What tasks have in common whose experts travel from site to site."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from federated.errors import ContractError
from shared_models.image_reference import MEAN, reference_in, with_reference
from site_agent.catalogue import Case
from site_agent.home import SiteHome
from site_agent.policy import permissive_policy
from site_agent.tasks.exchanged import (
    CALIBRATION,
    TRAIN,
    VALIDATION,
    learn_reference,
    no_report,
    notes_on,
    weights_draft,
)

LABELS = ("a4c", "plax")


def _case(patient: int, fold: str, label: str = "a4c", frame: int = 0) -> Case:
    return Case(
        patient, f"k{patient}", f"{patient:02d}{frame}", f"p{patient}", label, f"c{patient}", frame, 0, fold, "b0001"
    )


def _features(cases: Any) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.array([[case.id, case.frame] for case in cases], dtype=np.float32)


def _learnt(folds: dict[str, list[Case]]) -> Any:
    network = with_reference(torch.nn.Linear(1, 1), 2)
    learn_reference(network, folds, lambda case: case, _features)
    return reference_in({name: tensor.numpy() for name, tensor in network.state_dict().items()})


def test_a_patient_calibrates_with_one_image() -> None:
    train = [_case(number, TRAIN) for number in range(10)]
    held = [_case(number, CALIBRATION, frame=frame) for number in (20, 21, 22) for frame in (0, 1)]
    known = _learnt({TRAIN: train, CALIBRATION: held})
    assert known.patients == 3
    assert known.mean[0] == pytest.approx(4.5)


def test_where_nobody_calibrates_those_do_who_validated_and_else_nobody() -> None:
    train, held = [_case(number, TRAIN) for number in range(4)], [_case(number, VALIDATION) for number in (8, 9)]
    assert _learnt({TRAIN: train, VALIDATION: held}).patients == 2
    assert _learnt({TRAIN: train}).patients == 0


def test_a_draft_counts_patients_and_images_behind_each_label(home: SiteHome, monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue = SimpleNamespace(expert_of=lambda _: 1)
    monkeypatch.setattr("site_agent.tasks.exchanged.Catalogue", lambda _: catalogue)
    rows = [_case(number // 2, TRAIN, LABELS[number % 2], number % 3) for number in range(12)]
    expert: Any = SimpleNamespace(
        state={MEAN: np.zeros(2, np.float32)}, architecture="unet", config={"classes": 3, "side": 16}
    )
    draft = weights_draft(home, "b0001", LABELS, expert, {TRAIN: rows, VALIDATION: [_case(30, VALIDATION)]})
    manifest: Any = draft.manifest
    assert (manifest.kind, manifest.labels, manifest.batch_patients) == ("weights", LABELS, 7)
    assert manifest.patients == {"a4c": 6, "plax": 6}
    assert manifest.images == {"a4c": 6, "plax": 6}
    assert draft.facts.cells[VALIDATION, "a4c"] == frozenset({"p30"})


def test_no_candidate_is_made_of_such_experts(home: SiteHome) -> None:
    with pytest.raises(ContractError, match="experts of classification are fused where an image is"):
        no_report(home, None, ["b0001"], permissive_policy("test", "ada"))  # type: ignore[arg-type]


def test_what_was_left_out_and_which_folds_are_empty_is_told() -> None:
    assert notes_on({"are empty": 0}, [TRAIN, VALIDATION, CALIBRATION]) == []
    notes = notes_on({"are empty": 2, "are cut": 1}, [TRAIN])
    assert notes[:2] == ["left out, because they are empty: 2 images", "left out, because they are cut: 1 image"]
    assert [note.partition(" patient")[0] for note in notes[2:]] == ["no validation", "no calibration"]
