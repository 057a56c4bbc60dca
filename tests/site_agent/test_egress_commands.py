"""Commands about what leaves: shown first, allowed by the right key only, receipted, taken back for good."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from federated.canonical import digest
from federated.disclosure import Limits
from federated.keys import create_private_key
from federated.tables import minute
from site_agent.egress_commands import limits_lines
from site_agent.home import SiteHome
from site_agent.policy import GOVERNED_KINDS, StandingApproval, signature_path

if TYPE_CHECKING:
    from tests.site_agent.conftest import Federation, Run


@pytest.fixture
def ada(federation: Federation) -> SiteHome:
    return federation.hospital("ada", {"dark": 24, "light": 24})


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
        (
            ["--kinds", "images"],
            "images: there is no such kind; there are: statistics, features, weights, consultation, report",
        ),
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


def test_what_waits_is_shown_before_anybody_asks_for_a_key(run: Run, federation: Federation, ada: SiteHome) -> None:
    federation.allow(ada, "statistics", statistics={"approval": "each"})
    assert run("work").code == 0
    ada.approver_key_path.unlink()
    assert "waiting: " in run("approve").err
    told = run("approve", "--all", "--yes")
    assert told.code == 1
    assert "could be inferred: " in told.out
    assert "the approver keeps the key elsewhere; name it with --key" in told.err


def test_only_an_approvers_key_approves(run: Run, federation: Federation, ada: SiteHome) -> None:
    federation.allow(ada, statistics={"approval": "each"})
    run("work")
    create_private_key(federation.folder / "other.pem")
    result = run("approve", "--all", "--yes", "--key", federation.folder / "other.pem")
    assert result.code == 1
    assert "not an approver's of this site" in result.err
    assert run("receipts").out == "nothing has left\n"


def test_the_policy_shows_how_much_goes_to_whom(run: Run, federation: Federation, ada: SiteHome) -> None:
    federation.allow(ada, "statistics", "report", statistics={"level_to_sites": 1})
    rows = {line.split()[0]: line.split() for line in run("policy").out.splitlines() if line.strip()}
    assert rows["statistics"][1:7] == ["yes", "standing", "level", "2", "level", "1"]
    assert rows["report"][1:3] == ["yes", "standing"]
    assert "level" not in rows["report"]


def test_limits_that_are_the_same_for_all_kinds_are_shown_once() -> None:
    usual = Limits()
    assert limits_lines(dict.fromkeys(GOVERNED_KINDS, usual)) == [
        "limits: cell 5, batch 5, difference 5, gram_share 0.33, dominance 0.5, levels 40, max_bytes 67108864"
    ]
    strict = usual.model_copy(update={"cell": 20, "gram_share": 0.1})
    lines = limits_lines(dict.fromkeys(GOVERNED_KINDS, usual) | {"report": strict, "statistics": strict})
    assert lines[1:] == ["limits of statistics, report that differ: cell 20, gram_share 0.1"]


def test_the_policy_shows_its_limits_once(run: Run, ada: SiteHome) -> None:
    lines = [line for line in run("policy").out.splitlines() if "max_bytes" in line]
    assert [line.partition(" 1")[0] for line in lines[1:]] == ["limits of statistics, report that differ: cell"]
    assert lines[0].startswith("limits: cell 5, batch 5, ")


def test_the_policy_shows_what_of_a_standing_approval_is_used(run: Run, federation: Federation, ada: SiteHome) -> None:
    standing = StandingApproval(task="classification", model="linear_head", rounds=9, until="2999-12-31", bytes=5000)
    federation.allow(ada, "update", update={"approval": "standing", "averaging": (standing,)})
    lines = run("policy").out.splitlines()
    assert lines[-2].strip() == (
        "updates of 'linear_head' for 'classification' leave without asking: 0 of 9 rounds and 0 of 5000 bytes are "
        "used, until 2999-12-31"
    )


def test_without_images_one_is_told_to_take_some_in(run: Run, federation: Federation) -> None:
    federation.allow(federation.join("ada"))
    for command in ("preview", "work"):
        assert run(command).out == "no images yet: consilium site ingest FOLDER\n"
    federation.take_in(SiteHome(federation.folder / "ada"), {"dark": 24, "light": 24})
    assert run("work").code == 0
    assert "every batch was drafted already, and no candidate waits" in run("preview").out
    assert run("work").out == "nothing new\n"


def test_a_policy_for_an_unknown_kind_is_refused(run: Run, ada: SiteHome) -> None:
    result = run("policy", "--write", "permissive", "--kinds", "images")
    assert "there is no kind 'images'" in result.err


def test_a_policy_that_is_there_is_not_written_over(run: Run, ada: SiteHome) -> None:
    signed, signature = ada.policy_path.read_bytes(), signature_path(ada).read_bytes()
    result = run("policy", "--write", "default", "--sign")
    assert result.code == 1
    assert f"{ada.policy_path}: there is a policy already" in result.err
    assert "--replace" in result.err
    assert (ada.policy_path.read_bytes(), signature_path(ada).read_bytes()) == (signed, signature)
    assert "kept the policy that was there as" in run("policy", "--write", "default", "--replace").out
    kept = ada.path / f"policy-{digest(signed).removeprefix('sha256:')[:12]}.toml"
    assert (kept.read_bytes(), kept.with_name(f"{kept.name}.sig").read_bytes()) == (signed, signature)
    assert "no approver has signed it" in run("policy").err


def test_the_default_policy_lets_nothing_out_even_signed(run: Run, ada: SiteHome) -> None:
    assert "signed by approver" in run("policy", "--write", "default", "--replace", "--sign").out
    assert "it allows none of statistics, features, weights" in run("work").err


def test_the_default_policy_refuses_a_gram_matrix_and_says_what_lets_the_sums_out(
    run: Run, federation: Federation, ada: SiteHome
) -> None:
    """As docs/hospital.md tells before."""
    published = {"limits": Limits(), "level_to_sites": 1}
    federation.allow(ada, "statistics", statistics=published)
    refused = run("work")
    assert (refused.code, "refused by gram_share" in refused.err) == (1, True)
    assert "set level_to_coordinator to 1 in the policy" in refused.err
    federation.allow(ada, "statistics", statistics=published | {"level_to_coordinator": 1})
    assert "statistics, batch b0001: outbox" in run("work").out


def test_receipts_and_status_fit_eighty_columns(
    run: Run, federation: Federation, ada: SiteHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("work").code == 0
    monkeypatch.setenv("COLUMNS", "80")
    (receipt,) = run("receipts", "--json").json
    lines = run("receipts").out.splitlines()
    assert max(map(len, lines)) <= 80
    (row,) = (line for line in lines if minute(receipt["when"]) in line)
    assert receipt["digest"].removeprefix("sha256:")[:12] in row
    shown = run("status").out.splitlines()
    (batch,) = (line for line in shown if line.startswith(" b0001") and "statistics" not in line)
    assert len(batch) <= 80
    assert " 20" in batch
    assert "validation" in next(line for line in shown if line.startswith(" label") and "train" in line)


def test_withdraw_takes_back_and_never_sends_again(run: Run, federation: Federation, ada: SiteHome) -> None:
    federation.event(ada)
    assert "withdrawal, batch b0001: outbox" in run("withdraw", "b0001").out
    assert "withdrawal accepted" in federation.exchange(ada)
    assert run("status", "--json").json["contributions"][0]["state"] == "withdrawn"
    assert "nothing of it has left" in run("withdraw", "b0001").err
    assert run("work").code == 0
    assert [one["kind"] for one in run("receipts", "--json").json].count("statistics") == 1
