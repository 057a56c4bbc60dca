"""A model averaged in rounds over Flower's real runtime, by the command."""

from __future__ import annotations

import json
import subprocess
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from federated.keys import fingerprint, public_hex, read_private_key
from server.coordinator import Coordinator
from shared_models.phantom.hospitals import label_of
from site_agent.averaging import load_average
from site_agent.egress import Gate
from site_agent.home import SiteHome
from site_agent.intake.ingest import ingest
from site_agent.policy import Policy, StandingApproval, UpdateRule, sign_policy, write_policy
from tests.e2e.hospitals import CONSILIUM, FEDERATION, PATIENCE, Hospital, address, found, processes, wait_until

pytestmark = pytest.mark.timeout(300)
ROUNDS = 2


def _allow(home: SiteHome) -> None:
    """Updates within a standing approval, and nothing else."""
    standing = StandingApproval(
        task="classification", model="linear_head", rounds=ROUNDS, until="2999-12-31", bytes=10**8
    )
    rule = UpdateRule(allowed=True, approval="standing", averaging=(standing,))
    write_policy(home, Policy(federation=FEDERATION, site=home.config.site, update=rule))
    sign_policy(home, read_private_key(home.keys_path / "approver.pem"))


def _joined(coordinator: Coordinator, name: str) -> SiteHome:
    """A site with a few small images of two views."""
    folder = coordinator.home.path.parent
    home = SiteHome.create(folder / name, coordinator.invite(name))
    coordinator.enrol(home.request_path, fingerprint(bytes.fromhex(public_hex(home.key()))))
    ingest(home.archive, home.vocabulary, home.label_map, _images(folder / f"{name}-images", name))
    _allow(home)
    return home


def _images(folder: Path, name: str) -> Path:
    """Noise, darker for one view than for the other; an image a patient."""
    folder.mkdir()
    rng, lines = np.random.default_rng(len(name) + ord(name[0])), ["path,label,patient"]
    for view, shade in (("A2C", 60), ("PLAX", 180)):
        for number in range(12):
            pixels = rng.normal(shade, 15.0, (16, 16)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{view}-{number}.png")
            lines.append(f"{view}-{number}.png,{label_of(view)},{view}-{number}")
    (folder / "index.csv").write_text("\n".join(lines))
    return folder


def _average(coordinator: Coordinator) -> subprocess.CompletedProcess[str]:
    options = ["--strategy", "fedprox", "--proximal", "0.1", "--rounds", str(ROUNDS), "--wait", str(PATIENCE), "--json"]
    command = [CONSILIUM, "coordinator", "average", *options, "--home", str(coordinator.home.path)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=2 * PATIENCE)


def test_two_hospitals_average_a_head_through_flower(tmp_path: Path) -> None:
    coordinator = found(tmp_path, address())
    homes = [_joined(coordinator, name) for name in ("ada", "ben")]
    with ExitStack() as stack:
        for home in homes:
            hospital = Hospital(home)
            stack.callback(hospital.stop)
            hospital.start()
        told = _average(coordinator)
        assert (told.returncode, "Traceback" in told.stderr) == (0, False), told.stderr
    summary = json.loads(told.stdout)
    assert [sorted(each["entered"]) for each in summary["rounds"]] == ROUNDS * [["ada", "ben"]]
    states = []
    for home in homes:
        manifest, state = load_average(home, summary["finished"])
        assert (manifest.round, manifest.plan.proximal, manifest.plan.strategy) == (ROUNDS, 0.1, "fedprox")
        assert [receipt.kind for receipt in Gate(home).receipts()] == ROUNDS * ["update"]
        states.append(state["weight"])
    np.testing.assert_array_equal(states[0], states[1])
    last = coordinator.stored(summary["rounds"][0]["average"])
    updates = {each.site: coordinator.stored(each.update).tensors["bias"] for each in last.manifest.updates}
    images = {each.site: each.images for each in last.manifest.updates}
    mean = sum(images[site] * updates[site].astype(float) for site in images) / sum(images.values())
    np.testing.assert_allclose(last.tensors["bias"], mean, atol=1e-6)
    wait_until(lambda: not list(processes(tmp_path)))
