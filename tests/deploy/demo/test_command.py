"""The whole demonstration by files: what it shows, writes, replaces and refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deploy.demo import command
from deploy.demo.command import demo
from deploy.demo.places import MARK
from federated.audit.bundle import open_bundle
from federated.audit.whole import verify_bundle
from federated.decision import check_decision, parse_decision
from federated.envelope import open_parcel, parse_parcel
from federated.errors import ConsiliumError
from federated.keys import read_trust
from federated.log.verification import index_of, verify_log
from server.coordinator import Coordinator
from server.home import CoordinatorHome
from shared_models.phantom.hospitals import HOSPITALS
from tests.federated.audit.test_bundle_commands import WITHOUT
from tests.test_layers import BASE_INSTALL, HEAVY, ROOT

COLUMNS = "site=hospital"


def _demo(data: Path, out: Path, *, columns: str = COLUMNS, order: str = "") -> None:
    demo(data=data, columns=columns, order=order, patients=None, out=out, offline=True)


@pytest.fixture(scope="module")
def out(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "out"
    _demo(pictures, folder)
    return folder


@pytest.fixture(scope="module")
def results(out: Path) -> dict[str, Any]:
    return dict(json.loads((out / "results.json").read_text(encoding="utf-8")))


def test_sites_arrive_with_the_fewest_labels_first(results: dict[str, Any]) -> None:
    assert results["order"] == ["alder", "birch", "cedar"]
    assert [arrival["site"] for arrival in results["arrivals"]] == results["order"]
    assert [arrival["labels_added"] for arrival in results["arrivals"]] == [["dots", "lines"], ["rings"], []]


def test_all_three_channels_are_seen(results: dict[str, Any]) -> None:
    kinds = [[item["kind"] for item in arrival["received"]] for arrival in results["arrivals"]]
    assert {"statistics", "weights", "report", "adoption"} == set(kinds[0])
    assert {"statistics", "features"} <= set(kinds[1])
    assert not {"features", "weights"} & set(kinds[2])
    assert all(item["bytes"] > 100 for arrival in results["arrivals"] for item in arrival["received"])


def test_the_fused_experts_learn_what_each_site_alone_cannot(results: dict[str, Any]) -> None:
    rows = {row["method"]: row for row in results["arrivals"][-1]["rows"]}
    assert rows["fused experts"]["accuracy"]["value"] > 0.8
    assert rows["fused experts"]["accuracy"]["value"] > rows["most frequent"]["accuracy"]["value"] + 0.2
    assert set(rows) == {"fused experts", "most frequent", "site alone", "sequential", "joint (pooled)"}


def test_the_release_is_the_coordinators(out: Path, results: dict[str, Any]) -> None:
    parcel = parse_parcel((out / "release").read_bytes())
    opened = open_parcel(parcel, read_trust(out / "keys.toml"), recipient="cedar")
    assert opened.digest == results["arrivals"][-1]["release"]
    assert opened.manifest.experts[0].site == "alder"


def test_predictions_add_up_and_are_the_last_releases(out: Path, results: dict[str, Any]) -> None:
    lines = (out / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    decisions = [parse_decision(line, where="predictions") for line in lines]
    for decision in decisions:
        check_decision(decision)
    assert {decision.release for decision in decisions} == {results["arrivals"][-1]["release"]}
    clips = [decision for decision in decisions if decision.image is None]
    assert len(clips) == results["arrivals"][-1]["rows"][0]["accuracy"]["clips"]
    assert len(decisions) == 3 * len(clips)  # two frames a clip
    assert all((decision.image or "").endswith(".png") for decision in decisions if decision.image)


def test_an_auditor_verifies_what_happened(out: Path, results: dict[str, Any]) -> None:
    trust = read_trust(out / "keys.toml")
    checks = verify_log(out / "log", trust, witnesses=3)
    assert [check.ok for check in checks] == [True, True, True]
    assert checks[1].found.startswith("alder, birch, cedar signed ")
    assert ("release", "", results["arrivals"][-1]["release"]) in index_of(out / "log", trust.federation)


def test_an_auditor_verifies_the_whole_record(out: Path, results: dict[str, Any]) -> None:
    bundle = open_bundle(out / "record.bundle")
    audits = list(verify_bundle(bundle, read_trust(out / "keys.toml"), witnesses=3))
    assert all(audit.ok for audit in audits), audits[-1]
    assert bundle.releases()[-1].digest == results["arrivals"][-1]["release"]
    found = {(audit.kind, check.name): check.ok for audit in audits for check in audit.checks}
    for looked_at in ("entries", "site alder", "site cedar", "calibration", "solutions", "sums"):
        assert True in {ok for (_, name), ok in found.items() if name == looked_at}, looked_at


def test_one_changed_byte_of_the_record_is_named_without_torch_and_flower(out: Path, tmp_path: Path) -> None:
    words = ["audit", "verify", str(out / "record.bundle"), "--trust", str(out / "keys.toml"), "--witnesses", "3"]
    fine = _alone(words)
    assert fine.returncode == 0, fine.stderr
    data = bytearray((out / "record.bundle").read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "record.bundle").write_bytes(data)
    lie = _alone([*words[:2], str(tmp_path / "record.bundle"), *words[3:]])
    assert lie.returncode == 1
    assert "refused at the first lie: bundle.json: members: " in lie.stdout


def _alone(words: list[str]) -> subprocess.CompletedProcess[str]:
    """The command in an environment that has the base install and nothing else."""
    code = WITHOUT.format(hidden=HEAVY - BASE_INSTALL, words=["consilium", *words])
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)


def test_it_says_what_was_shown_and_where_everything_lies(out: Path) -> None:
    text = (out / "tables.txt").read_text(encoding="utf-8")
    for words in ("PERMISSIVE", "Arrival 3 of 3: cedar adds no new label", "How to read", "consilium audit verify"):
        assert words in text
    for name in ("accuracy.png", "weights_and_contributions.png", "keys.toml", "predictions.jsonl"):
        assert str(out / name) in text
        assert (out / name).stat().st_size > 100


def test_parcels_passed_as_files(out: Path) -> None:
    names = [path.name for path in sorted((out / "exchange").iterdir())]
    assert names[0] == "001-from-alder-01-statistics.parcel"
    assert "002-to-alder-01-candidate.parcel" in names
    assert "003-to-alder-01-release.parcel" in names


def test_a_second_run_says_so_and_gives_the_same_release(
    pictures: Path, out: Path, results: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    stray = out / "left-over"
    stray.touch()
    _demo(pictures, out)
    assert f"Replacing the earlier demo in {out}" in capsys.readouterr().out.replace("\n", "")
    assert not stray.exists()
    again = json.loads((out / "results.json").read_text(encoding="utf-8"))
    assert again["arrivals"][-1]["release"] == results["arrivals"][-1]["release"]


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("phantom") / "out"
    demo(data=None, columns="", order="agate,beryl,diorite,citrine", patients=6, out=folder, offline=True)
    return folder


def test_hospitals_of_the_phantom_arrive_where_no_images_are_given(phantom: Path) -> None:
    found = json.loads((phantom / "results.json").read_text(encoding="utf-8"))
    assert (found["kind"], found["testing"]) == ("phantom", ["onyx", "quartz"])
    assert (
        found["order"] == [arrival["site"] for arrival in found["arrivals"]] == ["agate", "beryl", "diorite", "citrine"]
    )
    base, two, contrast, wide = (
        {found["names"][code] for code in arrival["labels_added"]} for arrival in found["arrivals"]
    )
    assert base <= set(HOSPITALS["agate"].labels)
    assert two <= {"A2C", "A4C"}
    assert "A2C+contrast" in contrast <= set(HOSPITALS["diorite"].labels)
    assert "SC-4C" in wide <= set(HOSPITALS["citrine"].labels)
    rows = {row["method"]: row for row in found["arrivals"][-1]["rows"]}
    assert rows["fused experts"]["accuracy"]["value"] > 2 * rows["most frequent"]["accuracy"]["value"]
    assert rows["fused experts"]["testing"]["patients"] == 4
    assert rows["site alone"]["testing"]["patients"] == 0


def test_every_table_of_the_phantom_says_so(phantom: Path) -> None:
    text = (phantom / "tables.txt").read_text(encoding="utf-8")
    titles = [line for line in text.splitlines() if line.startswith(("Arrival", "Held-back", "Accuracy /", "Over all"))]
    assert len(titles) == 3 * 4 + 1
    assert all("(phantom)" in title for title in titles)
    assert "hearts that never were" in text
    assert "diorite adds A2C+contrast" in text
    assert "onyx (only tests)" in text


def test_who_only_tests_is_invited_and_sends_nothing(phantom: Path) -> None:
    home = Coordinator(CoordinatorHome(phantom / "coordinator"))
    assert home.sites() == ["agate", "beryl", "citrine", "diorite"]
    assert not [path for path in (phantom / "exchange").iterdir() if "onyx" in path.name or "quartz" in path.name]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"data": Path("x"), "patients": 3}, "--patients: goes with the phantom only"),
        ({"columns": "site=ward"}, "--columns: goes with images of your own only"),
        ({"patients": 0}, "--patients: 0 is not from 1 to"),
        ({"order": "agate,onyx"}, "sites: agate,beryl,citrine,diorite"),
    ],
)
def test_options_that_do_not_fit_the_images(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = {"data": None, "columns": "", "order": "", "patients": None} | options
    with pytest.raises(ConsiliumError, match=message):
        demo(**given, out=tmp_path / "out", offline=True)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"order": "alder,birch"}, "does not name every site once"),
        ({"columns": ""}, "does not say the site of every image"),
        ({"columns": "site=ward"}, "has no column 'ward'"),
    ],
)
def test_a_wrong_option_changes_nothing(pictures: Path, tmp_path: Path, options: dict[str, str], message: str) -> None:
    (tmp_path / MARK).touch()
    (tmp_path / "results.json").write_text("kept", encoding="utf-8")
    with pytest.raises(ConsiliumError, match=message):
        _demo(pictures, tmp_path, **options)
    assert (tmp_path / "results.json").read_text(encoding="utf-8") == "kept"


def test_an_arrival_without_release_is_one_line(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.demo.federation.permissive_policy", _forbidding)
    with pytest.raises(ConsiliumError, match=r"alder: refused by policy: .*it allows none of"):
        _demo(pictures, tmp_path / "out")


def _forbidding(federation: str, site: str, kinds: tuple[str, ...]) -> object:
    from site_agent.policy import default_policy

    return default_policy(federation, site)


def test_free_ports_are_free() -> None:
    import socket

    port = command._free_port()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", port))
        assert probe.getsockname()[1] == port


def test_images_inside_the_folder_to_be_emptied_are_not_lost(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / MARK).touch()
    (tmp_path / "mine").mkdir()
    index = tmp_path / "mine" / "index.csv"
    index.write_bytes((pictures / "index.csv").read_bytes())
    with pytest.raises(ConsiliumError, match="lies inside --out, which is emptied first"):
        _demo(tmp_path / "mine", tmp_path)
    assert index.exists()


def test_nobody_to_hold_back_is_one_line(pictures: Path, tmp_path: Path) -> None:
    header, *rows = (pictures / "index.csv").read_text(encoding="utf-8").splitlines()
    few = [f"{pictures}/{row}" for row in rows if row.split(",")[2].endswith("lines-0")]  # one patient a site
    (tmp_path / "index.csv").write_text("\n".join([header, *few]) + "\n", encoding="utf-8")
    with pytest.raises(ConsiliumError, match="no site has patients enough to hold one back"):
        _demo(tmp_path / "index.csv", tmp_path / "out")
