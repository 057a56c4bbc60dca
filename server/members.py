"""Who belongs to the federation: invited, enrolled with keys whose fingerprint was told, rotated, revoked."""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from federated.enrolment import Kit, Request, Rotation, read_request, read_rotation
from federated.envelope import EVERYONE
from federated.errors import ConsiliumError, SequenceError, SignatureError
from federated.keys import Party, public_hex
from federated.manifest import Name
from server.certificates import create_certificates
from server.deliveries import enqueue
from server.home import CoordinatorHome
from server.registry import KeyRow, SiteRow, newest_release, record


def invite(session: Session, home: CoordinatorHome, site: str) -> Kit:
    """A kit with a fresh invitation; an earlier one for the same site no longer counts.

    Raises:
        ConsiliumError: the site is enrolled or was revoked, or its name cannot be one.
    """
    _require_name(site, home.config.name)
    row = session.get(SiteRow, site)
    if row is not None and row.state != "invited":
        cure = "nothing is to be done" if row.state == "enrolled" else "invite the hospital under another name"
        raise ConsiliumError(f"this site is {row.state} already", where=site, cure=cure)
    token = secrets.token_hex(16)
    kit = _kit(home, site, token)
    session.merge(SiteRow(name=site, state="invited", invitation=_hashed(token), flower_public=""))
    record(session, "invite", site=site, entry={})
    return kit


def enrol(session: Session, path: Path, told: str, federation: str) -> str:
    """Lets a site in whose request bears the fingerprint that was told; returns its name. Again is no work.

    Raises:
        ConsiliumError: the request is for another federation, was not invited, or brings a key that is in use.
    """
    request = read_request(path, fingerprint=told)
    if request.federation != federation:
        raise SequenceError(f"is for federation '{request.federation}', this is '{federation}'", where=str(path))
    row = session.get(SiteRow, request.site)
    if row is not None and row.state == "enrolled" and _has_key(session, request.site, request.site_public):
        return request.site
    if row is None or row.state != "invited" or row.invitation != _hashed(request.invitation):
        raise SignatureError(
            f"site '{request.site}' was not invited with this kit", where=str(path), cure="invite it again"
        )
    _admit(session, row, request)
    return request.site


def rotate(session: Session, path: Path, federation: str) -> str:
    """Replaces a site's or its approver's key by the one that the old one vouches for; the site. Again is no work.

    Raises:
        ConsiliumError: the rotation is for another federation, or not by a key of the site that counts.
    """
    rotation: Rotation = read_rotation(path)
    if rotation.federation != federation:
        raise SequenceError(f"is for federation '{rotation.federation}', this is '{federation}'", where=str(path))
    if _key_of(session, rotation.site, rotation.new_public):
        return rotation.site
    old = _key_of(session, rotation.site, rotation.old_public)
    if old is None:
        raise SignatureError(f"the old key is not the current key of '{rotation.site}'", where=str(path))
    party = {"name": old.name, "role": old.role, "site": old.site, "public": rotation.new_public}
    _add_key(session, Party.model_validate(party))
    old.revoked = True
    keys = [{"public": rotation.new_public, "role": old.role}]
    entry = {"keys": keys, "ended": [rotation.old_public]}
    record(session, "rotate", site=rotation.site, subject=rotation.new_public, entry=entry)
    return rotation.site


def revoke(session: Session, site: str) -> None:
    """A site's keys and its approvers' no longer count; what it contributed stays until it is withdrawn.

    Again is no work.

    Raises:
        ConsiliumError: there is no such site.
    """
    row = find_site(session, site)
    before, row.state = row.state == "revoked", "revoked"
    own = ((KeyRow.role == "site") & (KeyRow.name == site)) | (KeyRow.site == site)
    ended = list(session.scalars(select(KeyRow.public).where(own, KeyRow.revoked.is_(False)).order_by(KeyRow.id)))
    session.execute(update(KeyRow).where(own).values(revoked=True))
    if ended or not before:
        record(session, "revoke", site=site, entry={"ended": ended} if ended else None)  # invited, and never let in


def find_site(session: Session, site: str) -> SiteRow:
    """A site's row.

    Raises:
        ConsiliumError: there is no such site.
    """
    row = session.get(SiteRow, site)
    if row is None:
        known = ", ".join(session.scalars(select(SiteRow.name).order_by(SiteRow.name))) or "none"
        raise ConsiliumError("is not a site of this federation", where=site, cure=f"sites are: {known}")
    return row


def _require_name(site: str, coordinator: str) -> None:
    try:
        TypeAdapter(Name).validate_python(site)
    except ValidationError as error:
        raise ConsiliumError(
            "is no name for a site", where=site, cure="use at most 63 of a-z, 0-9, '.', '_' and '-'"
        ) from error
    if site in (EVERYONE, coordinator):
        raise ConsiliumError("is taken", where=site, cure="choose another name")


def _kit(home: CoordinatorHome, site: str, token: str) -> Kit:
    config = home.config
    host = config.superlink.rpartition(":")[0]
    certificates = create_certificates(home.certificates_path, config.federation, [host])
    return Kit(
        federation=config.federation,
        coordinator=config.name,
        coordinator_public=public_hex(home.key()),
        site=site,
        invitation=token,
        superlink=config.superlink,
        ca_certificate=certificates.authority.read_text(encoding="ascii"),
        task=config.task,
        front_end=config.front_end,
        vocabulary=home.vocabulary(),
    )


def _admit(session: Session, row: SiteRow, request: Request) -> None:
    row.state, row.flower_public, row.invitation = "enrolled", request.flower_public, ""
    parties = [Party(name=request.site, role="site", public=request.site_public), *request.approvers]
    for party in parties:
        _add_key(session, party)
    release = newest_release(session, standing=True)
    if release is not None:
        enqueue(session, [request.site], release.digest, "release")
    entry = {"keys": [{"public": party.public, "role": party.role} for party in parties]}
    record(session, "enrol", site=request.site, subject=request.site_public, entry=entry)


def _add_key(session: Session, party: Party) -> None:
    if session.scalar(select(KeyRow).where(KeyRow.public == party.public)) is not None:
        raise SignatureError("this key is in use already", where=party.name, cure="make a new one")
    session.add(KeyRow(name=party.name, role=party.role, public=party.public, site=party.site, revoked=party.revoked))
    session.flush()


def _has_key(session: Session, site: str, public: str) -> bool:
    own = (KeyRow.role == "site") & (KeyRow.name == site) & (KeyRow.public == public) & KeyRow.revoked.is_(False)
    return session.scalar(select(KeyRow).where(own)) is not None


def _key_of(session: Session, site: str, public: str) -> KeyRow | None:
    """A key that counts, of a site or of one of its approvers."""
    own = ((KeyRow.role == "site") & (KeyRow.name == site)) | ((KeyRow.role == "approver") & (KeyRow.site == site))
    return session.scalar(select(KeyRow).where(own, KeyRow.public == public, KeyRow.revoked.is_(False)))


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
