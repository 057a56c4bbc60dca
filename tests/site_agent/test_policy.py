from __future__ import annotations

import tomllib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from federated.canonical import digest
from federated.disclosure import Limits
from federated.errors import DisclosureError, SignatureError
from federated.files import write_whole
from federated.keys import Party, fingerprint, write_trust
from federated.manifest import SITE_KINDS
from federated.signing import sign_document
from site_agent.home import SiteHome
from site_agent.policy import (
    GOVERNED_KINDS,
    POLICY_TYPE,
    Policy,
    Rule,
    default_policy,
    permissive_policy,
    read_policy,
    read_signed_policy,
    sign_policy,
    signature_path,
    write_policy,
)

Key = Ed25519PrivateKey


def test_what_is_not_said_is_not_allowed() -> None:
    policy = Policy(federation="test", site="ada")
    assert not any(policy.rule(kind).allowed for kind in GOVERNED_KINDS)
    assert all(policy.rule(kind).approval == "each" for kind in GOVERNED_KINDS)
    assert (policy.statistics.level_to_coordinator, policy.statistics.level_to_sites) == (0, 0)


def test_published_defaults_allow_nothing_and_keep_the_gram_from_other_sites() -> None:
    policy = default_policy("test", "ada")
    assert not any(policy.rule(kind).allowed for kind in GOVERNED_KINDS)
    assert all(policy.rule(kind).limits == Limits() for kind in GOVERNED_KINDS)
    assert (policy.statistics.level_to_coordinator, policy.statistics.level_to_sites) == (2, 1)


def test_every_kind_of_a_site_is_governed_but_saying_no() -> None:
    assert set(SITE_KINDS) - set(GOVERNED_KINDS) == {"adoption", "withdrawal"}


@given(st.sets(st.sampled_from(GOVERNED_KINDS)))
def test_permissive_for_the_kinds_named_and_no_other(kinds: set[str]) -> None:
    policy = permissive_policy("test", "ada", kinds)
    assert {kind for kind in GOVERNED_KINDS if policy.rule(kind).allowed} == kinds


def test_a_decision_is_approved_each_time() -> None:
    with pytest.raises(ValidationError, match="approval is 'each'"):
        Policy(federation="test", site="ada", decision=Rule(allowed=True, approval="standing"))
    assert permissive_policy("test", "ada").decision.approval == "each"


def test_file_holds_the_policy(home: SiteHome, approver: Key) -> None:
    for policy in (default_policy("test", "ada"), permissive_policy("test", "ada")):
        write_policy(home, policy)
        sign_policy(home, approver)
        assert read_policy(home) == policy


def test_a_standing_approval_of_rounds_may_be_added_to_the_file(home: SiteHome, approver: Key) -> None:
    write_policy(home, permissive_policy("test", "ada", ["update"]))
    with home.policy_path.open("a") as file:
        file.write('[[update.averaging]]\ntask = "contour"\nmodel = "contour_network"\n')
        file.write('rounds = 2\nuntil = "2030-06-30"\nbytes = 5\n')
    sign_policy(home, approver)
    assert [each.model for each in read_policy(home).update.averaging] == ["contour_network"]


def test_a_person_may_write_only_what_differs(home: SiteHome, approver: Key) -> None:
    home.policy_path.write_text(
        'version = 1\nfederation = "test"\nsite = "ada"\n'
        '[statistics]\nallowed = true\napproval = "standing"\nlevel_to_coordinator = 1\nlevel_to_sites = 1\n'
        "[statistics.limits]\ncell = 20\ngram_share = 1\n"
    )
    sign_policy(home, approver)
    rule = read_policy(home).statistics
    assert (rule.allowed, rule.level_to_coordinator) == (True, 1)
    assert rule.limits == Limits(cell=20, gram_share=1.0)


def test_receipts_get_the_digest_of_the_file_and_the_approver(open_home: SiteHome, approver: Key) -> None:
    signed = read_signed_policy(open_home)
    assert signed.digest == digest(open_home.policy_path.read_bytes())
    assert signed.approver == fingerprint(approver.public_key().public_bytes_raw())


def _refusal(home: SiteHome) -> str:
    with pytest.raises(DisclosureError) as refusal:
        read_policy(home)
    assert refusal.value.filter_name == "policy"
    assert refusal.value.cure
    return str(refusal.value)


def test_missing_policy(home: SiteHome) -> None:
    assert "there is no policy, so nothing may leave" in _refusal(home)


def test_missing_signature(open_home: SiteHome) -> None:
    signature_path(open_home).unlink()
    assert "no approver has signed it" in _refusal(open_home)


def test_any_change_after_signing(open_home: SiteHome) -> None:
    data = open_home.policy_path.read_bytes()
    for place in range(0, len(data), 97):
        open_home.policy_path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        assert "was changed after an approver signed it" in _refusal(open_home)


def test_any_change_of_the_signature(open_home: SiteHome) -> None:
    path = signature_path(open_home)
    data = path.read_bytes()
    for place in range(0, len(data), 97):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        _refusal(open_home)


def test_signature_of_somebody_else(open_home: SiteHome) -> None:
    data = open_home.policy_path.read_bytes()
    for key in (Key.generate(), open_home.key()):
        write_whole(signature_path(open_home), sign_document(data, POLICY_TYPE, [key]))
        assert "its signature is not by an approver of this site" in _refusal(open_home)
        with pytest.raises(SignatureError, match="not an approver's of this site"):
            sign_policy(open_home, key)


def test_signature_under_another_document(open_home: SiteHome, approver: Key) -> None:
    data = open_home.policy_path.read_bytes()
    write_whole(signature_path(open_home), sign_document(data, "application/vnd.consilium.kit+json", [approver]))
    assert "expected 'application/vnd.consilium.policy+toml'" in _refusal(open_home)


def test_a_revoked_approver_allows_nothing(open_home: SiteHome) -> None:
    trust = open_home.trust()
    parties = tuple(Party(**{**party.model_dump(), "revoked": party.role == "approver"}) for party in trust.parties)
    write_trust(trust.model_copy(update={"parties": parties}), open_home.keys_path / "keys.toml")
    assert "not by an approver of this site" in _refusal(open_home)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("version = ", "is not TOML"),
        ('version = 2\nfederation = "test"\nsite = "ada"', "version"),
        ('version = 1\nfederation = "test"\nsite = "ada"\n[video]\nallowed = true', "video"),
        ('version = 1\nfederation = "test"\nsite = "ada"\n[features]\nallow = true', "features.allow"),
        ('version = 1\nfederation = "test"\nsite = "ada"\n[features]\nallowed = "yes"', "features.allowed"),
        ('version = 1\nfederation = "test"\nsite = "ada"\n[features.limits]\ncell = 0', "features.limits.cell"),
        ('version = 1\nfederation = "test"\nsite = "ada"\n[features.limits]\ngram_share = nan', "gram_share"),
        ('version = 1\nfederation = "test"\nsite = "ada"\n[statistics]\nlevel_to_sites = 3', "level_to_sites"),
        ('version = 1\nfederation = "test"\nsite = "ben"', "is for site 'ben' of federation 'test'"),
        ('version = 1\nfederation = "other"\nsite = "ada"', "is for site 'ada' of federation 'other'"),
    ],
)
def test_a_wrong_policy_is_not_signed(text: str, reason: str, home: SiteHome, approver: Key) -> None:
    home.policy_path.write_text(text)
    with pytest.raises(DisclosureError, match=reason):
        sign_policy(home, approver)
    assert not signature_path(home).exists()
    write_whole(signature_path(home), sign_document(text.encode(), POLICY_TYPE, [approver]))
    assert reason in _refusal(home)


def test_the_file_is_for_people_to_read(open_home: SiteHome) -> None:
    content = tomllib.loads(open_home.policy_path.read_text())
    assert set(content) == {"version", "federation", "site", *GOVERNED_KINDS}
    assert set(content["features"]) == {"allowed", "approval", "limits"}
    assert set(content["features"]["limits"]) == set(Limits.model_fields)
