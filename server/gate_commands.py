"""``consilium coordinator certificate``: who may pass the gate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from federated.errors import ConsiliumError
from server.options import HERE, Home


def certificate(
    request: Annotated[Path | None, typer.Argument(help="A site's certificate-request.json.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where the certificate goes, for the site; SITE.crt.")] = None,
    strike: Annotated[str | None, typer.Option(metavar="SITE", help="Shut out every certificate of a site.")] = None,
    home: Home = HERE,
) -> None:
    """Certify the key with which a site passes the gate, or shut its certificates out."""
    from federated.files import write_whole
    from server import client_certificates
    from server.home import CoordinatorHome

    if (request is None) == (strike is None):
        raise ConsiliumError("name a site's request, or a site with --strike", where="certificate")
    opened = CoordinatorHome(home)
    if strike is not None:
        count = client_certificates.strike(opened, strike)
        typer.echo(f"{count} certificates of {strike} are off the gate's list, once nginx has read it again")
        return
    assert request is not None
    site, file = client_certificates.issue(opened, request)
    target = out or Path(f"{site}.crt")
    write_whole(target, file.read_bytes())
    typer.echo(f"wrote {target} for {site}; it counts once nginx has read the gate's list again")
