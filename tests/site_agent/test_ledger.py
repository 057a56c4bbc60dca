from __future__ import annotations

import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated.disclosure import Facts
from federated.errors import ConsiliumError
from site_agent import ledger
from site_agent.ledger import transaction

names = st.text("abc-é", min_size=1, max_size=5)
cells = st.dictionaries(st.tuples(names, names), st.frozensets(names, max_size=4), max_size=4)
facts = st.builds(
    Facts,
    kind=names,
    level=st.none() | st.integers(0, 2),
    features=st.none() | st.integers(1, 4096),
    cells=cells,
    largest_share=st.floats(0, 1),
    size=st.integers(0, 2**30),
    images=st.dictionaries(names, names, max_size=3),
)
EMPTY = Facts("statistics", 1, None, {}, 0.0, 0)


@given(kept=facts)
def test_facts_are_kept_as_they_are(kept: Facts, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("ledger") / "ledger.sqlite"
    with transaction(path) as connection:
        ledger.put_sent(connection, 1, "sha256:1", "statistics", b"envelope", kept, "{}")
        ledger.put_draft(connection, "sha256:2", "statistics", "now", kept)
    with transaction(path) as connection:
        assert ledger.earlier_facts(connection) == [kept]
        waiting = ledger.find_draft(connection, "sha256:2")
        assert waiting is not None
        assert waiting.facts == kept


def test_all_or_nothing(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with pytest.raises(KeyboardInterrupt):
        _killed_after_writing(path)
    with transaction(path) as connection:
        assert ledger.sent(connection) == []


def _killed_after_writing(path: Path) -> None:
    with transaction(path) as connection:
        ledger.put_sent(connection, 1, "sha256:1", "statistics", b"", EMPTY, "{}")
        raise KeyboardInterrupt


def test_a_number_is_taken_once(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with transaction(path) as connection:
        ledger.put_sent(connection, 1, "sha256:1", "statistics", b"", EMPTY, "{}")
    for sequence, digest in ((1, "sha256:2"), (2, "sha256:1"), (0, "sha256:3")):
        with pytest.raises(ConsiliumError, match="the ledger cannot be used"), transaction(path) as connection:
            ledger.put_sent(connection, sequence, digest, "statistics", b"", EMPTY, "{}")


def test_writers_wait_for_each_other(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"

    def take() -> None:
        for _ in range(5):
            with transaction(path) as connection:
                last, _ = ledger.last_sent(connection)
                ledger.put_sent(connection, last + 1, f"sha256:{last}", "statistics", b"", EMPTY, "{}")

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with transaction(path) as connection:
        assert [row.sequence for row in ledger.sent(connection)] == list(range(1, 21))


def test_what_came_is_known_as_the_sequence_rules_need_it(tmp_path: Path) -> None:
    with transaction(tmp_path / "ledger.sqlite") as connection:
        assert ledger.received_ledger(connection).sequence == 0
        ledger.put_received(connection, 1, "sha256:1", "unread")
        ledger.put_received(connection, 2, "sha256:2", "refused")
        ledger.mark_done(connection, "sha256:1")
        ledger.mark_done(connection, "sha256:2")
        known = ledger.received_ledger(connection)
        assert (known.sequence, known.last) == (2, "sha256:2")
        assert (set(known.current), set(known.refused)) == ({"sha256:1"}, {"sha256:2"})
        assert ledger.unread(connection) == []


def test_another_file_is_no_ledger(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"no database, and longer than a header would be" * 100)
    with pytest.raises(ConsiliumError, match=r"the ledger cannot be used .*restore it"), transaction(path):
        pass


@given(kept=facts, patient=names)
def test_a_patient_gets_another_name_everywhere_alike(
    kept: Facts, patient: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("ledger") / "ledger.sqlite"
    with transaction(path) as connection:
        ledger.put_sent(connection, 1, "sha256:1", "statistics", b"envelope", kept, "{}")
        ledger.put_draft(connection, "sha256:2", "statistics", "now", kept)
        ledger.rename_patient(connection, patient, lambda word: f"token of {word}")
    with transaction(path) as connection:
        waiting = ledger.find_draft(connection, "sha256:2")
        assert waiting is not None
        assert waiting.facts == ledger.facts_by_digest(connection, withdrawn=False)["sha256:1"]
    new = waiting.facts
    assert patient not in ledger.names_in(new)
    assert {name.removeprefix("token of ") for name in ledger.names_in(new)} == ledger.names_in(kept)
    assert {cell: len(patients) for cell, patients in new.cells.items()} == {
        cell: len(patients) for cell, patients in kept.cells.items()
    }
    if patient in kept.images:
        assert new.images[f"token of {patient}"] == f"token of {kept.images[patient]}"


def test_what_stands_is_told_from_what_was_taken_back(tmp_path: Path) -> None:
    with transaction(tmp_path / "ledger.sqlite") as connection:
        for number in (1, 2):
            ledger.put_sent(connection, number, f"sha256:{number}", "statistics", b"", EMPTY, "{}")
        ledger.mark_withdrawn(connection, ("sha256:1",))
        assert ledger.facts_by_digest(connection, withdrawn=True) == {"sha256:1": EMPTY}
        assert ledger.facts_by_digest(connection, withdrawn=False) == {"sha256:2": EMPTY}
