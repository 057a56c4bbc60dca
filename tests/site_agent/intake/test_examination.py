"""One item looked at: the record holds pseudonyms and working images, or the reason why there are none."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from federated.errors import ConsiliumError, DataError
from site_agent.archive import Archive
from site_agent.frame_cache import STAGED
from site_agent.intake.examination import LEARNT_FROM, Examiner, Record, file_digest
from site_agent.intake.preparation import Rules
from site_agent.sealing import pseudonym
from site_agent.sources.files import open_file
from site_agent.sources.folder import FolderSource
from site_agent.sources.source import Annotation, Facts, Item, Opened
from tests.site_agent.intake_making import SECRET, archive_in, gif, picture
from tests.site_agent.sources.dicom_making import WAVES, dataset, write


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return archive_in(tmp_path / "archive")


class Told:
    """A source that says of every item the same."""

    name, about, labels, needs_sector = "told", "", (), False

    def __init__(self, frames: int = 1, annotations: tuple[Annotation, ...] = (), **facts: Any) -> None:
        pixels = np.random.default_rng(frames).integers(0, 255, (frames, 16, 20), dtype=np.uint8)
        self.opened = Opened(frames, frames > 1, Facts(**facts), lambda: iter(list(pixels)), lambda: annotations)

    def recognises(self, root: Path) -> bool:
        return root.name == "told"

    def scan(self, root: Path) -> list[Item]:
        return [Item("told", root)]

    def open(self, item: Item) -> Opened:
        if not item.path.is_file():
            raise DataError("is not there")
        return self.opened


def look(archive: Archive, source: Any, path: Path, machine: str = "", *, cleared: bool = False, **said: Any) -> Record:
    item = Item(path.name, path, **said)
    return Examiner(archive, source, Rules(), machine)((item, cleared))


def staged(archive: Archive, record: Record, name: str = "frames") -> np.ndarray:
    return archive.cache.read(record.key + STAGED, name)


def test_a_still_is_one_case_of_the_digest_of_its_file(archive: Archive, tmp_path: Path) -> None:
    path = picture(tmp_path / "a.png", 1)
    record = look(archive, FolderSource(), path, patient="P", label="healthy", fold="test")
    (frame,) = record.frames
    assert (record.state, record.word, record.fold, record.patient_known) == ("taken", "healthy", "test", True)
    assert record.patient == pseudonym(SECRET, "patient", "P")
    assert frame.sha256 == hashlib.sha256(path.read_bytes()).hexdigest() == file_digest(path)
    assert (frame.number, frame.place, frame.phase) == (0, 0, "")
    with Image.open(path) as image:
        assert np.array_equal(staged(archive, record)[0], np.asarray(image))


def test_frames_of_a_clip_have_digests_of_file_and_number(archive: Archive, tmp_path: Path) -> None:
    path = gif(tmp_path / "a.gif", 20)
    record = look(archive, FolderSource(), path)
    digest = file_digest(path)
    assert [frame.number for frame in record.frames] == [0, 3, 5, 8, 11, 14, 16, 19]
    assert record.frames[2].sha256 == hashlib.sha256(f"{digest}:5".encode()).hexdigest()
    assert staged(archive, record).shape == (20, 16, 20)
    assert staged(archive, record, "numbers").tolist() == list(range(20))


def test_the_ends_of_the_hearts_phases_are_cases_too(archive: Archive, tmp_path: Path) -> None:
    record = look(archive, Told(40, end_diastole=1, end_systole=18), picture(tmp_path / "a.png", 1))
    phases = {frame.number: frame.phase for frame in record.frames if frame.phase}
    assert phases == {1: "ED", 18: "ES"}
    assert len(record.frames) == LEARNT_FROM + 2
    assert [frame.number for frame in record.frames] == sorted(frame.number for frame in record.frames)


def test_frames_that_are_asked_for_are_the_cases(archive: Archive, tmp_path: Path) -> None:
    record = look(archive, Told(40, end_systole=7), picture(tmp_path / "a.png", 1), frames=(30, 7))
    assert [(frame.number, frame.place, frame.phase) for frame in record.frames] == [(30, 0, ""), (7, 1, "ES")]
    assert staged(archive, record).shape[0] == 2


@pytest.mark.parametrize(
    ("said", "facts", "kind", "word"),
    [
        ({"patient": "P"}, {"patient": "Q"}, "patient", "P"),
        ({}, {"patient": "Q"}, "patient", "Q"),
        ({"clip": "c"}, {}, "clip", "c"),
        ({}, {"clip": "uid"}, "file", None),
    ],
    ids=["listing", "file", "clip", "nothing"],
)
def test_a_patient_is_known_by_the_id_else_the_clip_else_the_file(
    archive: Archive, tmp_path: Path, said: Mapping[str, Any], facts: Mapping[str, Any], kind: str, word: str | None
) -> None:
    path = picture(tmp_path / "a.png", 1)
    record = look(archive, Told(**facts), path, **said)
    assert record.patient == pseudonym(SECRET, kind, word or file_digest(path))
    assert record.patient_known == (kind == "patient")


def test_what_the_listing_says_counts_more_than_what_the_file_says(archive: Archive, tmp_path: Path) -> None:
    path = picture(tmp_path / "a.png", 1)
    source = Told(label="from the file", fold="train")
    assert (look(archive, source, path).word, look(archive, source, path).fold) == ("from the file", "train")
    record = look(archive, source, path, label="listed", fold="test")
    assert (record.word, record.fold) == ("listed", "test")


def test_clips_of_one_name_are_one_clip_of_one_patient_only(archive: Archive, tmp_path: Path) -> None:
    one, other = picture(tmp_path / "a.png", 1), picture(tmp_path / "b.png", 2)
    clips = [
        look(archive, Told(patient=patient), path, clip=clip).clip
        for patient, path, clip in (
            ("P", one, "c"),
            ("P", other, "c"),
            ("Q", one, "c"),
            ("P", one, ""),
            ("P", other, ""),
        )
    ]
    assert clips[0] == clips[1]
    assert len(set(clips)) == 4
    assert all(set(clip) <= set("0123456789abcdef") for clip in clips)


def test_maker_and_model_unless_a_person_knows_better(archive: Archive, tmp_path: Path) -> None:
    path = picture(tmp_path / "a.png", 1)
    source = Told(maker=" Acme  Medical", model="One ")
    assert look(archive, source, path).machine == "Acme Medical One"
    assert look(archive, source, path, machine="Bolt Nine").machine == "Bolt Nine"
    assert look(archive, Told(), path).machine == ""


def test_a_dicom_header_is_kept_without_what_identifies(archive: Archive, tmp_path: Path) -> None:
    made = dataset(WAVES, Manufacturer="Acme", ManufacturerModelName="One", StudyDate="20200229")
    path = write(tmp_path / "a.dcm", made)
    source = Told()
    source.opened = open_file(path)
    record = look(archive, source, path, cleared=True)
    assert (record.state, record.machine, record.facts.header) == ("taken", "Acme One", None)
    header = json.loads(record.header)
    assert header["00080070"]["Value"] == ["Acme"]
    for word in ("NOBODY", "P7", "20200229", '2.25.7"'):
        assert word not in record.header
    assert record.patient == pseudonym(SECRET, "patient", "P7")


def test_annotations_and_numbers_lie_beside_the_frames(archive: Archive, tmp_path: Path) -> None:
    mask = np.eye(16, 20, dtype=np.uint8)
    source = Told(3, (Annotation(1, "lv", "mask", mask),), spacing_mm=(0.5, 0.5))
    record = look(archive, source, picture(tmp_path / "a.png", 1))
    assert np.array_equal(staged(archive, record, "mask.lv")[0], mask)
    assert record.spacing_mm == (0.5, 0.5)


def test_the_key_is_of_file_name_and_frames(archive: Archive, tmp_path: Path) -> None:
    examiner = Examiner(archive, FolderSource(), Rules())
    item = Item("a", tmp_path / "a")
    others = [Item("b", tmp_path / "a"), Item("a", tmp_path / "b"), Item("a", tmp_path / "a", frames=(0,))]
    assert len({examiner.key(one) for one in (item, *others)}) == 4
    assert examiner.key(item) == examiner.key(Item("a", tmp_path / "a", patient="P", label="x"))


def test_what_cannot_be_used_is_a_record_with_the_reason(archive: Archive, tmp_path: Path) -> None:
    assert look(archive, Told(), tmp_path / "missing").reason == "is not there"
    record = look(archive, Told(mode="m", doubts=("odd",)), picture(tmp_path / "a.png", 1))
    assert (record.state, record.reason, record.doubts) == ("apart", "is M-mode, and no B-mode image", ("odd",))
    assert not archive.frames_path.exists()


def test_an_item_that_a_person_has_cleared_is_not_looked_at_for_text(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("site_agent.intake.preparation.LEAST_FOR_TEXT", 8)
    monkeypatch.setattr("site_agent.intake.preparation.find_texts", lambda *_: [((0, 0, 9, 9),)])
    monkeypatch.setattr("site_agent.intake.preparation.find_sector", lambda _: None)
    item = Item("a", picture(tmp_path / "a.png", 1))
    examiner = Examiner(archive, FolderSource(), Rules())
    assert [examiner((item, cleared)).state for cleared in (False, True)] == ["quarantined", "taken"]


def test_looks_are_alike_for_a_lighter_picture_and_not_for_another(archive: Archive, tmp_path: Path) -> None:
    rough = np.kron(np.random.default_rng(5).integers(40, 200, (16, 16)), np.ones((4, 4)))
    other = np.kron(np.random.default_rng(6).integers(40, 200, (16, 16)), np.ones((4, 4)))
    bits = []
    for number, pixels in enumerate((rough, rough + 40, other)):
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / f"{number}.png")
        looks = look(archive, FolderSource(), tmp_path / f"{number}.png").looks
        bits.append(np.unpackbits(np.frombuffer(looks, dtype=np.uint8)))
    assert bits[0].size == 256
    assert (bits[0] != bits[1]).sum() <= 4
    assert (bits[0] != bits[2]).sum() > 60


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot be read \(No such file"):
        file_digest(tmp_path / "missing")


def test_a_disk_that_is_full_is_no_fault_of_the_item(archive: Archive, tmp_path: Path) -> None:
    archive.frames_path.write_text("a file where a folder should be")
    with pytest.raises(ConsiliumError) as caught:
        look(archive, FolderSource(), picture(tmp_path / "a.png", 1))
    assert not isinstance(caught.value, DataError)
