"""``consilium site reconstruct``: what it writes and says, and one line for each mistake."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from federated.enrolment import Kit
from shared_models.reconstruction.surface import TRIANGLE
from site_agent.home import SiteHome
from site_agent.reconstruction import preview
from site_agent.segmentation import segmenter
from site_agent.training_report.page import png
from site_agent.truth import LV
from tests.site_agent.reconstruction.heart_making import example, pictures_in, written
from tests.site_agent.reconstruction.test_echo_views import PIXEL_MM, Truth, masks_of

if TYPE_CHECKING:
    from tests.site_agent.conftest import Run


@pytest.fixture
def there(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command, where a network and pictures of two views are."""
    monkeypatch.setattr(preview, "PIXELS", 64)
    monkeypatch.setattr(preview, "FRAMES", 2)
    written(tmp_path / "heart.safetensors")
    pictures_in(tmp_path, "A4C", "A2C", "PLAX")
    return lambda *words: run("reconstruct", *words)


ASKED = ("A4C.png", "A2C.png", "--weights", "heart.safetensors", "--threshold", "0.4")


def test_a_mesh_a_volume_and_pictures_are_written(there: Run) -> None:
    done = there(*ASKED, "--out", "heart.stl", "--out", "heart.ply", "--preview", "heart.png", "--preview", "heart.gif")
    assert done.code == 0, done.err
    assert "closed surface" in done.out
    assert "32 voxels a side of 4.69 mm" in done.out
    assert "an average one is assumed: --pixel-mm" in done.err
    for name in ("heart.stl", "heart.ply", "heart.png", "heart.gif"):
        assert f"wrote {name}" in done.out
        assert Path(name).stat().st_size > 0


def test_the_order_of_files_and_their_names_do_not_matter(there: Run) -> None:
    there(*ASKED, "--out", "first.stl")
    Path("one.png").write_bytes(Path("A2C.png").read_bytes())
    told = there("4ch=A4C.png", "A2C=one.png", *ASKED[2:], "--out", "second.stl")
    assert told.code == 0, told.err
    again = there("one.png", "A4C.png", *ASKED[2:], "--views", "a2c,a4c", "--out", "third.stl")
    assert again.code == 0, again.err
    assert Path("first.stl").read_bytes() == Path("second.stl").read_bytes() == Path("third.stl").read_bytes()


def test_figures_are_json_and_pixels_tell_the_size(there: Run) -> None:
    truth = example()
    pixel = str(float(truth.picture_mm[0]))
    told = json.loads(there(*ASKED, "--out", "heart.stl", "--pixel-mm", pixel, "--json").out)
    assert (told["views"], told["closed"], told["size_told"]) == (["A4C", "A2C"], True, True)
    assert told["voxel_mm"] == pytest.approx(truth.spacing_mm, abs=1e-3)
    assert told["threshold"] == 0.4
    corners = np.frombuffer(Path("heart.stl").read_bytes()[84:], TRIANGLE)["corners"].astype(np.float64)
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    assert (a * np.cross(b, c)).sum() / 6000 == pytest.approx(told["volume_ml"], rel=1e-3)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("A4C.png", "--home", "none", "--out", "heart.stl"), "none"),
        (
            ("PLAX.png", *ASKED, "--out", "heart.stl"),
            "PLAX.png, A4C.png, A2C.png: the network was not built for view 'PLAX', but for A4C, A2C",
        ),
        (("A4C.png", *ASKED, "--out", "heart.stl"), "A4C.png: shows view A4C, as A4C.png does"),
        ((*ASKED, "--out", "heart.obj"), "heart.obj: ends in none of"),
        ((*ASKED, "--out", "none/heart.stl"), "none: there is no such folder"),
        ((*ASKED, "--out", "heart.stl", "--preview", "heart.jpg"), "heart.jpg: ends in none of"),
        ((*ASKED[:4], "--threshold", "0.99", "--out", "heart.stl"), "reconstruct: nothing in the volume reaches 0.99"),
        ((*ASKED, "--segment", "--home", "none", "--out", "heart.stl"), "none"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(there: Run, words: tuple[str, ...], told: str) -> None:
    done = there(*words)
    assert done.code == 1
    assert done.err.startswith(f"consilium: {told}")
    assert done.err.count("\n") == 1
    assert not Path("heart.stl").exists()


def test_a_picture_that_was_cut_is_named(there: Run) -> None:
    Path("A2C.png").write_bytes(Path("A2C.png").read_bytes()[:100])
    done = there(*ASKED, "--out", "heart.stl")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert done.err.startswith("consilium: A2C.png: is not a readable image")


def test_without_experts_nothing_is_segmented(there: Run, tmp_path: Path, kit: Kit) -> None:
    SiteHome.create(tmp_path / "ada", kit)
    done = there(*ASKED, "--segment", "--out", "heart.stl")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "segmentation" in done.err


def test_ultrasound_is_segmented_first(there: Run, tmp_path: Path, kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    masks, _, _ = masks_of("A4C", 21)
    monkeypatch.setattr(segmenter, "segmenter_of", lambda _home: Truth(masks))
    SiteHome.create(tmp_path / "ada", kit)
    speckle = np.random.default_rng(1).integers(1, 200, masks[LV].shape, dtype=np.uint8)
    Path("scan.png").write_bytes(png(speckle))
    done = there("A4C=scan.png", *ASKED[2:], "--segment", "--pixel-mm", str(PIXEL_MM), "--out", "heart.stl", "--json")
    assert (done.code, done.err) == (0, "")
    told = json.loads(done.out)
    assert (told["views"], told["size_told"], told["doubts"]) == (["A4C"], True, [])
