from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

from federated.errors import DataError
from site_agent.sources import source as module
from site_agent.sources.source import MAX_FRAME_PIXELS, MAX_FRAMES, Facts, Item, Opened, check_file, check_size


def test_an_item_can_be_sent_to_another_process(tmp_path: Path) -> None:
    item = Item("a", tmp_path, (tmp_path / "b",), "P", "c", "l", "s", (1, 2), "test", {"beat": (3, 4.5)})
    assert pickle.loads(pickle.dumps(item)) == item  # its own bytes


def test_facts_say_nothing_unless_told() -> None:
    facts = Facts()
    assert (facts.patient, facts.label, facts.spacing_mm, facts.ejection_fraction) == ("", "", None, None)
    assert not facts.masked
    assert Opened(1, False, facts, lambda: iter([])).annotations() == ()


@pytest.mark.parametrize(
    ("size", "reason"),
    [
        ((0, 5), "0x5 pixels"),
        ((5, -1), "5x-1 pixels"),
        ((5, 5, 0), "0 frames"),
        ((MAX_FRAME_PIXELS // 8 + 1, 8), "at most 64 million are read"),
        ((10, 10, MAX_FRAMES + 1), "more than is read"),
        ((4000, 4000, 300), "more than is read"),
    ],
)
def test_absurd_sizes_are_refused_before_memory_is_taken(size: tuple[int, ...], reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        check_size(*size)


def test_sizes_that_machines_make_are_read() -> None:
    check_size(1920, 1080, 1000)
    check_size(1, 1)
    check_size(MAX_FRAME_PIXELS, 1)


def test_a_file_is_there_not_empty_and_not_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    with pytest.raises(DataError, match="is not there, or is no file"):
        check_file(path)
    with pytest.raises(DataError, match="is no file"):
        check_file(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="is no file"):
        check_file(tmp_path / "pipe")
    path.write_bytes(b"")
    with pytest.raises(DataError, match="is empty"):
        check_file(path)
    path.write_bytes(b"12345")
    assert check_file(path) == 5
    monkeypatch.setattr(module, "MAX_FILE_BYTES", 4)
    with pytest.raises(DataError, match="has 5 bytes, at most 4 are read"):
        check_file(path)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(DataError):
        check_file(tmp_path / "loop")
