"""A disk of 1 MiB that fills up while images are taken in; once there is room, the ingest goes on where it was."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from federated.errors import ConsiliumError
from tests.site_agent.intake_making import archive_in, cases, content, data_set, picture, take_in

pytestmark = pytest.mark.system

IMAGES = 60
SIZE = (200, 200)  # 40 kB of noise each


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system in memory."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], check=True)
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("processes", [1, 2])
def test_a_full_disk_is_one_line_and_no_loss(tmp_path: Path, small_disk: Path, processes: int) -> None:
    rows = [{"path": f"{number}.png", "patient": f"P{number}"} for number in range(IMAGES)]
    for number, row in enumerate(rows):
        picture(tmp_path / "data" / row["path"], number, SIZE)
    index = data_set(tmp_path / "data", rows)
    take_in(tmp_path / "clean", index, pixels="whole")
    with pytest.raises(ConsiliumError, match=r"disk is full") as caught:
        take_in(small_disk / "site", index, processes=processes, pixels="whole")
    assert str(caught.value).isprintable()
    assert cases(small_disk / "site") == []
    assert archive_in(small_disk / "site").catalogue.rows("PRAGMA integrity_check") == [("ok",)]
    with pytest.raises(ConsiliumError, match=r"disk is full"):
        take_in(small_disk / "site", index, processes=processes, pixels="whole")
    subprocess.run(["mount", "-o", "remount,size=32m", str(small_disk)], check=True)
    assert take_in(small_disk / "site", index, processes=processes, pixels="whole").images == IMAGES
    assert content(small_disk / "site") == content(tmp_path / "clean")
