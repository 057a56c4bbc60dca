"""Whole federations over Flower's real runtime: TLS, node authentication, and what goes wrong on the way."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from federated.errors import ConsiliumError
from server.coordinator import Coordinator
from server.event import EventSummary, run_event
from server.superlink import SuperLink
from site_agent import adopt
from tests.e2e.digits import CONSILIUM, PATIENCE, Files, Hospital, address, found, join, processes, wait_until

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning"),  # Flower's, of its own builder
]

ROUND_SECONDS = 60.0


def _releases_through_files(folder: Path) -> list[str | None]:
    folder.mkdir()
    coordinator = found(folder, "127.0.0.1:18000")
    homes = {"ada": join(coordinator, "ada")}
    first = run_event(coordinator, Files(homes)).release
    homes["ben"] = join(coordinator, "ben")
    return [first, run_event(coordinator, Files(homes)).release]


@dataclass
class Federation:
    """A coordinator, its SuperLink, and the hospitals that joined so far."""

    folder: Path
    coordinator: Coordinator
    link: SuperLink
    stack: ExitStack

    def join(self, name: str) -> Hospital:
        hospital = Hospital(join(self.coordinator, name))
        self.stack.callback(hospital.stop)
        self.link.admit()
        return hospital

    def event_killed_between_intake_and_release(self) -> str:
        """Kills the event's process as soon as a contribution is in the registry; what the coordinator is told."""

        def kill() -> None:
            wait_until(lambda: self.coordinator.status()["sites"][0]["contributions"])
            assert self.coordinator.status()["releases"] == []
            for process in processes(self.folder, "flwr-serverapp"):
                process.kill()

        with _meanwhile(kill), pytest.raises(ConsiliumError) as told:
            self.link.run_event(ROUND_SECONDS)
        return str(told.value)

    def event_while_stopping(self, hospital: Hospital) -> EventSummary:
        """Stops a site as soon as a message has reached its SuperNode."""

        def stop() -> None:
            wait_until(lambda: "Receiving: query.exchange" in hospital.log.read_text())
            hospital.stop(signal.SIGTERM)

        with _meanwhile(stop):
            return self.link.run_event(ROUND_SECONDS)


@contextmanager
def _meanwhile(action: Callable[[], None]) -> Iterator[None]:
    thread = threading.Thread(target=action)
    thread.start()
    try:
        yield
    finally:
        thread.join()


@pytest.fixture
def federation(tmp_path: Path) -> Iterator[Federation]:
    """Everything that it starts is stopped, the hospitals before the SuperLink; then nothing is left behind."""
    folder = tmp_path / "flower"
    folder.mkdir()
    coordinator = found(folder, address())
    with ExitStack() as stack:
        link = stack.enter_context(SuperLink(coordinator.home))
        yield Federation(folder, coordinator, link, stack)
    wait_until(lambda: not list(processes(tmp_path)))


def test_arrivals_through_flower_whatever_goes_wrong(federation: Federation, tmp_path: Path) -> None:
    expected = _releases_through_files(tmp_path / "files")
    link, ada = federation.link, federation.join("ada")
    ada.start()
    assert link.wait_for_all(PATIENCE) == {"ada"}
    assert "the event ended as finished" in federation.event_killed_between_intake_and_release()
    resumed = link.run_event(ROUND_SECONDS)
    assert (resumed.number, resumed.release) == (1, expected[0])
    with ada.home.lock():
        newest = adopt.read_shelf(ada.home).named("1")
        adopt.choose(ada.home, newest.digest, "refused", "worse on our own patients")

    assert ada.stop() == 130
    wait_until(lambda: not link.online())
    ben = federation.join("ben")
    ben.start()
    wait_until(lambda: link.online() == {"ben"})
    interrupted = federation.event_while_stopping(ben)
    assert interrupted.release is None
    assert [(one.site, one.unreached) for one in interrupted.rounds[0]] == [("ben", "offline")]

    ada.start()
    ben.start()
    assert link.wait_for_all(PATIENCE) == {"ada", "ben"}
    both = link.run_event(ROUND_SECONDS)
    assert (both.number, both.release, both.trouble) == (2, expected[1], "")
    assert [one.unreached for answers in both.rounds for one in answers] == [""] * 6
    assert ("ada", "adoption", "accepted") in [(one.site, one.kind, one.outcome) for one in both.accepted]
    assert federation.coordinator.status()["sites"][0]["adoptions"] == {expected[0]: "refused"}


def test_the_commands_serve_until_ctrl_c_and_leave_nothing_behind(tmp_path: Path) -> None:
    coordinator = found(tmp_path, address())
    hospital = Hospital(join(coordinator, "ada"))
    output = tmp_path / "coordinator.out"
    command = [CONSILIUM, "coordinator", "run", "--home", str(coordinator.home.path)]
    with output.open("wb") as file, ExitStack() as stack:
        serving = subprocess.Popen(command, stdout=file, stderr=file)
        stack.callback(serving.kill)
        stack.callback(hospital.stop)
        hospital.start()
        wait_until(lambda: "SuperLink ready" in output.read_text())
        second = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
        assert second.returncode == 1
        assert "the port cannot be used (Address already in use); stop what listens there" in second.stderr
        assert second.stderr.count("\n") == 1
        wait_until(lambda: "release 1" in output.read_text())
        assert hospital.stop() == 130
        serving.send_signal(signal.SIGINT)
        assert serving.wait(PATIENCE) == 130
    assert "1 statistics accepted" in output.read_text()
    assert "Traceback" not in output.read_text() + hospital.said()
    wait_until(lambda: not list(processes(tmp_path)))
