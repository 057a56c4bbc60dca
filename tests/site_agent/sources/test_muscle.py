"""Sections of sweeps along the thigh come back as clips of their own."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from deploy.phantom.exports.muscle import MPEG4
from deploy.phantom.pictures import cine
from federated.errors import DataError
from federated.label_map import LabelMap
from federated.vocabulary import builtin_vocabulary
from site_agent.intake.ingest import Order, ingest
from site_agent.sources import source_of
from site_agent.sources.images import luma
from site_agent.sources.muscle import MuscleSource
from site_agent.sources.source import Item, Refused
from tests.site_agent.intake_making import archive_in
from tests.site_agent.sources.conftest import Exported

SOURCE = MuscleSource()
FRAMES = np.repeat(np.arange(12, dtype=np.uint8)[:, None, None] * 16 + 20, 32, axis=1).repeat(32, axis=2)


def _section(first: object, last: object, leg: object = "l") -> dict[str, object]:
    return {"start_frame_idx": first, "end_frame_idx": last, "label": leg}


def _set(root: Path, *sections: object, folder: str = "CNS/007/T1") -> list[Item | Refused]:
    place = root / folder
    place.mkdir(parents=True)
    (place / "a.mp4").write_bytes(cine(FRAMES, 20, MPEG4))
    (place / "a.json").write_text(json.dumps({"video_file_name": "a.mp4", "annotations": list(sections)}))
    return list(SOURCE.scan(root))


def test_the_phantom_comes_back_as_it_was(exported: Exported) -> None:
    folder, _ = exported("muscle", patients=2, frames=12, size=96)
    assert isinstance(source_of(folder), MuscleSource)
    items = [each for each in SOURCE.scan(folder) if isinstance(each, Item)]
    assert len(items) == len(list(SOURCE.scan(folder))) == 2 * 3 * 2
    assert [item.label for item in items[:2]] == ["l", "r"]
    assert {item.patient for item in items} == {"CNS/001", "TETANUS/002"}
    item = items[3]
    opened = SOURCE.open(pickle.loads(pickle.dumps(item)))
    assert (opened.count, opened.first, opened.facts.doubts) == (12, 12, ())
    assert opened.facts.words == {"diagnosis": "CNS", "visit": "T2"}
    assert opened.facts.rate_hz == pytest.approx(40)
    frames = luma(np.stack(list(opened.frames()))).astype(int)
    still = np.abs(np.diff(frames, axis=0)).mean(axis=(1, 2))
    assert len(frames) == 12
    assert still[-2:].max() < still[0], "the end of a section is frozen"


def test_all_sections_of_a_video_are_taken_in(tmp_path: Path, exported: Exported) -> None:
    folder, _ = exported("muscle", patients=2, frames=12, size=96)
    archive = archive_in(tmp_path)
    report = ingest(archive, builtin_vocabulary("muscle"), LabelMap(), folder, Order())
    assert (report.format, report.recognised) == ("muscle", True)
    rows = archive.catalogue.rows("SELECT label, words FROM clips")
    assert len(rows) == 12
    assert sorted({row[0] for row in rows}) == ["THIGH-L", "THIGH-R"]
    assert {json.loads(row[1])["visit"] for row in rows} == {"T1", "T2", "T3"}


def test_frames_are_those_of_the_section(tmp_path: Path) -> None:
    found = _set(tmp_path, _section(0, 3), _section(4, 9, "r"), _section(10, 11, "n"))
    items = [each for each in found if isinstance(each, Item)]
    assert [item.label for item in items] == ["l", "r", ""]
    assert len({item.name for item in items}) == 3
    opened = SOURCE.open(items[1])
    assert (opened.count, opened.first) == (6, 4)
    means = luma(np.stack(list(opened.frames()))).mean(axis=(1, 2))
    assert np.abs(means - FRAMES[4:10, 0, 0]).max() < 4


def test_a_section_that_ends_behind_its_video_is_cut_short(tmp_path: Path) -> None:
    found = _set(tmp_path, _section(8, 40), _section(30, 40))
    short, beyond = (each for each in found if isinstance(each, Item))
    opened = SOURCE.open(short)
    assert opened.count == 4
    assert opened.facts.doubts == ("its section ends at frame 40 of a video of 12: it is cut short",)
    with pytest.raises(DataError, match="begins at frame 30 of a video of 12"):
        SOURCE.open(beyond)


@pytest.mark.parametrize(
    ("section", "reason"),
    [
        (_section(3, 2), "from which frame to which"),
        (_section("0", 2), "from which frame to which"),
        (_section(0, 10**9), "from which frame to which"),
        (_section(0, 2, "left"), "neither l nor r"),
        (_section(0, 2, ["l"]), "neither l nor r"),
        (7, "is no section"),
    ],
)
def test_a_section_that_cannot_be(tmp_path: Path, section: object, reason: str) -> None:
    refused, taken = _set(tmp_path, section, _section(0, 3))
    assert isinstance(refused, Refused)
    assert reason in refused.reason
    assert isinstance(taken, Item)


def test_what_lies_elsewhere_or_alone(tmp_path: Path) -> None:
    (refused,) = _set(tmp_path / "one", _section(0, 3), folder="CNS/007/T9")
    assert isinstance(refused, Refused)
    assert "does not lie in" in refused.reason
    _set(tmp_path / "two", _section(0, 3))
    (tmp_path / "two/CNS/007/T1/a.json").rename(tmp_path / "two/CNS/007/T1/b.json")
    reasons = [each.reason for each in SOURCE.scan(tmp_path / "two") if isinstance(each, Refused)]
    assert reasons == ["has no JSON file that says where its sections are", "is of a video that is not there"]
    assert not SOURCE.recognises(tmp_path / "two")


@pytest.mark.parametrize("text", ["{", "[]", '{"annotations": 3}', '{"annotations": []}', "[" * 5000])
def test_a_json_file_that_says_nothing(tmp_path: Path, text: str) -> None:
    _set(tmp_path, _section(0, 3))
    (tmp_path / "CNS/007/T1/a.json").write_text(text)
    (refused,) = SOURCE.scan(tmp_path)
    assert isinstance(refused, Refused)
    assert refused.reason in {"cannot be read as a list of sections", "names no section"}
