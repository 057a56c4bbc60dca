"""A clock goes on where it was stopped, at the end of an epoch."""

from __future__ import annotations

from benchmarks import course_clock
from benchmarks.course_clock import CourseClock
from shared_models.training import Progress

STEP, EPOCH = Progress(1, 2, 1, 2, 0.5), Progress(1, 2, 2, 2, 0.5, {})


def test_what_was_before_a_stop_counts_too(tmp_path, monkeypatch) -> None:
    now = [100.0]
    monkeypatch.setattr(course_clock.time, "process_time", lambda: now[0])
    clock = CourseClock(tmp_path)
    for after, done in ((3, STEP), (7, EPOCH), (2, STEP)):
        now[0] += after
        clock(done)
    assert clock.seconds == 12
    now[0] = 5.0  # another process, to which the step after the epoch is lost
    clock = CourseClock(tmp_path)
    assert clock.seconds == 10
    now[0] += 4
    clock(EPOCH)
    assert CourseClock(tmp_path).seconds == 14


def test_without_a_folder_nothing_is_written(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    clock = CourseClock(None)
    clock(EPOCH)
    assert clock.seconds >= 0
    assert not list(tmp_path.iterdir())
