"""The hospital's commands from the kit to the prediction, and one line for each mistake."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

import consilium
from federated.enrolment import write_kit
from federated.keys import create_private_key, fingerprint, public_hex
from site_agent.home import SiteHome
from site_agent.supernode import Node

if TYPE_CHECKING:
    from tests.site_agent.conftest import Federation


class Result(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Runs `consilium site …` on the home of ada."""
    monkeypatch.setenv("CONSILIUM_HOME", str(tmp_path / "ada"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["consilium", "site", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            consilium.main()
        told = capsys.readouterr()
        return Result(int(stop.value.code or 0), told.out, told.err)

    return call


@pytest.fixture
def ada(federation: Federation) -> SiteHome:
    return federation.hospital("ada", {"dark": 24, "light": 24})


def _joined(run: Run, federation: Federation, *extra: object) -> Result:
    kit = federation.coordinator.invite("ada")
    key = federation.coordinator.home.key()
    write_kit(kit, key, federation.folder / "ada.kit.json")
    told = fingerprint(bytes.fromhex(public_hex(key)))
    return run("join", federation.folder / "ada.kit.json", "--fingerprint", told, *extra)


def test_from_the_kit_to_an_answer_with_files_alone(run: Run, federation: Federation) -> None:
    coordinator, stick = federation.coordinator, federation.folder / "stick"
    joined = _joined(run, federation)
    assert joined.code == 0, joined.err
    home = SiteHome(federation.folder / "ada")
    told = joined.out.partition("telephone: ")[2].splitlines()[0]
    assert coordinator.enrol(home.request_path, told) == "ada"

    images = federation.images("ada", {"dark": 24, "light": 24})
    assert "batch b0001: 96 images of 48 patients" in run("ingest", images).out
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


def _written(federation: Federation) -> list[Path]:
    """What waits for ada, on a stick, and acknowledged."""
    paths = []
    for parcel in federation.coordinator.outgoing("ada"):
        paths.append(federation.folder / f"{parcel.digest[7:17]}.parcel")
        paths[-1].write_bytes(parcel.to_bytes())
        federation.coordinator.acknowledge("ada", parcel.digest)
    return paths


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


def test_preview_without_a_policy_shows_the_published_limits(run: Run, federation: Federation) -> None:
    home = federation.join("ada")
    federation.take_in(home, {"dark": 24, "light": 4})
    shown = run("preview", "--json").json
    assert [one["kind"] for one in shown] == ["statistics"]
    assert not shown[0]["preview"]["allowed"]
    assert {"fold": "train", "label": "light", "patients": 2} in shown[0]["left_out"]
    assert "no signed policy" in shown[0]["notes"][0]
    assert "filter gram_share REFUSES" in run("preview").out


def test_preview_says_what_level_1_means(run: Run, federation: Federation, ada: SiteHome) -> None:
    federation.allow(ada, statistics={"level_to_coordinator": 1})
    assert "other sites' scatter within classes" in run("preview").out


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["b0009"], "b0009: there is no such batch; there are: b0001"),
        (["--kinds", "images"], "images: there is no such kind; there are: statistics, features, weights"),
    ],
)
def test_preview_of_what_is_not_there(run: Run, ada: SiteHome, arguments: list[str], line: str) -> None:
    assert line in run("preview", *arguments).err


def test_an_approver_lets_a_draft_out_or_keeps_it(run: Run, federation: Federation, ada: SiteHome) -> None:
    federation.allow(ada, "statistics", "weights", statistics={"approval": "each"}, weights={"approval": "each"})
    assert "statistics, batch b0001: pending" in run("work").out
    states = {one["kind"]: one for one in run("status", "--json").json["contributions"]}
    assert {one["state"] for one in states.values()} == {"pending"}
    assert "waiting: " in run("approve").err
    kept = run("approve", states["weights"]["digest"], "--reject", "not this year")
    assert "stays here for good" in kept.out
    sent = run("approve", states["statistics"]["digest"][:20], "--yes")
    assert "outbox" in sent.out
    states = {one["kind"]: one["state"] for one in run("status", "--json").json["contributions"]}
    assert states == {"statistics": "outbox", "weights": "rejected"}
    assert run("work").out == "nothing new\n"


def test_only_an_approvers_key_approves(run: Run, federation: Federation, ada: SiteHome) -> None:
    federation.allow(ada, statistics={"approval": "each"})
    run("work")
    create_private_key(federation.folder / "other.pem")
    result = run("approve", "--all", "--yes", "--key", federation.folder / "other.pem")
    assert result.code == 1
    assert "not an approver's of this site" in result.err
    assert run("receipts").out == "nothing has left\n"


def test_a_policy_for_an_unknown_kind_is_refused(run: Run, ada: SiteHome) -> None:
    result = run("policy", "--write", "permissive", "--kinds", "images")
    assert "there is no kind 'images'" in result.err


def test_the_default_policy_lets_nothing_out_even_signed(run: Run, ada: SiteHome) -> None:
    assert "signed by approver" in run("policy", "--write", "default", "--sign").out
    assert "it allows none of statistics, features, weights" in run("work").err


def test_work_adopts_when_asked_and_predict_leaves_out_what_cannot_be_read(
    run: Run, federation: Federation, ada: SiteHome
) -> None:
    federation.event(ada)
    assert "balanced accuracy 100.0 %" in run("work", "--adopt").out
    (federation.folder / "broken.png").write_bytes(b"no image")
    good = next((federation.folder / "images of ada from 0").glob("*.png"))
    result = run("predict", good, federation.folder / "broken.png", "--out", "answers.jsonl")
    assert result.code == 1
    assert "left out" in result.err
    assert len(Path("answers.jsonl").read_text().splitlines()) == 2
    nothing = run("predict", federation.folder / "broken.png", "--out", "nothing.jsonl")
    assert "none of the 1 images can be used" in nothing.err
    assert not Path("nothing.jsonl").exists()


def test_refuse_and_recall_leave_no_release_in_use(run: Run, federation: Federation, ada: SiteHome) -> None:
    federation.event(ada, adopting=True)
    assert "release 1 is refused; none answers here" in run("refuse", "1", "--reason", "drift").out
    result = run("predict", federation.folder)
    assert result.code == 1
    assert "no release answers here; consilium site evaluate, then consilium site adopt" in result.err


def test_a_standing_word_adopts_without_asking(run: Run, federation: Federation, ada: SiteHome) -> None:
    assert "adopted without asking" in run("adopt", "--always", "--floor", "0.5").out
    federation.event(ada)
    assert run("status", "--json").json["answers"] == 1
    assert "a person decides" in run("adopt", "--ask").out


def test_withdraw_takes_back_and_never_sends_again(run: Run, federation: Federation, ada: SiteHome) -> None:
    federation.event(ada)
    assert "withdrawal, batch b0001: outbox" in run("withdraw", "b0001").out
    assert "withdrawal accepted" in federation.exchange(ada)
    assert run("status", "--json").json["contributions"][0]["state"] == "withdrawn"
    assert "nothing of it has left" in run("withdraw", "b0001").err
    assert run("work").code == 0
    assert [one["kind"] for one in run("receipts", "--json").json].count("statistics") == 1


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
