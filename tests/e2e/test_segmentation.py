"""Two hospitals segment with each other's experts, over Flower's real runtime and by their own commands."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
import tomli_w
from PIL import Image

from server.superlink import SuperLink
from shared_models.phantom.hospitals import label_of
from shared_models.phantom.patients import draw_patient
from shared_models.phantom.study import still
from site_agent.home import SiteHome
from site_agent.network_settings import NetworkSettings
from site_agent.panel import received
from site_agent.truth import LA, LV, MYOCARDIUM
from tests.e2e.hospitals import MACHINES, PATIENCE, Hospital, address, found, join, processes, run, wait_until

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning"),  # Flower's, of its own builder
]

SIZE, PATIENTS = 48, 40
ROUND_SECONDS = 120.0
SETTINGS = NetworkSettings(side=48, width=8, levels=4, epochs=40, batch=4, rate=5e-3)  # 6 patients calibrate
CHAMBERS = {LV: 2, MYOCARDIUM: 3, LA: 4}


def _images(folder: Path, name: str) -> Path:
    """Two apical views of every patient with what lies where, by the machine of the hospital."""
    folder.mkdir()
    lines = ["path,label,patient,mask,spacing_mm"]
    for number in range(PATIENTS):
        patient = draw_patient(2 * number + (name == "ben"))
        for view in ("A2C", "A4C"):
            frame = still(patient, view, MACHINES[name], seed=number, size=(SIZE, SIZE))
            stem = f"{view}-{number}"
            Image.fromarray(frame.image).save(folder / f"{stem}.png")
            Image.fromarray(frame.labels).save(folder / f"{stem}.labels.png")
            lines.append(f"{stem}.png,{label_of(view)},{name}-{number},{stem}.labels.png,1.5")
    (folder / "index.csv").write_text("\n".join(lines))
    return folder


def _run(home: SiteHome, word: str, *words: object) -> str:
    return run("site", word, *words, "--task", "segmentation", "--home", home.path)


@pytest.fixture
def hospitals(tmp_path: Path) -> list[SiteHome]:
    """Both have trained, and each has the other's expert through an event of Flower's."""
    folder = tmp_path / "flower"
    folder.mkdir()
    coordinator = found(folder, address(), task="segmentation", vocabulary="chambers")
    homes = []
    with ExitStack() as stack:
        link = stack.enter_context(SuperLink(coordinator.home))
        for name in MACHINES:
            home = join(coordinator, name, _images)
            config = home.config.model_copy(update={"segmentation": SETTINGS})
            (home.path / "config.toml").write_text(tomli_w.dumps(config.model_dump(mode="json")))
            homes.append(SiteHome(home.path))
            _run(homes[-1], "train", "--report", home.path / "training.html")
            hospital = Hospital(homes[-1])
            stack.callback(hospital.stop)
            link.admit()
            hospital.start()
        assert link.wait_for_all(PATIENCE) == set(MACHINES)
        for _ in range(2):  # experts come in, and go out with the next round of messages
            assert link.run_event(ROUND_SECONDS).trouble == ""
    wait_until(lambda: not list(processes(tmp_path)))
    return homes


def test_two_hospitals_segment_with_each_others_experts(hospitals: list[SiteHome], tmp_path: Path) -> None:
    ada, ben = hospitals
    assert [[expert.site for expert in received(home)] for home in hospitals] == [["ben"], ["ada"]]
    _predicts(ada, tmp_path)
    found = json.loads(_run(ben, "evaluate", "--json"))
    dice = {(fit["by"], fit["structure"]): fit["dice"]["value"] for fit in found["fits"]}
    assert {by for by, _ in dice} == {"ada", "ben", "all, fused"}
    assert dice["all, fused", LV] > 0.6
    assert dice["all, fused", LV] > dice["ada", LV] - 0.02, "an expert of another machine takes little away"
    assert set(found["shares"][LV]) == {"ada", "ben"}
    assert sum(found["shares"][LV].values()) == pytest.approx(1)
    assert min(found["shares"][LV].values()) > 0.1, "six patients a site call neither a stranger"


def _predicts(home: SiteHome, folder: Path) -> None:
    """Masks, pictures, and each site's share of every structure, which add up to one."""
    out, image = folder / "out", folder / "flower" / "ada-images" / "A4C-1.png"
    _run(home, "predict", image, "--out", out)
    (line,) = [json.loads(line) for line in (out / "predictions.jsonl").read_text().splitlines()]
    for structure, told in line["structures"].items():
        assert sum(told["shares"].values()) == pytest.approx(1), structure
        assert set(told["shares"]) == {"ada", "ben"}
    assert {name: set(told) for name, told in line["experts"].items()} == {
        "ada": {"p", "weight"},
        "ben": {"p", "weight"},
    }
    labels = np.asarray(Image.open(out / line["mask"]))
    truth = np.asarray(Image.open(image.with_suffix(".labels.png"))) == CHAMBERS[LV]
    found = labels == line["structures"][LV]["value"]
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.6
    assert np.asarray(Image.open(out / line["overlay"])).shape == (SIZE, SIZE, 3)
