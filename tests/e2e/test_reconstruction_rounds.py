"""A network of reconstruction averaged over Flower's real runtime, and hearts that each hospital makes with it."""

from __future__ import annotations

import json
import subprocess
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from deploy.phantom.export import export_plan
from deploy.phantom.workplace import fill
from federated.disclosure import Limits
from federated.keys import fingerprint, public_hex, read_private_key
from server.coordinator import Coordinator
from shared_models.batch_norm_rounds import is_statistic
from site_agent.asked_experts import AVERAGE
from site_agent.averaging import load_average
from site_agent.hearts import hearts_of
from site_agent.home import SiteHome
from site_agent.intake.ingest import ingest
from site_agent.policy import Policy, StandingApproval, UpdateRule, sign_policy, write_policy
from site_agent.reconstruction.reconstructor import reconstructor_of
from tests.e2e.hospitals import CONSILIUM, FEDERATION, PATIENCE, Hospital, address, found, processes, wait_until

pytestmark = pytest.mark.timeout(300)
SEEDS = {"ada": 1, "ben": 2}
TINY = {"views": "A4C,A2C", "trunk": "test_resnet", "shrink": 32, "bottleneck": 8}


def _joined(coordinator: Coordinator, name: str) -> SiteHome:
    """A site with a few hearts of the phantom, whose approver lets one round's update out."""
    folder = coordinator.home.path.parent
    home = SiteHome.create(folder / name, coordinator.invite(name))
    coordinator.enrol(home.request_path, fingerprint(bytes.fromhex(public_hex(home.key()))))
    root = folder / f"{name}-hearts"
    fill(root, export_plan("hearts", patients=2, seed=SEEDS[name], frames=4, size=32))
    ingest(home.archive, home.image_vocabulary, home.label_map, root)
    standing = StandingApproval(task="reconstruction", model="pix2vox", rounds=1, until="2999-12-31", bytes=10**8)
    limits = Limits(cell=1, batch=1, difference=1, dominance=1.0)
    rule = UpdateRule(allowed=True, approval="standing", averaging=(standing,), limits=limits)
    write_policy(home, Policy(federation=FEDERATION, site=name, update=rule))
    sign_policy(home, read_private_key(home.keys_path / "approver.pem"))
    return home


def _average(coordinator: Coordinator) -> subprocess.CompletedProcess[str]:
    settings = [f"--model-config={name}={value}" for name, value in TINY.items()]
    options = ["--task", "reconstruction", *settings, "--rounds", "1", "--wait", str(PATIENCE), "--json"]
    command = [CONSILIUM, "coordinator", "average", *options, "--home", str(coordinator.home.path)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=2 * PATIENCE)


def test_two_hospitals_average_a_network_and_each_makes_hearts_with_it(tmp_path: Path) -> None:
    coordinator = found(tmp_path, address(), task="reconstruction")
    homes = [_joined(coordinator, name) for name in SEEDS]
    with ExitStack() as stack:
        for home in homes:
            hospital = Hospital(home)
            stack.callback(hospital.stop)
            hospital.start()
        told = _average(coordinator)
        assert (told.returncode, "Traceback" in told.stderr) == (0, False), told.stderr
    summary = json.loads(told.stdout)
    assert [sorted(each["entered"]) for each in summary["rounds"]] == [["ada", "ben"]]
    states = [load_average(home, summary["finished"])[1] for home in homes]
    new = {name for name in states[0] if is_statistic(name)}
    assert all(set(np.unique(states[0][name]).tolist()) <= {0.0, 1.0} for name in new), "no statistic has left"
    made = []
    for home, state in zip(homes, states, strict=True):
        assert all(np.array_equal(state[name], states[0][name]) for name in state)
        heart = hearts_of(homes[0])[0]
        rebuilt = reconstructor_of(home).volume(
            {view: heart.planes[heart.views.index(view)] for view in ("A4C", "A2C")}
        )
        assert (rebuilt.weights, rebuilt.probabilities.shape) == ({AVERAGE: 1.0}, (32, 32, 32))
        assert np.isfinite(rebuilt.probabilities).all()
        made.append(rebuilt.probabilities)
    assert np.abs(made[0] - made[1]).max() > 1e-4, "each by its own statistics"
    wait_until(lambda: not list(processes(tmp_path)))
