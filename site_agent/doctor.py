"""Is this site ready: keys, clock, way to the coordinator, disk, decoders and policy, one line each with its cure."""

from __future__ import annotations

import shutil
import socket
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from federated.errors import ConsiliumError, SignatureError
from federated.keys import public_hex
from federated.manifest import Frozen

if TYPE_CHECKING:
    from site_agent.home import SiteHome

FREE_BYTES = 2**30
CONNECT_SECONDS = 3.0
CINE_CODECS = ("h264", "mjpeg", "mpeg4", "gif")
STILL_FORMATS = ("PNG", "JPEG")
EARLIEST = datetime(2026, 1, 1, tzinfo=UTC)  # no clock that is right says less


class Finding(Frozen):
    """One line of the examination; `cure` where it is not ok."""

    name: str
    ok: bool
    found: str
    cure: str = ""


def examine(home: SiteHome) -> list[Finding]:
    """Every check, in the order in which a person would mend them."""
    return [_examined(name, check, home) for name, check in CHECKS.items()]


def _examined(name: str, check: Callable[[SiteHome], str], home: SiteHome) -> Finding:
    try:
        return Finding(name=name, ok=True, found=check(home))
    except ConsiliumError as error:
        found = f"{error.where}: {error.what}" if error.where else error.what
        return Finding(name=name, ok=False, found=found, cure=error.cure)


def keys(home: SiteHome) -> str:
    """The site's key, secret and trust file fit together, and others cannot read them."""
    public, trust = public_hex(home.key()), home.trust()
    home.secret()
    own = {party.public for party in trust.find(role="site", name=home.config.site)}
    if public not in own:
        raise SignatureError("is not the key that the trust file names", where="keys/site.pem", cure="restore keys/")
    pinned = {party.public for party in trust.find(role="coordinator", name=home.config.coordinator)}
    if home.config.coordinator_public not in pinned:
        raise SignatureError("is not the one in config.toml", where="the coordinator's key", cure="restore keys/")
    approvers = len(trust.find(role="approver", site=home.config.site))
    return f"site, coordinator and {approvers} approver{'s' if approvers != 1 else ''}"


def clock(home: SiteHome) -> str:
    """The clock is not behind what this home itself has written, nor behind this program."""
    from site_agent.receipts import read_receipts

    now = datetime.now(UTC)
    receipts = read_receipts(home.receipts_path)
    written = [datetime.fromisoformat(receipt.when) for receipt in receipts[-1:]]
    latest = max([EARLIEST, *written])
    if now < latest:
        raise ConsiliumError(
            f"says {now:%Y-%m-%d %H:%M} UTC, but something left at {latest:%Y-%m-%d %H:%M}"
            if written
            else f"says {now:%Y-%m-%d %H:%M} UTC",
            where="clock",
            cure="set the clock (NTP); envelopes and certificates carry times",
        )
    return f"{now:%Y-%m-%d %H:%M:%S} UTC"


def superlink(home: SiteHome) -> str:
    """The SuperLink answers with a certificate of the kit's authority."""
    if not home.config.superlink:
        return "none: parcels go by file (consilium site export, import)"
    host, _, port = home.config.superlink.rpartition(":")
    started = time.monotonic()
    try:
        with (
            socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS) as plain,
            _context(home).wrap_socket(plain, server_hostname=host) as link,
        ):
            version = link.version()
    except ssl.SSLError as error:
        reason = getattr(error, "verify_message", "") or error.reason or str(error)
        raise _unreachable(home, f"its certificate is not accepted ({reason})", _new_certificate(home)) from error
    except OSError as error:
        cure = "is the coordinator running, and does the firewall let this machine out?"
        raise _unreachable(home, f"does not answer ({error.strerror or error})", cure) from error
    return f"{home.config.superlink} answers in {1000 * (time.monotonic() - started):.0f} ms, {version}"


def gate_certificate(home: SiteHome) -> str:
    """The certificate for the coordinator's gate, if there is one, counts for a while."""
    from site_agent.certificate import describe

    return describe(home)


def _context(home: SiteHome) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=str(home.ca_path))
    except (OSError, ssl.SSLError) as error:
        raise ConsiliumError("is no certificate", where=str(home.ca_path), cure=_new_certificate(home)) from error
    context.set_alpn_protocols(["h2"])
    return context


def _new_certificate(home: SiteHome) -> str:
    return f"ask the coordinator for ca.crt, the certificate of its authority, and put it at {home.ca_path}"


def _unreachable(home: SiteHome, what: str, cure: str) -> ConsiliumError:
    return ConsiliumError(what, where=f"SuperLink {home.config.superlink}", cure=cure)


def disk(home: SiteHome) -> str:
    """There is room for parcels and features."""
    free = shutil.disk_usage(home.path).free
    if free < FREE_BYTES:
        raise ConsiliumError(
            f"{free / 2**20:.0f} MiB are free", where=str(home.path), cure=f"free {FREE_BYTES // 2**20} MiB"
        )
    return f"{free / 2**30:.1f} GiB free"


def decoders(_: SiteHome) -> str:
    """Still images and cine files can be read."""
    missing = [*_missing_stills(), *_missing_codecs()]
    if missing:
        cure = "install what is missing, in a copy of the repository: pip install '.[site]'"
        raise ConsiliumError(f"cannot read {', '.join(missing)}", where="decoders", cure=cure)
    return ", ".join([*STILL_FORMATS, *CINE_CODECS])


def _missing_stills() -> list[str]:
    try:
        from PIL import Image
    except ImportError:
        return list(STILL_FORMATS)
    Image.init()
    return [name for name in STILL_FORMATS if name not in Image.OPEN]


def _missing_codecs() -> list[str]:
    try:
        import av
    except ImportError:
        return list(CINE_CODECS)
    return [name for name in CINE_CODECS if name not in av.codecs_available]


def front_end(home: SiteHome) -> str:
    """The front end of the kit can be made here, to the same digest."""
    from pathlib import Path

    from site_agent.features import require_front_end

    weights = Path(home.config.backbone_weights) if home.config.backbone_weights else None
    made = require_front_end(home.config.front_end, weights)
    return f"{made.name}, {made.features} features, {made.digest[:19]}"


def policy(home: SiteHome) -> str:
    """An approver has signed the policy as it is."""
    from site_agent.policy import GOVERNED_KINDS, read_signed_policy

    signed = read_signed_policy(home)
    allowed = [kind for kind in GOVERNED_KINDS if signed.policy.rule(kind).allowed]
    return f"signed by {signed.approver[:16]}; may leave: {', '.join(allowed) or 'nothing'}"


def record(home: SiteHome) -> str:
    """The coordinator's log has told one history, and tells of what left as it left."""
    from site_agent.logged import verify_receipts
    from site_agent.witness import unsigned, witness_of

    refused = unsigned(home)
    if refused:
        what, cure = "is not what this site had seen", "show this file and log/seen beside it to the auditor"
        raise ConsiliumError(what, where=f"log/{refused[0].name}", cure=cure)
    wrong = [each for each in verify_receipts(home) if each.state == "wrong"]
    if wrong:
        raise ConsiliumError(
            wrong[0].found, where=f"number {wrong[0].sequence}", cure="see consilium site receipts --verify"
        )
    return f"{witness_of(home).size} entries of the coordinator's log witnessed"


def lease(home: SiteHome) -> str:
    """By the coordinator's list of releases that stand, this site may answer."""
    from site_agent.lease import RENEW
    from site_agent.lease import lease as newest

    found = newest(home)
    if found is None:
        return "no list of releases has come; a recall is heard of in the next exchange"
    if found.expired:
        raise ConsiliumError(f"of {found.issued} was good until {found.until}", where="list of releases", cure=RENEW)
    return found.line


CHECKS: dict[str, Callable[[SiteHome], str]] = {
    "keys": keys,
    "clock": clock,
    "superlink": superlink,
    "gate certificate": gate_certificate,
    "disk": disk,
    "decoders": decoders,
    "front end": front_end,
    "policy": policy,
    "log": record,
    "releases": lease,
}
