"""Hospitals with a handful of small phantom images, and the processes that they run."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import psutil
from PIL import Image
from typer.testing import CliRunner

from consilium import app
from federated.keys import fingerprint, public_hex, read_private_key
from federated.manifest import FrontEndCard
from federated.vocabulary import builtin_vocabulary
from server.coordinator import Coordinator
from server.event import ExchangeRequest
from server.home import CoordinatorConfig, CoordinatorHome
from shared_models.front_ends import create_front_end
from shared_models.phantom.hospitals import label_of
from shared_models.phantom.patients import draw_patient
from shared_models.phantom.study import still
from site_agent.agent import exchange
from site_agent.home import SiteHome
from site_agent.intake.ingest import ingest
from site_agent.policy import permissive_policy, sign_policy, write_policy
from site_agent.witness import witness

CONSILIUM = str(Path(sys.executable).parent / "consilium")
FEDERATION = "phantom"
VIEWS = {"ada": ("A2C", "A4C", "PLAX"), "ben": ("A4C", "PLAX", "PSAX-PM")}
MACHINES = {"ada": "bittern", "ben": "fulmar"}
SIZE = 32  # pixels
PATIENTS = 16
PATIENCE = 90.0


class Files:
    """The route without Flower: the same function of the agent, called here."""

    def __init__(self, homes: Mapping[str, SiteHome]) -> None:
        self.homes = homes

    def sites(self) -> list[str]:
        return sorted(self.homes)

    def witness(self, requests: Mapping[str, Sequence[bytes]]) -> dict[str, bytes]:
        return {site: witness(self.homes[site], asked, told) for site, (asked, *told) in requests.items()}

    def exchange(self, requests: Mapping[str, ExchangeRequest]) -> dict[str, list[bytes]]:
        return {site: exchange(self.homes[site], one.handed, one.settled) for site, one in requests.items()}


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


def run(*words: object) -> str:
    """What a command says, run in this process, where the libraries are loaded already."""
    result = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def found(folder: Path, superlink: str, *, task: str = "classification", vocabulary: str = "heart") -> Coordinator:
    """A coordinator whose home is a folder of that folder."""
    front_end = create_front_end("pixels")
    card = FrontEndCard(name="pixels", config={}, digest=front_end.digest, features=front_end.features)
    config = CoordinatorConfig(federation=FEDERATION, name="hub", task=task, front_end=card, superlink=superlink)
    return Coordinator(CoordinatorHome.create(folder / "hub", config, builtin_vocabulary(vocabulary)))


def join(coordinator: Coordinator, name: str, images: Callable[[Path, str], Path] | None = None) -> SiteHome:
    """A site that is enrolled, with images, made into a folder for it, and a policy that lets everything out."""
    folder = coordinator.home.path.parent
    home = SiteHome.create(folder / name, coordinator.invite(name))
    (home.keys_path / "secret").write_bytes(name.encode().ljust(32, b"."))  # the same folds in both federations
    coordinator.enrol(home.request_path, fingerprint(bytes.fromhex(public_hex(home.key()))))
    ingest(home.archive, home.image_vocabulary, home.label_map, (images or _images)(folder / f"{name}-images", name))
    write_policy(home, permissive_policy(FEDERATION, name))
    sign_policy(home, read_private_key(home.keys_path / "approver.pem"))
    return home


def _images(folder: Path, name: str) -> Path:
    """Views as images, two a patient, with their index."""
    folder.mkdir()
    lines = ["path,label,patient"]
    for view in VIEWS[name]:
        for number in range(2 * PATIENTS):
            path = f"{view}-{number}.png"
            _drawn(name, view, number).save(folder / path)
            lines.append(f"{path},{label_of(view)},{view}-{number // 2}")
    (folder / "index.csv").write_text("\n".join(lines))
    return folder


@cache
def _drawn(name: str, view: str, number: int) -> Image.Image:
    patient = draw_patient(2 * (number // 2) + (name == "ben"))
    return Image.fromarray(still(patient, view, MACHINES[name], seed=number, size=(SIZE, SIZE)).image)


def address() -> str:
    """host:port at which nothing listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def wait_until(condition: Callable[[], object]) -> None:
    """Returns as soon as something holds; fails where it does not in a minute and a half."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.25)  # a look may be a request, or go through every process


def processes(folder: Path, program: str = "") -> Iterator[psutil.Process]:
    """What runs in a folder; the dead whom nobody has buried do not count."""
    for process in psutil.process_iter():
        try:
            inside = Path(process.cwd()).is_relative_to(folder)
            if inside and any(part.endswith(program) for part in process.cmdline()):
                yield process
        except (psutil.NoSuchProcess, psutil.AccessDenied, FileNotFoundError):
            continue
