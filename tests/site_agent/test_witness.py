from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from federated.errors import ContractError, SignatureError
from federated.log.checkpoints import origin_of, witness_name
from federated.log.journal import Journal
from federated.log.notes import COSIGNATURE, NoteKey, parse_note
from federated.log.request_file import RequestFile
from federated.log.witness import FORK, ForkError, Request, cosigners, parse_have
from server.witnesses import Signed
from site_agent.rotation import begin, note_trust, resume
from site_agent.witness import signed_file, witness, witness_by_file, witness_of

if TYPE_CHECKING:
    from pathlib import Path

    from site_agent.home import SiteHome
    from tests.site_agent.conftest import Federation


@pytest.fixture
def ada(federation: Federation) -> SiteHome:
    return federation.join("ada")


def _asked(federation: Federation) -> bytes:
    return federation.coordinator.unwitnessed(["ada"])["ada"][0]


def test_the_log_of_the_coordinator_is_signed(federation: Federation, ada: SiteHome) -> None:
    answer = witness(ada, _asked(federation))
    name = witness_name(ada.config.federation, "ada")
    key = NoteKey(name, ada.key().public_key().public_bytes_raw(), COSIGNATURE)
    assert set(cosigners(parse_note(answer), [key])) == {name}
    assert federation.coordinator.take_cosignature("ada", answer)


def test_what_was_seen_is_remembered(federation: Federation, ada: SiteHome) -> None:
    first = _asked(federation)
    witness(ada, first)
    federation.coordinator.invite("ben")
    federation.coordinator.take_cosignature("ada", b"have 0\n")
    assert parse_have(witness(ada, _asked(federation))) == witness_of(ada).size


def test_another_history_is_told_and_kept(federation: Federation, ada: SiteHome, tmp_path: Path) -> None:
    witness(ada, _asked(federation))
    size = witness_of(ada).size
    other = Journal(tmp_path / "other", origin_of(ada.config.federation))
    other.append([b"x"] * size, federation.coordinator.home.key())
    assert other.note is not None
    with pytest.raises(ForkError, match="two histories"):
        witness(ada, Request(size, (), other.note).to_bytes())
    assert (ada.path / "log" / f"{FORK}-{size}").exists()


def test_a_log_of_somebody_else_is_not_signed(ada: SiteHome, tmp_path: Path) -> None:
    other = Journal(tmp_path / "other", origin_of(ada.config.federation))
    other.append([b"x"], Ed25519PrivateKey.generate())
    assert other.note is not None
    with pytest.raises(SignatureError, match="is not signed by"):
        witness(ada, Request(0, (), other.note).to_bytes())


def test_rubbish_is_refused(ada: SiteHome) -> None:
    with pytest.raises(ContractError):
        witness(ada, b"rubbish")


def _file(federation: Federation, site: str = "ada") -> bytes:
    (request, *told) = federation.coordinator.unwitnessed([site])[site]
    return RequestFile(site=site, request=request.decode(), told=tuple(each.decode() for each in told)).to_bytes()


def test_a_file_is_answered_by_the_checkpoint_that_was_signed(federation: Federation, ada: SiteHome) -> None:
    assert signed_file(ada) is None
    size = witness_by_file(ada, _file(federation))
    federation.coordinator.invite("ben")
    data = signed_file(ada)
    assert data is not None
    assert federation.coordinator.take_signed_file(data) == Signed("ada", size, kept=True)


def test_a_file_for_another_site_or_from_another_checkpoint_is_not_answered(
    federation: Federation, ada: SiteHome
) -> None:
    federation.join("ben")
    with pytest.raises(ContractError, match="is for the site 'ben'"):
        witness_by_file(ada, _file(federation, "ben"))
    size = witness_by_file(ada, _file(federation))
    federation.coordinator.invite("cem")
    with pytest.raises(ContractError, match=f"the last seen here, of {size} entries"):
        witness_by_file(ada, _file(federation))
    data = signed_file(ada)
    assert data is not None
    federation.coordinator.take_signed_file(data)  # says where the next proof has to start
    assert witness_by_file(ada, _file(federation)) > size


def test_after_a_new_key_the_file_is_signed_with_it(federation: Federation, ada: SiteHome) -> None:
    witness_by_file(ada, _file(federation))
    document = begin(ada)
    federation.coordinator.rotate(document)
    note_trust(ada, federation.coordinator.trust())
    resume(ada)
    data = signed_file(ada)
    assert data is not None
    assert federation.coordinator.take_signed_file(data).kept
