"""Every statement that writes fits its table."""

from __future__ import annotations

import sqlite3

import pytest

from federated.audit_pages import schema

STATEMENTS = [schema.FACT, schema.ENTRY, schema.RELEASE, schema.EXPERT, schema.EXPERT_SUMS, schema.SUMS]
STATEMENTS += [schema.SUMMARY, schema.DECISION, schema.REMOVAL]


@pytest.mark.parametrize("statement", STATEMENTS)
def test_it_takes_as_many_values_as_it_says(statement: str) -> None:
    db = sqlite3.connect(":memory:")
    db.executescript(schema.TABLES + schema.INDEXES)
    db.execute(statement, [1] * statement.count("?"))
    assert db.execute(schema.TIMES).fetchall() is not None
    db.close()
