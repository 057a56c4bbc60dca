"""Two ways between coordinator and sites: what passes as files, and the order in which processes start and stop."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from deploy.demo import routes
from deploy.demo.data import folder_material
from deploy.demo.federation import allow, found, join, take_in
from deploy.demo.places import Places
from deploy.demo.routes import Files, Flower
from federated.errors import ConsiliumError
from server.coordinator import Coordinator
from site_agent.home import SiteHome
from site_agent.supernode import Node


@pytest.fixture
def federation(pictures: Path, tmp_path: Path) -> tuple[Coordinator, SiteHome]:
    material = folder_material(pictures, "site=hospital")
    coordinator = found(material, Places(tmp_path), "127.0.0.1:18000")
    home = join(coordinator, Places(tmp_path), "birch")
    take_in(home, material)
    allow(home, ("statistics", "report"))
    return coordinator, home


def test_an_event_by_files(federation: tuple[Coordinator, SiteHome], tmp_path: Path) -> None:
    coordinator, home = federation
    with Files(coordinator, tmp_path / "exchange") as way:
        assert way.run_event().release is None  # nobody carries files yet
        way.connect(home)
        assert way.sites() == ["birch"]
        summary = way.run_event()
    assert summary.release is not None
    names = [path.name for path in sorted((tmp_path / "exchange").iterdir())]
    assert names == [
        "001-from-birch-01-statistics.parcel",
        "001-to-birch.status",
        "002-from-birch-01-report.parcel",
        "002-to-birch-01-candidate.parcel",
        "002-to-birch.status",
        "003-from-birch-01-adoption.parcel",
        "003-to-birch-01-release.parcel",
        "003-to-birch.status",
    ]


class Recorder:
    """Stands for Flower's processes and notes what is done to them, in order."""

    def __init__(self, *, dead: bool = False) -> None:
        self.events: list[str] = []
        self.dead = dead

    def link(self, _home: object) -> Recorder:
        return self

    def __enter__(self) -> Recorder:
        self.events.append("SuperLink up")
        return self

    def __exit__(self, *_: object) -> None:
        self.events.append("SuperLink down")

    def admit(self) -> list[str]:
        self.events.append("admit")
        return []

    def online(self) -> set[str]:
        return set()

    def start(self, node: Node) -> Any:
        self.events.append(f"{node.site} up")
        return Process(node.site, self)

    def stop(self, process: Process) -> None:
        self.events.append(f"{process.site} down")


class Process:
    """A SuperNode's process."""

    def __init__(self, site: str, recorder: Recorder) -> None:
        self.site, self._recorder = site, recorder

    def terminate(self) -> None:
        self._recorder.events.append(f"{self.site} asked to stop")

    def poll(self) -> int | None:
        return 1 if self._recorder.dead else None


def _recorded(monkeypatch: pytest.MonkeyPatch, recorder: Recorder) -> None:
    monkeypatch.setattr(routes, "SuperLink", recorder.link)
    monkeypatch.setattr(routes.supernode, "start", recorder.start)
    monkeypatch.setattr(routes.supernode, "stop", recorder.stop)


def _interrupted(coordinator: Coordinator, homes: Sequence[SiteHome]) -> None:
    with Flower(coordinator) as way:
        for home in homes:
            way.connect(home)
        raise KeyboardInterrupt


def _one_event(coordinator: Coordinator, home: SiteHome) -> None:
    with Flower(coordinator) as way:
        way.connect(home)
        way.run_event()


def test_supernodes_sign_off_before_the_superlink_goes(
    federation: tuple[Coordinator, SiteHome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    coordinator, birch = federation
    recorder = Recorder()
    _recorded(monkeypatch, recorder)
    cedar = join(coordinator, Places(tmp_path), "cedar")
    with pytest.raises(KeyboardInterrupt):
        _interrupted(coordinator, (birch, cedar))
    assert recorder.events == [
        *("SuperLink up", "admit", "birch up", "admit", "cedar up"),
        *("birch asked to stop", "cedar asked to stop", "birch down", "cedar down", "SuperLink down"),
    ]


def test_a_supernode_that_ends_is_told_in_one_line(
    federation: tuple[Coordinator, SiteHome], monkeypatch: pytest.MonkeyPatch
) -> None:
    coordinator, birch = federation
    recorder = Recorder(dead=True)
    _recorded(monkeypatch, recorder)
    with pytest.raises(ConsiliumError, match=r"birch: its SuperNode did not come online; see .*supernode.log"):
        _one_event(coordinator, birch)
    assert recorder.events[-1] == "SuperLink down"


def test_a_superlink_that_does_not_start_leaves_nothing(
    federation: tuple[Coordinator, SiteHome], monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(self: Recorder) -> Recorder:
        raise ConsiliumError("the port cannot be used", where="127.0.0.1:18000")

    recorder = Recorder()
    _recorded(monkeypatch, recorder)
    monkeypatch.setattr(Recorder, "__enter__", busy)
    with pytest.raises(ConsiliumError, match="the port cannot be used"), Flower(federation[0]):
        pytest.fail("it was entered")
    assert recorder.events == []
