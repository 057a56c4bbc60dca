"""Each task runs in a function of this file; what happens in it must cost that task alone."""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from federated.errors import ConsiliumError
from site_agent.intake.workers import MEMORY, Lost, each

FATES = ("fine", "exit", "segfault", "raise", "memory", "hang")
REASONS = {
    "exit": "brings the program that reads it to an end",
    "segfault": "brings the program that reads it to an end",
    "raise": "is not read, by a fault of this program (ValueError: a fault)",
    "memory": "needs more memory than is given to one file",
    "hang": "is not read within 1 seconds",
}


def meet(fate: str) -> str:
    """What becomes of a task."""
    if fate == "exit":
        os._exit(0)
    if fate == "segfault":
        faulthandler.disable()
        os.kill(os.getpid(), signal.SIGSEGV)
    if fate == "raise":
        raise ValueError("a fault")
    if fate == "memory":
        bytearray(2 * MEMORY)
    if fate == "hang":
        time.sleep(60)
    return fate.upper()


def double(number: int) -> int:
    time.sleep(0.02 * (number % 3))
    return 2 * number


@pytest.mark.parametrize("fate", sorted(REASONS))
def test_what_goes_wrong_costs_its_task_alone(fate: str) -> None:
    tasks = ["fine", fate, "fine", "fine", "fine"]
    done = list(each(meet, tasks, 2, seconds=1.0))
    assert sorted(task for task, _ in done) == sorted(tasks)
    assert dict(done) == {"fine": "FINE", fate: Lost(REASONS[fate])}


def test_all_that_can_go_wrong_at_once() -> None:
    done = list(each(meet, FATES * 2, 3, seconds=1.0))
    assert len(done) == 2 * len(FATES)
    assert dict(done) == {"fine": "FINE"} | {fate: Lost(reason) for fate, reason in REASONS.items()}
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("processes", [0, 1, 2, 7])
def test_every_task_is_done_once(processes: int) -> None:
    done = list(each(double, range(20), processes))
    assert sorted(done) == [(number, 2 * number) for number in range(20)]
    assert processes > 1 or done == sorted(done)


def test_fewer_tasks_than_processes_and_none() -> None:
    assert list(each(double, [4], 3)) == [(4, 8)]
    assert list(each(double, [], 3)) == []


def test_what_is_a_persons_mistake_ends_it_all() -> None:
    def full(number: int) -> int:
        if number == 3:
            raise ConsiliumError("the disk is full", where="frames", cure="free some space")
        return number

    for processes in (1, 2):
        with pytest.raises(ConsiliumError, match="frames: the disk is full; free some space"):
            list(each(full, range(9), processes))
    assert multiprocessing.active_children() == []


def test_who_stops_asking_leaves_no_process() -> None:
    work = each(double, range(50), 2)
    next(work)
    assert len(multiprocessing.active_children()) == 2
    work.close()
    assert multiprocessing.active_children() == []


def test_a_result_that_cannot_be_sent_costs_its_task(capfd: pytest.CaptureFixture[str]) -> None:
    def unsendable(number: int) -> object:
        return (lambda: number) if number == 1 else number

    done = dict(each(unsendable, range(4), 2))
    assert done == {0: 0, 1: Lost("brings the program that reads it to an end"), 2: 2, 3: 3}
    assert "Traceback" in capfd.readouterr().err


def test_a_process_leaves_no_picture_of_its_memory() -> None:
    assert list(each(lambda _: resource.getrlimit(resource.RLIMIT_CORE), [0, 1], 2)) == [(0, (0, 0)), (1, (0, 0))]


PROGRAM = """
import time
from site_agent.intake.workers import each
def slow(number):
    time.sleep(30)
    return number
print("begins", flush=True)
try:
    list(each(slow, range(9), 2))
except KeyboardInterrupt:
    print("stopped", flush=True)
"""


def test_ctrl_c_leaves_nothing_running() -> None:
    root = str(Path(__file__).resolve().parents[3])
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, cwd=root, text=True) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "begins\n"
        children = _children(program.pid)
        for process in (*children, psutil.Process(program.pid)):
            process.send_signal(signal.SIGINT)  # a terminal sends it to all of them
        assert program.stdout.read() == "stopped\n"
        assert program.wait(10) == 0
    assert not any(process.is_running() for process in children)


def test_workers_end_when_their_parent_is_killed() -> None:
    quick = PROGRAM.replace("sleep(30)", "sleep(1)")  # a worker looks up when its item is done
    root = str(Path(__file__).resolve().parents[3])
    with subprocess.Popen([sys.executable, "-c", quick], stdout=subprocess.PIPE, cwd=root, text=True) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "begins\n"
        children = _children(program.pid)
        program.kill()
        assert program.wait(10) == -signal.SIGKILL
        _, alive = psutil.wait_procs(children, timeout=20)
    assert children
    assert alive == []


def _children(pid: int) -> list[psutil.Process]:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        found = psutil.Process(pid).children()
        if len(found) == 2:
            return found
        time.sleep(0.05)
    raise AssertionError("no processes begin")
