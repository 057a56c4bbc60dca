"""The hospital's commands from the kit to the prediction, and one line for each mistake."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from federated.enrolment import write_kit
from federated.keys import fingerprint, public_hex
from site_agent.home import SiteHome
from site_agent.supernode import Node

if TYPE_CHECKING:
    from tests.site_agent.conftest import Federation, Result, Run


@pytest.fixture
def ada(federation: Federation) -> SiteHome:
    return federation.hospital("ada", {"dark": 24, "light": 24})


def _joined(run: Run, federation: Federation, *extra: object) -> Result:
    kit = federation.coordinator.invite("ada")
    key = federation.coordinator.home.key()
    write_kit(kit, key, federation.folder / "ada.kit.json")
    told = fingerprint(bytes.fromhex(public_hex(key)))
    return run("join", federation.folder / "ada.kit.json", "--fingerprint", told, *extra)


def _written(federation: Federation) -> list[Path]:
    """What waits for ada, on a stick, and acknowledged."""
    paths = []
    for parcel in federation.coordinator.outgoing("ada"):
        paths.append(federation.folder / f"{parcel.digest[7:17]}.parcel")
        paths[-1].write_bytes(parcel.to_bytes())
        federation.coordinator.acknowledge("ada", parcel.digest)
    return paths


def test_from_the_kit_to_an_answer_with_files_alone(run: Run, federation: Federation) -> None:
    coordinator, stick = federation.coordinator, federation.folder / "stick"
    joined = _joined(run, federation)
    assert joined.code == 0, joined.err
    home = SiteHome(federation.folder / "ada")
    told = joined.out.partition("telephone: ")[2].splitlines()[0]
    assert coordinator.enrol(home.request_path, told) == "ada"

    images = federation.images("ada", {"dark": 24, "light": 24})
    assert "batch b0001: 96 images in 96 files of 48 patients" in run("ingest", images).out
    assert run("policy", "--write", "permissive", "--sign").code == 0
    assert "may leave" in run("preview").out
    assert "statistics, batch b0001: outbox" in run("work").out
    parcels = [Path(line) for line in run("export", stick).out.split()]
    assert [path.name for path in parcels] == ["ada-0001-statistics.parcel"]
    accepted = coordinator.accept_all([path.read_bytes() for path in parcels])
    (stick / "answers.json").write_text(json.dumps([one.model_dump(mode="json") for one in accepted]))

    coordinator.propose()
    assert "took in 1 parcels and 1 answers" in run("import", *_written(federation), stick / "answers.json").out
    assert "report, candidate 1: outbox" in run("work").out
    coordinator.accept_all([Path(line).read_bytes() for line in run("export", stick).out.split()])
    coordinator.release()
    assert run("import", *_written(federation)).code == 0
    assert "release 1: waiting (consilium site evaluate 1)" in run("work").out

    assert "was not evaluated on your own patients yet; consilium site evaluate 1" in run("adopt").err
    assert "balanced accuracy" in run("evaluate").out
    assert "release 1 is adopted and answers here" in run("adopt", "--reason", "good enough").out
    assert run("status", "--json").json["answers"] == 1
    done = run("predict", images, "--json")
    assert done.code == 0, done.err
    assert (done.json["images"], done.json["clips"]) == (96, 48)
    assert len(Path("predictions.jsonl").read_text().splitlines()) == 144
    assert [one["kind"] for one in run("receipts", "--json").json] == ["statistics", "report", "adoption"]


def test_joining_needs_the_fingerprint_told_by_telephone(run: Run, federation: Federation) -> None:
    write_kit(federation.coordinator.invite("ada"), federation.coordinator.home.key(), federation.folder / "kit.json")
    result = run("join", federation.folder / "kit.json", "--fingerprint", "0" * 32)
    assert result.code == 1
    assert "not the one you were told" in result.err
    assert not (federation.folder / "ada").exists()


def test_joining_twice_is_refused(run: Run, federation: Federation) -> None:
    assert _joined(run, federation).code == 0
    assert "is not empty" in _joined(run, federation).err


@pytest.mark.parametrize("command", ["doctor", "status", "work", "run", "preview", "receipts", "evaluate", "refuse"])
def test_without_a_home_every_command_says_so_in_one_line(run: Run, command: str) -> None:
    result = run(command)
    assert result.code == 1
    assert result.err.count("\n") == 1
    assert "is not a site's home; make one with: consilium site join KIT" in result.err


def test_the_doctor_names_what_is_wrong_and_its_cure(run: Run, ada: SiteHome) -> None:
    ada.policy_path.write_bytes(ada.policy_path.read_bytes().replace(b"cell = 1", b"cell = 2", 1))
    result = run("doctor", "--json")
    assert result.code == 1
    findings = {finding["name"]: finding for finding in result.json}
    assert findings["keys"]["ok"]
    assert not findings["policy"]["ok"]
    assert "was changed after an approver signed it" in findings["policy"]["found"]
    assert "NOT OK" in run("doctor").out


def test_a_mistake_in_the_index_is_one_line(run: Run, ada: SiteHome, federation: Federation) -> None:
    index = federation.images("more", {"dark": 1}) / "index.csv"
    index.write_text(index.read_text().replace("label", "view"))
    result = run("ingest", index)
    assert result.code == 1
    assert "has no column 'label' for the label" in result.err
    assert "--columns label=NAME" in result.err
    assert run("ingest", index, "--columns", "label=view").code == 0


def test_work_without_a_policy_is_refused_with_its_cure(run: Run, federation: Federation) -> None:
    home = federation.join("ada")
    federation.take_in(home, {"dark": 4})
    result = run("work")
    assert result.code == 1
    assert "refused by policy" in result.err
    assert "have an approver sign it" in result.err
    assert run("receipts").out == "nothing has left\n"


def test_run_keeps_the_supernode_online(run: Run, ada: SiteHome, monkeypatch: pytest.MonkeyPatch) -> None:
    nodes: list[Node] = []
    monkeypatch.setattr("site_agent.supernode.keep_online", lambda node, *_: nodes.append(node))
    assert run("run").code == 0
    assert nodes[0].site == "ada"


def test_importing_what_is_no_parcel_changes_nothing(run: Run, federation: Federation, ada: SiteHome) -> None:
    federation.exchange(ada)
    federation.coordinator.propose()
    (good,) = _written(federation)
    bad = federation.folder / "bad.parcel"
    bad.write_bytes(b"consilium")
    result = run("import", good, bad)
    assert result.code == 1
    assert "bad.parcel, parcel: is not a Consilium parcel" in result.err
    assert run("status", "--json").json["unread"] == 0
    flipped = bytearray(good.read_bytes())
    flipped[-1] ^= 1
    bad.write_bytes(bytes(flipped))
    assert "not taken in" in run("import", bad).err
