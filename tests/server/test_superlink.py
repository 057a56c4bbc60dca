from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import pytest

from federated.errors import ConsiliumError
from server import superlink
from server.event import Answer, EventSummary
from server.superlink import BUNDLE, SuperLink, serve

if TYPE_CHECKING:
    from tests.server.conftest import World


@pytest.fixture
def taken() -> Iterator[str]:
    """An address at which something listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def _free() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def _enter(link: SuperLink) -> None:
    with link:
        raise AssertionError("it started")


def test_a_busy_port_is_one_line_and_starts_nothing(world: World, taken: str) -> None:
    with pytest.raises(ConsiliumError) as caught:
        _enter(SuperLink(world.coordinator.home, taken))
    line = f"{taken}: the port cannot be used (Address already in use); stop what listens there, or choose another"
    assert str(caught.value).startswith(line)
    assert not (world.coordinator.home.path / "flower").exists()


def test_a_superlink_that_ends_at_once_is_told_with_its_last_words(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "flower-superlink"
    program.write_text(f"#!{sys.executable}\nimport sys\nprint('the database is of another version', flush=True)\n")
    program.chmod(0o755)
    monkeypatch.setattr(superlink, "_program", lambda _name: program)
    with pytest.raises(ConsiliumError, match="stopped while starting: the database is of another version"):
        _enter(SuperLink(world.coordinator.home, _free()))


def test_a_machine_without_flower_is_told_what_to_install(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(superlink.sys, "executable", str(tmp_path / "python"))
    with pytest.raises(ConsiliumError, match=r"in a copy of the repository: pip install '\.\[coordinator\]'"):
        _enter(SuperLink(world.coordinator.home, _free()))


@pytest.mark.parametrize(
    ("configured", "listen"),
    [
        ("127.0.0.1:18000", "127.0.0.1:18000"),
        ("localhost:19000", "localhost:19000"),
        ("fed.example.org:443", "127.0.0.1:18000"),
        ("10.0.0.7:18443", "127.0.0.1:18000"),
    ],
)
def test_it_listens_on_this_machine_unless_told_otherwise(make_world: Any, configured: str, listen: str) -> None:
    home = make_world(superlink=configured).coordinator.home
    assert SuperLink(home).listen == listen
    assert SuperLink(home, "0.0.0.0:18000").listen == "0.0.0.0:18000"


def test_nothing_can_be_asked_of_it_before_it_runs(world: World) -> None:
    with pytest.raises(ConsiliumError, match="the SuperLink is not running"):
        SuperLink(world.coordinator.home).online()


@pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")  # Flower's, of its own builder
def test_the_bundle_is_two_names_and_no_code() -> None:
    from flwr.cli.build import build_fab_from_disk

    assert [path.name for path in BUNDLE.iterdir()] == ["pyproject.toml"]
    assert len(build_fab_from_disk(BUNDLE)) < 1500


class FakeLink:
    """A SuperLink at which sites come and go as told, and whose events do as told."""

    here: list[set[str]]
    events: list[EventSummary | ConsiliumError]

    def __init__(self, _home: Any, listen: str | None) -> None:
        self.listen = listen or "127.0.0.1:18000"
        self.looks = iter(self.here)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.events.append(ConsiliumError("stopped"))

    def require_running(self) -> None:
        if "SuperLink" in str(self.events[:1]):
            raise ConsiliumError("the SuperLink is not running")

    def admit(self) -> list[str]:
        return ["ada", "ben"]

    def online(self) -> set[str]:
        try:
            return next(self.looks)
        except StopIteration:
            os.kill(os.getpid(), signal.SIGTERM)
            return set()

    def wait_for_all(self, _seconds: float) -> set[str]:
        return self.online()

    def run_event(self, _seconds: float) -> EventSummary:
        outcome = self.events.pop(0)
        if isinstance(outcome, ConsiliumError):
            raise outcome
        return outcome


def _summary(*sites: str, number: int | None = None, trouble: str = "") -> EventSummary:
    answers = [Answer(site=site, unreached="", parcels_sent=0, bytes_sent=0, bytes_received=0) for site in sites]
    return EventSummary(
        federation="test", accepted=(), rounds=(tuple(answers),), candidate=None, release=None, number=number,
        trouble=trouble, seconds=1.0,
    )  # fmt: skip


@pytest.fixture
def link(monkeypatch: pytest.MonkeyPatch) -> type[FakeLink]:
    monkeypatch.setattr(superlink, "SuperLink", FakeLink)
    monkeypatch.setattr("server.watch.AGAIN_SECONDS", 0.0)
    return FakeLink


def test_an_event_for_each_arrival_until_a_sigterm_stops_it_all(world: World, link: type[FakeLink]) -> None:
    link.here = [set(), {"ada"}, {"ada"}, {"ada", "ben"}, {"ada", "ben"}]
    link.events = [_summary("ada", number=1), _summary("ada", "ben", number=2)]
    said: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        serve(world.coordinator.home, interval=0.0, say=said.append)
    assert said == [
        "SuperLink ready at 127.0.0.1:18000, waiting for sites; Ctrl-C stops",
        "event of 1.0 s: nothing new; release 1",
        "event of 1.0 s: nothing new; release 2",
    ]
    assert [str(each) for each in link.events] == ["stopped"]
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_an_event_that_failed_is_run_again(world: World, link: type[FakeLink]) -> None:
    link.here = [{"ada"}, {"ada"}, {"ada"}]
    link.events = [ConsiliumError("ended as finished:failed", where="e1"), _summary("ada", number=1)]
    said: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        serve(world.coordinator.home, interval=0.0, say=said.append)
    assert said[1:] == ["e1: ended as finished:failed", "event of 1.0 s: nothing new; release 1"]


def test_it_ends_with_its_superlink(world: World, link: type[FakeLink]) -> None:
    link.here = [{"ada"}, {"ada"}, {"ada"}]
    link.events = [ConsiliumError("it does not answer"), ConsiliumError("the SuperLink has ended")]
    said: list[str] = []
    with pytest.raises(ConsiliumError, match="the SuperLink is not running"):
        serve(world.coordinator.home, interval=0.0, say=said.append)


def test_one_event_and_no_more(world: World, link: type[FakeLink]) -> None:
    link.here, link.events = [{"ada", "ben"}], [_summary("ada", "ben", number=7)]
    said: list[str] = []
    serve(world.coordinator.home, once=True, say=said.append)
    assert said[1:] == ["event of 1.0 s: nothing new; release 7"]
    link.here, link.events = [{"ada"}], [ConsiliumError("ended as finished:failed", where="e1")]
    with pytest.raises(ConsiliumError, match="e1: ended as finished:failed"):
        serve(world.coordinator.home, once=True, say=said.append)


def test_one_event_that_had_trouble_is_an_error(world: World, link: type[FakeLink]) -> None:
    link.here, link.events = [{"ada"}], [_summary("ada", trouble="no site shares a Gram matrix")]
    said: list[str] = []
    with pytest.raises(ConsiliumError, match=r"^event: no release: no site shares a Gram matrix$"):
        serve(world.coordinator.home, once=True, say=said.append)
    assert said[1:] == ["event of 1.0 s: nothing new; no release: no site shares a Gram matrix"]
