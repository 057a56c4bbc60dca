from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import create_engine, select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from federated.envelope import Ledger
from federated.errors import ConsiliumError
from federated.keys import Party
from server.registry import (
    Base,
    EventRow,
    KeyRow,
    ParcelRow,
    Registry,
    SiteRow,
    counted_parcels,
    enrolled_sites,
    find_parcel,
    ledger_of,
    record,
    trust_file,
)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(f"sqlite:///{tmp_path / 'registry.sqlite'}")


def _parcel(site: str, sequence: int, kind: str = "statistics", state: str = "current", batch: str = "b1") -> ParcelRow:
    return ParcelRow(
        digest=f"{site}-{sequence}",
        site=site,
        sequence=sequence,
        kind=kind,
        batch=batch,
        concerns=None,
        mean_square=None,
        envelope="",
        state=state,
        reason="",
        received="2030-01-01T00:00:00Z",
        told=False,
    )


def test_a_step_is_kept_whole_or_not_at_all(registry: Registry) -> None:
    def killed() -> None:
        with registry.transaction() as session:
            record(session, "half")
            session.flush()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        killed()
    with registry.transaction() as session:
        record(session, "whole", site="ada", detail="why")
    with registry.transaction() as session:
        assert [(row.event, row.site, row.detail) for row in session.scalars(select(EventRow))] == [
            ("whole", "ada", "why")
        ]


def test_a_ledger_is_what_the_rows_say(registry: Registry) -> None:
    with registry.transaction() as session:
        for number, state in enumerate(("withdrawn", "superseded", "refused", "current"), start=1):
            session.add(_parcel("ada", number, state=state))
        session.add(_parcel("ben", 1))
    with registry.transaction() as session:
        assert ledger_of(session, "cem") == Ledger()
        assert ledger_of(session, "ada") == Ledger(
            sequence=4,
            last="ada-4",
            withdrawn=frozenset({"ada-1"}),
            superseded=frozenset({"ada-2"}),
            refused=frozenset({"ada-3"}),
            current=frozenset({"ada-4"}),
        )
        assert find_parcel(session, "ben", "ada-1") is None


def test_a_batch_counts_once(registry: Registry) -> None:
    with registry.transaction() as session:
        session.add(_parcel("ada", 1, "features"))
        session.add(_parcel("ada", 2, "statistics"))
        session.add(_parcel("ada", 3, "features", batch="b2"))
        session.add(_parcel("ada", 4, "weights", batch="b2"))
        session.add(_parcel("ben", 1, "features"))
        session.add(_parcel("ben", 2, "statistics", state="withdrawn"))
    with registry.transaction() as session:
        assert [row.digest for row in counted_parcels(session)] == ["ada-2", "ada-3", "ben-1"]


def test_the_trust_file_keeps_the_order_of_keys(registry: Registry) -> None:
    keys = [("hub", "coordinator", None), ("ada", "site", None), ("ada-dpo", "approver", "ada")]
    with registry.transaction() as session:
        for index, (name, role, site) in enumerate(keys):
            session.add(KeyRow(name=name, role=role, public=f"{index:064x}", site=site, revoked=index == 1))
        session.add(SiteRow(name="ada", state="enrolled", invitation="", flower_public=""))
        session.add(SiteRow(name="ben", state="invited", invitation="", flower_public=""))
    with registry.transaction() as session:
        trust = trust_file(session, "test")
        assert enrolled_sites(session) == ["ada"]
    assert trust.parties[2] == Party(name="ada-dpo", role="approver", public=f"{2:064x}", site="ada")
    assert trust.find(role="site") == ()


def test_another_version_is_not_touched(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'registry.sqlite'}"
    Registry(url)
    Registry(url)
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE schema SET version = 7"))
    engine.dispose()
    with pytest.raises(ConsiliumError, match="has version 7"):
        Registry(url)


@pytest.mark.parametrize(
    ("url", "said"),
    [("no url at all", "is not a database URL"), ("sqlite:////nowhere/at/all/registry.sqlite", "cannot be used")],
)
def test_a_database_that_is_not_there_is_said_in_one_line(url: str, said: str) -> None:
    with pytest.raises(ConsiliumError, match=said):
        Registry(url)


def test_a_full_database_is_said_and_keeps_nothing(registry: Registry) -> None:
    def fill() -> None:
        with registry.transaction() as session:
            session.execute(text("PRAGMA max_page_count = 1"))
            session.add(EventRow(at="", event="big", detail="x" * 10**6))

    with pytest.raises(ConsiliumError, match="full"):
        fill()
    with registry.transaction() as session:
        assert session.scalars(select(EventRow)).all() == []


def test_the_tables_are_plain_enough_for_postgresql() -> None:
    statements = [
        str(CreateTable(table).compile(dialect=postgresql.dialect())) for table in Base.metadata.sorted_tables
    ]
    assert len(statements) == 15
    assert all("CREATE TABLE" in statement for statement in statements)
