"""The table has a row a measure and a column a source; MetaImage files are read; a quick run goes from end to end."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest

from benchmarks import phantom_realism
from benchmarks.phantom_realism import (
    ACROSS,
    APICAL,
    GALLERY,
    PHANTOM,
    apical_frames,
    measure,
    read_metaimage,
    stored_frame,
    summarise,
)
from tests.benchmarks.phantom_toys import write_gallery

HEADER = """NDims = 3
CompressedData = {compressed}
DimSize = 4 3 {frames}
ElementType = {kind}
ElementDataFile = a.raw
"""


def write_metaimage(folder: Path, *, compressed: bool, frames: int = 1, kind: str = "MET_UCHAR") -> Path:
    pixels = bytes(range(12))
    (folder / "a.raw").write_bytes(zlib.compress(pixels) if compressed else pixels)
    path = folder / "a_layer0.mhd"
    path.write_text(HEADER.format(compressed=compressed, frames=frames, kind=kind), encoding="utf-8")
    return path


@pytest.mark.parametrize("compressed", [True, False])
def test_a_metaimage_is_read(tmp_path: Path, compressed: bool) -> None:
    image = read_metaimage(write_metaimage(tmp_path, compressed=compressed))
    np.testing.assert_array_equal(image, np.arange(12).reshape(3, 4))
    assert len(apical_frames(tmp_path)) == 1


def test_other_metaimages_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="8-bit grey"):
        read_metaimage(write_metaimage(tmp_path, compressed=True, kind="MET_FLOAT"))
    with pytest.raises(ValueError, match="other than one frame"):
        read_metaimage(write_metaimage(tmp_path, compressed=True, frames=2))


def measures(near: float, far: float, grey: float) -> dict[str, float]:
    return {ACROSS.format("near"): near, ACROSS.format("far"): far, "grey": grey}


def test_the_table_and_its_claims() -> None:
    real = [measures(1, 2, 30), measures(3, 4, float("nan")), measures(2, 6, 50)]
    found = summarise({GALLERY: real, PHANTOM: [measures(2, 5, 40), measures(2, 5, 90)]})
    rows = {row["measure"]: row for row in found.rows}
    assert rows["grey"][GALLERY] == "40 (35 to 45)"
    assert rows["grey"][PHANTOM] == "65 (52.5 to 77.5)"
    assert APICAL not in rows["grey"]
    values = {claim.claim: claim for claim in found.claims}
    assert values["phantom: speckle across the beam, far against near"].holds is True
    assert values["measures whose phantom median lies between the gallery's extremes"].value == pytest.approx(200 / 3)


def test_a_stored_frame_is_a_reproducible_draw() -> None:
    first, again, other = (stored_frame("plax", seed, (96, 128)) for seed in (1, 1, 2))
    assert first.shape == (96, 128)
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_a_quick_run_from_end_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phantom_realism, "SIZE", (160, 200))
    write_gallery(tmp_path, [f"psax-{number}" for number in range(8)], {})
    found = measure(quick=True, gallery=tmp_path, apical=tmp_path)
    assert GALLERY in found.rows[0]
    assert APICAL not in found.rows[0]
    assert "phantom" in found.notes[0]
    with pytest.raises(ValueError, match="no gallery"):
        measure(quick=True, gallery=tmp_path / "elsewhere")
