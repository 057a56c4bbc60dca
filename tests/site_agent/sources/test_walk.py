from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from site_agent.sources.source import Refused
from site_agent.sources.walk import FOLLOWED, GLANCE, has_any, walk


def _make(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b".")


def test_files_come_by_name_folder_after_folder(tmp_path: Path) -> None:
    _make(tmp_path, "b/2.png", "b/1.png", "a/z/9.png", "a/5.png", "c.png")
    found = [path.relative_to(tmp_path).as_posix() for path in walk(tmp_path) if isinstance(path, Path)]
    assert found == ["c.png", "a/5.png", "a/z/9.png", "b/1.png", "b/2.png"]


def test_a_link_in_a_circle_is_told_and_not_followed(tmp_path: Path) -> None:
    _make(tmp_path, "a/1.png")
    (tmp_path / "a" / "up").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "a" / "round").symlink_to(tmp_path / "a" / "round")
    found = list(walk(tmp_path))
    assert found == [
        tmp_path / "a" / "1.png",
        tmp_path / "a" / "round",
        Refused("a/up", tmp_path / "a" / "up", FOLLOWED),
    ]


def test_a_folder_that_may_not_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _make(tmp_path, "a/1.png", "b/2.png")
    look = os.scandir

    def forbid(path: Path) -> Any:
        if path.name == "a":
            raise PermissionError(13, "Permission denied")
        return look(path)

    monkeypatch.setattr(os, "scandir", forbid)
    assert list(walk(tmp_path)) == [
        Refused("a", tmp_path / "a", "cannot be looked into (Permission denied)"),
        tmp_path / "b" / "2.png",
    ]


def test_a_glance_sees_the_first_files_only(tmp_path: Path) -> None:
    _make(tmp_path, *(f"{number:05d}.png" for number in range(GLANCE)), "z/1.NII.GZ")
    assert has_any(tmp_path, {".png"})
    assert not has_any(tmp_path, {".nii.gz"})
    (tmp_path / "00000.png").unlink()
    assert has_any(tmp_path, {".nii.gz", ".nii"})
