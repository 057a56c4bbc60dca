from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from federated.envelope import PREDICATE_TYPE, Passage
from federated.keys import verifier
from federated.log.checkpoints import origin_of
from federated.log.entries import Entry, sign_entry
from federated.log.journal import Journal
from federated.log.told import parse_told, tell
from federated.log.verification import entries_of, verify_log
from federated.log.witness import Request
from federated.signing import verified_by
from federated.statements import read_statement, sign_statement
from site_agent.commands import app
from site_agent.ledger import sent, transaction
from site_agent.logged import LEFT_OUT, MADE_UP, NOT_OURS, NOT_YET, verify_receipts
from site_agent.witness import checkpoint_path, told_path, witness

if TYPE_CHECKING:
    from pathlib import Path

    from site_agent.home import SiteHome
    from tests.site_agent.conftest import Federation


@pytest.fixture
def ada(federation: Federation) -> SiteHome:
    home = federation.hospital("ada", {"dark": 14, "light": 14})
    federation.exchange(home)
    return home


def _witness(federation: Federation, home: SiteHome) -> None:
    asked, *told = federation.coordinator.unwitnessed([home.config.site])[home.config.site]
    assert federation.coordinator.take_cosignature(home.config.site, witness(home, asked, told))


def _states(home: SiteHome) -> list[tuple[str, str, str]]:
    return [(each.kind, each.state, each.found) for each in verify_receipts(home)]


def test_what_left_waits_until_it_is_told_of(federation: Federation, ada: SiteHome) -> None:
    assert _states(ada) == [("statistics", "waiting", NOT_YET)]
    _witness(federation, ada)
    assert _states(ada) == [("statistics", "logged", "entry 3 of the first 4, which this site has signed")]


def test_what_follows_is_told_with_what_follows(federation: Federation, ada: SiteHome) -> None:
    _witness(federation, ada)
    federation.coordinator.propose()
    federation.exchange(ada)
    federation.exchange(ada)
    _witness(federation, ada)
    assert [(kind, state) for kind, state, _ in _states(ada)] == [("statistics", "logged"), ("report", "logged")]
    assert len(list(told_path(ada, "").parent.iterdir())) == 2


def test_what_is_left_out_while_later_ones_are_told_of_is_wrong(federation: Federation, ada: SiteHome) -> None:
    """The coordinator took it and keeps quiet about it."""
    federation.coordinator.propose()
    federation.exchange(ada)
    federation.exchange(ada)
    _witness(federation, ada)
    first, second = verify_receipts(ada)
    told_path(ada, first.digest).unlink()
    assert _states(ada) == [("statistics", "wrong", LEFT_OUT), ("report", "logged", second.found)]
    told_path(ada, second.digest).unlink()
    assert [state for _, state, _ in _states(ada)] == ["waiting", "waiting"]


def test_an_entry_that_was_changed_here_is_wrong(federation: Federation, ada: SiteHome) -> None:
    _witness(federation, ada)
    (one,) = verify_receipts(ada)
    path = told_path(ada, one.digest)
    told = parse_told(path.read_bytes())
    path.write_bytes(told.model_copy(update={"number": 2}).to_bytes())
    assert _states(ada)[0][1] == "wrong"
    path.write_bytes(b"rubbish")
    assert _states(ada)[0][1] == "wrong"


def test_an_entry_without_its_checkpoint_is_wrong(federation: Federation, ada: SiteHome) -> None:
    _witness(federation, ada)
    (one,) = verify_receipts(ada)
    checkpoint_path(ada, parse_told(told_path(ada, one.digest).read_bytes()).size).unlink()
    ((_, state, found),) = _states(ada)
    assert (state, "is missing or not signed" in found) == ("wrong", True)


def test_a_log_that_tells_of_another_parcel_is_wrong(federation: Federation, ada: SiteHome) -> None:
    """The hospital's own record says that something else left under this digest."""
    _witness(federation, ada)
    with transaction(ada.state_path) as connection:
        (row,) = sent(connection)
        connection.execute("UPDATE sent SET envelope = ? WHERE sequence = 1", (row.envelope.replace(b"5", b"6", 1),))
    ((_, state, found),) = _states(ada)
    assert (state, "something else than what left" in found) == ("wrong", True)


def test_what_somebody_else_sent_in_this_sites_name_comes_out(federation: Federation, ada: SiteHome) -> None:
    """With the site's key, elsewhere: the coordinator takes it in, and the log tells the hospital of it."""
    _witness(federation, ada)
    with transaction(ada.state_path) as connection:
        connection.execute("DELETE FROM sent")
    assert _states(ada) == [("statistics", "wrong", NOT_OURS)]


@pytest.mark.parametrize("envelope", ["Maria Schmidt", "of another site"])
def test_what_the_coordinator_made_up_in_this_sites_name_is_told_as_that(
    federation: Federation, ada: SiteHome, tmp_path: Path, envelope: str
) -> None:
    """It can log what it likes, and show it with a proof; the receipts go on, and say whose word it is."""
    key, subject = federation.coordinator.home.key(), "sha256:" + "7" * 64
    passage = Passage.model_validate(
        dict.fromkeys(("federation", "sender", "recipient", "kind"), "ada")
        | {"sequence": 9, "previous": subject, "policy": None, "filters": {}, "approval": "none"}
        | {"issued": "2026-11-21T06:00:00Z"}
    )
    sealed = sign_statement("ada", subject, PREDICATE_TYPE, passage, [key]).decode()
    facts = {"federation": "shades", "at": "2026-11-21T06:00:00Z", "event": "accepted", "site": "ada"}
    facts |= {"kind": "features", "subject": subject, "envelope": envelope if " S" in envelope else sealed}
    raw = sign_entry(Entry.model_validate(facts), key)
    lie = Journal(tmp_path / "lie", origin_of("shades"))
    lie.append([raw], key)
    assert lie.note is not None
    witness(ada, Request(0, (), lie.note).to_bytes(), [tell(lie, 0, raw).to_bytes()])
    *_, last = verify_receipts(ada)
    assert (last.digest, last.sequence, last.kind, last.state, last.found) == (subject, 0, "features", "wrong", MADE_UP)


def test_a_hospital_that_denies_what_it_sent_is_held_to_it_by_its_own_signature(
    federation: Federation, ada: SiteHome
) -> None:
    """Receipt, ledger and outbox are its own and may go; what it signed stands in the log, which it has signed too."""
    _witness(federation, ada)
    (one,) = verify_receipts(ada)
    ada.receipts_path.unlink(missing_ok=True)
    ada.state_path.unlink()
    home, trust = federation.coordinator.home, federation.coordinator.trust()
    assert all(check.ok for check in verify_log(home.log_path, trust, witnesses=1))
    entry = next(each for each in entries_of(home.log_path, "shades") if each.subject == one.digest)
    statement = read_statement(str(entry.envelope).encode(), PREDICATE_TYPE, Passage)
    key = ada.key().public_key().public_bytes_raw().hex()
    assert (statement.predicate.sender, statement.predicate.sequence, statement.digest) == ("ada", 1, one.digest)
    assert verified_by(statement.envelope, [verifier(key, where="ada")])


def _run(home: SiteHome, *words: str) -> Any:
    return CliRunner().invoke(app, ["receipts", *words, "--home", str(home.path)], env={"COLUMNS": "160"})


def test_the_command_says_what_is_logged(federation: Federation, ada: SiteHome) -> None:
    assert "0 logged, 1 waiting, 0 wrong" in _run(ada, "--verify").stdout
    _witness(federation, ada)
    shown = _run(ada, "--verify")
    assert (shown.exit_code, "1 logged, 0 waiting, 0 wrong" in shown.stdout) == (0, True)
    assert "entry 3 of the first 4" in shown.stdout
    (found,) = json.loads(_run(ada, "--verify", "--json").stdout)
    assert (found["state"], found["entry"], found["sequence"]) == ("logged", 3, 1)
    told_path(ada, found["digest"]).write_bytes(b"rubbish")
    assert _run(ada, "--verify").exit_code == 1
