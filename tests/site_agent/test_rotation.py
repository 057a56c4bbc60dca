from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from federated import passphrases
from federated.enrolment import read_rotation
from federated.errors import ConsiliumError, SignatureError
from federated.key_files import encrypt
from federated.keys import public_hex, read_private_key, read_trust, write_trust
from federated.log.verification import verify_log
from site_agent.agent import work
from site_agent.doctor import keys as examine_keys
from site_agent.egress import Gate
from site_agent.home import SiteHome
from site_agent.logged import verify_receipts
from site_agent.policy import read_signed_policy, sign_policy
from site_agent.rotation import begin, begin_approver, document_path, next_key_path, note_taken, note_trust, resume
from site_agent.witness import witness

if TYPE_CHECKING:
    from tests.site_agent.conftest import Federation

PATIENTS = {"dark": 8, "light": 8}


@pytest.fixture
def ada(federation: Federation) -> SiteHome:
    """A hospital whose contribution has arrived, and whose log was witnessed with the old key."""
    home = federation.hospital("ada", PATIENTS)
    assert federation.exchange(home) == ["statistics accepted"]
    _witness(federation, home)
    return home


def _witness(federation: Federation, home: SiteHome) -> bool:
    asked, *told = federation.coordinator.unwitnessed(["ada"])["ada"]
    return federation.coordinator.take_cosignature("ada", witness(home, asked, told))


def _states(home: SiteHome) -> set[str]:
    return {each.state for each in verify_receipts(home)}


def test_the_old_key_signs_until_the_coordinator_has_taken_the_new_one(federation: Federation, ada: SiteHome) -> None:
    old = public_hex(ada.key())
    path = begin(ada)
    assert begin(ada) == path
    rotation = read_rotation(path)
    assert (rotation.old_public, public_hex(ada.key())) == (old, old)
    assert rotation.new_public == public_hex(read_private_key(next_key_path(ada, "site")))
    assert resume(ada) == []
    federation.take_in(ada, PATIENTS, first=20)
    assert federation.exchange(ada) == ["statistics accepted"]


def test_it_is_finished_when_the_log_tells_of_it_and_the_new_key_witnesses_at_once(
    federation: Federation, ada: SiteHome
) -> None:
    old = public_hex(ada.key())
    federation.coordinator.rotate(begin(ada))
    assert _witness(federation, ada)
    assert public_hex(ada.key()) != old
    assert examine_keys(ada) == "site, coordinator and 1 approver"
    assert [party.public for party in ada.trust().find(role="site")] == [public_hex(ada.key())]
    assert not document_path(ada, "site").exists()
    assert len(list((ada.keys_path / "rotations").iterdir())) == 1
    federation.take_in(ada, PATIENTS, first=20)
    assert federation.exchange(ada) == ["statistics accepted"]
    _witness(federation, ada)
    assert _states(ada) == {"logged"}
    checks = verify_log(federation.coordinator.home.log_path, federation.coordinator.trust(), witnesses=1)
    assert all(check.ok for check in checks if check.name != "witnesses"), checks
    assert not [check for check in checks if check.ok is False]


def test_a_cosignature_by_the_old_key_stays_verifiable(federation: Federation, ada: SiteHome) -> None:
    """The coordinator has taken the new key, and nobody has witnessed since."""
    federation.coordinator.rotate(begin(ada))
    checks = verify_log(federation.coordinator.home.log_path, federation.coordinator.trust(), witnesses=1)
    assert {check.name: check.ok for check in checks}["witnesses"]
    revoked = federation.coordinator.trust()
    gone = [party.model_copy(update={"revoked": party.role != "coordinator"}) for party in revoked.parties]
    checks = verify_log(
        federation.coordinator.home.log_path, revoked.model_copy(update={"parties": tuple(gone)}), witnesses=1
    )
    assert [check.name for check in checks if check.ok is False] == ["witnesses"]


def test_what_waits_in_the_outbox_is_sealed_anew_and_its_receipt_stays_good(
    federation: Federation, ada: SiteHome
) -> None:
    federation.take_in(ada, PATIENTS, first=20)
    work(ada)  # sealed with the old key, not fetched yet
    federation.coordinator.rotate(begin(ada))
    note_trust(ada, federation.coordinator.trust())
    assert federation.exchange(ada) == ["statistics accepted"]
    _witness(federation, ada)
    assert _states(ada) == {"logged"}


def test_without_flower_the_coordinators_trust_file_says_so(
    federation: Federation, ada: SiteHome, tmp_path: Path
) -> None:
    begin(ada)
    with pytest.raises(ConsiliumError, match="has no key of this site that waits to count"):
        note_trust(ada, federation.coordinator.trust())
    other = federation.coordinator.trust().model_copy(update={"federation": "other"})
    with pytest.raises(ConsiliumError, match="is of federation 'other'"):
        note_trust(ada, other)
    federation.coordinator.rotate(document_path(ada, "site"))
    write_trust(federation.coordinator.trust(), tmp_path / "keys.toml")
    note_trust(ada, read_trust(tmp_path / "keys.toml"))
    assert resume(ada) == ["site"]
    assert resume(ada) == []


def test_a_key_that_nobody_waits_for_is_of_no_matter(ada: SiteHome) -> None:
    before = (ada.keys_path / "keys.toml").read_bytes()
    begin(ada)
    assert not note_taken(ada, "ab" * 32)
    assert (ada.keys_path / "keys.toml").read_bytes() == before


def _dies_at(step: int, action: Callable[[], object]) -> bool:
    """Whether a process that does this was killed (SIGKILL) before its so-manieth file took its place."""
    child = os.fork()
    if child == 0:
        replace, count = Path.replace, 0

        def counted(self: Path, target: Path) -> Path:
            nonlocal count
            count += 1
            if count == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return replace(self, target)

        Path.replace = counted  # type: ignore[method-assign,assignment]
        try:
            action()
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def test_killed_at_any_step_the_home_works_and_the_next_round_goes_on(
    federation: Federation, ada: SiteHome, tmp_path: Path
) -> None:
    federation.take_in(ada, PATIENTS, first=20)
    work(ada)
    old, step = public_hex(ada.key()), 1
    while _dies_at(step, lambda: begin(ada)):
        assert public_hex(ada.key()) == old
        assert examine_keys(ada)
        step += 1
    federation.coordinator.rotate(document_path(ada, "site"))
    public, step, homes = read_rotation(document_path(ada, "site")).new_public, 0, list[SiteHome]()
    while not homes or _dies_at(step, partial(_taken, homes[-1], public)):
        step += 1
        shutil.copytree(ada.path, tmp_path / f"killed-{step}")
        homes.append(SiteHome(tmp_path / f"killed-{step}"))
    assert step == 7  # trust file, two parcels, key, trust file, document; then there is nothing to be killed at
    for home in homes:
        assert examine_keys(home)
        Gate(home)
        _taken(home, public)
        assert public_hex(home.key()) == public
        assert [party.public for party in home.trust().find(role="site")] == [public]
        assert not document_path(home, "site").exists()
    assert federation.exchange(homes[2]) == ["statistics accepted"]


def _taken(home: SiteHome, public: str) -> None:
    note_taken(home, public)
    resume(home)


def test_an_encrypted_key_is_followed_by_one_under_the_same_passphrase(
    federation: Federation, ada: SiteHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passphrases, "_given", ["twelve letters"])
    monkeypatch.setattr(passphrases, "_opened", {})
    encrypt(ada.site_key_path, "twelve letters", keyring=False)
    federation.coordinator.rotate(begin(ada))
    assert _witness(federation, ada)
    assert read_private_key(ada.site_key_path, "twelve letters").private_bytes_raw() == ada.key().private_bytes_raw()


def test_an_approver_is_followed_by_one_whom_the_first_vouches_for(federation: Federation, ada: SiteHome) -> None:
    first = read_private_key(ada.approver_key_path)
    path = begin_approver(ada, first, None)
    assert public_hex(read_private_key(ada.approver_key_path)) == public_hex(first)
    federation.coordinator.rotate(path)
    _witness(federation, ada)
    second = read_private_key(ada.approver_key_path)
    assert public_hex(second) != public_hex(first)
    with pytest.raises(ConsiliumError, match="its signature is not by an approver of this site"):
        read_signed_policy(ada)
    with pytest.raises(SignatureError, match="not an approver's of this site"):
        sign_policy(ada, first)
    sign_policy(ada, second)
    assert read_signed_policy(ada).approver
    checks = verify_log(federation.coordinator.home.log_path, federation.coordinator.trust(), witnesses=1)
    assert not [check for check in checks if check.ok is False], checks


def test_an_approver_may_keep_the_new_key_elsewhere(federation: Federation, ada: SiteHome) -> None:
    first, second = read_private_key(ada.approver_key_path), Ed25519PrivateKey.generate()
    path = begin_approver(ada, first, second)
    with pytest.raises(ConsiliumError, match="is under way with another key"):
        begin_approver(ada, first, Ed25519PrivateKey.generate())
    federation.coordinator.rotate(path)
    note_trust(ada, federation.coordinator.trust())
    assert resume(ada) == ["approver"]
    assert [party.public for party in ada.trust().find(role="approver")] == [public_hex(second)]


def test_only_an_approver_appoints_the_next(ada: SiteHome) -> None:
    with pytest.raises(SignatureError, match="this key is not the approver's that counts"):
        begin_approver(ada, Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate())
    first = read_private_key(ada.approver_key_path)
    with pytest.raises(SignatureError, match="this key is in use already"):
        begin_approver(ada, first, first)
