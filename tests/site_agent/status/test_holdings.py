"""Counts of a catalogue whose rows are known; nothing of the hospital's own is among them."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from federated.vocabulary import plain_vocabulary
from site_agent.archive import Archive
from site_agent.home import SiteHome
from site_agent.status.holdings import FormCount, Holdings, OutsideCount, Quality, Spacing, holdings

CLIP = (
    "INSERT INTO clips (id, item, patient, patient_known, clip, label, word, machine, spacing_y, spacing_x, measures, "
    "words, header, sector, quality, blanked, source, looks, frames, batch) "
    "VALUES (?, ?, ?, 1, '', ?, x'00', ?, ?, ?, '{}', '{}', '', ?, ?, ?, ?, x'00', 9, ?)"
)
ITEM = "INSERT INTO items (key, root, stamp, said, state, sealed) VALUES (?, 'r', '', '', ?, ?)"
BLANKED = [
    {"pixels": 0.5, "bright": 0.25, "text_outside": 2, "marks_inside": 0.0},
    {"pixels": 0.25, "bright": 0.0, "text_outside": 0, "marks_inside": 0.01},
]


def _clip(
    number: int, patient: str, label: str | None, machine: str, images: int, **more: object
) -> tuple[object, ...]:
    """A row, and how many frames it has."""
    said = {"spacing": None, "quality": 0.0, "blanked": "", "source": "dicom", "batch": "b0001"} | more
    sector = "{}" if said["quality"] else ""
    row = (number, f"i{number}", patient, label, machine, said["spacing"], said["spacing"], sector)
    return (*row, said["quality"], said["blanked"], said["source"], said["batch"], images)


CLIPS = (
    _clip(1, "p1", "a4c", "Vivid", 3, spacing=0.2, quality=0.8, blanked=json.dumps(BLANKED[0])),
    _clip(2, "p1", "plax", "Vivid", 2, spacing=0.5, quality=0.9, blanked=json.dumps(BLANKED[1])),
    _clip(3, "p2", "a4c", "Epiq", 4, quality=1.0, batch="b0002"),
    _clip(4, "p3", None, "Vivid", 1, source="images"),
    _clip(5, "p1", "a4c", "Vivid", 7, batch=None),
)
ASIDE = (
    ("quarantined", "anna.dcm", "may show burnt-in text inside the sector; a person must look at it"),
    ("refused", "b.png", "has 3x3 pixels, at least 8x8 are needed"),
    ("refused", "c.png", "has 5x400 pixels, at least 8x8 are needed"),
    ("quarantined", "d.png", "is labelled 'Anna's heart', but the same image is there labelled 'x'"),
    ("refused", "e", "files ending in '.Anna\nb.png' are not read"),
    ("refused", "f", "is not read, by a fault of this program (ValueError: no number: \"Anna's\nAnna)"),
)


@pytest.fixture
def archive(home: SiteHome) -> Archive:
    archive = home.archive
    _fill(archive, CLIPS)
    return archive


def _fill(archive: Archive, clips: Sequence[tuple[object, ...]]) -> None:
    with archive.catalogue.transaction() as connection:
        for name, expert, when in (
            ("b0001", 1, "2026-01-01T10:00:00+00:00"),
            ("b0002", 2, "2026-02-01T10:00:00+00:00"),
        ):
            connection.execute("INSERT INTO batches VALUES (?, ?, 'r', ?, 'm', 'sector')", (name, when, expert))
        connection.executemany("INSERT INTO machines VALUES (?, ?)", [("Vivid", 1), ("Epiq", 2)])
        patients = [("p1", "train", "b0001"), ("p2", "test", "b0002"), ("p3", "train", "b0001")]
        connection.executemany("INSERT INTO patients VALUES (?, ?, ?)", patients)
        for *row, images in clips:
            connection.execute(ITEM, (row[1], "taken", b""))
            connection.execute(CLIP, row)
            frames = [(row[0], place, place, "") for place in range(int(str(images)))]
            connection.executemany("INSERT INTO frames VALUES (?, ?, ?, ?, '')", frames)
        for number, (state, name, reason) in enumerate(ASIDE):
            sealed = archive.seal.close(json.dumps({"name": name, "reason": reason}))
            connection.execute(ITEM, (f"a{number}", state, sealed))


@pytest.fixture
def held(archive: Archive) -> Holdings:
    return holdings(archive, plain_vocabulary("views", ["a4c", "plax"]))


def test_what_is_there(held: Holdings) -> None:
    assert (held.patients, held.clips, held.images, held.waiting) == (3, 4, 10, 1)
    assert [(one.fold, one.patients, one.images) for one in held.folds] == [("train", 2, 6), ("test", 1, 4)]
    views = [(one.label, one.patients, one.clips, one.images, one.folds) for one in held.views]
    assert views == [
        ("a4c", 2, 2, 7, {"train": 3, "test": 4}),
        ("plax", 1, 1, 2, {"train": 2}),
        ("", 1, 1, 1, {"train": 1}),
    ]
    assert [one.meaning for one in held.views] == ["a4c", "plax", "no label"]
    machines = [(one.machine, one.expert, one.patients, one.clips, one.images) for one in held.machines]
    assert machines == [("Vivid", 1, 2, 3, 6), ("Epiq", 2, 1, 1, 4)]
    assert held.forms == (FormCount(form="dicom", clips=3), FormCount(form="images", clips=1))


def test_how_good_it_is(held: Holdings) -> None:
    """Quantiles of 0.8, 0.9 and 1.0, by linear interpolation; 1.0 is in the last step."""
    assert held.quality == Quality(
        with_sector=3,
        without_sector=1,
        quantiles=(0.8, 0.82, 0.9, 0.98, 1.0),
        histogram=(0, 0, 0, 0, 0, 0, 0, 0, 1, 2),
    )
    assert held.spacing == Spacing(known=2, unknown=2, range_mm=(0.2, 0.5))
    removed = held.removed
    assert (removed.clips, removed.pixels, removed.bright, removed.text, removed.marks) == (2, 0.375, 0.125, 1, 1)


def test_batches(held: Holdings) -> None:
    one, two = held.batches
    assert (one.name, one.expert, one.forms, one.patients, one.clips, one.images) == (
        *("b0001", 1, ("dicom", "images")),
        *(2, 3, 6),
    )
    assert (two.name, two.closed, two.expert, two.pixels) == ("b0002", "2026-02-01T10:00:00+00:00", 2, "sector")


def test_reasons_are_counted_without_what_is_the_hospitals_own(held: Holdings) -> None:
    assert held.outside == (
        OutsideCount(state="refused", reason="has …x… pixels, at least …x… are needed", items=2),
        OutsideCount(
            state="quarantined", reason="may show burnt-in text inside the sector; a person must look at it", items=1
        ),
        OutsideCount(state="quarantined", reason="is labelled …", items=1),
        OutsideCount(state="refused", reason="files ending in … are not read", items=1),
        OutsideCount(state="refused", reason="is not read, by a fault of this program …", items=1),
    )
    for own in ("Anna", "anna", "b.png"):
        assert own not in held.model_dump_json()


def test_an_empty_archive(home: SiteHome) -> None:
    held = holdings(home.archive, home.vocabulary)
    assert (held.patients, held.clips, held.images, held.views, held.batches) == (0, 0, 0, (), ())
    assert held.quality.quantiles == ()
    assert held.spacing.range_mm is None
    assert held.removed.pixels == 0
