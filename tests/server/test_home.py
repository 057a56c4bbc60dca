from __future__ import annotations

import threading
from pathlib import Path

import pytest

from federated.canonical import digest
from federated.errors import ConsiliumError
from federated.keys import public_hex
from federated.manifest import FrontEndCard
from federated.vocabulary import plain_vocabulary
from server import home as module
from server.home import CoordinatorConfig, CoordinatorHome, validated

CARD = FrontEndCard(
    name="texture", config={"size": 64, "clahe": True, "gain": 1.5, "kind": "hog"}, digest=digest(b""), features=8
)
CONFIG = CoordinatorConfig(federation="test", name="hub", task="classification", front_end=CARD)
WORDS = plain_vocabulary("views", ["plax", "a4c"])


def test_what_was_made_is_what_is_opened(tmp_path: Path) -> None:
    made = CoordinatorHome.create(tmp_path / "hub", CONFIG, WORDS)
    opened = CoordinatorHome(tmp_path / "hub")
    assert opened.config == CONFIG == made.config
    assert opened.vocabulary() == WORDS
    (own,) = opened.trust().parties
    assert (own.name, own.role, own.public) == ("hub", "coordinator", public_hex(opened.key()))
    assert opened.path.stat().st_mode & 0o077 == 0
    assert opened.registry_url == f"sqlite:///{(tmp_path / 'hub' / 'registry.sqlite').resolve()}"


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    home = CoordinatorHome.create(tmp_path / "hub", CONFIG, WORDS)
    before = public_hex(home.key())
    with pytest.raises(ConsiliumError, match="is not empty"):
        CoordinatorHome.create(tmp_path / "hub", CONFIG, WORDS)
    assert public_hex(home.key()) == before


def test_an_empty_folder_may_become_a_home(tmp_path: Path) -> None:
    (tmp_path / "hub").mkdir()
    assert CoordinatorHome.create(tmp_path / "hub", CONFIG, WORDS).config == CONFIG


def test_a_home_is_made_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "write_vocabulary", killed)
    with pytest.raises(KeyboardInterrupt):
        CoordinatorHome.create(tmp_path / "hub", CONFIG, WORDS)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "is not a coordinator's home"),
        ("federation = ", "cannot be read"),
        ("since = 2030-01-01", "federation: is missing"),
        ("federation = 'Test'", "federation"),
    ],
)
def test_what_is_no_home_is_said_in_one_line(tmp_path: Path, text: str | None, said: str) -> None:
    if text is not None:
        (tmp_path / "config.toml").write_text(text)
    with pytest.raises(ConsiliumError, match=said) as error:
        CoordinatorHome(tmp_path)
    assert "\n" not in str(error.value).strip()


def test_one_process_at_a_time(tmp_path: Path) -> None:
    home, taken, go = CoordinatorHome.create(tmp_path / "hub", CONFIG, WORDS), threading.Event(), threading.Event()

    def hold() -> None:
        with home.lock():
            taken.set()
            go.wait(10)

    other = threading.Thread(target=hold)
    other.start()
    assert taken.wait(10)
    with pytest.raises(ConsiliumError, match="another coordinator process"), home.lock(seconds=0.1):
        pass
    go.set()
    with home.lock(seconds=10):
        other.join()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"superlink": "nowhere"}, "init: superlink: 'nowhere' is no address: host:port"),
        ({"federation": "Bad Name"}, "init: federation: 'Bad Name' is no name: use at most 63 of a-z, 0-9"),
    ],
)
def test_a_value_that_cannot_be_is_said_in_one_line(change: dict[str, str], said: str) -> None:
    with pytest.raises(ConsiliumError, match=said):
        validated(CoordinatorConfig, dict(CONFIG) | change, where="init")
