"""``consilium site motion`` as a person types it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from tests.site_agent.registration.clip_making import folder_of, frames, labels

Run = Callable[..., Any]


def made(folder: Path) -> tuple[Path, Path]:
    Image.fromarray(labels()).save(folder / "mask.png")
    return folder_of(folder / "clip", frames()), folder / "mask.png"


def test_a_clip_is_followed_without_a_home(run: Run, tmp_path: Path) -> None:
    clip, mask = made(tmp_path)
    both = ("--two-chamber", clip, "--two-chamber-mask", mask, "--spacing-mm", 0.5)
    result = run("motion", clip, "--mask", mask, "--steps", 3, "--out", "m.gif", "--strain", "s.csv", *both)
    assert (result.code, result.err) == (0, "")
    assert "longitudinal strain" in result.out
    assert "ejection fraction by both planes" in result.out
    assert "wrote m.gif" in result.out
    assert len((tmp_path / "s.csv").read_text().splitlines()) == 5


def test_figures_are_there_for_programs(run: Run, tmp_path: Path) -> None:
    clip, mask = made(tmp_path)
    found = run("motion", clip, "--mask", mask, "--values", "2,3", "--steps", 3, "--json").json
    assert found["views"][0]["frames"] == 4
    assert found["biplane_ejection_fraction_percent"] is None
    assert found["files"] == []


def test_a_mistake_is_one_line(run: Run, tmp_path: Path) -> None:
    clip, mask = made(tmp_path)
    for arguments, told in (
        ((clip,), "clip: nothing is drawn in frame 0; name a label map"),
        ((clip, "--mask", mask, "--out", "m.mp4"), "--out m.mp4: has another ending; name it .gif"),
        ((clip, "--mask", mask, "--plot", "none/s.png"), "--plot none/s.png: lies in no folder that is there"),
        ((clip, "--mask", mask, "--values", "lv"), "--values: is 'lv'; up to three whole numbers"),
        ((clip, "--mask", mask, "--rate-hz", 0), "--rate-hz: is 0.0; a number above 0"),
        ((clip, "--mask", mask, "--two-chamber-mask", mask), "the two-chamber view: needs a clip"),
        ((tmp_path / "none.dcm", "--mask", mask), "none.dcm: is not there"),
    ):
        result = run("motion", *arguments)
        assert result.code == 1
        assert result.err.count("\n") == 1
        assert told in result.err
