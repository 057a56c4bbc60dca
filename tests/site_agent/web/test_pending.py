from __future__ import annotations

import html
import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from starlette.testclient import TestClient

from federated.envelope import parse_parcel
from federated.errors import ConsiliumError
from federated.key_files import encrypt
from federated.keys import read_private_key
from federated.web.exchange import Refused
from federated.web.limits import Buckets
from site_agent.egress import Gate
from site_agent.policy import sign_policy
from site_agent.web.pending import approver_key
from tests.site_agent.web.conftest import browser, mark_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from site_agent.drafts import Draft
    from site_agent.home import SiteHome

WORDS = "four words of mine"
HOSTILE = """</dd><script>alert('1')</script>"&{{ 7*7 }}"""


def _waits(home: SiteHome) -> str:
    return Gate(home).pending()[0].digest.removeprefix("sha256:")


def _post(person: TestClient, path: str, **form: str) -> Any:
    shown = person.get("/pending/" + path.split("/")[2]).text
    return person.post(path, data={"csrf": mark_of(shown), **form})


def test_the_page_is_the_gates_own_preview_line_by_line(north: SiteHome) -> None:
    gate, name = Gate(north), _waits(north)
    preview = gate.preview(gate.draft(f"sha256:{name}"))
    shown = html.unescape(browser(north, "viewer").get(f"/pending/{name}").text)
    for line in (*preview.inferences, *preview.audience, preview.approval, preview.manifest, preview.digest):
        assert line in shown
    for check in preview.checks:
        assert all(str(part) in shown for part in (check.name, check.limit, check.found))
    for tensor in preview.tensors:
        assert tensor.name in shown
        assert f"{tensor.bytes:,}" in shown
    assert "consilium site approve" in shown
    assert "Approve and sign" not in shown


def test_the_draft_is_the_very_bytes_and_an_approvers_to_keep(north: SiteHome) -> None:
    name = _waits(north)
    draft = Gate(north).draft(f"sha256:{name}")
    kept = parse_parcel(browser(north, "approver").get(f"/pending/{name}/draft").content)
    assert (kept.tensors, kept.digest) == (draft.tensors, draft.digest)
    assert browser(north, "viewer").get(f"/pending/{name}/draft").status_code == 403


def test_an_approver_lets_it_out_and_sees_the_receipt(own: SiteHome) -> None:
    name, approver = _waits(own), browser(own, "approver")
    answer = _post(approver, f"/pending/{name}/approve")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/left/{name}")
    assert Gate(own).pending() == []
    last = Gate(own).receipts()[-1]
    assert (last.digest, last.approval) == (f"sha256:{name}", "each")
    assert "an approver signed this parcel" in approver.get(f"/left/{name}").text
    assert approver.get(f"/pending/{name}").status_code == 404


def test_a_passphrase_is_asked_for_and_kept_nowhere(own: SiteHome, caplog: pytest.LogCaptureFixture) -> None:
    encrypt(own.approver_key_path, WORDS, keyring=False)
    name, approver = _waits(own), browser(own, "approver")
    assert 'type="password"' in approver.get(f"/pending/{name}").text
    with caplog.at_level(logging.DEBUG):
        wrong = _post(approver, f"/pending/{name}/approve", passphrase="three words here")
        assert wrong.status_code == 400
        assert "the passphrase is another" in wrong.text
        assert _post(approver, f"/pending/{name}/approve").status_code == 400
        assert _waits(own) == name
        assert _post(approver, f"/pending/{name}/approve", passphrase=WORDS).status_code == 303
    assert Gate(own).pending() == []
    assert not any(words in caplog.text for words in (WORDS, "three words here"))
    kept = [path for path in own.path.rglob("*") if path.is_file() and WORDS.encode() in path.read_bytes()]
    assert kept == []


def test_a_passphrase_is_not_guessed_at_the_form(own: SiteHome) -> None:
    encrypt(own.approver_key_path, WORDS, keyring=False)
    name, approver = _waits(own), browser(own, "approver")
    for number in range(5):
        assert _post(approver, f"/pending/{name}/reject", passphrase=f"guess number {number}").status_code == 400
    assert _post(approver, f"/pending/{name}/approve", passphrase=WORDS).status_code == 429
    assert _waits(own) == name


def test_guesses_at_the_same_time_are_counted_as_well(own: SiteHome) -> None:
    encrypt(own.approver_key_path, WORDS, keyring=False)
    guesses = Buckets(3, 1e-9)

    def guess(number: int) -> type[Exception]:
        with pytest.raises((ConsiliumError, Refused)) as caught:
            approver_key(own, f"guess number {number}", guesses)
        return caught.type

    with ThreadPoolExecutor(12) as many:
        found = list(many.map(guess, range(12)))
    assert (found.count(ConsiliumError), found.count(Refused)) == (3, 9)


def test_without_the_key_the_page_gives_the_command(own: SiteHome, tmp_path: Path) -> None:
    own.approver_key_path.replace(tmp_path / "elsewhere.pem")
    name, approver = _waits(own), browser(own, "approver")
    shown = approver.get(f"/pending/{name}").text
    assert f"consilium site approve {name[:12]} --key FILE" in shown
    assert "Approve and sign" not in shown
    mark = mark_of(shown)
    answer = approver.post(f"/pending/{name}/approve", data={"csrf": mark})
    assert answer.status_code == 400
    assert "is kept elsewhere" in answer.text
    assert _waits(own) == name


def test_it_is_kept_here_for_good_with_a_reason(own: SiteHome) -> None:
    name, approver = _waits(own), browser(own, "approver")
    before = len(Gate(own).receipts())
    assert _post(approver, f"/pending/{name}/reject", reason=HOSTILE).status_code == 303
    assert Gate(own).pending() == []
    assert len(Gate(own).receipts()) == before
    assert approver.post(f"/pending/{name}/approve", data={"csrf": mark_of(approver.get("/").text)}).status_code == 400


@pytest.mark.parametrize("mark", ["", "x" * 43])
def test_a_forged_form_lets_nothing_out(own: SiteHome, mark: str) -> None:
    name, approver = _waits(own), browser(own, "approver")
    assert approver.post(f"/pending/{name}/approve", data={"csrf": mark}).status_code == 403
    other = {"origin": "https://elsewhere.example", "sec-fetch-site": "cross-site"}
    right = mark_of(approver.get(f"/pending/{name}").text)
    assert approver.post(f"/pending/{name}/approve", data={"csrf": right}, headers=other).status_code == 403
    assert _waits(own) == name


def test_what_the_policy_refuses_meanwhile_has_no_button_and_does_not_leave(own: SiteHome) -> None:
    own.policy_path.write_text(own.policy_path.read_text() + "\n# changed\n")
    name, approver = _waits(own), browser(own, "approver")
    shown = approver.get(f"/pending/{name}").text
    assert "was changed after an approver signed it" in shown
    assert "Approve and sign" not in shown
    assert _post(approver, f"/pending/{name}/approve").status_code == 400
    assert _waits(own) == name


def test_names_from_anywhere_are_text_and_never_markup(
    open_home: SiteHome, make_draft: Callable[..., Draft], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A manifest's own pattern would refuse such names; the page does not rely on that."""
    text = open_home.policy_path.read_text()
    open_home.policy_path.write_text(text.replace('approval = "standing"', 'approval = "each"'))
    sign_policy(open_home, read_private_key(open_home.approver_key_path))
    draft = make_draft("statistics")
    assert Gate(open_home).submit(draft).state == "pending"
    hostile = draft.manifest.model_copy(update={"batch": HOSTILE, "labels": (HOSTILE, "plax")})
    changed = type(draft)(hostile, draft.tensors, draft.facts)
    monkeypatch.setattr(Gate, "draft", lambda *_: changed)
    monkeypatch.setattr(Gate, "_check", lambda *_: None)
    person = browser(open_home, "viewer")
    for path in ("/pending", f"/pending/{draft.digest[7:]}"):
        shown = person.get(path).text
        assert "<script" not in shown
        assert "&lt;script&gt;" in shown
        assert "49" not in shown.partition("alert")[2][:40]
