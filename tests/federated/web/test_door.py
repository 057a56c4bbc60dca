"""A door opens beyond this machine with TLS only."""

from __future__ import annotations

from pathlib import Path

import pytest

from federated.errors import ConsiliumError
from federated.web.door import Door, Tls, door

FILE = Path("file")


def test_on_this_machine() -> None:
    made = door("127.0.0.1", 8080, (), None, None, None)
    assert made == Door()
    assert made.hosts == {"127.0.0.1", "localhost", "::1"}
    assert not made.secure


def test_behind_a_proxy_it_has_a_name_and_browsers_come_by_https() -> None:
    made = door("127.0.0.1", 8080, ["Audit.example"], None, None, None)
    assert "audit.example" in made.hosts
    assert made.secure


def test_beyond_this_machine() -> None:
    made = door("10.0.0.7", 443, ["audit.example"], FILE, FILE, FILE)
    assert made.tls == Tls(FILE, FILE, FILE)
    assert made.hosts == {"10.0.0.7", "audit.example"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("10.0.0.7", 1, (), None, None, None), "with TLS only; give --cert and --key"),
        (("0.0.0.0", 1, (), FILE, FILE, None), "by which name"),
        (("127.0.0.1", 1, (), FILE, None, None), "go together"),
        (("127.0.0.1", 1, (), None, None, FILE), "client certificates need TLS"),
    ],
)
def test_no_door(given: tuple[str, int, tuple[str, ...], Path | None, Path | None, Path | None], said: str) -> None:
    with pytest.raises(ConsiliumError, match=said):
        door(*given)
