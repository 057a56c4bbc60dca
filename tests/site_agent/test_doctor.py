"""The doctor: each thing that can be wrong at a site is one line with its cure."""

from __future__ import annotations

import shutil
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from federated.errors import ConsiliumError
from server.certificates import create_certificates
from site_agent import doctor
from site_agent.agent import work
from site_agent.doctor import CHECKS, Finding, examine
from site_agent.home import SiteHome
from site_agent.logged import verify_receipts
from site_agent.witness import told_path

if TYPE_CHECKING:
    from tests.site_agent.conftest import Federation


@pytest.fixture
def ada(federation: Federation) -> SiteHome:
    """A site that passes files, and has all it needs."""
    home = federation.hospital("ada", {"dark": 8})
    home.config = home.config.model_copy(update={"superlink": ""})
    return home


def test_a_log_of_two_histories_is_told_to_whoever_asks(ada: SiteHome) -> None:
    assert _finding(ada, "log") == Finding(name="log", ok=True, found="0 entries of the coordinator's log witnessed")
    (ada.path / "log").mkdir()
    (ada.path / "log" / "fork-7").write_bytes(b"a checkpoint")
    found = _finding(ada, "log")
    assert (found.ok, found.found) == (False, "log/fork-7: is not what this site had seen")
    assert found.cure == "show this file and log/seen beside it to the auditor"


def test_a_parcel_that_the_log_tells_otherwise_is_named(federation: Federation, ada: SiteHome) -> None:
    federation.exchange(ada)
    (parcel,) = verify_receipts(ada)
    told_path(ada, parcel.digest).parent.mkdir(parents=True)
    told_path(ada, parcel.digest).write_bytes(b"rubbish")
    found = _finding(ada, "log")
    assert (found.ok, found.cure) == (False, "see consilium site receipts --verify")
    assert found.found.startswith("number 1: ")


def _finding(home: SiteHome, name: str) -> Finding:
    return next(finding for finding in examine(home) if finding.name == name)


@contextmanager
def _server(folder: Path) -> Iterator[int]:
    """A TLS server with a certificate of its own authority; its port."""
    files = create_certificates(folder, "shades")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.server, files.key)
    context.set_alpn_protocols(["h2"])
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            with suppress(OSError):
                plain, _ = listener.accept()
                with suppress(ssl.SSLError), plain, context.wrap_socket(plain, server_side=True) as link:
                    link.recv(1)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield int(listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def _online(home: SiteHome, port: int, authority: Path | None = None) -> SiteHome:
    home.config = home.config.model_copy(update={"superlink": f"127.0.0.1:{port}"})
    if authority is not None:
        shutil.copyfile(authority, home.ca_path)
    return home


def test_a_site_that_has_all_it_needs_is_well(ada: SiteHome) -> None:
    findings = examine(ada)
    assert [finding.name for finding in findings] == list(CHECKS)
    assert [finding for finding in findings if not finding.ok] == []
    assert all(finding.found and not finding.cure for finding in findings)


def test_a_key_that_others_can_read_is_not_ok(ada: SiteHome) -> None:
    (ada.keys_path / "site.pem").chmod(0o644)
    finding = _finding(ada, "keys")
    assert not finding.ok
    assert "other users can read this key" in finding.found
    assert finding.cure.startswith("chmod 600")


def test_keys_of_two_homes_do_not_mix(ada: SiteHome, federation: Federation) -> None:
    ben = federation.join("ben")
    (ada.keys_path / "site.pem").write_bytes((ben.keys_path / "site.pem").read_bytes())
    assert "is not the key that the trust file names" in _finding(ada, "keys").found


def test_another_coordinator_in_the_configuration_is_noticed(ada: SiteHome) -> None:
    ada.config = ada.config.model_copy(update={"coordinator_public": "0" * 64})
    assert "the coordinator's key: is not the one in config.toml" in _finding(ada, "keys").found


def test_a_lost_secret_is_noticed(ada: SiteHome) -> None:
    (ada.keys_path / "secret").unlink()
    assert not _finding(ada, "keys").ok


class _Clock(NamedTuple):
    """A clock that stands still."""

    at: datetime

    def now(self, _: object) -> datetime:
        return self.at

    def fromisoformat(self, text: str) -> datetime:
        return datetime.fromisoformat(text)


def test_a_clock_behind_what_has_left_is_not_ok(ada: SiteHome, monkeypatch: pytest.MonkeyPatch) -> None:
    work(ada)
    written = datetime.fromisoformat(doctor_receipt_time(ada))
    monkeypatch.setattr(doctor, "datetime", _Clock(written - timedelta(hours=1)))
    finding = _finding(ada, "clock")
    assert "but something left at" in finding.found
    assert finding.cure.startswith("set the clock")


def doctor_receipt_time(home: SiteHome) -> str:
    from site_agent.receipts import read_receipts

    return read_receipts(home.receipts_path)[-1].when


def test_a_clock_older_than_the_program_is_not_ok(ada: SiteHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "datetime", _Clock(doctor.EARLIEST - timedelta(days=1)))
    assert not _finding(ada, "clock").ok


def test_a_superlink_with_the_kits_certificate_answers(ada: SiteHome, tmp_path: Path) -> None:
    with _server(tmp_path / "certificates") as port:
        finding = _finding(_online(ada, port, tmp_path / "certificates" / "ca.crt"), "superlink")
    assert finding.ok, finding
    assert "TLSv1.3" in finding.found


def test_a_site_without_a_gate_needs_no_certificate_for_one(ada: SiteHome) -> None:
    found = _finding(ada, "gate certificate")
    assert (found.ok, found.found.partition(":")[0]) == (True, "none")


def test_a_superlink_with_another_certificate_is_told_apart_from_silence(ada: SiteHome, tmp_path: Path) -> None:
    other = create_certificates(tmp_path / "other", "elsewhere").authority
    with _server(tmp_path / "certificates") as port:
        wrong = _finding(_online(ada, port, other), "superlink")
    assert "its certificate is not accepted" in wrong.found
    assert f"put it at {ada.ca_path}" in wrong.cure
    silent = _finding(ada, "superlink")
    assert "does not answer" in silent.found
    assert "firewall" in silent.cure


def test_a_kit_without_a_certificate_is_told(ada: SiteHome, tmp_path: Path) -> None:
    ada.ca_path.write_bytes(b"")
    with _server(tmp_path / "certificates") as port:
        assert "is no certificate" in _finding(_online(ada, port), "superlink").found


def test_a_full_disk_is_told(ada: SiteHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 2**20))
    finding = _finding(ada, "disk")
    assert "1 MiB are free" in finding.found
    assert finding.cure == "free 1024 MiB"


def test_a_missing_decoder_is_named(ada: SiteHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "CINE_CODECS", ("h264", "betamax"))
    assert _finding(ada, "decoders").found == "decoders: cannot read betamax"


def test_a_front_end_that_cannot_be_made_here_is_told(ada: SiteHome) -> None:
    card = ada.config.front_end.model_copy(update={"digest": "sha256:" + "9" * 64})
    ada.config = ada.config.model_copy(update={"front_end": card})
    assert not _finding(ada, "front end").ok


def test_a_policy_names_what_may_leave(ada: SiteHome) -> None:
    assert _finding(ada, "policy").found.endswith("may leave: statistics, report")
    ada.policy_path.unlink()
    finding = _finding(ada, "policy")
    assert not finding.ok
    assert "there is no policy" in finding.found


def test_one_thing_wrong_hides_no_other(ada: SiteHome, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: SiteHome) -> str:
        raise ConsiliumError("is broken", where="it", cure="mend it")

    monkeypatch.setitem(CHECKS, "keys", broken)
    findings = examine(ada)
    assert findings[0] == Finding(name="keys", ok=False, found="it: is broken", cure="mend it")
    assert len(findings) == len(CHECKS)
