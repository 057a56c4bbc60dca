from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from federated.errors import ConsiliumError
from federated.files import write_whole
from federated.keys import TrustFile, read_trust, write_trust
from server.coordinator import Coordinator
from server.event import run_event
from server.home import CoordinatorHome
from server.intake import Acceptance
from server.registry import ContactRow

if TYPE_CHECKING:
    from tests.server.conftest import World


def test_a_coordinator_goes_on_where_it_was(world: World) -> None:
    ada = world.join("ada")
    ada.put(ada.statistics())
    run_event(world.coordinator, world)
    before = world.coordinator.status()
    assert world.restart().status() == before
    assert world.coordinator.number_of(ada.releases[0].digest) == 1


def test_parcels_are_taken_in_order_whatever_order_they_come_in(world: World) -> None:
    ada, ben = world.join("ada"), world.join("ben")
    data = [site.seal(site.statistics(batch)) for batch in ("b0001", "b0002", "b0003") for site in (ada, ben)]
    found = world.coordinator.accept_all([b"rubbish", *reversed(data)])
    assert [(each.site, each.batch, each.outcome) for each in found] == [
        ("", "", "quarantined"),
        *((site, batch, "accepted") for site in ("ada", "ben") for batch in ("b0001", "b0002", "b0003")),
    ]


def test_a_trust_file_that_was_not_written_in_time_is_made_good(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed between the commit of an enrolment and the file that auditors get."""

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(CoordinatorHome, "write_trust", killed)
    with pytest.raises(KeyboardInterrupt):
        world.join("ada")
    monkeypatch.undo()
    path = world.coordinator.home.trust_path
    assert len(read_trust(path).parties) == 1
    world.restart()
    assert read_trust(path) == world.coordinator.trust()
    assert len(read_trust(path).parties) == 3


def test_the_trust_file_cannot_be_changed_by_hand(world: World) -> None:
    world.join("ada")
    path, trust = world.coordinator.home.trust_path, world.coordinator.trust()
    write_trust(TrustFile(federation="test", parties=trust.parties[:1]), path)
    world.restart()
    assert read_trust(path) == trust


def test_two_processes_at_once_wait_for_each_other(world: World) -> None:
    """Each thread has its own coordinator on the same home, as two processes would."""
    sites = [world.join(name) for name in ("ada", "ben")]
    data = {site.name: [site.seal(site.statistics(f"b000{number}")) for number in range(1, 5)] for site in sites}
    found: list[Acceptance] = []

    def work(name: str) -> None:
        mine = Coordinator(CoordinatorHome(world.coordinator.home.path))
        found.extend(mine.accept(each) for each in data[name])

    threads = [threading.Thread(target=work, args=(name,)) for name in data]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(each.outcome for each in found) == ["accepted"] * 8
    assert sum(len(site["contributions"]) for site in world.coordinator.status()["sites"]) == 8


def test_a_full_disk_changes_nothing_and_can_be_mended(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = world.join("ada")
    data = ada.seal(ada.statistics())
    before = world.coordinator.status()

    def full(path: Path, _: bytes, **__: object) -> None:
        raise ConsiliumError("the disk is full", where=str(path))

    monkeypatch.setattr("server.artefacts.write_whole", full)
    with pytest.raises(ConsiliumError, match="the disk is full"):
        world.coordinator.accept(data)
    assert world.coordinator.status() == before
    monkeypatch.setattr("server.artefacts.write_whole", write_whole)
    assert world.coordinator.accept(data).outcome == "accepted"


def test_a_damaged_artefact_is_said_and_nothing_is_released(world: World) -> None:
    ada = world.join("ada")
    found = world.coordinator.accept(ada.seal(ada.statistics()))
    path = world.coordinator.artefacts.path(found.digest)
    path.write_bytes(path.read_bytes()[:-1] + b" ")
    with pytest.raises(ConsiliumError, match="an artefact was altered"):
        world.coordinator.propose()
    assert world.coordinator.release() is None


def test_the_registry_is_where_its_url_says(world: World, tmp_path: Path) -> None:
    config, home = world.coordinator.home.config, tmp_path / "elsewhere"
    elsewhere = config.model_copy(update={"registry_url": f"sqlite:///{tmp_path / 'other.sqlite'}"})
    made = Coordinator(CoordinatorHome.create(home, elsewhere, world.coordinator.home.vocabulary()))
    assert (tmp_path / "other.sqlite").exists()
    assert not (home / "registry.sqlite").exists()
    with made.registry.transaction() as session:
        assert session.scalar(text("SELECT COUNT(*) FROM keys")) == 1


def test_when_a_site_answered_last_is_kept_and_why_it_did_not_since(world: World) -> None:
    world.join("ada")
    run_event(world.coordinator, world)
    world.offline.add("ada")
    found = _contact(world, "ada")
    assert found[0] is not None
    assert found[1] == ""
    world.coordinator.note_contacts({"ada": "offline"})
    assert _contact(world, "ada") == (found[0], "offline")
    world.coordinator.note_contacts({"ben": "late"})
    assert _contact(world, "ben") == (None, "late")


def _contact(world: World, site: str) -> tuple[str | None, str]:
    with world.coordinator.registry.transaction() as session:
        row = session.get_one(ContactRow, site)
        return row.answered, row.silent
