from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from federated.enrolment import Rotation, read_kit, write_kit, write_rotation
from federated.errors import ConsiliumError
from federated.keys import Party, fingerprint, public_hex, read_trust, spoken_fingerprint
from server.event import run_event

if TYPE_CHECKING:
    from tests.server.conftest import Site, World


def _told(key: Ed25519PrivateKey) -> str:
    return spoken_fingerprint(fingerprint(bytes.fromhex(public_hex(key))))


def _site(world: World, name: str = "ada") -> Site:
    return type(world.join("zoe"))(name, world.coordinator)


def test_the_kit_is_what_a_site_needs(world: World, tmp_path: Path) -> None:
    kit, home = world.coordinator.invite("ada"), world.coordinator.home
    assert (kit.federation, kit.coordinator, kit.site, kit.task) == ("test", "hub", "ada", "classification")
    assert (kit.front_end, kit.vocabulary) == (home.config.front_end, home.vocabulary())
    assert kit.superlink == home.config.superlink
    assert kit.ca_certificate == (home.certificates_path / "ca.crt").read_text()
    write_kit(kit, home.key(), tmp_path / "kit.json")
    assert read_kit(tmp_path / "kit.json", fingerprint=_told(home.key())) == kit


def test_enrolment_reaches_the_trust_file(world: World) -> None:
    ada = world.join("ada")
    trust = read_trust(world.coordinator.home.trust_path)
    assert trust == world.coordinator.trust()
    assert [(party.name, party.role) for party in trust.parties] == [
        ("hub", "coordinator"),
        ("ada", "site"),
        ("ada-dpo", "approver"),
    ]
    assert trust.find(role="site", name="ada")[0].public == public_hex(ada.key)


def test_the_same_request_again_is_no_work(world: World) -> None:
    ada = world.join("ada")
    before = world.coordinator.trust()
    assert world.coordinator.enrol(world.folder / "ada.request.json", _told(ada.key)) == "ada"
    assert world.coordinator.trust() == before


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"federation": "other"}, "is for federation 'other'"),
        ({"invitation": "0" * 32}, "was not invited with this kit"),
        ({"site": "ben", "approvers": ()}, "site 'ben' was not invited"),
    ],
)
def test_a_request_that_was_not_invited(world: World, changes: dict[str, Any], said: str) -> None:
    ada = _site(world)
    with pytest.raises(ConsiliumError, match=said):
        world.coordinator.enrol(world.request(ada, **changes), _told(ada.key))
    assert "ada" not in world.coordinator.sites()


def test_the_fingerprint_has_to_be_the_one_that_was_told(world: World) -> None:
    ada = _site(world)
    with pytest.raises(ConsiliumError, match="not the one you were told"):
        world.coordinator.enrol(world.request(ada), _told(ada.approver))


def test_an_invitation_counts_once_and_the_last_one_only(world: World) -> None:
    ada = _site(world)
    old = world.request(ada).read_bytes()
    new = world.request(ada)
    stale = world.folder / "stale.json"
    stale.write_bytes(old)
    with pytest.raises(ConsiliumError, match="was not invited with this kit"):
        world.coordinator.enrol(stale, _told(ada.key))
    assert world.coordinator.enrol(new, _told(ada.key)) == "ada"
    with pytest.raises(ConsiliumError, match="this site is enrolled already"):
        world.coordinator.invite("ada")


@pytest.mark.parametrize("name", ["Ada", "", "a" * 64, "federation", "hub", "../ada"])
def test_names_that_no_site_can_have(world: World, name: str) -> None:
    with pytest.raises(ConsiliumError, match=r"is no name|is taken"):
        world.coordinator.invite(name)


def test_a_key_belongs_to_one_party(world: World) -> None:
    ada, ben = world.join("ada"), _site(world, "ben")
    ben.key = ada.key
    with pytest.raises(ConsiliumError, match="this key is in use"):
        world.coordinator.enrol(world.request(ben), _told(ben.key))
    ben.key = Ed25519PrivateKey.generate()
    stolen = Party(name="ben-dpo", role="approver", public=public_hex(ada.approver), site="ben")
    with pytest.raises(ConsiliumError, match="this key is in use"):
        world.coordinator.enrol(world.request(ben, approvers=(stolen,)), _told(ben.key))
    assert world.coordinator.sites() == ["ada", "zoe"]


def _rotation(world: World, site: Site, old: Ed25519PrivateKey, **changes: Any) -> tuple[Path, Ed25519PrivateKey]:
    new, path = Ed25519PrivateKey.generate(), world.folder / "rotation.json"
    fields = {"federation": "test", "site": site.name, "old_public": public_hex(old), "new_public": public_hex(new)}
    write_rotation(Rotation.model_validate(fields | changes), old, new, path)
    return path, new


def test_a_new_key_goes_on_where_the_old_one_stopped(world: World) -> None:
    ada = world.join("ada")
    assert world.coordinator.accept(ada.seal(ada.statistics())).outcome == "accepted"
    path, new = _rotation(world, ada, ada.key)
    assert world.coordinator.rotate(path) == "ada"
    assert world.coordinator.rotate(path) == "ada"
    found = world.coordinator.accept(ada.seal(ada.statistics("b0002")))
    assert found.outcome == "quarantined"  # signed with the old key
    ada.sequence, ada.last = 1, next(each["digest"] for each in world.coordinator.status()["sites"][0]["contributions"])
    ada.key = new
    assert world.coordinator.accept(ada.seal(ada.statistics("b0002"))).outcome == "accepted"


def test_a_rotation_is_by_the_current_key(world: World) -> None:
    ada = world.join("ada")
    path, _ = _rotation(world, ada, Ed25519PrivateKey.generate())
    with pytest.raises(ConsiliumError, match="the old key is not the current key"):
        world.coordinator.rotate(path)
    path, _ = _rotation(world, ada, ada.key, federation="other")
    with pytest.raises(ConsiliumError, match="is for federation 'other'"):
        world.coordinator.rotate(path)


def test_an_approver_is_followed_by_another_whom_the_first_vouches_for(world: World) -> None:
    ada = world.join("ada")
    path, new = _rotation(world, ada, ada.approver)
    assert world.coordinator.rotate(path) == "ada"
    trust = world.coordinator.trust()
    assert [party.public for party in trust.find(role="approver", site="ada")] == [public_hex(new)]
    assert [party.public for party in trust.find(role="site", name="ada")] == [public_hex(ada.key)]
    path, _ = _rotation(world, ada, ada.approver)
    with pytest.raises(ConsiliumError, match="the old key is not the current key"):
        world.coordinator.rotate(path)


def test_a_revoked_site_is_out_for_good(world: World) -> None:
    ada = world.join("ada")
    ada.put(ada.statistics())
    run_event(world.coordinator, world)
    world.coordinator.revoke("ada")
    assert world.coordinator.sites() == []
    assert world.coordinator.outgoing("ada") == []
    assert {party.name for party in read_trust(world.coordinator.home.trust_path).parties if party.revoked} == {
        "ada",
        "ada-dpo",
    }
    with pytest.raises(ConsiliumError, match="this site is revoked already"):
        world.coordinator.invite("ada")
    with pytest.raises(ConsiliumError, match="is not a site of this federation; sites are: ada"):
        world.coordinator.revoke("ben")


def test_a_newcomer_gets_the_release_that_stands(world: World) -> None:
    ada = world.join("ada")
    ada.put(ada.statistics())
    summary = run_event(world.coordinator, world)
    world.join("ben")
    assert [parcel.digest for parcel in world.coordinator.outgoing("ben")] == [summary.release]


def test_revoking_again_is_no_work_and_an_invitation_can_be_taken_back(world: World) -> None:
    world.join("ada")
    for _ in range(2):
        world.coordinator.revoke("ada")
    kit = world.coordinator.invite("ben")
    world.coordinator.revoke("ben")
    assert kit.site == "ben"
    assert [site["state"] for site in world.coordinator.status()["sites"]] == ["revoked", "revoked"]
    events = [each["event"] for each in world.coordinator.status()["events"]]
    assert events.count("revoke") == 2
    with pytest.raises(ConsiliumError, match="this site is revoked already"):
        world.coordinator.invite("ben")
