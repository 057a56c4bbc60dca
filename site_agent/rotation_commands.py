"""``consilium site rotate``: a new key for the site or its approver."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from federated.errors import ConsiliumError
from site_agent.options import HERE, Home, open_home

if TYPE_CHECKING:
    from site_agent.home import SiteHome

NEXT = {
    "site": "the new key signs from now on",
    "approver": "the new approver has to sign the policy: consilium site policy --sign",
}


def rotate(
    approver: Annotated[bool, typer.Option("--approver", help="The approver's key, not the site's.")] = False,
    key: Annotated[
        Path | None, typer.Option(help="The approver's key that counts now; the one made when joining by default.")
    ] = None,
    new_key: Annotated[
        Path | None, typer.Option(help="The approver's next private key, kept elsewhere; made here by default.")
    ] = None,
    taken: Annotated[
        Path | None, typer.Option(help="The coordinator's keys.toml, where parcels go by file: finish what it took.")
    ] = None,
    home: Home = HERE,
) -> None:
    """Make a new key, which the old one vouches for; the old one signs until the coordinator has taken the new."""
    from federated.keys import fingerprint, read_trust, spoken_fingerprint
    from site_agent.rotation import begin, note_trust, read_pending, resume

    opened = open_home(home)
    with opened.lock():
        if taken is not None:
            note_trust(opened, read_trust(taken))
        done = resume(opened)
        for each in done:
            typer.echo(f"{each}: {NEXT[each]}")
        if done or taken is not None:
            return
        path = _begin_approver(opened, key, new_key) if approver else begin(opened)
        pending = read_pending(opened, "approver" if approver else "site")
    assert pending is not None
    told = spoken_fingerprint(fingerprint(bytes.fromhex(pending.new_public)))
    typer.echo(f"send {path} to the coordinator (consilium coordinator rotate {path.name}); the new key is {told}")
    typer.echo("until it is taken the old key signs; through Flower the change is then made by itself")


def _begin_approver(home: SiteHome, key: Path | None, new_key: Path | None) -> Path:
    from federated.passphrases import unlocked_key
    from site_agent.rotation import begin_approver

    old = key or home.approver_key_path
    if not old.exists():
        raise ConsiliumError("the approver keeps the key elsewhere", where=str(home.path), cure="name it with --key")
    if new_key is None and not home.approver_key_path.exists():
        cure = "name the next one with --new-key, or make it first with openssl"
        raise ConsiliumError("the approver keeps the key elsewhere", where=str(home.path), cure=cure)
    return begin_approver(home, unlocked_key(old), unlocked_key(new_key) if new_key is not None else None)
