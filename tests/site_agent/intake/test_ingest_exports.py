"""The phantom's exports, taken in: every layout is recognised, and what its truth says is in the catalogue and cache.

A truth comes from the phantom itself and not from the files. Images of up to 256 pixels keep their size, so that masks
and working images are held against it pixel for pixel.
"""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from deploy.phantom.acquisition import Recording, Shot
from deploy.phantom.export import EXPORTS
from deploy.phantom.exports import camus_clips, dicom, echonet_lvh, echonet_pediatric, metaimage, tmed2, unity
from deploy.phantom.exports.layout import ExportOrder, part_of, patient_of, record, volumes
from deploy.phantom.seeds import name_of, share_of
from federated.errors import DataError
from federated.label_map import LabelMap
from federated.vocabulary import Vocabulary, builtin_vocabulary
from shared_models.phantom.labels import LV
from site_agent.archive import Archive
from site_agent.intake.ingest import Order, ingest
from site_agent.intake.quarantine import item_names
from site_agent.intake.reports import IngestReport
from site_agent.sealing import pseudonym
from tests.deploy.phantom.reading import dice, filled
from tests.site_agent.intake_making import SECRET, archive_in, aside
from tests.site_agent.sources.conftest import Exported, exported

__all__ = ["exported"]

HEART = builtin_vocabulary("heart")
CODES = {"PLAX": "399139001", "PSAX": "399306005", "A4C": "399214001", "A2C": "399232001", "A3C": "399339008"}
FOLDS = {"train": "train", "val": "validation", "test": "test"}
Gray = NDArray[np.uint8]


@dataclass(frozen=True)
class Truth:
    """What must be in the catalogue of one item.

    Attributes:
        label, patient, fold: code, the exported word, and the split that the layout says.
        fraction, volumes_ml: ejection fraction and the volumes at both ends.
        spacing: height and width of a pixel in mm.
        phases: number of a frame -> ED or ES.
        frames: (T, H, W); `lossy` where they went through JPEG.
        masks: name of the array in the cache, and (T, H, W).
    """

    label: str
    patient: str
    fold: str | None = None
    fraction: float | None = None
    volumes_ml: tuple[float, float] | None = None
    spacing: tuple[float, float] | None = None
    phases: Mapping[int, str] = field(default_factory=dict)
    frames: Gray | None = None
    lossy: bool = False
    masks: tuple[str, Gray] | None = None


Truths = Iterator[tuple[str, Truth]]


def _moments(clip: Recording) -> dict[int, str]:
    return {clip.take.end_diastole: "ED", clip.take.end_systole: "ES"}


def _echonet_dynamic(order: ExportOrder, number: int) -> Truths:
    clip = record(order, number, patient_of(order, number), Shot("A4C"), "godwit", size=(112, 112))
    name = f"0X{name_of(order.seed, number, 'name')}"
    yield (
        f"Videos/{name}.avi",
        Truth(
            label=CODES["A4C"],
            patient=name,
            fold=FOLDS[part_of(number)],
            fraction=clip.ejection_fraction,
            volumes_ml=volumes(clip),
            phases=_moments(clip),
            frames=clip.images,
            lossy=True,
        ),
    )


def _echonet_pediatric(order: ExportOrder, number: int) -> Truths:
    for view, shot in echonet_pediatric.SHOTS.items():
        clip = record(order, number, patient_of(order, number), shot, "godwit", size=(112, 112))
        patient = f"CR{name_of(order.seed, number, view)[:8].lower()}"
        truth = Truth(
            label=CODES[view],
            patient=patient,
            fraction=clip.ejection_fraction,
            phases=_moments(clip),
            frames=clip.images,
            lossy=True,
        )
        yield f"pediatric_echo_avi/{view}/Videos/{patient}-{number:06d}.avi", truth


def _echonet_lvh(order: ExportOrder, number: int) -> Truths:
    clip = record(order, number, patient_of(order, number), Shot("PLAX"), echonet_lvh.MACHINES[number % 3])
    name = f"0X{name_of(order.seed, number, 'name')}"
    truth = Truth(
        label=CODES["PLAX"],
        patient=name,
        fold=FOLDS[part_of(number)],
        spacing=(clip.take.spacing_mm,) * 2,
        phases=_moments(clip),
    )
    yield f"Batch{(number - 1) % 4 + 1}/{name}.avi", truth


def _camus(order: ExportOrder, number: int) -> Truths:
    name = f"patient{number:04d}"
    for beat in camus_clips.half_beats(order, number):
        truth = Truth(
            label=CODES[{"2CH": "A2C", "4CH": "A4C"}[beat.view]],
            patient=name,
            fold=FOLDS[part_of(number)],
            fraction=round(beat.clip.ejection_fraction),
            spacing=(beat.clip.take.spacing_mm,) * 2,
            phases={beat.diastole: "ED", beat.systole: "ES"},
            frames=beat.images,
            masks=("mask.camus", beat.truth),
        )
        yield f"CAMUS_public/database_nifti/{name}/{name}_{beat.view}_half_sequence.nii.gz", truth


def _camus_mhd(order: ExportOrder, number: int) -> Truths:
    folder = "testing" if part_of(number) == "test" else "training"
    before = range(1, number + 1)
    name = f"patient{sum((part_of(each) == 'test') == (folder == 'testing') for each in before):04d}"
    for beat in camus_clips.half_beats(order, number):
        told = folder == "training"
        truth = Truth(
            label=CODES[{"2CH": "A2C", "4CH": "A4C"}[beat.view]],
            patient=f"{folder}/{name}",
            fold=None if told else "test",
            fraction=beat.clip.ejection_fraction if told else None,
            volumes_ml=volumes(beat.clip) if told else None,
            spacing=(2 * beat.clip.take.spacing_mm,) * 2,  # oblong pixels became square ones of the longer side
            phases={beat.diastole: "ED", beat.systole: "ES"},
            masks=("mask.camus", beat.truth[sorted(beat.moments.values())][:, 1::2, ::2]) if told else None,
        )
        yield f"{folder}/{name}/{name}_{beat.view}_sequence.mhd", truth


def _tmed2(order: ExportOrder, number: int) -> Truths:
    for place, label in enumerate((*tmed2.SHOTS, "", "")):
        labelled = "labeled" if label else "unlabeled"
        folder = tmed2.BOTH if number % tmed2.VIEW_ONLY else tmed2.VIEWS
        code = CODES.get(label, "")
        fold = FOLDS[tmed2._split(order, 0, str(number))] if label else None
        yield (
            f"approved_users_only/{folder}/{labelled}/{number}s1_{place}.png",
            Truth(label=code, patient=str(number), fold=fold),
        )


def _unity(order: ExportOrder, number: int) -> Truths:
    kind = "02" if part_of(number) == "test" else "01"
    for view in unity.VIEWS:
        code = hashlib.sha256(name_of(order.seed, number, view).encode()).hexdigest()
        phase = int(share_of(order.seed, number, view, "phase") * 1000)
        name = f"png-cache/{kind}/{code[:2]}/{code[2:4]}/{kind}-{code}-{phase:04d}.png"
        yield name, Truth(label=CODES[view], patient=code, fold=FOLDS[part_of(number)])


def _metaimage(order: ExportOrder, number: int) -> Truths:
    patient, name = patient_of(order, number), f"phantom{number:05d}"
    for shot in metaimage.SHOTS:
        clip = record(order, number, patient, shot, metaimage.MACHINE, marks=True)
        truth = Truth(
            label=shot.label,
            patient=name,
            fraction=clip.ejection_fraction,
            spacing=(clip.take.spacing_mm,) * 2,
            masks=("mask.labels", clip.labels),
        )
        yield f"{name}/{name}_{shot.name.replace('+', '-')}.mhd", truth


def _dicom(order: ExportOrder, number: int) -> Truths:
    patient, machine = patient_of(order, number), dicom.MACHINES[number % len(dicom.MACHINES)]
    first = (number - 1) * dicom.STILLS_EACH
    stills = [dicom.STILLS[(first + place) % len(dicom.STILLS)] for place in range(dicom.STILLS_EACH)]
    for place, shot in enumerate((*dicom.CLIPS, *stills)):
        frames = None if place < len(dicom.CLIPS) else (share_of(order.seed, number, place, "phase"),)
        clip = record(order, number, patient, shot, machine, frames=frames, marks=True, again=place)
        name = f"PHANTOM-{number:05d}"
        yield (
            f"{name}/IM{place + 1:05d}.dcm",
            Truth(label=shot.label, patient=name, spacing=(clip.take.spacing_mm,) * 2),
        )


TRUTHS: Mapping[str, Callable[[ExportOrder, int], Truths]] = {
    "echonet-dynamic": _echonet_dynamic,
    "echonet-pediatric": _echonet_pediatric,
    "echonet-lvh": _echonet_lvh,
    "camus": _camus,
    "camus-mhd": _camus_mhd,
    "tmed2": _tmed2,
    "unity": _unity,
    "metaimage": _metaimage,
    "dicom": _dicom,
}
PATIENTS = 3  # of which the third is validated with, and in `test_folds` six, of which the last one tests


def test_every_layout_is_held_against_its_truth() -> None:
    assert set(TRUTHS) | {"muscle", "hearts", "views"} == set(EXPORTS), "these have tests of their own"


def _take_in(folder: Path, root: Path, vocabulary: Vocabulary = HEART, **order: Any) -> tuple[Archive, IngestReport]:
    archive = archive_in(folder)
    return archive, ingest(archive, vocabulary, LabelMap(), root, Order(**order))


def _found(archive: Archive) -> dict[str, dict[str, Any]]:
    """Name -> row of its clip."""
    named, columns = item_names(archive), [row[1] for row in archive.catalogue.rows("PRAGMA table_info(clips)")]
    rows = archive.catalogue.rows("SELECT * FROM clips")
    return {named[row["item"]]: row for row in (dict(zip(columns, values, strict=True)) for values in rows)}


@pytest.mark.parametrize("name", TRUTHS)
def test_views_patients_numbers_and_masks_come_back(tmp_path: Path, exported: Exported, name: str) -> None:
    folder, order = exported(name, patients=PATIENTS, frames=6, size=128)
    truths = dict(truth for number in range(1, PATIENTS + 1) for truth in TRUTHS[name](order, number))
    archive, report = _take_in(tmp_path, folder)
    assert (report.format, report.recognised) == (name, True)
    assert {one.reason for one in report.aside} <= {"is not DICOM"}, "the notice beside the images"
    found = _found(archive)
    assert found.keys() == truths.keys()
    for item, truth in truths.items():
        _check_row(archive, found[item], truth)
        _check_images(archive, found[item]["item"], truth)


def _check_row(archive: Archive, row: Mapping[str, Any], truth: Truth) -> None:
    assert row["label"] == (truth.label or None)
    concept = {concept.code: concept for concept in HEART.concepts}.get(truth.label)
    if concept is not None:
        assert (row["view"], row["contrast"]) == (concept.view or concept.code, concept.contrast)
    assert row["patient"] == pseudonym(SECRET, "patient", truth.patient)
    assert row["fold"] == truth.fold
    assert row["ejection_fraction"] == (None if truth.fraction is None else pytest.approx(truth.fraction, abs=0.06))
    said = row["end_diastolic_ml"], row["end_systolic_ml"]
    assert said == ((None, None) if truth.volumes_ml is None else pytest.approx(truth.volumes_ml, abs=0.06))
    spacing = row["spacing_y"], row["spacing_x"]
    rough = 0.03 if row["source"] == "echonet-lvh" else 1e-3  # there it is a mean over measurements
    assert spacing == ((None, None) if truth.spacing is None else pytest.approx(truth.spacing, rel=rough))
    rows = archive.catalogue.rows("SELECT number, phase FROM frames WHERE clip = ? AND phase != ''", (row["id"],))
    if truth.phases:
        assert dict(rows) == truth.phases


def _check_images(archive: Archive, key: str, truth: Truth) -> None:
    frames = archive.cache.frames(key)
    if truth.frames is not None and truth.lossy:
        assert np.abs(frames.astype(int) - truth.frames).mean() < 3
    elif truth.frames is not None:
        np.testing.assert_array_equal(frames, truth.frames)
    if truth.masks is not None:
        name, masks = truth.masks
        numbers = archive.cache.read(key, f"{name}.at")
        np.testing.assert_array_equal(archive.cache.read(key, name)[np.argsort(numbers)], masks)
        assert sorted(numbers) == (sorted(truth.phases) if len(masks) < len(frames) else list(range(len(frames))))


def test_outlines_of_the_ventricle_lie_where_it_is(tmp_path: Path, exported: Exported) -> None:
    folder, order = exported("echonet-pediatric", patients=PATIENTS, frames=6, size=128)
    archive, _ = _take_in(tmp_path, folder)
    found = _found(archive)
    for number in range(1, PATIENTS + 1):
        for (item, truth), shot in zip(
            _echonet_pediatric(order, number), echonet_pediatric.SHOTS.values(), strict=True
        ):
            clip = record(order, number, patient_of(order, number), shot, "godwit", size=(112, 112))
            for frame in truth.phases:
                outline = archive.cache.read(found[item]["item"], f"polygon.lv.{frame}")
                mask = filled([(float(x), float(y)) for x, y in outline], clip.labels[frame].shape)
                assert dice(mask, clip.labels[frame] == LV) > 0.93


def test_folds_of_the_layout_are_the_patients_own(tmp_path: Path, exported: Exported) -> None:
    for name in ("echonet-dynamic", "camus"):
        folder, order = exported(name, patients=6, frames=4, size=64)
        archive, _ = _take_in(tmp_path / name, folder)
        folds = dict(archive.catalogue.rows("SELECT pseudonym, fold FROM patients"))
        for number in range(1, 7):
            for _, truth in TRUTHS[name](order, number):
                assert folds[pseudonym(SECRET, "patient", truth.patient)] == FOLDS[part_of(number)]
        assert set(folds.values()) == {"train", "validation", "test"}


def test_taken_in_again_nothing_is_new(tmp_path: Path, exported: Exported) -> None:
    for name in TRUTHS:
        folder, _ = exported(name, patients=PATIENTS, frames=6, size=128)
        _, first = _take_in(tmp_path / name, folder)
        _, second = _take_in(tmp_path / name, folder)
        assert (second.batches, second.skipped, aside(second)) == ((), first.images, aside(first)), name


def test_sweeps_of_muscle_are_no_view_of_the_heart(tmp_path: Path, exported: Exported) -> None:
    folder, _ = exported("muscle", patients=2, frames=4, size=0)
    with pytest.raises(DataError, match=r"label '[lr]' is not in the vocabulary 'heart'") as caught:
        _take_in(tmp_path / "heart", folder)
    assert "\n" not in str(caught.value)
    archive, report = _take_in(tmp_path / "legs", folder, builtin_vocabulary("muscle"))
    legs = ["THIGH-L", "THIGH-R"]
    assert (report.format, report.clips, report.patients, sorted(report.labels)) == ("muscle", 12, 2, legs)
    assert not aside(report)
    with (folder / "truth.csv").open(newline="", encoding="utf-8") as file:
        sections = Counter((row["video"], row["label"]) for row in csv.DictReader(file))
    kept = Counter(len(archive.cache.frames(row["item"])) for row in _found(archive).values())
    assert kept == Counter(sections.values())
