"""A clip from file to figures; whence the outline comes, and what is told where there is none."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from federated.errors import ConsiliumError
from shared_models.registration.cine import Followed
from site_agent.intake.preparation import Transform
from site_agent.registration import motion
from site_agent.registration.clip_files import HeartClip
from site_agent.registration.drawn_ventricle import in_segments
from site_agent.registration.motion import Reading, Seen, View, figures_of, follow_views, report_of
from site_agent.registration.one_pair import Settings
from site_agent.registration.strain import Motion
from site_agent.segmentation import segmenter
from site_agent.truth import LV, MYOCARDIUM
from tests.site_agent.registration.clip_making import CAVITY, MIDDLE, SHARES, WALL, arch, folder_of, frames, labels

QUICK = Settings("mse", 0.001, steps=25)
STILL = Settings("mse", steps=1)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    Image.fromarray(labels()).save(tmp_path / "mask.png")
    return folder_of(tmp_path / "clip", frames())


@pytest.fixture
def seen(clip: Path, tmp_path: Path) -> Seen:
    return follow_views([View(clip, tmp_path / "mask.png")], Reading(spacing_mm=0.5, rate_hz=20), QUICK)[0]


def test_a_contraction_that_is_known_is_told(seen: Seen, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("m.gif", "s.csv", "s.png")]
    report = report_of([seen, seen], *files)
    found = report.views[0]
    assert (found.end_diastole, found.end_systole, found.frames) == (0, 2, 4)
    assert found.drawn_by == "mask.png"
    assert found.strain_percent == pytest.approx(100 * (min(SHARES) - 1), abs=1.5)
    assert found.ejection_fraction_percent == pytest.approx(100 * (1 - min(SHARES) ** 3), abs=3)
    assert found.area_change_percent == pytest.approx(100 * (1 - min(SHARES) ** 2), abs=2.5)
    assert report.biplane_ejection_fraction_percent == pytest.approx(found.ejection_fraction_percent)
    assert all(path.stat().st_size > 100 for path in files)
    assert report.files == tuple(map(str, files))
    assert dict(found.rows())["end-systole"] == "frame 2"
    assert found.doubts == ()


def test_a_frame_that_is_no_end_of_diastole_is_doubted() -> None:
    start = in_segments(arch())
    contours = np.stack([MIDDLE + share * (start - MIDDLE) for share in (1.0, 0.9, 1.1)])
    held = Motion(Followed(contours, 0, 1.0), (5, 6, 7), None, scaled=False)
    clip = HeartClip("c", frames()[:3], (5, 6, 7), None, None, None, (64, 64), Transform((0, 0, 63, 63), (64, 64)), {})
    told = "the ventricle is larger in frame 7 than in frame 5, which is taken for end-diastole: draw it there, and say"
    assert figures_of(Seen(clip, held, "")).doubts == (f"{told} --end-diastole 7",)


def test_a_ventricle_larger_than_any_is_doubted_where_its_size_is_known() -> None:
    start = in_segments(arch())
    contours = np.stack([start, MIDDLE + 0.9 * (start - MIDDLE)])
    clip = HeartClip("c", frames()[:2], (0, 1), None, None, None, (64, 64), Transform((0, 0, 63, 63), (64, 64)), {})

    def doubts(spacing_mm: float, *, scaled: bool) -> tuple[str, ...]:
        return figures_of(Seen(clip, Motion(Followed(contours, 0, spacing_mm), (0, 1), None, scaled=scaled), "")).doubts

    (told,) = doubts(5, scaled=True)
    assert told.startswith("the ventricle would hold ")
    assert told.endswith(" ml: look whether --values and the size of a pixel are right")
    assert doubts(5, scaled=False) == doubts(1, scaled=True) == ()


def test_without_a_size_there_are_no_millilitres(clip: Path, tmp_path: Path) -> None:
    seen = follow_views([View(clip, tmp_path / "mask.png")], Reading(), STILL)[0]
    found = figures_of(seen)
    assert (found.spacing_mm, found.rate_hz, found.end_diastolic_ml) == (None, None, None)
    with pytest.raises(ConsiliumError, match="clip: does not say the size of a pixel, which two views need"):
        follow_views([View(clip, tmp_path / "mask.png")] * 2, Reading(), STILL)


def test_what_is_drawn_beside_a_clip_is_followed_from_its_frame(tmp_path: Path) -> None:
    drawn = np.zeros_like(frames())
    drawn[1] = labels()
    for name, values in (("clip", frames()), ("clip_gt", drawn)):
        nibabel.Nifti1Image(values.transpose(2, 1, 0), np.eye(4)).to_filename(tmp_path / f"{name}.nii.gz")
    seen = follow_views([View(tmp_path / "clip.nii.gz")], Reading(), STILL)[0]
    assert seen.drawn_by == "label map gt"
    assert seen.motion.followed.end_diastole == 1


def test_where_nothing_is_drawn_the_sites_experts_are_asked(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    class Experts:
        def look(self, images: list[NDArray[np.uint8]]) -> list[segmenter.Seen]:
            asked.extend(
                int(np.flatnonzero([np.array_equal(images[0], frame) for frame in frames()])[0]) for _ in images
            )
            found = np.where(labels() == CAVITY, 1, np.where(labels() == WALL, 2, 0)).astype(np.uint8)
            return [segmenter.Seen((LV, MYOCARDIUM), found * visible, {}, {}, {})]

    visible = 1
    monkeypatch.setattr(motion, "open_home", lambda path: path)
    monkeypatch.setattr(segmenter, "segmenter_of", lambda _home: Experts())
    seen = follow_views([View(clip, end_diastole=1)], Reading(home=tmp_path), STILL)[0]
    assert (seen.drawn_by, asked) == ("the site's experts", [1])
    visible = 0
    with pytest.raises(ConsiliumError, match="clip: the site's experts see no left ventricle in it; name a label map"):
        follow_views([View(clip)], Reading(home=tmp_path), STILL)


def test_what_is_missing_is_told(clip: Path, tmp_path: Path) -> None:
    with pytest.raises(
        ConsiliumError, match=r"clip: nothing is drawn in frame 0; name a label map .* with --mask, or run"
    ):
        follow_views([View(clip)], Reading(), STILL)
    with pytest.raises(ConsiliumError, match="--end-diastole: is frame 9 of 4, which are numbered from 0; name one"):
        follow_views([View(clip, tmp_path / "mask.png", 9)], Reading(), STILL)
