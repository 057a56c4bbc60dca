from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.claims import Row
from benchmarks.patient_folds import ImageSet
from benchmarks.start_backbone import (
    BACKBONE,
    BOTH,
    KEPT_BACK,
    ORDER,
    RANDOM,
    TAUGHT,
    TEXTURE,
    TUNED,
    candidates,
    claims,
    convex_lungs,
    few_patients,
    on_phantom,
    some,
    unseen_views,
)
from deploy.phantom.backbone import BackboneOrder, train_backbone
from deploy.phantom.backbone_record import BackboneRecord, Epoch, versions, what_is_asked
from shared_models.phantom.views import VIEWS

PATIENTS, LABELS = TAUGHT + TUNED + 4, 3
SMALL = BackboneOrder(architecture="test_resnet", images=52, epochs=1, size=32, machines=("godwit",))


def toy() -> ImageSet:
    """One image a label and patient; the image's first pixel is the label, the second is noise."""
    patient, label = np.divmod(np.arange(PATIENTS * LABELS), LABELS)
    noise = np.random.default_rng(0).integers(0, 255, len(label))
    images = [np.array([[one, other]], np.uint8) for one, other in zip(label, noise, strict=True)]
    return ImageSet(images, label, patient, np.arange(len(label)), np.zeros(len(label), np.int64))


def told(image: np.ndarray) -> np.ndarray:
    return np.eye(LABELS)[int(image[0, 0])]


def noise(image: np.ndarray) -> np.ndarray:
    return image[0, 1:] / 255


def test_only_patients_who_were_not_learnt_from_are_asked_about() -> None:
    data = toy()
    right = few_patients(np.stack([told(image) for image in data.images]), data, 3)
    asked = np.isfinite(right)
    assert len(set(data.patient[asked])) == PATIENTS - TAUGHT - TUNED
    assert not set(data.patient[asked]) & set(data.patient[~asked])
    assert right[asked].mean() == 1.0


def test_features_that_tell_all_beat_noise_and_the_first_has_no_difference() -> None:
    rows = on_phantom("dunlin", toy(), {"noise": noise, "told": told}, 4)
    by_name = {row["features"]: row for row in rows}
    assert by_name["told"]["views right, %"] == 100.0
    assert float(by_name["noise"]["views right, %"] or 0) < 70
    assert by_name["noise"]["less texture"] == ""
    gain = float(str(by_name["told"]["less texture"]).split()[0])
    assert gain > 30
    assert by_name["told"]["M"] == LABELS + 1


def test_some_images_are_numbered_anew() -> None:
    data = toy()
    part = some(data, data.patient >= 2)
    assert (len(part.images), part.patient.min(), part.patient.max()) == ((PATIENTS - 2) * LABELS, 0, PATIENTS - 3)
    assert np.array_equal(part.label, data.label[data.patient >= 2])


def test_machines_kept_back_are_kept_back() -> None:
    assert not set(ORDER.machines) & set(KEPT_BACK)
    assert len(ORDER.machines) >= 5


def test_unseen_views_are_all_views_of_every_patient() -> None:
    data = unseen_views("godwit", 2)
    assert data.label.tolist() == [*range(len(VIEWS))] * 2
    assert data.patient.tolist() == [0] * len(VIEWS) + [1] * len(VIEWS)
    assert {image.shape for image in data.images} == {(112, 112)}
    assert len({image.tobytes() for image in data.images}) == 2 * len(VIEWS)


def test_candidates_share_nothing_but_the_architecture(tmp_path: Path) -> None:
    train_backbone(tmp_path / "start.safetensors", SMALL)
    features = candidates(tmp_path, SMALL)
    image = np.random.default_rng(0).integers(0, 255, (60, 60), dtype=np.uint8)
    found = {name: extract(image) for name, extract in features.items()}
    assert next(iter(found)) == TEXTURE
    assert found[RANDOM].shape == found[BACKBONE].shape
    assert not np.allclose(found[RANDOM], found[BACKBONE])
    assert np.array_equal(found[BOTH], np.concatenate([found[TEXTURE], found[BACKBONE]]))


def test_convex_lungs_are_whole_clips_of_all_sites(shared_data: Path) -> None:
    data = convex_lungs()
    assert len(data.images) > 500
    assert set(data.site) == {0, 1, 2, 3}
    assert np.array_equal(np.unique(data.clip), np.arange(data.clip.max() + 1))
    assert len({*zip(data.clip.tolist(), data.patient.tolist(), strict=True)}) == data.clip.max() + 1


def record() -> BackboneRecord:
    return BackboneRecord(
        **what_is_asked(1, {}).model_dump(exclude={"note"}),
        architecture="resnet10t",
        size=112,
        classes=(),
        machines=(),
        populations={},
        patients=7,
        images=28,
        patients_held_out=1,
        images_held_out=4,
        optimiser={},
        libraries=versions(),
        threads=1,
        history=(Epoch(loss=1.0, labels_right=0.5, views_right=0.75, contrast_right=1.0),),
    )


@pytest.mark.parametrize(("backbone", "holds"), [(80.0, True), (50.0, False)])
def test_it_must_beat_what_learnt_nothing(backbone: float, holds: bool) -> None:
    right = {TEXTURE: 60.0, RANDOM: 55.0, BACKBONE: backbone, BOTH: 81.0}
    rows: list[Row] = [
        {"table": f"Phantom views at a machine never learnt from: {machine}", "features": name, "views right, %": value}
        for machine in KEPT_BACK
        for name, value in right.items()
    ]
    rows += [
        {"table": "Lung", "features": name, "clips right, %": value, "balanced, %": value / 2}
        for name, value in right.items()
    ]
    found = {claim.claim: claim for claim in claims(rows, record())}
    assert found["phantom views of patients held out, right"].value == 75.0
    assert found["dunlin, start backbone less texture"].value == backbone - 60
    assert found["dunlin, start backbone less texture"].holds is holds
    assert found["eider, start backbone less timm: random weights"].holds is (backbone > 55)
    assert found[f"Lung, {BOTH} less texture, clips right"].value == 21.0
    assert found[f"Lung, {BOTH} less texture, balanced"].value == 10.5
    assert found[f"Lung, {BOTH} less texture, balanced"].holds is None
