from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from federated.errors import ContractError
from federated.log.checkpoints import Checkpoint, read_checkpoint
from federated.log.journal import CHECKPOINT, Journal
from federated.log.merkle import EMPTY_ROOT, check_consistency, leaf_hash, root_from_inclusion
from federated.log.notes import ED25519, Note, NoteKey, cosign, is_signed, parse_note
from federated.log.tiles import partial_paths, tile_path

ORIGIN = "consilium/heart"
KEY, WITNESS = (Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (1, 2))
BATCH = 7


def _entries(begin: int, end: int) -> list[bytes]:
    return [b"entry %d" % number for number in range(begin, end)]


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    found = Journal(tmp_path, ORIGIN)
    found.append(_entries(0, 300), KEY)
    return found


def test_a_log_begins_empty(tmp_path: Path) -> None:
    journal = Journal(tmp_path, ORIGIN)
    assert (journal.size, journal.checkpoint.root, journal.note) == (0, EMPTY_ROOT, None)
    assert list(journal.append([], KEY)) == []
    assert not (tmp_path / CHECKPOINT).exists()


def test_what_was_appended_is_there_under_a_signed_checkpoint(journal: Journal, tmp_path: Path) -> None:
    assert journal.append(_entries(300, 310), KEY) == range(300, 310)
    again = Journal(tmp_path, ORIGIN)
    assert again.note is not None
    assert is_signed(again.note, NoteKey(ORIGIN, KEY.public_key().public_bytes_raw(), ED25519))
    assert read_checkpoint(again.note, ORIGIN) == journal.checkpoint
    assert list(again.entries()) == _entries(0, 310)


def test_it_proves_what_is_in_it_and_what_it_was(journal: Journal) -> None:
    before = journal.checkpoint
    journal.append(_entries(300, 700), KEY)
    now = journal.checkpoint
    leaf = leaf_hash(b"entry 299")
    assert root_from_inclusion(leaf, 299, now.size, journal.inclusion(299)) == now.root
    check_consistency(before.size, before.root, now.size, now.root, journal.consistency(before.size))


def test_partial_tiles_go_when_full_ones_came(journal: Journal, tmp_path: Path) -> None:
    assert (tmp_path / tile_path(0, 1, 44)).exists()
    journal.append(_entries(300, 600), KEY)
    assert not (tmp_path / tile_path(0, 1, 44)).parent.exists()
    assert list(Journal(tmp_path, ORIGIN).entries()) == _entries(0, 600)


def test_partial_tiles_stay_for_the_newest_and_the_last_witnessed_checkpoint(tmp_path: Path) -> None:
    journal = Journal(tmp_path, ORIGIN)
    for number in range(20):
        journal.append(_entries(number, number + 1), KEY)
        if number == 9:
            assert journal.note is not None
            journal.cosigned(cosign(journal.note, "consilium/heart/ada", WITNESS, 1))
    widths = sorted(int(path.name) for path in tmp_path.glob("tile/*/000.p/*"))
    assert widths == [10, 10, 20, 20]
    assert partial_paths(20) == {tile_path(0, 0, 20), tile_path("entries", 0, 20)}
    assert partial_paths(256 * 3 + 1) == {tile_path(0, 3, 1), tile_path("entries", 3, 1), tile_path(1, 0, 3)}


def test_witnesses_sign_the_newest_checkpoint(journal: Journal, tmp_path: Path) -> None:
    assert journal.note is not None
    seen = journal.note
    journal.cosigned(cosign(seen, "ada", WITNESS, 5))
    assert [line.name for line in parse_note((tmp_path / CHECKPOINT).read_bytes()).lines] == [ORIGIN, "ada"]
    journal.append(_entries(300, 301), KEY)
    assert journal.note is not None
    assert [line.name for line in journal.note.lines] == [ORIGIN]


def _names(note: Note | None) -> list[str]:
    assert note is not None
    return [line.name for line in note.lines]


def test_late_signatures_join_those_under_the_last_witnessed_checkpoint(journal: Journal, tmp_path: Path) -> None:
    assert journal.note is not None
    seen = journal.note
    journal.cosigned(cosign(seen, "ada", WITNESS, 5))
    journal.append(_entries(300, 600), KEY)
    journal.cosigned(cosign(Note(seen.text), "ben", WITNESS, 6))
    assert _names(journal.witnessed) == [ORIGIN, "ada", "ben"]
    assert _names(Journal(tmp_path, ORIGIN).note) == [ORIGIN]


def test_a_checkpoint_that_the_log_has_left_behind_is_witnessed_late_and_never_one_before_it(journal: Journal) -> None:
    assert journal.note is not None
    first = journal.note
    journal.append(_entries(300, 700), KEY)
    second = journal.note
    journal.append(_entries(700, 710), KEY)
    journal.cosigned(cosign(second, "ada", WITNESS, 5))
    assert journal.witnessed is not None
    assert read_checkpoint(journal.witnessed, ORIGIN).size == 700
    with pytest.raises(ContractError, match="older than the last checkpoint that was witnessed"):
        journal.cosigned(cosign(first, "ada", WITNESS, 6))


@pytest.mark.parametrize(("size", "root"), [(300, b"\1" * 32), (701, b"\1" * 32)])
def test_no_signature_under_another_history_is_taken(journal: Journal, size: int, root: bytes) -> None:
    journal.append(_entries(300, 700), KEY)
    with pytest.raises(ContractError, match="no checkpoint of this log, which has 700 entries"):
        journal.cosigned(cosign(Checkpoint(ORIGIN, size, root).note(), "ada", WITNESS, 6))
    assert journal.witnessed is None


def test_another_log_is_refused(journal: Journal, tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="expected 'consilium/lung'"):
        Journal(tmp_path, "consilium/lung")


def test_a_log_whose_tiles_changed_is_refused(journal: Journal, tmp_path: Path) -> None:
    path = tmp_path / tile_path(0, 1, 44)
    path.write_bytes(bytes(32) + path.read_bytes()[32:])
    with pytest.raises(ContractError, match="not those of its checkpoint"):
        Journal(tmp_path, ORIGIN)


def test_what_was_written_before_a_crash_is_written_over(journal: Journal, tmp_path: Path) -> None:
    """Killed after all files but the checkpoint: the log is as before, and goes on with other entries."""
    checkpoint = (tmp_path / CHECKPOINT).read_bytes()
    shutil.copytree(tmp_path, tmp_path.with_name("kept"))
    journal.append([b"lost %d" % number for number in range(400)], KEY)
    shutil.copytree(tmp_path.with_name("kept"), tmp_path, dirs_exist_ok=True)  # partial tiles had not gone yet
    (tmp_path / CHECKPOINT).write_bytes(checkpoint)
    again = Journal(tmp_path, ORIGIN)
    assert list(again.entries()) == _entries(0, 300)
    again.append(_entries(300, 600), KEY)
    assert list(Journal(tmp_path, ORIGIN).entries()) == _entries(0, 600)


def _append_for_ever(folder: Path, told: Path) -> None:
    journal = Journal(folder, ORIGIN)
    while True:
        journal.append(_entries(journal.size, journal.size + BATCH), KEY)
        told.write_text(str(journal.size))


@pytest.mark.parametrize("seconds", [0.05, 0.11, 0.23])
def test_killed_at_any_moment_it_has_all_that_it_acknowledged(tmp_path: Path, seconds: float) -> None:
    folder, told = tmp_path / "log", tmp_path / "told"
    folder.mkdir()
    process = multiprocessing.get_context("fork").Process(target=_append_for_ever, args=(folder, told))
    process.start()
    while not told.exists() or not told.read_text():
        time.sleep(0.01)
    time.sleep(seconds)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    journal = Journal(folder, ORIGIN)
    assert journal.size >= int(told.read_text() or 0)
    assert journal.size % BATCH == 0, "all of a batch or none"
    assert list(journal.entries()) == _entries(0, journal.size)
    journal.append(_entries(journal.size, journal.size + 1), KEY)
