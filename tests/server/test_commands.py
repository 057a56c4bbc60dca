from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner, Result

from federated.canonical import digest
from federated.enrolment import Rotation, read_kit, write_rotation
from federated.errors import ConsiliumError
from federated.keys import fingerprint, public_hex, spoken_fingerprint
from federated.log.request_file import parse_request_file
from federated.log.verification import verify_log
from federated.manifest import parse_manifest
from federated.tables import minute
from federated.vocabulary import builtin_vocabulary, plain_vocabulary, write_vocabulary
from server.commands import app
from server.event import ExchangeRequest
from server.home import CoordinatorHome
from server.log import open_log

if TYPE_CHECKING:
    from tests.server.conftest import Site, World

ROOT = Path(__file__).resolve().parents[2]
INIT = ("init", "--federation", "echo", "--name", "hub", "--labels", "plax,a4c")


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments], catch_exceptions=False)


def _ok(*arguments: str) -> str:
    result = _run(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def here(world: World) -> tuple[str, str]:
    return "--home", str(world.coordinator.home.path)


def _files(site: Site, folder: Path) -> list[str]:
    """The site's outbox on a stick."""
    for number, data in enumerate(site.outbox.values()):
        (folder / f"{site.name}-{number}.parcel").write_bytes(data)
    return [str(path) for path in sorted(folder.glob(f"{site.name}-*.parcel"), reverse=True)]


def _carry(site: Site, folder: Path) -> None:
    """The coordinator's parcels from a stick."""
    parcels = [path.read_bytes() for path in sorted((folder / site.name).glob("*.parcel"))]
    site.exchange(ExchangeRequest(parcels, []))


def _witnessed(site: Site, out: Path, stick: Path) -> str:
    """The checkpoint that the site signs when the coordinator's stick comes."""
    asked = parse_request_file((out / site.name / "log.witness").read_bytes())
    path = stick / f"{site.name}.witnessed"
    path.write_bytes(site.witness(asked.request.encode(), [each.encode() for each in asked.told]))
    return str(path)


def test_init_makes_a_home(tmp_path: Path) -> None:
    home = tmp_path / "hub"
    said = _ok(*INIT, "--front-end", "texture", "--home", str(home))
    made = CoordinatorHome(home)
    assert (made.config.federation, made.config.name, made.config.task) == ("echo", "hub", "classification")
    assert made.config.front_end.name == "texture"
    assert made.vocabulary().codes == ("plax", "a4c")
    assert (made.config.mode, made.config.weighting, made.config.alpha) == ("shared", "none", 0.05)
    assert spoken_fingerprint(fingerprint(bytes.fromhex(public_hex(made.key())))) in said
    with pytest.raises(ConsiliumError, match="is not empty"):
        _run(*INIT, "--home", str(home))


def test_init_says_what_is_learnt_and_refuses_what_nobody_can_learn(tmp_path: Path) -> None:
    named = (
        "init",
        "--federation",
        "echo",
        "--name",
        "hub",
        "--vocabulary",
        "chambers",
        "--home",
        str(tmp_path / "hub"),
    )
    with pytest.raises(ConsiliumError, match="no task 'grading', there are classification, segmentation, contour"):
        _run(*named, "--task", "grading")
    assert not (tmp_path / "hub").exists()
    _ok(*named, "--task", "segmentation")
    made = CoordinatorHome(tmp_path / "hub")
    assert (made.config.task, made.vocabulary()) == ("segmentation", builtin_vocabulary("chambers"))


def test_init_says_how_to_fuse(tmp_path: Path) -> None:
    _ok(*INIT, "--mode", "isolated", "--weighting", "none", "--alpha", "0.2", "--home", str(tmp_path / "hub"))
    config = CoordinatorHome(tmp_path / "hub").config
    assert (config.mode, config.weighting, config.alpha) == ("isolated", "none", 0.2)


def test_init_takes_a_vocabulary_that_comes_with_the_program(tmp_path: Path) -> None:
    names = ("init", "--federation", "echo", "--name", "hub", "--vocabulary", "heart")
    _ok(*names, "--front-end", "pixels", "--home", str(tmp_path / "hub"))
    assert CoordinatorHome(tmp_path / "hub").vocabulary() == builtin_vocabulary("heart")


def test_init_takes_a_vocabulary_file(tmp_path: Path) -> None:
    words = plain_vocabulary("views", ["plax", "sub"])
    write_vocabulary(words, tmp_path / "words.toml")
    names = ("init", "--federation", "echo", "--name", "hub", "--vocabulary", str(tmp_path / "words.toml"))
    _ok(*names, "--front-end", "pixels", "--home", str(tmp_path / "hub"))
    assert CoordinatorHome(tmp_path / "hub").vocabulary() == words


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("--labels", ""),
            "give --vocabulary FILE or one of heart, chambers, muscle, lung, breast, digits, or --labels",
        ),
        (("--labels", "plax,plax"), "a code occurs twice"),
        (("--labels", "plax,,a4c"), "--labels: concepts"),
        (("--federation", "Echo Ltd"), "init: federation"),
        (("--superlink", "nowhere"), "init: superlink"),
        (("--mode", "alone"), "init: mode: .*'shared' or 'isolated'"),
        (("--weighting", "most"), "init: weighting: .*'refit', 'graded', 'scaled' or 'none'"),
        (("--alpha", "1"), "init: alpha: .*less than 1"),
        (("--front-end", "magic"), "there is no front end 'magic'"),
        (("--front-end-config", "size"), "is not key=value"),
        (("--front-end-config", "size=64"), "--front-end: "),
    ],
)
def test_init_says_what_is_wrong_and_makes_nothing(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    with pytest.raises(ConsiliumError, match=said):
        _run(*INIT, *arguments, "--home", str(tmp_path / "hub"))
    assert list(tmp_path.iterdir()) == []


def test_a_hospital_joins(world: World, here: tuple[str, str], tmp_path: Path) -> None:
    kit = tmp_path / "ada.kit.json"
    said = _ok("invite", "ada", "--out", str(kit), *here)
    told = said.rpartition("telephone: ")[2].strip()
    assert read_kit(kit, fingerprint=told).site == "ada"
    ada = type(world.join("zoe"))("ada", world.coordinator)
    request = world.request(ada)
    own = spoken_fingerprint(fingerprint(bytes.fromhex(public_hex(ada.key))))
    assert "ada is enrolled" in _ok("enrol", str(request), "--fingerprint", own, *here)
    assert "ada is revoked" in _ok("revoke", "ada", *here)
    assert world.coordinator.sites() == ["zoe"]


def test_a_hospital_changes_its_key(world: World, here: tuple[str, str], tmp_path: Path) -> None:
    ada, new, path = world.join("ada"), Ed25519PrivateKey.generate(), tmp_path / "rotation.json"
    fields = {"old_public": public_hex(ada.key), "new_public": public_hex(new)}
    write_rotation(Rotation.model_validate({"federation": "test", "site": "ada", **fields}), ada.key, new, path)
    assert "ada has a new key" in _ok("rotate", str(path), *here)
    assert world.coordinator.trust().find(role="site", name="ada")[0].public == public_hex(new)


def test_the_offline_route_does_the_same_two_exchanges(world: World, here: tuple[str, str], tmp_path: Path) -> None:
    ada, ben = world.join("ada"), world.join("ben")
    for site in (ada, ben):
        site.put(site.statistics())
        site.put(site.statistics("b0002"))
    stick = tmp_path / "stick"
    stick.mkdir()
    said = json.loads(_ok("accept", *_files(ada, stick), *_files(ben, stick), "--json", *here))
    assert [each["outcome"] for each in said] == ["accepted"] * 4
    first = json.loads(_ok("release", "--candidate", "--out", str(tmp_path / "out1"), "--json", *here))
    files = ["0001-candidate.parcel", "log.witness", "releases.status"]
    assert [Path(path).name for path in first["files"]] == files * 2
    for site in (ada, ben):
        _carry(site, tmp_path / "out1")
    _ok("accept", *_files(ada, stick), *_files(ben, stick), *here)
    assert "release " in _ok("release", "--out", str(tmp_path / "out2"), *here)
    for site in (ada, ben):
        _carry(site, tmp_path / "out2")
        assert [each.manifest.number for each in site.releases] == [1]
    assert {site.name: site.calibration for site in ada.releases[0].manifest.sites} == {"ada": "own", "ben": "own"}
    assert "no new release: nothing has changed" in _ok("release", *here)
    assert "no new candidate: nothing has changed" in _ok("release", "--candidate", *here)


def test_hospitals_witness_the_log_by_files(world: World, here: tuple[str, str], tmp_path: Path) -> None:
    """Whatever was logged before the sticks came back: each site signs what it was shown."""
    ada, ben = world.join("ada"), world.join("ben")
    ada.put(ada.statistics())
    stick, out, copy = tmp_path / "stick", tmp_path / "out", tmp_path / "copy"
    stick.mkdir()
    _ok("accept", *_files(ada, stick), *here)
    _ok("export", "--out", str(out), *here)
    size = open_log(world.coordinator.home).size
    assert len(ada.told) == 0
    ben.put(ben.statistics())
    said = _run("accept", _witnessed(ada, out, stick), *_files(ben, stick), *here)
    assert said.exit_code == 0
    assert f"ada has witnessed the first {size} entries of the log" in said.stderr
    assert len(ada.told) == 1
    assert f"ben has witnessed the first {size} entries" in _run("accept", _witnessed(ben, out, stick), *here).stderr
    _ok("log", "--out", str(copy), *here)
    checks = {check.name: check for check in verify_log(copy, world.coordinator.trust(), witnesses=2)}
    assert all(check.ok is not False for check in checks.values())
    assert checks["witnesses"].found.startswith(f"ada, ben signed {size} entries")
    assert open_log(world.coordinator.home).size > size


def test_a_signed_checkpoint_that_is_none_is_told_and_the_parcels_are_taken(
    world: World, here: tuple[str, str], tmp_path: Path
) -> None:
    ada, wrong = world.join("ada"), tmp_path / "ada.witnessed"
    ada.put(ada.statistics())
    wrong.write_bytes(b"nothing")
    said = _run("accept", str(wrong), *_files(ada, tmp_path), "--json", *here)
    assert said.exit_code == 1
    assert f"{wrong}: signed note: has no signatures" in said.stderr
    assert [each["outcome"] for each in json.loads(said.stdout)] == ["accepted"]


def test_accept_says_what_was_wrong_and_exits_with_one(world: World, here: tuple[str, str], tmp_path: Path) -> None:
    ada = world.join("ada")
    good, bad, late = (tmp_path / f"{name}.parcel" for name in ("good", "bad", "late"))
    good.write_bytes(ada.seal(ada.statistics()))
    bad.write_bytes(ada.seal(ada.statistics("b0002", front_end=digest(b"another"))))
    ada.seal(ada.statistics("b0003"))  # lost on the way
    late.write_bytes(ada.seal(ada.statistics("b0004")))
    result = _run("accept", str(bad), str(good), "--json", *here)
    assert result.exit_code == 1
    assert [(each["outcome"], each["numbered"], bool(each["reason"])) for each in json.loads(result.output)] == [
        ("accepted", True, False),
        ("rejected", True, True),
    ]
    result = _run("accept", str(late), "--json", *here)
    assert result.exit_code == 1
    assert [(each["outcome"], each["numbered"]) for each in json.loads(result.output)] == [("again", False)]
    assert _run("accept", str(good), *here).exit_code == 0  # the same again
    with pytest.raises(ConsiliumError, match="cannot be read"):
        _run("accept", str(tmp_path / "missing.parcel"), *here)


def test_accept_of_what_was_superseded_since_is_harmless(world: World, here: tuple[str, str], tmp_path: Path) -> None:
    ada = _released(world)
    release = world.coordinator.status()["releases"][0]["digest"]
    files = [tmp_path / f"{choice}.parcel" for choice in ("adopted", "refused")]
    for choice, path in zip(("pinned", "refused"), files, strict=True):
        ada.choice = choice
        path.write_bytes(ada.seal(ada.adoption(release)))
        assert _run("accept", str(path), *here).exit_code == 0
    again = _run("accept", str(files[0]), *here)
    assert (again.exit_code, "superseded" in again.output) == (0, True)
    (told,) = json.loads(_ok("accept", str(files[0]), "--json", *here))
    assert (told["outcome"], told["numbered"]) == ("same", True)
    (tmp_path / "bad.parcel").write_bytes(b"no parcel")
    assert _run("accept", *map(str, (files[0], tmp_path / "bad.parcel")), *here).exit_code == 1


def _released(world: World, batches: int = 1) -> Site:
    from server.event import run_event

    ada = world.join("ada")
    for number in range(1, batches + 1):
        ada.put(ada.statistics(f"b000{number}"))
        run_event(world.coordinator, world)
    return ada


def test_status_for_people_and_programs(world: World, here: tuple[str, str]) -> None:
    _released(world)
    found = json.loads(_ok("status", "--json", *here))
    assert found == world.coordinator.status()
    said = _ok("status", *here)
    assert "ada" in said
    assert "standing" in said
    assert "no report from: nobody" in said


def test_the_status_fits_eighty_columns_and_breaks_no_time(
    world: World, here: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _released(world, batches=2)
    world.coordinator.accept(b"no parcel")
    (heard,) = {site["last_heard"] for site in world.coordinator.status()["sites"]}
    monkeypatch.setenv("COLUMNS", "80")
    for lines in (_ok("status", *here).splitlines(), _ok("log", *here).splitlines()):
        assert max(map(len, lines)) <= 80
        assert any(minute(heard) in line for line in lines)


def test_release_needs_a_candidate(world: World, here: tuple[str, str]) -> None:
    ada = world.join("ada")
    with pytest.raises(ConsiliumError, match="there is no candidate"):
        _run("release", *here)
    world.coordinator.accept(ada.seal(ada.statistics()))
    world.coordinator.propose()
    world.coordinator.withdraw("ada")
    with pytest.raises(ConsiliumError, match="holds a withdrawn contribution"):
        _run("release", *here)


def test_withdraw_says_what_remains(world: World, here: tuple[str, str]) -> None:
    _released(world, batches=2)
    (one, _) = (each["digest"] for each in world.coordinator.status()["sites"][0]["contributions"])
    with pytest.raises(ConsiliumError, match="name contributions, or --all"):
        _run("withdraw", "ada", *here)
    with pytest.raises(ConsiliumError, match="name contributions, or --all"):
        _run("withdraw", "ada", one, "--all", *here)
    done = json.loads(_ok("withdraw", "ada", one, "--json", *here))
    assert done["contributions"] == [one]
    said = _ok("withdraw", "ada", "--all", *here)
    assert "withdrew 1 contributions of ada" in said
    assert "remains: release 2, sent to ada, was computed from these statistics" in said
    assert (world.coordinator.home.path / "flower" / "event-requested").exists()


def test_recall_and_rollback(world: World, here: tuple[str, str], tmp_path: Path) -> None:
    ada = _released(world, batches=2)
    assert "release 3 has the content of release 1" in _ok("rollback", "1", *here)
    assert "release 3 is recalled" in _ok("recall", "3", "--reason", "a mistake", *here)
    out = tmp_path / "out"
    names = [Path(path).name for path in _ok("export", "--out", str(out), *here).split()]
    assert names == ["log.witness", "releases.status"]  # release 3 was never handed over, so there is nothing to recall
    assert "release 2 is recalled" in _ok("recall", "2", "--reason", "another", *here)
    path, _, status = _ok("export", "--out", str(out), *here).split()
    _carry(ada, out)
    assert Path(status).read_bytes().startswith(b'{"payload":')
    assert Path(path).name == f"{ada.ledger.sequence:04d}-recall.parcel"
    assert ada.recalls[0].manifest.reason == "another"
    assert parse_manifest(world.coordinator.artefacts.get(ada.recalls[0].manifest.fallback)).number == 1


def test_run_serves_the_home(world: World, here: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[Any] = []
    monkeypatch.setattr("server.superlink.serve", lambda home, **options: served.append((home.path, options)))
    _ok("run", "--once", *here)
    assert served == [(world.coordinator.home.path, {"listen": None, "once": True, "every": None})]


def test_a_mistake_is_one_line_and_exit_code_one(tmp_path: Path) -> None:
    command = [sys.executable, "consilium.py", "coordinator", "status", "--home", str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert "is not a coordinator's home" in result.stderr
    assert result.stdout == ""
