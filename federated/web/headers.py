"""Headers of every answer, and what the headers of a request have to say."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers

CSP = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'"
)
HEADERS: dict[str, str] = {
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
TRANSPORT = "max-age=31536000"


def raw(*, secure: bool) -> list[tuple[bytes, bytes]]:
    """The headers as servers send them."""
    more = {"strict-transport-security": TRANSPORT} if secure else {}
    return [(name.encode(), value.encode()) for name, value in {**HEADERS, **more}.items()]


def host_is(value: str | None, hosts: Collection[str]) -> bool:
    """Whether a request asks for this house, and not for a name that somebody else let point here."""
    if not value or len(value) > 255:
        return False
    try:
        name = urlsplit(f"//{value}").hostname
    except ValueError:
        return False
    return name in hosts and not set(value) & set("/@?#\\ \t")


def comes_from_here(headers: Headers) -> bool:
    """Whether a form was sent by a page of this house, as far as the browser says.

    Browsers say so in Sec-Fetch-Site; older ones name the origin, which is ``null`` where no referrer may be told.
    """
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:
        return site == "same-origin"
    if origin is None:
        return True
    return urlsplit(origin).netloc == headers.get("host", "")
