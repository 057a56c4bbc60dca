from __future__ import annotations

import html
import json
from typing import TYPE_CHECKING

import pytest

from federated.log.checkpoints import read_checkpoint
from federated.log.notes import parse_note
from federated.log.told import read_told
from site_agent.egress import Gate
from site_agent.logged import LEFT_OUT, verify_receipts
from site_agent.receipts import Receipt
from site_agent.web.departures import said_bytes
from site_agent.witness import log_key, told_path
from tests.site_agent.web.conftest import browser

if TYPE_CHECKING:
    from site_agent.home import SiteHome


def test_every_receipt_is_there_with_what_the_log_says(north: SiteHome) -> None:
    receipts = Gate(north).receipts()
    shown = browser(north, "viewer").get("/left").text
    for one in receipts:
        assert f"/left/{one.digest[7:]}" in shown
        assert f"{one.bytes:,}" in shown
    assert "not told yet" in shown
    assert "entry " in shown


def test_a_receipt_shows_who_and_which_limits_and_the_proof(north: SiteHome) -> None:
    first, viewer = Gate(north).receipts()[0], browser(north, "viewer")
    shown = html.unescape(viewer.get(f"/left/{first.digest[7:]}").text)
    for part in (
        first.when.rstrip("Z").replace("T", " "),
        first.digest,
        str(first.policy),
        str(first.approver),
        *first.filters.values(),
    ):
        assert part in shown
    assert "logged as it left" in shown
    kept = viewer.get(f"/left/{first.digest[7:]}/receipt.json")
    assert Receipt.model_validate_json(kept.text) == first


def test_the_proof_that_is_kept_holds_by_itself(north: SiteHome) -> None:
    first = Gate(north).receipts()[0]
    kept = json.loads(browser(north, "viewer").get(f"/left/{first.digest[7:]}/proof.json").text)
    checkpoint = read_checkpoint(parse_note(kept["checkpoint"].encode()), log_key(north).name)
    _, entry = read_told(kept["told"].encode(), checkpoint)
    assert entry.subject == first.digest


def test_what_was_not_told_yet_has_no_proof(north: SiteHome) -> None:
    last, viewer = Gate(north).receipts()[-1], browser(north, "viewer")
    assert "not told of yet" in viewer.get(f"/left/{last.digest[7:]}").text
    assert viewer.get(f"/left/{last.digest[7:]}/proof.json").status_code == 404


def test_a_log_that_tells_of_something_else_is_said_aloud(own: SiteHome) -> None:
    first, last = Gate(own).receipts()[0], Gate(own).receipts()[-1]
    told_path(own, last.digest).write_bytes(told_path(own, first.digest).read_bytes())
    told_path(own, "sha256:" + "ef" * 32).write_bytes(told_path(own, first.digest).read_bytes())
    viewer = browser(own, "viewer")
    shown = viewer.get("/left").text
    assert "the ledger does not know it" in shown
    assert "wrong" in shown
    assert "the log does not tell of it as it left" in viewer.get(f"/left/{last.digest[7:]}").text


def test_what_is_left_out_of_the_log_is_said_as_on_the_command_line(own: SiteHome) -> None:
    first, viewer = Gate(own).receipts()[0], browser(own, "viewer")
    told_path(own, first.digest).unlink()
    found = {one.digest: one for one in verify_receipts(own)}
    assert (found[first.digest].state, found[first.digest].found) == ("wrong", LEFT_OUT)
    assert "wrong" in viewer.get("/left").text
    for digest, one in found.items():
        assert one.found in html.unescape(viewer.get(f"/left/{digest[7:]}").text)


def test_a_damaged_proof_is_no_crash(own: SiteHome) -> None:
    first = Gate(own).receipts()[0]
    told_path(own, first.digest).write_bytes(b"{}")
    viewer = browser(own, "viewer")
    assert viewer.get(f"/left/{first.digest[7:]}").status_code == 200
    assert viewer.get(f"/left/{first.digest[7:]}/proof.json").status_code == 400


def test_what_never_left_has_no_page(north: SiteHome) -> None:
    assert browser(north, "viewer").get(f"/left/{'ab' * 32}").status_code == 404
    assert browser(north, "viewer").get("/left/ab").status_code == 404


@pytest.mark.parametrize(("size", "said"), [(1, "1 bytes"), (2048, "2.0 KiB"), (5 * 2**20, "5.0 MiB")])
def test_sizes_for_people(size: int, said: str) -> None:
    assert said_bytes(size) == said
