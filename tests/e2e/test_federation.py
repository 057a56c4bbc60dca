"""Whole federations over Flower's real runtime: TLS, node authentication, and what goes wrong on the way."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from federated.errors import ConsiliumError
from federated.keys import fingerprint, public_hex, read_private_key
from federated.manifest import FrontEndCard
from federated.vocabulary import plain_vocabulary
from server.coordinator import Coordinator
from server.event import EventSummary, ExchangeRequest, run_event
from server.home import CoordinatorConfig, CoordinatorHome
from server.superlink import SuperLink
from shared_models.front_ends import create_front_end
from site_agent import adopt
from site_agent.agent import exchange
from site_agent.home import SiteHome
from site_agent.ingest import ingest
from site_agent.policy import permissive_policy, sign_policy, write_policy

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning"),  # Flower's, of its own builder
]

CONSILIUM = str(Path(sys.executable).parent / "consilium")
DIGITS = {"ada": (0, 1, 2), "ben": (1, 2, 3)}
PATIENTS = 16
ROUND_SECONDS = 60.0
PATIENCE = 90.0


class Files:
    """The route without Flower: the same function of the agent, called here."""

    def __init__(self, homes: Mapping[str, SiteHome]) -> None:
        self.homes = homes

    def sites(self) -> list[str]:
        return sorted(self.homes)

    def exchange(self, requests: Mapping[str, ExchangeRequest]) -> dict[str, list[bytes]]:
        return {site: exchange(self.homes[site], one.parcels, one.settled) for site, one in requests.items()}


class Hospital:
    """`consilium site run` of one home."""

    def __init__(self, home: SiteHome) -> None:
        self.home = home
        self.log = home.path / "flower" / "supernode.log"
        self._output = home.path.with_suffix(".out")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._output.open("wb") as output:
            command = [CONSILIUM, "site", "run", "--home", str(self.home.path)]
            self._process = subprocess.Popen(command, stdout=output, stderr=output)

    def stop(self, number: int = signal.SIGINT) -> int | None:
        """Its exit status, None where it was not running."""
        if self._process is None:
            return None
        self._process.send_signal(number)
        code = self._process.wait(PATIENCE)
        self._process = None
        return code

    def said(self) -> str:
        return self._output.read_text()


def _found(folder: Path, superlink: str) -> Coordinator:
    front_end = create_front_end("pixels")
    card = FrontEndCard(name="pixels", config={}, digest=front_end.digest, features=front_end.features)
    config = CoordinatorConfig(
        federation="digits", name="hub", task="classification", front_end=card, superlink=superlink
    )
    vocabulary = plain_vocabulary("digits", ["0", "1", "2", "3"])
    return Coordinator(CoordinatorHome.create(folder / "hub", config, vocabulary))


def _join(coordinator: Coordinator, name: str) -> SiteHome:
    """A site that is enrolled, with images and a policy that lets everything out."""
    folder = coordinator.home.path.parent
    home = SiteHome.create(folder / name, coordinator.invite(name))
    (home.keys_path / "secret").write_bytes(name.encode().ljust(32, b"."))  # the same folds in both federations
    coordinator.enrol(home.request_path, fingerprint(bytes.fromhex(public_hex(home.key()))))
    ingest(home.catalogue_path, home.secret(), home.vocabulary, {}, _images(folder / f"{name}-images", DIGITS[name]))
    write_policy(home, permissive_policy("digits", name))
    sign_policy(home, read_private_key(home.keys_path / "approver.pem"))
    return home


def _images(folder: Path, digits: tuple[int, ...]) -> Path:
    """Digits as images, two a patient, with their index."""
    folder.mkdir()
    images, labels = load_digits(return_X_y=True)
    lines = ["path,label,patient"]
    for digit in digits:
        for number, pixels in enumerate(images[labels == digit][: 2 * PATIENTS]):
            path = f"{digit}-{number}.png"
            Image.fromarray((15 * pixels.reshape(8, 8)).astype(np.uint8)).save(folder / path)
            lines.append(f"{path},{digit},p{digit}-{number // 2}")
    (folder / "index.csv").write_text("\n".join(lines))
    return folder


def _address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def _wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


def _processes(folder: Path, program: str = "") -> Iterator[psutil.Process]:
    """What runs in a folder; the dead whom nobody has buried do not count."""
    for process in psutil.process_iter():
        try:
            inside = Path(process.cwd()).is_relative_to(folder)
            if inside and any(part.endswith(program) for part in process.cmdline()):
                yield process
        except (psutil.NoSuchProcess, psutil.AccessDenied, FileNotFoundError):
            continue


def _releases_through_files(folder: Path) -> list[str | None]:
    folder.mkdir()
    coordinator = _found(folder, "127.0.0.1:18000")
    homes = {"ada": _join(coordinator, "ada")}
    first = run_event(coordinator, Files(homes)).release
    homes["ben"] = _join(coordinator, "ben")
    return [first, run_event(coordinator, Files(homes)).release]


@dataclass
class Federation:
    """A coordinator, its SuperLink, and the hospitals that joined so far."""

    folder: Path
    coordinator: Coordinator
    link: SuperLink
    stack: ExitStack

    def join(self, name: str) -> Hospital:
        hospital = Hospital(_join(self.coordinator, name))
        self.stack.callback(hospital.stop)
        self.link.admit()
        return hospital

    def event_killed_between_intake_and_release(self) -> str:
        """Kills the event's process as soon as a contribution is in the registry; what the coordinator is told."""

        def kill() -> None:
            _wait_until(lambda: self.coordinator.status()["sites"][0]["contributions"])
            assert self.coordinator.status()["releases"] == []
            for process in _processes(self.folder, "flwr-serverapp"):
                process.kill()

        with _meanwhile(kill), pytest.raises(ConsiliumError) as told:
            self.link.run_event(ROUND_SECONDS)
        return str(told.value)

    def event_while_stopping(self, hospital: Hospital) -> EventSummary:
        """Stops a site as soon as a message has reached its SuperNode."""

        def stop() -> None:
            _wait_until(lambda: "Receiving: query.exchange" in hospital.log.read_text())
            hospital.stop(signal.SIGTERM)

        with _meanwhile(stop):
            return self.link.run_event(ROUND_SECONDS)


@contextmanager
def _meanwhile(action: Callable[[], None]) -> Iterator[None]:
    thread = threading.Thread(target=action)
    thread.start()
    yield
    thread.join()


@pytest.fixture
def federation(tmp_path: Path) -> Iterator[Federation]:
    """Everything that it starts is stopped, the hospitals before the SuperLink; then nothing is left behind."""
    folder = tmp_path / "flower"
    folder.mkdir()
    coordinator = _found(folder, _address())
    with ExitStack() as stack:
        link = stack.enter_context(SuperLink(coordinator.home))
        yield Federation(folder, coordinator, link, stack)
    _wait_until(lambda: not list(_processes(tmp_path)))


def test_arrivals_through_flower_whatever_goes_wrong(federation: Federation, tmp_path: Path) -> None:
    expected = _releases_through_files(tmp_path / "files")
    link, ada = federation.link, federation.join("ada")
    ada.start()
    assert link.wait_for_all(PATIENCE) == {"ada"}
    assert "the event ended as finished" in federation.event_killed_between_intake_and_release()
    resumed = link.run_event(ROUND_SECONDS)
    assert (resumed.number, resumed.release) == (1, expected[0])

    assert ada.stop() == 130
    _wait_until(lambda: not link.online())
    ben = federation.join("ben")
    ben.start()
    _wait_until(lambda: link.online() == {"ben"})
    interrupted = federation.event_while_stopping(ben)
    assert interrupted.release is None
    assert [(one.site, one.unreached) for one in interrupted.rounds[0]] == [("ben", "offline")]

    ada.start()
    ben.start()
    assert link.wait_for_all(PATIENCE) == {"ada", "ben"}
    both = link.run_event(ROUND_SECONDS)
    assert (both.number, both.release, both.trouble) == (2, expected[1], "")
    assert [one.unreached for answers in both.rounds for one in answers] == [""] * 6

    with ben.home.lock():
        newest = adopt.read_shelf(ben.home).named("2")
        adopt.choose(ben.home, newest.digest, "refused", "worse on our own patients")
    last = link.run_event(ROUND_SECONDS)
    assert [(one.site, one.kind, one.outcome) for one in last.accepted] == [("ben", "adoption", "accepted")]
    assert federation.coordinator.status()["sites"][1]["adoptions"] == {expected[1]: "refused"}


def test_the_commands_serve_until_ctrl_c_and_leave_nothing_behind(tmp_path: Path) -> None:
    coordinator = _found(tmp_path, _address())
    hospital = Hospital(_join(coordinator, "ada"))
    output = tmp_path / "coordinator.out"
    command = [CONSILIUM, "coordinator", "run", "--home", str(coordinator.home.path)]
    with output.open("wb") as file, ExitStack() as stack:
        serving = subprocess.Popen(command, stdout=file, stderr=file)
        stack.callback(serving.kill)
        stack.callback(hospital.stop)
        hospital.start()
        _wait_until(lambda: "SuperLink ready" in output.read_text())
        second = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
        assert second.returncode == 1
        assert "the port cannot be used (Address already in use); stop what listens there" in second.stderr
        assert second.stderr.count("\n") == 1
        _wait_until(lambda: "release 1" in output.read_text())
        assert hospital.stop() == 130
        serving.send_signal(signal.SIGINT)
        assert serving.wait(PATIENCE) == 130
    assert "1 statistics accepted" in output.read_text()
    assert "Traceback" not in output.read_text() + hospital.said()
    _wait_until(lambda: not list(_processes(tmp_path)))
