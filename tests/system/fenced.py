"""A hospital as it is set up: three units on a machine of its own, and a coordinator behind its gate on this one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from federated.enrolment import write_kit
from federated.keys import fingerprint, public_hex, spoken_fingerprint
from server.client_certificates import issue, write_list
from server.coordinator import Coordinator
from server.superlink import SuperLink
from shared_models.phantom.hospitals import label_of
from tests.e2e.hospitals import address, found
from tests.system.conftest import ROOT
from tests.system.gate import Gate, gate
from tests.system.machine import Machine, machine

PYTHON = Path("/usr/bin/python3.11")
UNITS = ROOT / "deploy" / "systemd"
SITE = "ada"
PATIENTS = 40
PLAX, A4C = label_of("PLAX"), label_of("A4C")
CONSILIUM = "/opt/consilium/.venv/bin/consilium"
SERVICES = ("consilium-site", "consilium-forwarder", "consilium-node")
PLANTED = "/data/archive/patient.png"  # a folder that every user of the hospital's machine can read
SCRIPT = "#!{python}\nimport sys\nfrom {module} import {call}\nsys.exit({call}())\n"


@dataclass(frozen=True)
class Fenced:
    """A coordinator with its SuperLink and gate, and a hospital that is set up; its units are not started."""

    coordinator: Coordinator
    link: SuperLink
    gate: Gate
    outside: str
    machine: Machine

    def start(self) -> None:
        """Starts the units, as a person does."""
        for name in SERVICES:
            self.machine.run("systemctl", "start", f"{name}.service")

    def stop_node(self) -> None:
        """Stops the node, which signs off."""
        self.machine.run("systemctl", "stop", "consilium-node.service")

    def run_node_as(self, program: str) -> None:
        """Starts the node's unit with another program in it."""
        self.machine.add_unit(UNITS / "consilium-node.service", f"ExecStart=\nExecStart={program}\n")
        self.machine.run("systemctl", "start", "consilium-node.service")

    def site(self, *words: str) -> str:
        """A command of the agent's user."""
        return as_agent(self.machine, "site", *words, "--home", "/srv/consilium")


def as_agent(hospital: Machine, *words: str) -> str:
    """A command of ours as the user who has the images."""
    user = ("setpriv", "--reuid=consilium", "--regid=consilium", "--init-groups")
    return hospital.run(*user, "env", "HOME=/nonexistent", "OMP_NUM_THREADS=1", CONSILIUM, *words)


@contextmanager
def fenced(folder: Path) -> Iterator[Fenced]:
    """All of it, while it is entered."""
    if not PYTHON.exists():
        pytest.fail(f"{PYTHON} is not there, which other OS users may run: apt-get install python3.11", pytrace=False)
    outside, inside = address(), address()
    coordinator = found(folder, outside, vocabulary="heart")
    write_list(coordinator.home)
    certificates = coordinator.home.certificates_path
    with SuperLink(coordinator.home, inside) as link, gate(folder, certificates, outside, inside) as guard:
        packages = next(path for path in Path(np.__file__).parents if path.name == "site-packages")
        binds = {ROOT: "/opt/consilium/source", packages: "/opt/consilium/packages"}
        with machine(folder, binds) as hospital:
            _install(hospital)
            _join(hospital, coordinator)
            guard.read_again()
            link.admit()
            try:
                yield Fenced(coordinator, link, guard, outside, hospital)
            finally:
                hospital.run("systemctl", "stop", *(f"{name}.service" for name in reversed(SERVICES)))


def _install(hospital: Machine) -> None:
    """What pip does, with packages that are there already; then the users and units."""
    shared = hospital.shared
    venv = Path("/opt/consilium/.venv")
    hospital.run(str(PYTHON), "-m", "venv", "--without-pip", str(venv))
    (shared / "all.pth").write_text("/opt/consilium/packages\n/opt/consilium/source\n")
    hospital.run("cp", "/shared/all.pth", f"{venv}/lib/python3.11/site-packages/all.pth")
    scripts = [(s.name, s.module, s.attr) for s in distribution("flwr").entry_points.select(group="console_scripts")]
    for name, module, call in [*scripts, ("consilium", "consilium", "main")]:
        (shared / name).write_text(SCRIPT.format(python=f"{venv}/bin/python", module=module, call=call))
        hospital.run("install", "-m", "755", f"/shared/{name}", f"{venv}/bin/{name}")
    shutil.copy(UNITS / "consilium.sysusers", shared / "consilium.sysusers")
    hospital.run("systemd-sysusers", "/shared/consilium.sysusers")
    for name in SERVICES:
        hospital.add_unit(UNITS / f"{name}.service")


def _join(hospital: Machine, coordinator: Coordinator) -> None:
    """What the hospital's engineer types, from the kit to the fence; the coordinator answers by telephone and mail."""
    shared = hospital.shared
    invited = coordinator.invite(SITE)
    write_kit(invited, coordinator.home.key(), shared / "ada.kit.json")
    _images(shared / "images")
    hospital.run("cp", "-r", "/shared/images", "/srv/images")
    hospital.run("chown", "-R", "consilium:consilium", "/srv/images")
    hospital.run("install", "-D", "-m", "644", f"/shared/images/{PLAX}/00.png", PLANTED)
    shared.chmod(0o755)
    told = spoken_fingerprint(fingerprint(bytes.fromhex(public_hex(coordinator.home.key()))))
    at_home = ("--home", "/srv/consilium")
    joined = hospital.run(CONSILIUM, "site", "join", "/shared/ada.kit.json", "--fingerprint", told, *at_home)
    hospital.run("chown", "-R", "consilium:consilium", "/srv/consilium")
    spoken = joined.partition("telephone: ")[2].splitlines()[0]
    hospital.run("cp", "/srv/consilium/request.json", "/shared/request.json")
    coordinator.enrol(shared / "request.json", spoken)
    as_agent(hospital, "site", "ingest", "/srv/images", *at_home)
    as_agent(hospital, "site", "certificate", *at_home)
    hospital.run("cp", "/srv/consilium/certificate-request.json", "/shared/certificate-request.json")
    _, file = issue(coordinator.home, shared / "certificate-request.json")
    shutil.copy(file, shared / "ada.crt")
    (shared / "ada.crt").chmod(0o644)
    as_agent(hospital, "site", "certificate", "/shared/ada.crt", *at_home)
    hospital.run(CONSILIUM, "site", "fence", "/etc/consilium", *at_home)


def _images(folder: Path) -> None:
    """Dark and light noise, one image a patient."""
    rng = np.random.default_rng(0)
    for label, level in ((PLAX, 40), (A4C, 160)):
        (folder / label).mkdir(parents=True)
        for patient in range(PATIENTS):
            pixels = level + rng.integers(0, 60, (32, 32))
            Image.fromarray(pixels.astype(np.uint8)).save(folder / label / f"{patient:02d}.png")
