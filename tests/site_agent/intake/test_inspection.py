"""What is seen in a file is what its index says, what was made, and what taking it in would do."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from federated.errors import DataError
from site_agent.intake import preparation
from site_agent.intake.inspection import Inspection, Values, form_of, inspect
from site_agent.intake.preparation import Rules, prepare
from site_agent.sources.dicom import open_dicom
from tests.shared_models.sector_toys import FAN, SHAPE, echoes
from tests.site_agent.sources.dicom_making import dataset, write

if TYPE_CHECKING:
    from collections.abc import Sequence

# the index was made with another JPEG decoder, whose inverse cosine transform rounds otherwise
MEAN_OF_OTHER_DECODER = {"sonoque_anechoic-3mm-3mm.dcm": 0.016}


def _rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "index.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _shape(seen: Inspection) -> str:
    frames = [seen.frames] if seen.frames > 1 else []
    return "x".join(map(str, [*frames, seen.height, seen.width]))


def test_real_dicom_is_as_its_index_says(shared_data: Path) -> None:
    """Means are of the values as they are stored: of a palette, of its indices."""
    rows = _rows(shared_data / "us_dicom")
    assert len(rows) == 10
    for row in rows:
        seen = inspect(shared_data / "us_dicom" / row["path"])
        values = seen.stored or seen.shown
        palette = row["photometric"] == "PALETTE COLOR"
        assert _shape(seen) == row["shape"].removesuffix("x3"), row["path"]
        assert seen.colours == (3 if row["shape"].endswith("x3") or palette else 1)
        assert (values.type, values.least, values.greatest) == (row["dtype"], float(row["min"]), float(row["max"]))
        off = MEAN_OF_OTHER_DECODER.get(row["path"], 0.0005)
        assert values.mean == pytest.approx(float(row["mean"]), abs=off), row["path"]
        assert (seen.stored is not None) == palette
        assert (seen.format, seen.told_by, seen.bytes) == ("dicom", "contents", int(row["bytes"]))
        assert len(seen.regions) == int(row["n_regions"])
        assert seen.encoding["transfer syntax"] == row["transfer_syntax"]


def test_real_metaimage_is_as_its_index_says(shared_data: Path) -> None:
    rows = _rows(shared_data / "vital_echo_mhd")
    assert len(rows) >= 5
    for row in rows:
        seen = inspect(shared_data / "vital_echo_mhd" / row["path"])
        assert f"{seen.frames}x{seen.height}x{seen.width}" == row["shape"]
        assert seen.spacing_mm == pytest.approx([float(row["spacing_mm"])] * 2)
        assert (seen.format, seen.told_by, seen.header) == ("metaimage", "name", None)
        if row["layer"] == "0":
            assert seen.outcome.sector is not None
            assert (seen.outcome.state, seen.outcome.sector.kind) == ("taken", "phased")


def _image(folder: Path, pixels: NDArray[np.uint8]) -> Path:
    Image.fromarray(pixels).save(folder / "a.png")
    return folder / "a.png"


def test_a_still_of_known_values(tmp_path: Path) -> None:
    pixels = np.arange(30 * 40, dtype=np.uint8).reshape(30, 40)
    seen = inspect(_image(tmp_path, pixels))
    assert (seen.format, seen.told_by, seen.encoding["format"]) == ("image", "contents", "PNG")
    assert (seen.frames, seen.height, seen.width, seen.colours) == (1, 30, 40, 1)
    assert seen.shown == Values(type="uint8", least=0, greatest=255, mean=pixels.mean())
    assert (seen.stored, seen.header, seen.spacing_mm) == (None, None, None)
    assert (seen.outcome.state, seen.outcome.blanking, seen.outcome.working) == ("taken", None, (30, 40))


def test_the_mean_is_over_all_frames(tmp_path: Path) -> None:
    frames = [Image.fromarray(np.full((16, 20), level, np.uint8)) for level in (10, 20, 60)]
    frames[0].putpixel((0, 0), 0)
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=40)
    seen = inspect(tmp_path / "a.gif", watched=True)
    assert (seen.format, seen.frames) == ("video", 3)
    assert seen.shown.mean == pytest.approx((20 + 30 + 60 - 10 / 320 - 20) / 3, abs=0.01)


def _sector(folder: Path, **elements: Any) -> Path:
    pixels = echoes(FAN)
    return write(folder / "clip.dcm", dataset(np.stack([pixels, pixels]), **elements))


def test_what_would_be_blanked_is_what_ingest_blanks(tmp_path: Path) -> None:
    path = _sector(tmp_path)
    seen, prepared = inspect(path), prepare(open_dicom(path), Rules(needs_sector=True))
    assert (seen.frames, seen.height, seen.width) == (2, *SHAPE)
    assert seen.outcome.blanking is not None
    assert seen.outcome.blanking.model_dump() == vars(prepared.blanked)
    assert seen.outcome.sector is not None
    assert seen.outcome.sector.quality > 0.7
    assert seen.outcome.working == prepared.frames.shape[1:]


def test_text_inside_is_shown_and_what_blanking_would_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def one_box(*_: object) -> list[Sequence[tuple[int, int, int, int]]]:
        return [((10, 20, 30, 40),)]

    monkeypatch.setattr(preparation, "find_texts", one_box)
    outcome = inspect(_sector(tmp_path)).outcome
    assert (outcome.state, outcome.text_inside) == ("quarantined", ((10, 20, 30, 40),))
    assert "burnt-in text inside the sector" in outcome.reason
    assert outcome.blanking is not None
    assert 0 < outcome.blanking.pixels < 1
    assert outcome.working is None


def test_dicom_without_a_sector_is_for_a_person(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 9, (1, 200, 300), dtype=np.uint8)
    outcome = inspect(write(tmp_path / "a.dcm", dataset(noise))).outcome
    assert (outcome.state, outcome.sector, outcome.blanking) == ("quarantined", None, None)


def test_deep_grey_is_told_as_stored_and_as_shown(tmp_path: Path) -> None:
    pixels = np.linspace(0, 4000, 64 * 64).astype(np.uint16).reshape(1, 64, 64)
    seen = inspect(write(tmp_path / "a.dcm", dataset(pixels, bits=12)))
    assert seen.stored is not None
    assert (seen.stored.type, seen.stored.least, seen.stored.greatest) == ("uint16", 0, 4000)
    assert seen.stored.mean == pytest.approx(pixels.mean())
    assert (seen.shown.type, seen.shown.greatest <= 255) == ("uint8", True)


def test_nobody_is_named(tmp_path: Path) -> None:
    path = _sector(tmp_path, PatientName="Okonkwo^Adaeze", PatientID="MRN-4711", StudyDescription="see Adaeze")
    seen = inspect(path)
    assert seen.header is not None
    assert {"PatientName", "PatientID"} <= {*seen.header.identifying}
    told = seen.model_dump_json()
    for word in ("Okonkwo", "Adaeze", "4711", "2.25."):
        assert word not in told
    assert Inspection.model_validate_json(json.dumps(seen.model_dump(mode="json"))) == seen


def test_a_machine_with_a_patients_name_is_not_told(tmp_path: Path) -> None:
    named = _sector(tmp_path, PatientName="Okonkwo^Adaeze", Manufacturer="Acme", ManufacturerModelName="Adaeze's")
    seen = inspect(named)
    assert (seen.maker, seen.model) == ("Acme", "")


def test_an_image_that_shows_nothing_is_seen_and_refused(tmp_path: Path) -> None:
    seen = inspect(_image(tmp_path, np.full((20, 20), 7, np.uint8)))
    assert (seen.shown.least, seen.shown.greatest) == (7, 7)
    assert (seen.outcome.state, seen.outcome.reason) == ("refused", "is empty: every pixel has the same value")


def test_the_contents_count(tmp_path: Path) -> None:
    _image(tmp_path, np.eye(20, dtype=np.uint8)).rename(tmp_path / "b.avi")
    assert form_of(tmp_path / "b.avi") == ("image", "contents", False)


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("a.txt", b"x", "files ending in '.txt' are not read"),
        ("index.csv", b"path,label\n", "is a list of images and no image"),
        ("a.png", b"", "is empty"),
        ("a.dcm", b"\0" * 128 + b"DICM", "holds no pixels"),
        ("missing.png", None, "is not there"),
    ],
)
def test_what_cannot_be_read_is_told(name: str, content: bytes | None, line: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as told:
        inspect(tmp_path / name)
    assert told.value.what.startswith(line)
    assert str(tmp_path) not in told.value.what


def test_a_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a folder; name files"):
        inspect(tmp_path)
