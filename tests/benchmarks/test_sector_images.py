"""Odd numbers of a gallery are unseen; the index says the mode; videos, stills and MetaImage are read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.sector_images import FRAMES, GALLERY, LUNG, SCREENS, gallery_images, read_video, real_images, said_mode
from tests.benchmarks.test_phantom_realism import write_metaimage

INDEX = """path,view_id,family,colour_fraction
07_a4c.png,7,apical,0.02
08_psax.png,8,psax,0.001
09_pw.png,9,doppler,0.02
"""


@pytest.fixture
def gallery(tmp_path: Path) -> Path:
    (tmp_path / "index.csv").write_text(INDEX, encoding="utf-8")
    for name in ("07_a4c", "08_psax", "09_pw"):
        Image.fromarray(np.zeros((40, 50, 3), np.uint8)).save(tmp_path / f"{name}.png")
    return tmp_path


def test_a_gallery_has_two_halves(gallery: Path) -> None:
    images = list(gallery_images(gallery))
    assert [(image.name, image.unseen, image.mode) for image in images] == [
        ("07_a4c", True, "colour"),
        ("08_psax", False, "b"),
        ("09_pw", True, "spectral"),
    ]
    assert all(image.frames.shape == (40, 50, 3) for image in images)


def test_an_m_mode_is_one_whatever_its_colour() -> None:
    assert said_mode({"family": "mmode", "colour_fraction": "0.3"}) == "m"


def test_three_folders_in_turn(gallery: Path, tmp_path: Path) -> None:
    lung, screens = tmp_path / "lung", tmp_path / "screens"
    (lung / "originals").mkdir(parents=True)
    screens.mkdir()
    Image.fromarray(np.full((30, 20), 9, np.uint8)).save(lung / "originals" / "a.png")
    (lung / "originals" / "SOURCE.md").write_text("no image", encoding="utf-8")
    write_metaimage(screens, compressed=True)
    assert [image.source for image in real_images(gallery, lung, screens)] == [GALLERY] * 3 + [LUNG, SCREENS]
    assert list(real_images(lung, gallery, gallery)) == []


def test_a_video_is_read_evenly(tmp_path: Path) -> None:
    import av

    path = tmp_path / "a.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for number in range(40):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 5 * number, np.uint8), format="rgb24")
            container.mux(stream.encode(frame.reformat(format="yuvj420p")))
        container.mux(stream.encode())
    frames = read_video(path)
    assert frames.shape == (FRAMES, 48, 64, 3)
    levels = frames.mean(axis=(1, 2, 3))
    assert (np.diff(levels) > 0).all()
    assert levels[-1] == pytest.approx(195, abs=4)
