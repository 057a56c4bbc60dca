from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deploy.phantom.meta_image import meta_image
from site_agent.sources.camus_mhd import RELEASE
from site_agent.sources.camus_views import open_view, read_text, views_of
from site_agent.sources.source import Item, Opened, Refused

CLIP = np.arange(4 * 6 * 8, dtype=np.uint8).reshape(4, 6, 8)
LABELS = CLIP % 4


@pytest.fixture
def patient(tmp_path: Path) -> Path:
    folder = tmp_path / "patient0001"
    folder.mkdir()
    return folder


def _write(folder: Path, word: str, frames: np.ndarray) -> None:
    for file in meta_image(f"{folder.name}_4CH_{word}.mhd", frames, (0.3, 0.15)):
        (folder / file.path).write_bytes(file.data)


def _say(folder: Path, *lines: str) -> None:
    (folder / "Info_4CH.cfg").write_text("".join(f"{line}\n" for line in lines))


def _scan(folder: Path) -> tuple[list[Item], list[Refused]]:
    found = list(views_of(folder.parent, folder, RELEASE, "p", None))
    items = [each for each in found if isinstance(each, Item)]
    return items, [each for each in found if isinstance(each, Refused) and not each.name.endswith(" 2CH")]


def _open(folder: Path) -> Opened:
    items, refused = _scan(folder)
    assert refused == []
    return open_view(items[0], RELEASE)


def test_diastole_may_come_last(patient: Path) -> None:
    _write(patient, "sequence", CLIP)
    _write(patient, "ED_gt", LABELS[3:])
    _write(patient, "ES_gt", LABELS[:1])
    _say(patient, "ED: 4", "ES: 1", "NbFrame: 4", "Sex: F", "Age: 61", "ImageQuality: Poor", "LVef: 55.5")
    opened = _open(patient)
    facts = opened.facts
    assert (facts.end_diastole, facts.end_systole, facts.ejection_fraction, facts.doubts) == (3, 0, 55.5, ())
    assert facts.measures == {"age_years": 61}
    assert facts.words == {"sex": "female", "image_quality": "poor"}
    assert facts.spacing_mm == (0.15, 0.3)
    drawn = opened.annotations()
    assert [(each.frame, each.name, each.kind) for each in drawn] == [(3, "camus", "mask"), (0, "camus", "mask")]
    np.testing.assert_array_equal([each.values for each in drawn], LABELS[[3, 0]])


def test_label_maps_of_all_frames_are_taken_where_they_fit(patient: Path) -> None:
    _write(patient, "sequence", CLIP)
    _write(patient, "sequence_gt", LABELS)
    _write(patient, "ED_gt", LABELS[:1])
    _say(patient, "ED: 1", "ES: 4")
    np.testing.assert_array_equal([each.values for each in _open(patient).annotations()], LABELS)
    _write(patient, "sequence_gt", LABELS[:3])
    opened = _open(patient)
    assert [each.frame for each in opened.annotations()] == [0]
    assert opened.facts.doubts == ("its label map sequence has 3 frames for 4 of its image: left out",)


def test_what_cannot_be_believed_is_left_out_and_told(patient: Path) -> None:
    _write(patient, "sequence", CLIP)
    _write(patient, "ED_gt", LABELS[:1])
    _write(patient, "ES_gt", LABELS[:1, :3])
    _say(patient, "ED: 9", "ES: 2", "NbFrame: 7", "LVef: 250", "LVedv: 40", "LVesv: 90", "Age: 300", "Sex: Mr Jones")
    opened = _open(patient)
    facts = opened.facts
    assert (facts.end_diastole, facts.end_systole, facts.ejection_fraction) == (None, 1, None)
    assert (facts.end_diastolic_ml, facts.end_systolic_ml, facts.measures, facts.words) == (None, None, {}, {})
    assert opened.annotations() == ()
    assert len(list(opened.frames())) == 4
    assert facts.doubts == (
        "has 4 frames where its text says 7",
        "ED of 9 is not between 1 and 4: left out",
        "its label map ED lies on no frame that is told: left out",
        "its label map ES has 8x3 pixels, its image 8x6: left out",
        "end-systolic volume of 90 ml is larger than the end-diastolic 40: both left out",
        "ejection fraction of 250 is not between 0 and 100: left out",
        "age of 300 is not between 0 and 89: left out",
    )


def test_one_frame_cannot_be_both_moments(patient: Path) -> None:
    _write(patient, "sequence", CLIP)
    _say(patient, "ED: 2", "ES: 2")
    facts = _open(patient).facts
    assert (facts.end_diastole, facts.end_systole) == (None, None)
    assert facts.doubts == ("end-diastole and end-systole are the same frame: both left out",)


def test_without_a_sequence_the_two_stills_are_taken(patient: Path) -> None:
    _write(patient, "ED", CLIP[:1])
    _write(patient, "ED_gt", LABELS[:1])
    _write(patient, "ES", CLIP[3:])
    _say(patient, "ED: 1", "ES: 4", "NbFrame: 4")
    items, _ = _scan(patient)
    assert [(item.name, item.clip) for item in items] == [
        ("patient0001/patient0001_4CH_ED.mhd", "p/4CH"),
        ("patient0001/patient0001_4CH_ES.mhd", "p/4CH"),
    ]
    diastole, systole = (open_view(item, RELEASE) for item in items)
    assert (diastole.facts.end_diastole, diastole.facts.end_systole, diastole.moving) == (0, None, False)
    assert (systole.facts.end_diastole, systole.facts.end_systole, systole.facts.doubts) == (None, 0, ())
    np.testing.assert_array_equal(diastole.annotations()[0].values, LABELS[0])
    assert systole.annotations() == ()


def test_a_view_without_images_is_refused(patient: Path) -> None:
    _say(patient, "ED: 1")
    found = list(views_of(patient.parent, patient, RELEASE, "p", None))
    assert found == [Refused(f"patient0001 {view}", patient, "has no images of this view") for view in ("2CH", "4CH")]


def test_a_text_that_is_missing_or_no_text_costs_its_numbers_only(patient: Path) -> None:
    _write(patient, "sequence", CLIP)
    assert _open(patient).facts.doubts == ("the text with its numbers is not there",)
    (patient / "Info_4CH.cfg").write_bytes(bytes(range(256)) * 1000)
    facts = _open(patient).facts
    assert (facts.end_diastole, facts.end_systole, facts.ejection_fraction) == (None, None, None)


def test_a_text_that_may_not_be_read_is_told(patient: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbid(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    _say(patient, "ED: 1")
    monkeypatch.setattr(Path, "open", forbid)
    doubts: list[str] = []
    assert read_text(patient / "Info_4CH.cfg", doubts) == {}
    assert doubts == ["the text with its numbers cannot be read"]


def test_the_first_of_repeated_keys_counts(patient: Path) -> None:
    _say(patient, "ED: 1", "ED: 2", "Note: at 12:30")
    assert read_text(patient / "Info_4CH.cfg", []) == {"ED": "1", "Note": "at 12:30"}
