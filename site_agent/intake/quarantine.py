"""What was listed and not taken in: shown by name to a person at the site, who may clear what identifies nobody."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from federated.errors import DataError
from site_agent.intake.reports import Aside

if TYPE_CHECKING:
    from site_agent.archive import Archive

NAMES = "SELECT key, sealed FROM items"
LOOKED_FOR = ("quarantined", "refused", "apart")


def item_names(archive: Archive) -> dict[str, str]:
    """Key of everything that was listed -> its name as the hospital has it."""
    return {key: json.loads(archive.name(sealed))["name"] for key, sealed in archive.catalogue.rows(NAMES)}


def set_aside(archive: Archive, keys: Sequence[str] = ()) -> list[Aside]:
    """What waits for a person first, then what was refused, then what is kept apart; of some keys only if named.

    The beginning of a key will do where nothing else begins so.

    Raises:
        DataError: a key that nothing has, or more than one thing.
    """
    found = []
    for state in LOOKED_FOR:
        for one in archive.catalogue.aside():
            if one.state == state:
                about = json.loads(archive.name(one.sealed))
                found.append(Aside(name=about["name"], state=one.state, reason=about["reason"], key=one.key))
    return [_named(found, key) for key in keys] if keys else found


def _named(found: Sequence[Aside], key: str) -> Aside:
    matching = [one for one in found if key and one.key.startswith(key)]
    if len(matching) != 1:
        what = f"{len(matching)} items have" if matching else "nothing has"
        raise DataError(f"{what} the key {key}", where="quarantine", cure="see the keys: consilium site quarantine")
    return matching[0]


def clear_items(archive: Archive, keys: Sequence[str]) -> list[str]:
    """Marks quarantined items as looked at, so that the next ingest of their folder takes them in; their names.

    Raises:
        DataError: no key, one that nothing has, or an item that cannot be read whoever looks at it.
    """
    if not keys:
        raise DataError("names no item", where="--clear", cure="give the keys that consilium site quarantine shows")
    chosen = set_aside(archive, keys)
    for one in chosen:
        if one.state != "quarantined":
            raise DataError(f"is {one.state}: {one.reason}", where=one.name, cure="clear only what is quarantined")
    with archive.catalogue.transaction() as connection:
        connection.executemany("UPDATE items SET cleared = 1 WHERE key = ?", [(one.key,) for one in chosen])
    return [one.name for one in chosen]
