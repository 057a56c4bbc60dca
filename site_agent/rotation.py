"""A new key in place of an old one, the site's or its approver's: vouched for by the old one, taken over in steps.

Nothing changes until the coordinator has taken the rotation: the old key signs, and the new one waits beside it. Then
the trust file gets the new key; parcels that wait are sealed with it; it takes the old one's place; the old one counts
no more. A process killed between two steps leaves a home that works, and the next round of work goes on from there.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from federated.canonical import canonical
from federated.enrolment import Rotation, read_rotation, write_rotation
from federated.envelope import Parcel
from federated.errors import ConsiliumError, SignatureError
from federated.keys import Party, TrustFile, fingerprint, public_hex, signer, write_trust
from federated.passphrases import create_beside, unlocked_key
from federated.signing import parse_document
from site_agent.egress import Gate
from site_agent.mailbox import Outbox

if TYPE_CHECKING:
    from site_agent.home import SiteHome

Whose = Literal["site", "approver"]
WHOSE: tuple[Whose, ...] = ("site", "approver")
DONE = "rotations"


def begin(home: SiteHome) -> Path:
    """A new key for the site, and the file by which the coordinator takes it; again is no work.

    Raises:
        ConsiliumError: a key cannot be read or written.
    """
    old, new_path = home.key(), next_key_path(home, "site")
    new = unlocked_key(new_path) if new_path.exists() else create_beside(home.site_key_path, new_path)
    return _write(home, "site", old, new)


def begin_approver(home: SiteHome, old: Ed25519PrivateKey, new: Ed25519PrivateKey | None) -> Path:
    """Another key for the site's approver, which the old one vouches for; the file by which the coordinator takes it.

    Args:
        home: the site's.
        old: the approver's key that counts now.
        new: theirs from now on, kept elsewhere; without it one is made beside the old one.

    Raises:
        SignatureError: the old key is not an approver's of this site, or the new one counts already.
        ConsiliumError: another rotation is under way, or a key cannot be read or written.
    """
    path = next_key_path(home, "approver")
    if new is None:
        new = unlocked_key(path) if path.exists() else create_beside(home.approver_key_path, path)
    pending = read_pending(home, "approver")
    if pending is not None and pending.new_public != public_hex(new):
        raise ConsiliumError("is under way with another key", where=str(document_path(home, "approver")))
    return _write(home, "approver", old, new)


def read_pending(home: SiteHome, whose: Whose) -> Rotation | None:
    """The rotation that is under way.

    Raises:
        ConsiliumError: its file is damaged.
    """
    path = document_path(home, whose)
    return read_rotation(path) if path.exists() else None


def note_taken(home: SiteHome, public: str) -> bool:
    """The coordinator has taken this key over: from here on `resume` puts it into place. Whether it was waited for."""
    for whose in WHOSE:
        pending = read_pending(home, whose)
        if pending is not None and pending.new_public == public:
            _let_count(home, whose, pending)
            return True
    return False


def note_trust(home: SiteHome, trust: TrustFile) -> None:
    """Takes note of every rotation that is taken, as the coordinator's trust file says.

    Raises:
        ConsiliumError: it is another federation's, or none that is under way is taken in it.
    """
    if trust.federation != home.config.federation:
        raise ConsiliumError(f"is of federation '{trust.federation}'", where="the trust file")
    own = [party for party in trust.parties if home.config.site in (party.name, party.site) and not party.revoked]
    if not [party for party in own if note_taken(home, party.public)]:
        raise ConsiliumError(
            "has no key of this site that waits to count",
            where="the trust file",
            cure="the coordinator takes it with: consilium coordinator rotate FILE",
        )


def resume(home: SiteHome) -> list[Whose]:
    """Puts keys into place that the coordinator has taken over, from wherever that stopped; whose.

    Raises:
        ConsiliumError: a file cannot be read or written; what was done stays.
    """
    done: list[Whose] = []
    for whose in WHOSE:
        pending = read_pending(home, whose)
        if pending is not None and pending.new_public in {party.public for party in home.trust().parties}:
            _finish(home, whose, pending)
            done.append(whose)
    return done


def next_key_path(home: SiteHome, whose: Whose) -> Path:
    """Where the new key waits."""
    return home.keys_path / f"{whose}.next.pem"


def document_path(home: SiteHome, whose: Whose) -> Path:
    """The rotation, for the coordinator."""
    return home.path / ("rotation.json" if whose == "site" else "approver-rotation.json")


def _write(home: SiteHome, whose: Whose, old: Ed25519PrivateKey, new: Ed25519PrivateKey) -> Path:
    before, after = _party(home, whose, public_hex(old)), public_hex(new)
    if before is None:
        what = f"this key is not the {whose}'s that counts"
        raise SignatureError(what, where=public_hex(old)[:16], cure="name the one that counts now with --key")
    if any(party.public == after for party in home.trust().parties):
        raise SignatureError("this key is in use already", where=after[:16], cure="make a new one")
    federation, site = home.config.federation, home.config.site
    rotation = Rotation(federation=federation, site=site, old_public=before.public, new_public=after)
    write_rotation(rotation, old, new, document_path(home, whose))
    return document_path(home, whose)


def _party(home: SiteHome, whose: Whose, public: str) -> Party | None:
    own = home.trust().find(role=whose, name=home.config.site if whose == "site" else None)
    return next((party for party in own if party.public == public), None)


def _let_count(home: SiteHome, whose: Whose, pending: Rotation) -> None:
    """The new key counts beside the old one, which is what `resume` goes by."""
    trust, old = home.trust(), _party(home, whose, pending.old_public)
    if old is not None and pending.new_public not in {party.public for party in trust.parties}:
        new = old.model_copy(update={"public": pending.new_public})
        _write_trust(home, trust.model_copy(update={"parties": (*trust.parties, new)}))


def _finish(home: SiteHome, whose: Whose, pending: Rotation) -> None:
    waiting = next_key_path(home, whose)
    if whose == "site":
        _seal_anew(home, pending, unlocked_key(waiting if waiting.exists() else home.site_key_path))
    if waiting.exists():
        waiting.replace(home.keys_path / f"{whose}.pem")
    trust = home.trust()
    parties = [
        party.model_copy(update={"revoked": True}) if party.public == pending.old_public else party
        for party in trust.parties
    ]
    _write_trust(home, trust.model_copy(update={"parties": tuple(parties)}))
    kept = home.keys_path / DONE / f"{fingerprint(bytes.fromhex(pending.new_public))[:16]}.json"
    kept.parent.mkdir(exist_ok=True)
    document_path(home, whose).replace(kept)


def _write_trust(home: SiteHome, trust: TrustFile) -> None:
    write_trust(trust, home.keys_path / "keys.toml")


def _seal_anew(home: SiteHome, pending: Rotation, key: Ed25519PrivateKey) -> None:
    """What waits for the coordinator, under the key that counts there; what is said and who approved it stay."""
    Gate(home)  # puts what has a number into the outbox
    old = fingerprint(bytes.fromhex(pending.old_public))
    outbox = Outbox(home)
    for parcel in outbox.parcels():
        envelope = parse_document(parcel.envelope)
        if envelope.signatures.pop(old, None) is not None:
            envelope.sign(signer(key))
            outbox.replace(Parcel(canonical(envelope.to_dict()), parcel.manifest, parcel.tensors))
