"""The coordinator's log: what a step wrote down to be logged becomes entries when the step is done.

Rows of the registry are the truth and the log follows them: its n-th entry is the n-th row. A process killed between
the two is made good by the next step.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from federated.contract import Count, Frozen, Name
from federated.errors import ConsiliumError
from federated.log.checkpoints import origin_of, read_checkpoint
from federated.log.entries import Entry, checked, read_entry, sign_entry
from federated.log.journal import Journal
from federated.log.witness import cosigners, witness_key
from server.home import CoordinatorHome
from server.registry import EntryRow, Registry


def open_log(home: CoordinatorHome) -> Journal:
    """The log of a home, by whoever holds it.

    Raises:
        ContractError: it is damaged.
    """
    return Journal(home.log_path, origin_of(home.config.federation))


class LogFacts(Frozen):
    """What the log is, for people.

    Attributes:
        entries: how many.
        witnessed: how many of them, from the first on, witnesses have signed.
        by: which sites signed that.
        last: the newest entries, oldest first.
    """

    entries: Count
    witnessed: Count
    by: tuple[Name, ...]
    last: tuple[Entry, ...]


def log_facts(home: CoordinatorHome, last: int) -> LogFacts:
    """The state of the log, with so many of its last entries.

    Raises:
        ContractError: it is damaged.
    """
    journal, trust = open_log(home), home.trust()
    keys = [witness_key(home.config.federation, party) for party in trust.with_former().find(role="site")]
    seen = journal.witnessed
    names = sorted(name.rpartition("/")[2] for name in cosigners(seen, keys)) if seen else []
    found = journal.entries(max(0, journal.size - last))
    return LogFacts(
        entries=journal.size,
        witnessed=read_checkpoint(seen, journal.origin).size if seen else 0,
        by=tuple(names),
        last=tuple(read_entry(data).predicate for data in found),
    )


def copy_log(home: CoordinatorHome, out: Path) -> int:
    """The log in a new folder, as it is between two steps; how many entries it has.

    Raises:
        ConsiliumError: the folder is there already, or cannot be written.
    """
    if out.exists() or out.resolve().is_relative_to(home.log_path.resolve()):
        what = "is already here" if out.exists() else "is a folder within the log"
        raise ConsiliumError(what, where=str(out), cure="name a new folder")
    staging = out.with_name(f".partial-{out.name}")
    try:
        with home.lock():
            size = open_log(home).size
            shutil.copytree(home.log_path, staging)
        staging.replace(out)
    except (OSError, shutil.Error) as error:
        raise ConsiliumError(f"cannot be written ({error})", where=str(out)) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return size


def write_log(registry: Registry, home: CoordinatorHome) -> int:
    """Logs every row that is not logged yet; before a step, so that none is taken on a wrong log, and after it.

    Returns:
        How many entries there are.

    Raises:
        ConsiliumError: the log is damaged, tells of something else than the registry, or cannot be written.
    """
    journal, federation = open_log(home), home.config.federation
    with registry.transaction() as session:
        _require_same(session, journal, home)
        newest = entries_due(session)
        query = select(EntryRow.facts).where(EntryRow.id > journal.size).order_by(EntryRow.id)
        rows = session.scalars(query).all() if newest > journal.size else []
    if rows:
        key = home.key()
        journal.append([sign_entry(checked(json.loads(facts), federation), key) for facts in rows], key)
    return journal.size


def entries_due(session: Session) -> int:
    """How many entries there have to be."""
    return session.scalar(select(func.max(EntryRow.id))) or 0


def _require_same(session: Session, journal: Journal, home: CoordinatorHome) -> None:
    """Whether the last entry is of the row of its number."""
    if journal.size == 0:
        return
    row = session.get(EntryRow, journal.size)
    (data,) = journal.entries(journal.size - 1, journal.size)
    if row is None or checked(json.loads(row.facts), home.config.federation) != read_entry(data).predicate:
        what = f"entry {journal.size - 1} is not what the registry has there"
        raise ConsiliumError(what, where=str(home.log_path), cure="restore both from one copy of the home")
