"""Sessions end: by sign-out, by time, by a token that was taken back."""

from __future__ import annotations

from pathlib import Path

import pytest

from federated.web.access import Access, add_token, revoke
from federated.web.sessions import IDLE_SECONDS, MAX_SESSIONS, WHOLE_SECONDS, Sessions


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "access.toml"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(path: Path, clock: Clock) -> Sessions:
    return Sessions(Access(path, ("viewer",)), clock)


def _begin(path: Path, sessions: Sessions) -> str:
    person = Access(path, ("viewer",)).by_token(add_token(path, "ada", "viewer", days=3))
    assert person
    return sessions.begin(person)


def test_who_signed_in_is_known_by_the_cookie_alone(path: Path, sessions: Sessions) -> None:
    value = _begin(path, sessions)
    person = sessions.find(value)
    assert person
    assert (person.name, person.by) == ("ada", "session")
    assert len(person.csrf) >= 43
    assert person.csrf not in value
    assert [sessions.find(other) for other in ("", value[:-1], value + "x", "0" * 43)] == [None] * 4


def test_sign_out_ends_it(path: Path, sessions: Sessions) -> None:
    value = _begin(path, sessions)
    sessions.end(value)
    assert sessions.find(value) is None


def test_it_ends_when_nobody_is_there(path: Path, sessions: Sessions, clock: Clock) -> None:
    value = _begin(path, sessions)
    clock.now = IDLE_SECONDS
    assert sessions.find(value)
    clock.now += IDLE_SECONDS + 1
    assert sessions.find(value) is None


def test_it_ends_with_the_day(path: Path, sessions: Sessions, clock: Clock) -> None:
    value = _begin(path, sessions)
    while clock.now < WHOLE_SECONDS:
        assert sessions.find(value)
        clock.now += IDLE_SECONDS
    clock.now += 1
    assert sessions.find(value) is None


def test_it_ends_with_the_token(path: Path, sessions: Sessions) -> None:
    value = _begin(path, sessions)
    revoke(path, "ada")
    assert sessions.find(value) is None


def test_so_many_and_no_more(path: Path, sessions: Sessions) -> None:
    first = _begin(path, sessions)
    person = sessions.find(first)
    assert person
    values = [sessions.begin(person) for _ in range(MAX_SESSIONS)]
    assert sessions.find(first) is None
    assert sessions.find(values[0])


def test_each_process_has_a_cookie_of_its_own(path: Path) -> None:
    access = Access(path, ("viewer",))
    assert Sessions(access).cookie != Sessions(access).cookie


def test_forms_of_who_shows_a_certificate_carry_a_mark_of_this_process(path: Path) -> None:
    access = Access(path, ("viewer",))
    person = access.by_token(add_token(path, "ada", "viewer", days=3))
    assert person
    one, other = (Sessions(access) for _ in range(2))
    assert one.of_certificate(person).csrf == one.of_certificate(person).csrf
    assert one.of_certificate(person).csrf != other.of_certificate(person).csrf
