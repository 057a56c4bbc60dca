from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from federated.canonical import digest
from federated.errors import ContractError
from federated.log.checkpoints import Checkpoint
from federated.log.entries import Entry, sign_entry
from federated.log.journal import Journal
from federated.log.told import Told, parse_told, read_told, tell

HUB = Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32)
COUNT = 9


def _entry(number: int) -> Entry:
    subject = digest(b"%d" % number)
    return Entry(federation="heart", at="2026-11-21T06:00:00Z", event="average", subject=subject)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    made = Journal(tmp_path, "consilium/heart")
    made.append([sign_entry(_entry(number), HUB) for number in range(COUNT)], HUB)
    return made


def _data(journal: Journal, number: int) -> bytes:
    return tell(journal, number, next(iter(journal.entries(number, number + 1)))).to_bytes()


@pytest.mark.parametrize("number", range(COUNT))
def test_what_is_told_hangs_in_the_tree(journal: Journal, number: int) -> None:
    told, entry = read_told(_data(journal, number), journal.checkpoint)
    assert (told.number, told.size, entry) == (number, COUNT, _entry(number))


def test_it_holds_when_the_log_has_gone_on(journal: Journal) -> None:
    data, then = _data(journal, 3), journal.checkpoint
    journal.append([sign_entry(_entry(COUNT), HUB)], HUB)
    assert read_told(data, then)[1] == _entry(3)
    with pytest.raises(ContractError, match="is proved in 9 entries, the checkpoint has 10"):
        read_told(data, journal.checkpoint)


def test_another_entry_or_place_is_refused(journal: Journal) -> None:
    told = parse_told(_data(journal, 3))
    other = sign_entry(_entry(4), HUB).decode()
    for change in ({"entry": other}, {"number": 2}, {"proof": ("0" * 64, *told.proof[1:])}):
        with pytest.raises(ContractError):
            read_told(told.model_copy(update=change).to_bytes(), journal.checkpoint)


def test_another_tree_is_refused(journal: Journal) -> None:
    with pytest.raises(ContractError, match="entry 3 is not in the log as it is told"):
        read_told(_data(journal, 3), Checkpoint("consilium/heart", COUNT, bytes(32)))


@given(st.binary(max_size=100))
def test_whatever_comes_is_told_or_refused(data: bytes) -> None:
    with pytest.raises(ContractError):
        parse_told(data)


def test_only_the_canonical_form_is_taken() -> None:
    """A site keeps what it was told byte by byte, so that there is room for nothing beside it."""
    sound = Told(number=0, size=1, proof=(), entry="{}").to_bytes()
    assert parse_told(sound).size == 1
    for data in (
        sound + b" ",
        sound.replace(b",", b", ", 1),
        sound.replace(b'"version":1', b'"version":1,"version":1'),
    ):
        with pytest.raises(ContractError, match="not in canonical form"):
            parse_told(data)


def test_a_size_that_canonical_json_has_not_is_refused() -> None:
    sound = Told(number=0, size=1, proof=(), entry="{}").to_bytes()
    with pytest.raises(ContractError, match="size: should be less"):
        parse_told(sound.replace(b'"size":1', b'"size":9007199254740992'))


def test_what_is_too_long_is_refused() -> None:
    with pytest.raises(ContractError, match="too many"):
        parse_told(b" " * 10**6)
