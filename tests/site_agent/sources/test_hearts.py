"""Hearts in three dimensions as a source: the phantom's come back, and what cannot be is one line."""

from __future__ import annotations

import pickle
import random
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from federated.errors import DataError
from federated.label_map import LabelMap
from federated.vocabulary import builtin_vocabulary
from shared_models.phantom.volumes import NINE_PLANES
from shared_models.reconstruction.shape_folder import read_example
from site_agent.intake.ingest import Order, ingest
from site_agent.sources import hearts, source_of
from site_agent.sources.hearts import FILLED, HeartsSource, read_heart
from site_agent.sources.source import Item
from tests.site_agent.intake_making import archive_in
from tests.site_agent.reconstruction_making import heart_arrays, write_hearts
from tests.site_agent.sources.conftest import Exported

SOURCE = HeartsSource()


def _said(text: str) -> dict[str, Any]:
    return {"said": np.frombuffer(text.encode(), np.uint8)}


def _file(folder: Path, **changes: Any) -> Path:
    path = folder / "heart.npz"
    np.savez_compressed(path, **heart_arrays("p", 9.0, **changes))
    return path


def test_the_phantoms_hearts_come_back_as_they_were(exported: Exported) -> None:
    folder, _ = exported("hearts", patients=2, size=32)
    assert isinstance(source_of(folder), HeartsSource)
    items = [each for each in SOURCE.scan(folder) if isinstance(each, Item)]
    assert [item.name for item in items] == [f"PHANTOM-0000{n}-{at}.npz" for n in (1, 2) for at in ("ED", "ES")]
    opened = SOURCE.open(pickle.loads(pickle.dumps(items[1])))
    truth = read_example(folder / items[1].name)
    assert (opened.count, opened.facts.patient, opened.facts.words) == (9, "PHANTOM-00001", {"moment": "ES"})
    np.testing.assert_array_equal(np.stack(list(opened.frames())), np.rint(truth.planes * 255))
    np.testing.assert_array_equal(opened.beside()[FILLED], truth.target)


def test_all_of_them_are_taken_in_with_their_patients(tmp_path: Path, exported: Exported) -> None:
    folder, _ = exported("hearts", patients=2, size=32)
    archive = archive_in(tmp_path)
    report = ingest(archive, builtin_vocabulary("heart"), LabelMap(), folder, Order())
    assert (report.format, report.clips, report.patients, report.aside) == ("hearts", 4, 2, ())
    assert not [note for note in report.notes if "label" in note]
    rows = archive.catalogue.rows("SELECT item, words, batch FROM clips")
    assert {row[1] for row in rows} == {'{"moment": "ED"}', '{"moment": "ES"}'}
    assert all(archive.cache.read(row[0], FILLED).shape == (32, 32, 32) for row in rows)
    again = ingest(archive, builtin_vocabulary("heart"), LabelMap(), folder, Order())
    assert (again.clips, again.batches) == (0, ())


def test_one_file_is_a_root_too(tmp_path: Path) -> None:
    path = _file(tmp_path)
    assert SOURCE.recognises(path)
    assert [item.name for item in SOURCE.scan(path)] == ["heart.npz"]
    np.savez(tmp_path / "a.npz", planes=np.zeros(3))
    assert not SOURCE.recognises(tmp_path / "a.npz")
    assert not SOURCE.recognises(tmp_path), "the first file of a folder decides"


def test_pictures_are_kept_in_the_order_of_their_views(tmp_path: Path) -> None:
    held = read_heart(_file(tmp_path, views=("A2C", "PLAX")))
    assert held.beside()[hearts.VIEWS].tolist() == [NINE_PLANES.index("A2C"), NINE_PLANES.index("PLAX")]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"planes": np.zeros((2, 100, 100), np.uint8)}, "holds pictures uint8(2, 100, 100), its 2 views need uint8"),
        ({"planes": np.zeros((3, 224, 224), np.uint8)}, "holds pictures uint8(3, 224, 224), its 2 views"),
        ({"planes": np.zeros((2, 224, 224))}, "holds pictures float64(2, 224, 224)"),
        (_said("[]"), "does not say whose heart it is"),
        (_said("{"), "does not say whose heart it is"),
        (_said("[" * 3000), "does not say whose heart it is"),
        (_said('{"patient": " ", "views": ["A4C", "A2C"]}'), "does not say whose heart it is"),
        (_said('{"patient": "p", "views": ["A4C", 3]}'), "does not say whose heart it is"),
        (_said('{"patient": "p", "views": ["A4C", "A9C"]}'), "shows a view that is none of RV inflow, PLAX"),
        (_said('{"patient": "p", "views": ["A4C", "A4C"]}'), "cannot be read: view 'A4C' is given twice"),
        (_said('{"patient": "p", "moment": "late", "views": ["A4C", "A2C"]}'), "is of a moment that is neither"),
        ({"edge": np.int64(48)}, "has a volume that is no cube of 32, 64, 128"),
        ({"edge": np.int64(10**12)}, "has a volume that is no cube"),
        ({"edge": np.float64(32)}, "has a volume that is no cube"),
        ({"edge": np.int64(64)}, "has 4096 bytes of volume, a cube of 64 voxels a side has 32768"),
        ({"target": np.zeros(4096, np.uint8)}, "has a volume that is empty, or full"),
        ({"target": np.full(4096, 255, np.uint8)}, "has a volume that is empty, or full"),
        ({"spacing_mm": np.float64("nan")}, "has voxels whose edge is not between 0.001 and 10 mm"),
        ({"spacing_mm": np.array([1.0, 2.0])}, "has voxels whose edge is not between"),
        ({"planes": np.array([{}], dtype=object)}, "is damaged, or holds what is no plain array"),
        ({"planes": np.zeros((400, 224, 224), np.uint8)}, "unpacks to more than 16777216 bytes"),
    ],
)
def test_what_cannot_be_is_one_line(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(DataError) as told:
        read_heart(_file(tmp_path, **changes))
    assert told.value.what.startswith(reason)
    assert "\n" not in str(told.value)


def test_a_file_that_lacks_an_array_or_is_none_is_told(tmp_path: Path) -> None:
    path = tmp_path / "heart.npz"
    arrays = heart_arrays("p", 9.0)
    del arrays["edge"]
    np.savez(path, **arrays)
    with pytest.raises(DataError, match="is no heart: it holds no 'edge'"):
        read_heart(path)
    path.write_bytes(b"PK nothing")
    with pytest.raises(DataError, match="is no heart: it holds no 'said'"):
        read_heart(path)
    with zipfile.ZipFile(path, "w") as packed:
        for name in hearts.ARRAYS:
            packed.writestr(f"{name}.npy", b"x" * 20)
    with pytest.raises(DataError, match="is damaged, or holds what is no plain array"):
        read_heart(path)


@pytest.mark.parametrize("seed", range(60))
def test_a_byte_that_is_spoilt_gives_a_heart_or_one_line(tmp_path: Path, seed: int) -> None:
    path, chance = _file(tmp_path), random.Random(seed)
    data = bytearray(path.read_bytes())
    for _ in range(chance.choice((1, 3, 20))):
        data[chance.randrange(len(data))] = chance.randrange(256)
    path.write_bytes(bytes(data[: chance.choice((len(data), len(data) // 2))]))
    try:
        told = "" if read_heart(path).filled.any() else "an empty volume"
    except DataError as error:
        told = error.what if "\n" in error.what else ""
    assert not told


def test_one_that_cannot_be_read_is_set_aside_and_the_others_are_taken_in(tmp_path: Path) -> None:
    root = write_hearts(tmp_path / "in", 2)
    np.savez(root / "900.npz", **heart_arrays("p", 9.0, spacing_mm=np.float64(50)))
    report = ingest(archive_in(tmp_path), builtin_vocabulary("heart"), LabelMap(), root, Order())
    assert report.patients == 2
    assert [(one.name, one.reason) for one in report.aside] == [
        ("900.npz", "has voxels whose edge is not between 0.001 and 10 mm")
    ]
