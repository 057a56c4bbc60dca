"""The coordinator's log: what a step wrote down to be logged becomes entries when the step is done.

Rows of the registry are the truth and the log follows them: its n-th entry is the n-th row. A process killed between
the two is made good by the next step.
"""

from __future__ import annotations

import json

from sqlalchemy import func, select

from federated.log.checkpoints import origin_of
from federated.log.entries import Entry, sign_entry
from federated.log.journal import Journal
from server.home import CoordinatorHome
from server.registry import EntryRow, Registry


def open_log(home: CoordinatorHome) -> Journal:
    """The log of a home, by whoever holds it.

    Raises:
        ContractError: it is damaged.
    """
    return Journal(home.log_path, origin_of(home.config.federation))


def write_log(registry: Registry, home: CoordinatorHome) -> None:
    """Logs every row that is not logged yet.

    Raises:
        ConsiliumError: the log is damaged, or cannot be written.
    """
    journal = open_log(home)
    with registry.transaction() as session:
        if session.scalar(select(func.count(EntryRow.id))) == journal.size:
            return
        rows = session.scalars(select(EntryRow.facts).order_by(EntryRow.id).offset(journal.size)).all()
    key = home.key()
    entries = [_entry(home.config.federation, facts) for facts in rows]
    journal.append([sign_entry(entry, key) for entry in entries], key)


def _entry(federation: str, facts: str) -> Entry:
    return Entry.model_validate_json(json.dumps({"federation": federation, **json.loads(facts)}))
