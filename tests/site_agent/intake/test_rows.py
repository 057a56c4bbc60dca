"""What was found of items, as rows: one picture under two names, and what is not what it was when it was taken in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from site_agent.intake import ingest as ingest_module
from site_agent.intake.examination import Examiner
from site_agent.intake.quarantine import clear_items
from site_agent.intake.rows import ALIKE, WORDS, Looks, stamp_of
from site_agent.sources.source import Item
from tests.site_agent.intake_making import (
    archive_in,
    aside,
    cases,
    content,
    data_set,
    gif,
    names,
    patients,
    picture,
    take_in,
)

BYTES = 8 * WORDS
CHANGED = "has changed since it was taken in, and stays as it was"
RELISTED = "is listed with another patient or label than when it was taken in, and stays as it was"


def hashed(*ones: int) -> bytes:
    """A perceptual hash with some bits."""
    bits = np.zeros(8 * BYTES, dtype=np.uint8)
    bits[list(ones)] = 1
    return np.packbits(bits).tobytes()


def test_a_picture_of_another_patient_is_found_by_its_looks() -> None:
    looks = Looks([(hashed(3, 70), "p")])
    assert looks.another(hashed(3, 70), "q")
    assert looks.another(hashed(*range(100, 100 + ALIKE - 2)), "q")
    assert not looks.another(hashed(*range(100, 100 + ALIKE - 1)), "q")
    assert not looks.another(hashed(3, 70), "p"), "a patient may look like themselves"


def test_looks_are_found_among_many() -> None:
    rng = np.random.default_rng(0)
    many = [rng.bytes(BYTES) for _ in range(1000)]
    looks = Looks([(one, "p") for one in many[:3]])
    for one in many[3:]:
        looks.add(one, "p")
    assert all(looks.another(one, "q") for one in many)
    assert not any(looks.another(rng.bytes(BYTES), "q") for _ in range(100))


def test_no_clips_look_like_nothing() -> None:
    assert not Looks([]).another(hashed(), "p")


def _alike(folder: Path, *rows: dict[str, str]) -> Path:
    """Pictures that differ by a little noise."""
    folder.mkdir(parents=True)
    rough = np.kron(np.random.default_rng(77).integers(0, 250, (16, 16)), np.ones((4, 4)))
    for number in range(len(rows)):
        noise = np.random.default_rng(number).integers(0, 2, rough.shape)
        Image.fromarray((rough + noise).astype(np.uint8)).save(folder / f"{number}.png")
    return data_set(folder, rows)


def test_nearly_the_same_image_of_another_patient_is_for_a_person_to_look_at(tmp_path: Path) -> None:
    index = _alike(tmp_path / "data", {"patient": "P"}, {"patient": "P"}, {"patient": "Q"})
    report = take_in(tmp_path, index)
    assert (report.images, aside(report)) == (2, {"2.png": "looks the same as an image of another patient"})
    clear_items(archive_in(tmp_path), [report.aside[0].key])
    again = take_in(tmp_path, index)
    assert (again.images, again.skipped, again.aside) == (1, 2, ())


def test_a_changed_file_of_a_closed_batch_is_told_and_stays(tmp_path: Path) -> None:
    index = data_set(tmp_path / "data", patients(3))
    take_in(tmp_path, index)
    before = content(tmp_path)
    picture(tmp_path / "data" / "1.png", 99)
    for _ in range(2):
        report = take_in(tmp_path, index)
        assert (report.batches, report.skipped, aside(report)) == ((), 2, {"1.png": CHANGED})
        assert content(tmp_path) == before, "working images too"


@pytest.mark.parametrize("change", [{"patient": "somebody"}, {"label": "covid"}], ids=["patient", "label"])
def test_a_changed_listing_of_a_closed_batch_is_told_and_stays(tmp_path: Path, change: dict[str, str]) -> None:
    rows = patients(3)
    take_in(tmp_path, data_set(tmp_path / "data", rows))
    before = content(tmp_path)
    rows[1] |= change
    report = take_in(tmp_path, data_set(tmp_path / "data", rows))
    assert (report.skipped, aside(report)) == (2, {"1.png": RELISTED})
    assert content(tmp_path) == before


def test_a_file_that_was_only_touched_is_looked_at_once_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = data_set(tmp_path / "data", patients(2))
    take_in(tmp_path, index)
    before = content(tmp_path)
    (tmp_path / "data" / "0.png").touch()
    report = take_in(tmp_path, index)
    assert (report.skipped, report.aside, content(tmp_path)) == (2, (), before)
    monkeypatch.setattr(Examiner, "__call__", None)
    assert take_in(tmp_path, index).skipped == 2


def _stopped(monkeypatch: pytest.MonkeyPatch, folder: Path, index: Path) -> None:
    """Everything looked at, and the batch not closed."""

    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ingest_module, "close", stop)
        with pytest.raises(KeyboardInterrupt):
            take_in(folder, index)


def test_what_waits_follows_the_listing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Patients are put right before the batch is closed: nobody is taken for the same as they were before."""
    wrong = [{"patient": "P"}, {"patient": "P"}, {"patient": "P", "label": "covid"}]
    right = [{"patient": "Q"}, {"patient": "Q"}, {"patient": "Q", "label": "healthy"}]
    _stopped(monkeypatch, tmp_path / "mended", _alike(tmp_path / "data", *wrong))
    index = data_set(tmp_path / "data", right)
    report = take_in(tmp_path / "mended", index)
    assert (report.images, report.patients, report.aside) == (3, 1, ())
    take_in(tmp_path / "fresh", index)
    assert content(tmp_path / "mended") == content(tmp_path / "fresh")


def test_what_waits_follows_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = data_set(tmp_path / "data", patients(3))
    _stopped(monkeypatch, tmp_path, index)
    picture(tmp_path / "data" / "0.png", 50)
    (tmp_path / "data" / "1.png").write_bytes(b"")
    report = take_in(tmp_path, index)
    assert (report.images, aside(report)) == (2, {"1.png": "is empty"})
    archive = archive_in(tmp_path)
    with Image.open(tmp_path / "data" / "0.png") as image:
        key = cases(tmp_path)[names(tmp_path).index("0.png")].key
        assert np.array_equal(archive.cache.frames(key)[0], np.asarray(image))
    assert len([path for path in archive.frames_path.rglob("*") if path.is_file()]) == 2


def test_frames_of_a_clip_that_are_there_already_are_left_out(tmp_path: Path) -> None:
    gif(tmp_path / "data" / "a.gif", 12)
    take_in(tmp_path, data_set(tmp_path / "data", [{"path": "a.gif", "frame": str(number)} for number in (1, 3)]))
    report = take_in(tmp_path, data_set(tmp_path / "data", [{"path": "a.gif", "frame": str(n)} for n in (1, 3, 5)]))
    assert (report.images, report.skipped) == (1, 2)
    assert [case.frame for case in cases(tmp_path)] == [1, 3, 5]


def test_another_rule_for_pixels_looks_again_at_what_was_set_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("site_agent.intake.preparation.find_texts", lambda *_: [((0, 0, 9, 9),)])
    monkeypatch.setattr("site_agent.intake.preparation.LEAST_FOR_TEXT", 8)
    monkeypatch.setattr("site_agent.intake.preparation.find_sector", lambda _: None)
    index = data_set(tmp_path / "data", patients(2))
    for _ in range(2):
        with pytest.raises(ingest_module.DataError, match="may show burnt-in text"):
            take_in(tmp_path, index)
    assert take_in(tmp_path, index, pixels="whole").images == 2
    assert take_in(tmp_path, index).skipped == 2


def test_what_is_not_refused_any_more_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"path": "a.png"}, {"path": "a.png", "label": "covid"}, {}]
    assert len(take_in(tmp_path, data_set(tmp_path / "data", rows)).aside) == 1
    assert len(archive_in(tmp_path).catalogue.aside()) == 1
    take_in(tmp_path, data_set(tmp_path / "data", [{"path": "a.png"}, {"path": "2.png"}]))
    assert archive_in(tmp_path).catalogue.aside() == []


def test_the_stamp_of_an_item_changes_with_any_of_its_files(tmp_path: Path) -> None:
    path, mask = picture(tmp_path / "a.png", 1), tmp_path / "mask.png"
    item = Item("a", path, (mask,))
    stamps = [stamp_of(item)]
    picture(mask, 2)
    stamps.append(stamp_of(item))
    mask.write_bytes(mask.read_bytes() + b"x")
    stamps.append(stamp_of(item))
    path.unlink()
    stamps.append(stamp_of(item))
    assert len(set(stamps)) == 4
    assert stamp_of(item) == stamps[-1]


def test_items_are_written_in_their_order_whatever_a_transaction_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = data_set(tmp_path / "data", patients(7))
    for at_once in (1, 3, 256):
        monkeypatch.setattr(ingest_module, "AT_ONCE", at_once)
        take_in(tmp_path / str(at_once), index, processes=2)
        assert names(tmp_path / str(at_once)) == [f"{number}.png" for number in range(7)]
    assert content(tmp_path / "1") == content(tmp_path / "3") == content(tmp_path / "256")
