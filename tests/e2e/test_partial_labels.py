"""Four hospitals, two of which name levels of the short axis: from their words to answers that an auditor checks."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from federated.audit.verification import verify
from federated.deciding import check_way
from federated.decision import check_decision
from federated.envelope import Opened, open_parcel, parse_parcel
from federated.fused_model import FusedModel
from federated.keys import fingerprint, public_hex, read_private_key
from federated.label_map import LabelMap, Line
from server.coordinator import Coordinator
from server.event import run_event
from server.home import CoordinatorHome
from shared_models.phantom.hospitals import label_of
from shared_models.phantom.patients import draw_patient
from shared_models.phantom.study import still
from site_agent import adopt
from site_agent.catalogue import Catalogue
from site_agent.features import features_of
from site_agent.home import SiteHome
from site_agent.intake.ingest import ingest
from site_agent.mailbox import Outbox
from site_agent.policy import permissive_policy, sign_policy, write_policy
from tests.e2e.hospitals import FEDERATION, SIZE, Files, found

LEVELS = ("PSAX-AV", "PSAX-PM")
VIEWS = ("PLAX", *LEVELS)
SHORT_AXIS = "399306005"
MACHINES = {"ada": "bittern", "ben": "fulmar", "cem": "albatross", "dan": "eider"}
COARSE = ("cem", "dan")
PATIENTS = 18


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, SiteHome]:
    """The homes after everything has passed; the coordinator's is beside them."""
    folder = tmp_path_factory.mktemp("partial")
    coordinator = found(folder, "127.0.0.1:18000")
    homes = {name: _join(coordinator, name) for name in MACHINES}
    assert run_event(coordinator, Files(homes)).release is not None
    run_event(coordinator, Files(homes))
    return homes


def _join(coordinator: Coordinator, name: str) -> SiteHome:
    folder = coordinator.home.path.parent
    home = SiteHome.create(folder / name, coordinator.invite(name))
    (home.keys_path / "secret").write_bytes(name.encode().ljust(32, b"."))
    coordinator.enrol(home.request_path, fingerprint(bytes.fromhex(public_hex(home.key()))))
    ingest(home.archive, home.vocabulary, _words(name), _images(folder / f"{name}-images", name))
    write_policy(home, permissive_policy(FEDERATION, name))
    sign_policy(home, read_private_key(home.keys_path / "approver.pem"))
    return home


def _words(name: str) -> LabelMap:
    """A hospital that does not name levels calls all of them by one word."""
    said = {"long axis": label_of("PLAX"), "short axis": SHORT_AXIS} | {level: label_of(level) for level in LEVELS}
    return LabelMap(version=1, lines=tuple(Line(word=word, code=code, relation="same") for word, code in said.items()))


def _images(folder: Path, name: str) -> Path:
    folder.mkdir()
    lines = ["path,label,patient"]
    for view in VIEWS:
        word = "long axis" if view == "PLAX" else "short axis" if name in COARSE else view
        for number in range(PATIENTS):
            patient = draw_patient(100 * list(MACHINES).index(name) + number)
            seen = still(patient, view, MACHINES[name], seed=number, size=(SIZE, SIZE)).image
            Image.fromarray(seen).save(folder / f"{view}-{number}.png")
            lines.append(f"{view}-{number}.png,{word},{number}")
    (folder / "index.csv").write_text("\n".join(lines))
    return folder


def _release(home: SiteHome) -> Opened:
    newest = adopt.read_shelf(home).releases[-1]
    parcel = parse_parcel(adopt.release_path(home, newest.digest).read_bytes())
    return open_parcel(parcel, home.trust(), recipient=home.config.site)


def test_coarse_words_teach_the_view_and_are_silent_on_its_levels(homes: dict[str, SiteHome]) -> None:
    manifest = _release(homes["ada"]).manifest
    levels = {label_of(level) for level in LEVELS}
    assert set(manifest.labels) == {label_of("PLAX"), SHORT_AXIS, *levels}
    assert {site.name: site.coarse for site in manifest.sites} == {
        name: (SHORT_AXIS,) if name in COARSE else () for name in MACHINES
    }
    for system in manifest.systems:
        if levels & set(system.labels):
            assert system.inside == ("ada", "ben")
            assert system.silent == (("cem", SHORT_AXIS), ("dan", SHORT_AXIS))
        else:
            assert (system.inside, system.silent) == (tuple(MACHINES), ())
    assert SHORT_AXIS in manifest.steps


@pytest.mark.parametrize("name", MACHINES)
def test_every_hospital_answers_and_evaluates(homes: dict[str, SiteHome], name: str) -> None:
    home, opened = homes[name], _release(homes[name])
    model = FusedModel.from_release(opened.manifest, opened.tensors)
    cases = Catalogue(home.catalogue_path).cases(fold="test")
    lines = model.decide(features_of(home, cases), [case.sha256 for case in cases], [case.clip for case in cases])
    for line in lines:
        check_decision(line)
        check_way(line, opened.manifest, opened.tensors)
    evaluation = adopt.evaluate(home, opened.digest)
    assert evaluation.known == evaluation.clips > 0
    assert evaluation.accuracy.value is not None
    assert evaluation.accuracy.value > (0.6 if name in COARSE else 0.4)


def test_an_auditor_recomputes_what_the_coarse_hospitals_sent(homes: dict[str, SiteHome], tmp_path: Path) -> None:
    opened = _release(homes["ada"])
    release = adopt.release_path(homes["ada"], opened.digest)
    sent = []
    for site in opened.manifest.sites:
        for digest in site.contributions:
            parcel = Outbox(homes[site.name]).sent(digest)
            assert parcel is not None
            sent.append(tmp_path / f"{site.name}-{digest[-8:]}.parcel")
            sent[-1].write_bytes(parcel.to_bytes())
    trust = Coordinator(CoordinatorHome(homes["ada"].path.parent / "hub")).trust()
    found = {audit.file: audit for audit in verify([release, *sent], trust)}
    checks = {check.name: check for check in found[str(release)].checks}
    for name in MACHINES:
        assert checks[f"site {name}"].ok is True, checks[f"site {name}"].found
    assert checks["solutions"].ok is True
