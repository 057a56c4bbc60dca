"""Whole federations over Flower's real runtime: TLS, node authentication, and what goes wrong on the way."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from federated.errors import ConsiliumError
from federated.log.verification import verify_log
from server.coordinator import Coordinator
from server.event import EventSummary, run_event
from server.log import copy_log
from server.superlink import SuperLink
from site_agent import adopt
from site_agent.agent import exchange
from site_agent.lease import lease
from tests.e2e.hospitals import CONSILIUM, PATIENCE, Files, Hospital, address, found, join, processes, wait_until

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning"),  # Flower's, of its own builder
]

ROUND_SECONDS = 60.0
CONTRIBUTIONS = 3  # of a site whose policy lets everything out: statistics, features, weights


def _releases_through_files(folder: Path) -> list[str | None]:
    """What the same story gives without Flower, where nothing is killed."""
    folder.mkdir()
    coordinator = found(folder, "127.0.0.1:18000")
    homes = {"ada": join(coordinator, "ada")}
    coordinator.accept_all(exchange(homes["ada"], [], []))
    first = run_event(coordinator, Files({})).release
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
        """Kills the event's process as soon as all of a site is in the registry; what the coordinator is told."""

        def kill() -> None:
            wait_until(lambda: len(self.coordinator.status()["sites"][0]["contributions"]) == CONTRIBUTIONS)
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

    def event_while_refusing(self, hospital: Hospital) -> EventSummary:
        """Refuses the first release at a site as soon as it is there; the event goes on."""
        shelf = partial(adopt.read_shelf, hospital.home)

        def refuse() -> None:
            wait_until(lambda: shelf().releases)
            with hospital.home.lock():
                adopt.choose(hospital.home, shelf().named("1").digest, "refused", "worse on our own patients")

        with _meanwhile(refuse):
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

    assert ada.stop() == 130
    wait_until(lambda: not link.online())
    ben = federation.join("ben")
    ben.start()
    wait_until(lambda: link.online() == {"ben"})
    resumed = federation.event_while_stopping(ben)
    assert [(one.site, one.unreached) for one in resumed.rounds[0]] == [("ben", "offline")]
    assert (resumed.number, resumed.release) == (1, expected[0])

    ada.start()
    ben.start()
    assert link.wait_for_all(PATIENCE) == {"ada", "ben"}
    both = federation.event_while_refusing(ada)
    assert (both.number, both.release, both.trouble) == (2, expected[1], "")
    assert [one.unreached for answers in both.rounds for one in answers] == [""] * 6
    assert ("ada", "adoption", "accepted") in [(one.site, one.kind, one.outcome) for one in both.accepted]
    assert federation.coordinator.status()["sites"][0]["adoptions"] == {expected[0]: "refused"}
    leases = [lease(each.home) for each in (ada, ben)]
    assert [each and each.standing for each in leases] == [(1, 2), (1, 2)]
    copied = tmp_path / "log"
    copy_log(federation.coordinator.home, copied)
    checks = verify_log(copied, federation.coordinator.trust(), witnesses=2)
    assert [(check.name, check.ok) for check in checks] == [
        ("checkpoint", True),
        ("witnesses", True),
        ("entries", True),
    ]
    assert "ada, ben signed" in checks[1].found


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
        wait_until(lambda: coordinator.status()["sites"][0]["contributions"])
        serving.send_signal(signal.SIGINT)  # in the middle of an event
        assert serving.wait(PATIENCE) == 130
        assert hospital.stop() == 130
    assert "Traceback" not in output.read_text() + hospital.said()
    wait_until(lambda: not list(processes(tmp_path)))
