from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest

from federated.errors import ConsiliumError
from site_agent.frame_cache import FrameCache

KEY, OTHER = "ab" * 16, "ac" * 16
FRAMES = np.arange(5 * 9 * 11, dtype=np.uint8).reshape(5, 9, 11)
NUMBERS = np.array([0, 2, 4, 6, 8])


@pytest.fixture
def cache(tmp_path: Path) -> FrameCache:
    return FrameCache(tmp_path / "frames")


def test_frames_come_back_bit_for_bit_and_by_place(cache: FrameCache) -> None:
    cache.stage(KEY, {"frames": FRAMES, "numbers": NUMBERS})
    cache.settle(KEY)
    assert np.array_equal(cache.frames(KEY), FRAMES)
    assert np.array_equal(cache.frames(KEY, [4, 0, 4]), FRAMES[[4, 0, 4]])
    assert cache.read(KEY, "numbers").tolist() == NUMBERS.tolist()
    assert cache.read(KEY, "numbers").dtype == np.int64


def test_a_view_is_written_as_it_looks(cache: FrameCache) -> None:
    cache.stage(KEY, {"frames": FRAMES[:, ::-1, ::2]})
    cache.settle(KEY)
    assert np.array_equal(cache.frames(KEY), FRAMES[:, ::-1, ::2])


def test_equal_images_are_equal_bytes(cache: FrameCache) -> None:
    cache.stage(KEY, {"frames": FRAMES, "numbers": NUMBERS})
    cache.settle(KEY)
    cache.stage(OTHER, {"numbers": NUMBERS, "frames": FRAMES.copy()})
    cache.settle(OTHER)
    assert cache.path(KEY).read_bytes() == cache.path(OTHER).read_bytes()


def test_what_is_staged_takes_its_place_when_it_is_settled(cache: FrameCache) -> None:
    cache.stage(KEY, {"frames": FRAMES})
    cache.settle(KEY)
    cache.stage(KEY, {"frames": FRAMES + 1})
    assert np.array_equal(cache.frames(KEY), FRAMES)
    cache.settle(KEY)
    assert np.array_equal(cache.frames(KEY), FRAMES + 1)
    cache.stage(KEY, {"frames": FRAMES})
    cache.discard(KEY)
    cache.discard(KEY)
    assert np.array_equal(cache.frames(KEY), FRAMES + 1)
    assert [path.name for path in cache.folder.rglob("*.*")] == [f"{KEY}.safetensors"]
    with pytest.raises(ConsiliumError, match="cannot be written"):
        cache.settle(KEY)


def test_what_is_not_there_or_damaged_is_told_with_the_cure(cache: FrameCache) -> None:
    assert not cache.has(KEY)
    for data in (None, b"", b"something else", bytes(8)):
        if data is not None:
            cache.path(KEY).parent.mkdir(parents=True, exist_ok=True)
            cache.path(KEY).write_bytes(data)
        with pytest.raises(ConsiliumError, match="damaged; take the images in again: consilium site ingest"):
            cache.frames(KEY)
    cache.stage(KEY, {"frames": FRAMES})
    cache.settle(KEY)
    with pytest.raises(ConsiliumError, match="missing or damaged"):
        cache.read(KEY, "mask.lv")


def test_removing_is_done_once_and_may_be_asked_twice(cache: FrameCache) -> None:
    cache.stage(KEY, {"frames": FRAMES})
    cache.settle(KEY)
    assert cache.has(KEY)
    cache.remove(KEY)
    cache.remove(KEY)
    assert not cache.has(KEY)


def test_a_full_disk_is_told_and_leaves_what_was_there(cache: FrameCache, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.stage(KEY, {"frames": FRAMES})
    cache.settle(KEY)

    def full(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(ConsiliumError, match="the disk is full; free some space"):
        cache.stage(KEY, {"frames": FRAMES + 1})
    assert np.array_equal(cache.frames(KEY), FRAMES)
    assert [path.name for path in cache.path(KEY).parent.iterdir()] == [f"{KEY}.safetensors"]


def test_what_is_of_no_key_is_swept_away(cache: FrameCache) -> None:
    kept, staged, gone = "ab" * 16, "ab" + "cd" * 15, "ef" * 16
    cache.sweep({kept})
    for key in (kept, gone):
        cache.stage(key, {"frames": FRAMES})
        cache.settle(key)
    cache.stage(kept, {"frames": FRAMES})
    cache.stage(staged, {"frames": FRAMES})
    (cache.path(kept).parent / f".{kept}.staged.12345678").write_bytes(b"half")
    cache.sweep({kept})
    assert [path for path in cache.folder.rglob("*") if path.is_file()] == [cache.path(kept)]


def test_other_users_cannot_look(cache: FrameCache) -> None:
    cache.stage(KEY, {"frames": FRAMES})
    cache.settle(KEY)
    assert cache.path(KEY).parent.stat().st_mode & 0o077 == 0


def test_names_of_arrays_are_told(cache: FrameCache) -> None:
    cache.stage(KEY, {"numbers": NUMBERS, "frames": FRAMES})
    cache.settle(KEY)
    assert cache.names(KEY) == ["frames", "numbers"]
    with pytest.raises(ConsiliumError, match="missing or damaged"):
        cache.names(OTHER)
