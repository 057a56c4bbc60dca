"""Motion through clips is written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from federated.enrolment import Kit
from federated.errors import ConsiliumError, DataError
from site_agent.home import SiteHome
from site_agent.intake.preparation import Prepared
from site_agent.registration.prediction import Motion, followed, picture, predict, told
from site_agent.registration.registrar import Registered, registrar_of
from site_agent.sources.source import Facts
from site_agent.tasks.registration import train
from site_agent.truth import clips_of
from tests.site_agent.registration_making import BATCH, SIZE, registration_home
from tests.site_agent.sources.conftest import Exported, exported

__all__ = ["exported"]

SPOT = 60


@pytest.fixture
def home(tmp_path: Path, kit: Kit, exported: Exported) -> SiteHome:
    return registration_home(tmp_path / "site", kit, exported("camus", **SIZE)[0])


@pytest.fixture
def clip(home: SiteHome, tmp_path: Path) -> Path:
    """A site's own clip as an animated picture."""
    frames = home.archive.cache.frames(clips_of(home.archive)[0].key)
    first, *others = [Image.fromarray(frame) for frame in frames]
    path = tmp_path / "asked.gif"
    first.save(path, save_all=True, append_images=others)
    return path


def test_every_clip_has_fields_a_picture_and_a_line(home: SiteHome, clip: Path, tmp_path: Path) -> None:
    with pytest.raises(ConsiliumError, match="no expert of registration is here"):
        predict(home, [clip], tmp_path / "out", "npz")
    train(home, BATCH)
    Image.fromarray(np.full((64, 64), SPOT, np.uint8)).save(tmp_path / "still.png")
    done = predict(home, [clip, tmp_path / "still.png"], tmp_path / "out", "npz")
    assert done.images == 1
    assert done.unreadable == ((str(tmp_path / "still.png"), done.unreadable[0][1]),)
    (line,) = [json.loads(text) for text in (tmp_path / "out/predictions.jsonl").read_text().splitlines()]
    with np.load(tmp_path / "out" / line["fields"]) as held:
        fields = held["fields"]
        assert held["frames"].tolist() == line["frames"]
        assert held["end_diastole"] == 0
    width, height = line["size"]
    assert fields.shape == (len(line["frames"]), 2, height, width)
    assert not fields[0].any()
    assert all(field.any() for field in fields[1:])
    assert line["experts"]["ada"]["share"] == 1
    assert line["folded_percent"] == 0
    assert 0 < line["likeness_before"] < 1
    assert (line["unit"], line["moved"][0]) == ("pixels", 0)
    assert all(moved > 0 for moved in line["moved"][1:])
    with Image.open(tmp_path / "out" / line["picture"]) as shown:
        assert shown.size == (3 * width, height)


def test_a_still_alone_is_refused_in_a_line(home: SiteHome, tmp_path: Path) -> None:
    train(home, BATCH)
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "still.png")
    with pytest.raises(
        DataError, match=r"none of the 1 clips can be used; .*still\.png has one frame, and motion is se"
    ):
        predict(home, [tmp_path / "still.png"], tmp_path / "out", "npz")
    assert not (tmp_path / "out").exists()


def test_end_diastole_is_where_the_file_says(home: SiteHome) -> None:
    train(home, BATCH)
    frames = home.archive.cache.frames(clips_of(home.archive)[0].key)[:3]
    for said, place in ((None, 0), (8, 2), (5, 0)):
        given = Prepared("taken", "", Facts(end_diastole=said), numbers=(4, 6, 8), frames=frames)
        shares: list[float] = []
        motion = followed(registrar_of(home), given, watch=shares.append)
        assert shares == pytest.approx([0, 1 / 3, 2 / 3])
        assert motion.end_diastole == place
        assert [each is None for each in motion.registered] == [row == place for row in range(3)]


def _motion(spacing: tuple[float, float] | None = None) -> Motion:
    """A spot that goes three pixels down and four to the right."""
    images = np.zeros((2, 40, 40), np.uint8)
    images[0, 10:14, 10:14] = images[1, 13:17, 14:18] = 200
    field = np.stack([np.full((40, 40), 3), np.full((40, 40), 4)]).astype(np.float32)
    return Motion(images, (0, 1), 0, (None, Registered(field, {"a": 0.5}, {"a": 1.0})), spacing)


def test_how_far_tissue_is_moved_is_told_in_pixels_or_millimetres() -> None:
    assert _motion().lengths.tolist() == [0, 5]
    assert _motion((2.0, 1.0)).lengths.tolist() == pytest.approx([0, np.hypot(6, 4)])
    line = told(_motion((2.0, 1.0)))
    assert (line["unit"], line["moved"], line["end_diastole"]) == ("mm", [0.0, 7.211], 0)
    assert line["experts"] == {"a": {"p": 0.5, "share": 1.0}}
    assert line["likeness_after"] > line["likeness_before"]


def test_a_picture_shows_the_frame_the_frame_brought_back_and_end_diastole() -> None:
    shown = picture(_motion())
    moving, back, fixed = np.split(shown, 3, axis=1)
    assert np.array_equal(moving, _motion().images[1])
    assert np.array_equal(back, fixed)
    assert np.array_equal(fixed, _motion().images[0])
