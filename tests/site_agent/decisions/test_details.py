from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from federated.errors import ConsiliumError
from site_agent.decisions.details import (
    Detail,
    Told,
    all_told,
    details,
    drop_beyond,
    find,
    forget,
    numbers_of,
    patients,
    put,
    put_told,
    some,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "decisions.sqlite"


def _row(number: int, patient: str = "p", word: str = "w") -> Detail:
    return Detail(number, patient, word, b"name", b"{}", np.array([[number, 0.1]]), who=b"who", note=None)


def test_rows_are_read_as_they_were_written(path: Path) -> None:
    with details(path) as connection:
        put(connection, [_row(0), _row(1)])
        put(connection, [Detail(2, "p", "c", b"", b"{}", frames=(1, 0))])
    with details(path) as connection:
        first, clip = find(connection, 0), find(connection, 2)
        assert first is not None
        assert first.features is not None
        assert (first.features.tolist(), first.who, first.note) == ([[0.0, 0.1]], b"who", None)
        assert clip is not None
        assert clip.features is not None
        assert clip.features.tolist() == [[1.0, 0.1], [0.0, 0.1]]
        assert find(connection, 3) is None
        assert [(each.number, each.features) for each in some(connection, 1, 3)] == [(1, None), (2, None)]
        assert (numbers_of(connection, "w", 9), numbers_of(connection, "w", 1)) == ([0, 1], [0])


def test_everything_happens_or_nothing(path: Path) -> None:
    with pytest.raises(ConsiliumError, match="UNIQUE"), details(path) as connection:
        put(connection, [_row(0), _row(0)])
    with details(path) as connection:
        assert find(connection, 0) is None
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_the_log_does_not_have_goes(path: Path) -> None:
    with details(path) as connection:
        put(connection, [_row(0), _row(1)])
        put_told(connection, Told("a", 0, 0, 1))
        put_told(connection, Told("b", 1, 1, 2))
        drop_beyond(connection, 1)
        assert [each.number for each in some(connection, 0, 9)] == [0]
        assert all_told(connection) == [Told("a", 0, 0, 1)]


def test_a_patient_goes(path: Path) -> None:
    with details(path) as connection:
        put(connection, [_row(0), _row(1, "q"), _row(2)])
        assert patients(connection) == {"p", "q"}
        assert forget(connection, "p") == 2
        assert patients(connection) == {"q"}


def test_a_summary_is_told_of_once(path: Path) -> None:
    with details(path) as connection:
        for _ in range(2):
            put_told(connection, Told("a", 0, 4, 9))
        assert all_told(connection) == [Told("a", 0, 4, 9)]


def test_another_file_is_one_line(path: Path) -> None:
    path.write_bytes(b"no database" * 100)
    with pytest.raises(ConsiliumError, match="restore it from the backup"), details(path):
        pass
    with pytest.raises(ConsiliumError, match="cannot be opened"), details(path / "below"):
        pass
