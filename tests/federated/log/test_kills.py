"""A log that is killed while it grows is the one before or the one after, and grows on."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from federated.log.journal import Journal
from federated.log.notes import Note, cosign
from tests.killing import kills

KEY, ADA = (Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (1, 2))
ORIGIN = "consilium/test"


def _entries(begin: int, end: int) -> list[bytes]:
    return [f"entry {number}".encode() for number in range(begin, end)]


@pytest.mark.parametrize(("held", "more"), [(0, 3), (250, 300), (255, 1), (511, 2)])
def test_killed_while_entries_are_added(tmp_path: Path, held: int, more: int) -> None:
    """Also where tiles and bundles become full, and the partial ones go."""
    before = tmp_path / "log"
    before.mkdir()
    Journal(before, ORIGIN).append(_entries(0, held), KEY)
    added = _entries(held, held + more)
    for after in kills(before, lambda folder: Journal(folder, ORIGIN).append(added, KEY), least=10):
        journal = Journal(after, ORIGIN)
        assert journal.size in (held, held + more)
        assert list(journal.entries()) == _entries(0, journal.size)
        if journal.size == held:
            journal.append(added, KEY)
        journal.append(_entries(held + more, held + more + 9), KEY)
        grown = Journal(after, ORIGIN)
        assert list(grown.entries()) == _entries(0, held + more + 9)
        assert grown.consistency(max(held, 1))


def test_killed_while_a_witness_signature_is_kept(tmp_path: Path) -> None:
    before = tmp_path / "log"
    before.mkdir()
    journal = Journal(before, ORIGIN)
    journal.append(_entries(0, 5), KEY)
    assert journal.note is not None
    signed = cosign(Note(journal.note.text), f"{ORIGIN}/ada", ADA, 7)
    for after in kills(before, lambda folder: Journal(folder, ORIGIN).cosigned(signed), least=8):
        found = Journal(after, ORIGIN)
        assert list(found.entries()) == _entries(0, 5)
        assert found.witnessed is None or len(found.witnessed.lines) == 2
        found.cosigned(signed)
        assert Journal(after, ORIGIN).note == found.witnessed
