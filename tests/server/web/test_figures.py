from __future__ import annotations

from typing import TYPE_CHECKING

from server.artefacts import Artefacts
from server.event import run_event
from server.web.figures import Figures

if TYPE_CHECKING:
    from tests.server.conftest import World


def test_a_contribution_as_it_was_sent(world: World) -> None:
    ada = world.join("ada")
    draft = ada.statistics(level=2, to_sites=1)
    digest = ada.put(draft)
    run_event(world.coordinator, world)
    artefacts = world.coordinator.artefacts
    found = Figures(artefacts).parcel(digest)
    assert found is not None
    stored = world.coordinator.stored(digest)
    assert found.bytes == len(artefacts.get(digest)) + len(artefacts.get(stored.manifest.tensors_digest))
    assert (found.level, found.level_to_sites, found.choice) == (2, 1, "")
    assert (found.labels, found.patients) == (("plax", "a4c"), 48)


def test_accuracy_is_what_sites_counted(world: World) -> None:
    ada = world.join("ada")
    ada.put(ada.statistics())
    release = run_event(world.coordinator, world).release
    assert release is not None
    figures = Figures(world.coordinator.artefacts)
    found, manifest = figures.release(release), figures.manifest(release)
    assert found is not None
    assert manifest is not None
    assert (found.sites, found.labels, found.rule) == (("ada",), manifest.labels, manifest.rule)
    report = world.coordinator.stored(manifest.sites[0].report or "")
    confusion = report.tensors["confusion"]
    shares = [row[place] / row.sum() for place, row in enumerate(confusion) if row.sum()]
    assert found.accuracy == {"ada": sum(shares) / len(shares)}
    assert (found.mean, found.worst) == (found.accuracy["ada"], ("ada", found.accuracy["ada"]))


def test_what_was_read_is_not_read_again(world: World) -> None:
    ada = world.join("ada")
    ada.put(ada.statistics())
    release = run_event(world.coordinator, world).release
    assert release is not None
    figures = Figures(world.coordinator.artefacts)
    assert figures.release(release) is not None
    world.coordinator.artefacts.path(release).unlink()
    assert figures.release(release) is not None
    assert figures.manifest(release) is None


def test_what_comes_back_is_read_then(world: World) -> None:
    artefacts: Artefacts = world.coordinator.artefacts
    ada = world.join("ada")
    digest = ada.put(ada.statistics())
    run_event(world.coordinator, world)
    path, figures = artefacts.path(digest), Figures(artefacts)
    kept = path.read_bytes()
    path.write_bytes(kept + b" ")
    assert figures.parcel(digest) is None
    path.write_bytes(kept)
    assert figures.parcel(digest) is not None
