"""Two hospitals register with each other's experts, and with what rounds of both ended with, over Flower."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w

from deploy.phantom.pictures import Cine
from federated.averaging import Plan
from federated.keys import read_private_key
from server.coordinator import Coordinator
from server.superlink import SuperLink
from shared_models.averaged_models import averaged_model, config_of
from shared_models.phantom.hospitals import label_of
from shared_models.phantom.patients import draw_patient
from shared_models.phantom.study import acquire
from site_agent.asked_experts import AVERAGE
from site_agent.home import SiteHome
from site_agent.network_settings import RegistrationSettings
from site_agent.panel import received
from site_agent.policy import StandingApproval, UpdateRule, permissive_policy, sign_policy, write_policy
from site_agent.registration.registrar import registrar_of
from tests.e2e.hospitals import (
    FEDERATION,
    MACHINES,
    PATIENCE,
    Hospital,
    address,
    found,
    join,
    processes,
    run,
    wait_until,
)

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning"),  # Flower's, of its own builder
]

SIZE, PATIENTS, FRAMES, RATE_HZ = 48, 16, 3, 10.0
ROUND_SECONDS, ROUNDS, MODEL = 120.0, 1, "diff_fourier_net"
SETTINGS = RegistrationSettings(side=32, width=2, epochs=2, batch=8, rate=3e-3)
FUSED = "all, fused"


def _images(folder: Path, name: str) -> Path:
    """A clip of every patient with what lies where in each frame, by the machine of the hospital."""
    folder.mkdir()
    lines = ["path,label,patient,mask,spacing_mm"]
    for number in range(PATIENTS):
        view = ("A4C", "PLAX")[number % 2]
        patient = draw_patient(2 * number + (name == "ben"))
        clip = acquire(patient, view, MACHINES[name], frames=FRAMES, seed=number, size=(SIZE, SIZE))
        for stem, frames in ((f"{number}", clip.images), (f"{number}.labels", clip.labels)):
            cine = Cine(RATE_HZ)
            for frame in frames:
                cine.add(frame)
            (folder / f"{stem}.avi").write_bytes(cine.close())
        lines.append(f"{number}.avi,{label_of(view)},{name}-{number},{number}.labels.avi,{clip.spacing_mm}")
    (folder / "index.csv").write_text("\n".join(lines))
    return folder


def _joined(coordinator: Coordinator, name: str) -> SiteHome:
    """A hospital that has trained its expert, and lets networks and updates of one round out."""
    home = join(coordinator, name, _images)
    standing = StandingApproval(task="registration", model=MODEL, rounds=ROUNDS, until="2999-12-31", bytes=10**8)
    policy = permissive_policy(FEDERATION, name)
    rule = UpdateRule(allowed=True, approval="standing", averaging=(standing,), limits=policy.weights.limits)
    write_policy(home, policy.model_copy(update={"update": rule}))
    sign_policy(home, read_private_key(home.keys_path / "approver.pem"))
    config = home.config.model_copy(update={"registration": SETTINGS})
    (home.path / "config.toml").write_text(tomli_w.dumps(config.model_dump(mode="json")))
    _run(home, "train", "--report", home.path / "training.html")
    return SiteHome(home.path)


def _run(home: SiteHome, word: str, *words: object) -> str:
    return run("site", word, *words, "--task", "registration", "--home", home.path)


def _plan(coordinator: Coordinator) -> Plan:
    card, labels = coordinator.home.config.front_end, coordinator.home.vocabulary().codes
    options = {"side": SETTINGS.side, "width": SETTINGS.width}
    fields: dict[str, Any] = {
        "task": "registration",
        "front_end": card.digest,
        "labels": labels,
        "model": MODEL,
        "config": config_of(averaged_model(MODEL), card.features, len(labels), options),
        "strategy": "fedprox",
        "rounds": ROUNDS,
        "epochs": 1,
        "proximal": 0.01,
        "least": 2,
    }
    return Plan.model_validate(fields)


@pytest.fixture
def hospitals(tmp_path: Path) -> list[SiteHome]:
    """Both have trained; each has the other's expert, over Flower, and what a round of both ended with."""
    folder = tmp_path / "flower"
    folder.mkdir()
    coordinator = found(folder, address(), task="registration")
    homes = []
    with ExitStack() as stack:
        link = stack.enter_context(SuperLink(coordinator.home))
        for name in MACHINES:
            homes.append(_joined(coordinator, name))
            hospital = Hospital(homes[-1])
            stack.callback(hospital.stop)
            link.admit()
            hospital.start()
        assert link.wait_for_all(PATIENCE) == set(MACHINES)
        assert link.run_event(ROUND_SECONDS).trouble == ""
        coordinator.begin_average(_plan(coordinator))  # experts that came in go out with its first round of messages
        summary = link.run_average(ROUNDS, ROUND_SECONDS)
        assert (summary.trouble, [sorted(each.entered) for each in summary.rounds]) == ("", ROUNDS * [["ada", "ben"]])
    wait_until(lambda: not list(processes(tmp_path)))
    return homes


def test_two_hospitals_register_with_each_others_experts_and_with_their_average(
    hospitals: list[SiteHome], tmp_path: Path
) -> None:
    ada, ben = hospitals
    assert [[expert.site for expert in received(home)] for home in hospitals] == [["ben"], ["ada"]]
    told = json.loads(_run(ben, "evaluate", "--json"))
    fits = {fit["by"]: fit for fit in told["fits"]}
    assert set(fits) == {"ada", "ben", AVERAGE, FUSED}
    assert all(fit["folded_percent"]["value"] == 0 for fit in fits.values())
    assert all(fit["carried"] == fit["pairs"] > 0 for fit in fits.values()), "label maps came with every clip"
    assert set(told["shares"]) == {"ada", "ben"}
    assert sum(told["shares"].values()) == pytest.approx(1)
    _is_one_panel(hospitals)
    _predicts(ada, tmp_path)


def _is_one_panel(hospitals: list[SiteHome]) -> None:
    """Both say the same of a pair, by the same networks; the field of both lies between those of each."""
    moving, fixed = np.random.default_rng(0).integers(0, 256, (2, SIZE, SIZE), dtype=np.uint8)
    panels = [registrar_of(home) for home in hospitals]
    for names in (("ada",), ("ben",), (AVERAGE,), ()):
        one, other = (panel.register(moving, fixed, names) for panel in panels)
        np.testing.assert_allclose(one.field, other.field, atol=1e-4)
        assert one.weights == pytest.approx(other.weights)
    alone = [panels[0].register(moving, fixed, (name,)).field for name in ("ada", "ben")]
    assert abs(alone[0] - alone[1]).max() > 1e-3, "the hospitals have learnt from other patients"


def _predicts(home: SiteHome, folder: Path) -> None:
    out, clip = folder / "out", folder / "flower" / "ada-images" / "0.avi"
    _run(home, "predict", clip, "--out", out)
    (line,) = [json.loads(line) for line in (out / "predictions.jsonl").read_text().splitlines()]
    assert {name: set(said) for name, said in line["experts"].items()} == {
        "ada": {"p", "share"},
        "ben": {"p", "share"},
    }
    assert sum(said["share"] for said in line["experts"].values()) == pytest.approx(1)
    with np.load(out / line["fields"]) as held:
        assert held["fields"].shape == (FRAMES, 2, SIZE, SIZE)
        assert np.isfinite(held["fields"]).all()
