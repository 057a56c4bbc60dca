from __future__ import annotations

import fcntl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import site_agent.home
from federated.enrolment import Kit, read_request
from federated.errors import ConsiliumError, DataError
from federated.keys import fingerprint, public_hex, read_private_key
from federated.label_map import LabelMap, Line, write_label_map
from federated.vocabulary import plain_vocabulary
from site_agent.home import SiteHome


def test_configuration_comes_from_the_kit(home: SiteHome, kit: Kit) -> None:
    config = home.config
    assert (config.federation, config.site, config.coordinator) == ("test", "ada", "hub")
    assert (config.superlink, config.task, config.front_end) == (kit.superlink, kit.task, kit.front_end)
    assert (config.class_balance, config.backbone_weights) == ("site", "")
    assert home.vocabulary == kit.vocabulary
    assert SiteHome(home.path).config == config


def test_a_new_home_has_no_words_of_its_own(home: SiteHome) -> None:
    assert home.label_map == LabelMap()
    assert home.label_map.code_for("a4c", home.vocabulary) == "a4c"


def test_words_are_read_from_the_labels_file_and_checked(home: SiteHome) -> None:
    line = Line(word="4CH", code="a4c", relation="same")
    write_label_map(LabelMap(version=1, lines=(line,)), home.labels_path)
    assert home.label_map.code_for("4ch", home.vocabulary) == "a4c"
    write_label_map(LabelMap(version=1, lines=(line.model_copy(update={"code": "a2c"}),)), home.labels_path)
    with pytest.raises(DataError, match=r"labels\.toml: line of '4CH': 'a2c' is no concept"):
        _ = home.label_map


def test_a_new_home_lets_nothing_out(home: SiteHome) -> None:
    assert not home.policy_path.exists()


def test_what_is_secret_is_the_owners(home: SiteHome) -> None:
    assert home.path.stat().st_mode & 0o077 == 0
    secret = ("site.pem", "approver.pem", "flower", "secret")
    assert [(home.keys_path / name).stat().st_mode & 0o777 for name in secret] == [0o600] * 4
    assert len(home.secret()) == 32


def test_two_homes_share_no_secret(tmp_path: Path, kit: Kit) -> None:
    one, two = SiteHome.create(tmp_path / "one", kit), SiteHome.create(tmp_path / "two", kit)
    assert one.secret() != two.secret()
    assert public_hex(one.key()) != public_hex(two.key())


def test_the_request_bears_the_keys_made_here(home: SiteHome, kit: Kit) -> None:
    public = public_hex(home.key())
    request = read_request(home.request_path, fingerprint=fingerprint(bytes.fromhex(public)))
    assert (request.site_public, request.invitation) == (public, kit.invitation)
    approver = read_private_key(home.keys_path / "approver.pem")
    assert [party.public for party in request.approvers] == [public_hex(approver)]


def test_the_node_key_is_an_elliptic_curve_pair_in_openssh_form(home: SiteHome) -> None:
    private = serialization.load_ssh_private_key(home.flower_key_path.read_bytes(), password=None)
    line = home.flower_key_path.with_suffix(".pub").read_bytes()
    public = serialization.load_ssh_public_key(line)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    assert isinstance(private.curve, ec.SECP384R1)
    assert private.public_key() == public
    request = read_request(home.request_path, fingerprint=fingerprint(home.key().public_key().public_bytes_raw()))
    assert request.flower_public == line.decode().strip()


def test_trust_holds_coordinator_site_and_approver(home: SiteHome, kit: Kit) -> None:
    trust = home.trust()
    assert [party.public for party in trust.find(role="coordinator")] == [kit.coordinator_public]
    assert [party.public for party in trust.find(role="site", name="ada")] == [public_hex(home.key())]
    assert [party.name for party in trust.find(role="approver", site="ada")] == ["approver"]


@pytest.mark.parametrize("form", ["hex", "pem"])
def test_an_approvers_public_key_may_come_from_elsewhere(form: str, tmp_path: Path, kit: Kit) -> None:
    public = Ed25519PrivateKey.generate().public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    path = tmp_path / "approver.pub"
    path.write_bytes(pem if form == "pem" else public.public_bytes_raw().hex().upper().encode() + b"\n")
    home = SiteHome.create(tmp_path / "ada", kit, path)
    assert [party.public for party in home.trust().find(role="approver")] == [public.public_bytes_raw().hex()]


@pytest.mark.parametrize("content", ["", "no key", "ab" * 31])
def test_a_wrong_approvers_key_makes_no_home(content: str, tmp_path: Path, kit: Kit) -> None:
    path = tmp_path / "approver.pub"
    path.write_text(content)
    with pytest.raises(ConsiliumError, match="is not a public key"):
        SiteHome.create(tmp_path / "ada", kit, path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["approver.pub"]


def test_a_home_is_made_whole_or_not_at_all(tmp_path: Path, kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise ConsiliumError("the disk is full")

    monkeypatch.setattr(site_agent.home, "write_request", full)
    with pytest.raises(ConsiliumError, match="the disk is full"):
        SiteHome.create(tmp_path / "ada", kit)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(home: SiteHome, kit: Kit) -> None:
    secret = home.secret()
    with pytest.raises(ConsiliumError, match="is not empty; choose another folder"):
        SiteHome.create(home.path, kit)
    assert home.secret() == secret


def test_an_empty_folder_may_become_a_home(tmp_path: Path, kit: Kit) -> None:
    (tmp_path / "ada").mkdir()
    assert SiteHome.create(tmp_path / "ada", kit).config.site == "ada"


def test_another_folder_is_no_home(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(ConsiliumError, match="is not a site's home; make one with: consilium site join KIT"):
            SiteHome(path)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('site = "ada"', 'site = "Ada Hospital"', "site"),
        ("version = 1", "version = 2", "version"),
        ("version = 1", "version = 1\nunknown = 3", "unknown"),
        ("version = 1", "version = ", "cannot be read"),
        ('class_balance = "site"', 'class_balance = "all"', "class_balance"),
    ],
)
def test_a_wrong_configuration_is_one_line(old: str, new: str, reason: str, home: SiteHome) -> None:
    path = home.path / "config.toml"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ConsiliumError, match=reason) as refusal:
        SiteHome(home.path)
    assert str(path) in str(refusal.value)


def test_a_lost_secret_is_one_line(home: SiteHome) -> None:
    (home.keys_path / "secret").write_bytes(b"short")
    with pytest.raises(ConsiliumError, match="holds 5 bytes, expected 32"):
        home.secret()
    (home.keys_path / "secret").unlink()
    with pytest.raises(ConsiliumError, match="cannot be read"):
        home.secret()


def test_two_commands_never_work_at_once(home: SiteHome) -> None:
    with home.lock():
        busy = pytest.raises(ConsiliumError, match="another command is at work here; wait until it is done")
        with busy, home.lock(seconds=0):
            pass
        with pytest.raises(BlockingIOError), (home.path / "lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with home.lock(seconds=0):
        pass


def test_labels_that_were_appended_are_taken_over_and_nothing_else(home: SiteHome) -> None:
    before = home.vocabulary
    appended = plain_vocabulary(before.name, [*before.codes, "new"])
    for other in (plain_vocabulary(before.name, ["new", *before.codes]), plain_vocabulary(before.name, ["new"])):
        home.follow_vocabulary(other)
        assert home.vocabulary == before
    home.follow_vocabulary(appended)
    assert home.vocabulary == appended
    home.follow_vocabulary(before)  # of an older release
    assert home.vocabulary == appended
