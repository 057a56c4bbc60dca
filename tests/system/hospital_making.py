"""A hospital of the phantom with something on every page: two hospitals, two releases, one contribution that waits."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from typer.testing import CliRunner

from deploy.phantom.commands import app as phantom
from federated.key_files import encrypt
from federated.keys import fingerprint, public_hex, read_private_key
from federated.manifest import FrontEndCard
from federated.vocabulary import builtin_vocabulary
from server.coordinator import Coordinator
from server.home import CoordinatorConfig, CoordinatorHome
from shared_models.front_ends import create_front_end
from site_agent.adopt import choose, evaluate, model_of, read_shelf
from site_agent.agent import exchange, tell, work
from site_agent.asking import Reader
from site_agent.decisions.book import now
from site_agent.decisions.noting import note
from site_agent.home import SiteHome
from site_agent.intake.ingest import ingest
from site_agent.policy import default_policy, sign_policy, write_policy
from site_agent.predict import predict
from site_agent.witness import witness

PASSPHRASE = "a heart of four chambers"
VIEWS = "A4C,A2C,PLAX"
SITES = {"north": "agate", "south": "beryl"}


def make(folder: Path, *, patients: int) -> SiteHome:
    """The home of ``north``; its approver's key is under `PASSPHRASE`.

    Args:
        folder: new.
        patients: of each hospital at first; half as many come later.
    """
    coordinator = _coordinator(folder / "hub")
    homes = {site: _join(folder, coordinator, site) for site in SITES}
    for site, home in homes.items():
        _take_in(home, _images(folder, site, patients, seed=1))
        _sign(home, each=False)
    _event(coordinator, homes)
    north = homes["north"]
    _adopt(north)
    _exchange(coordinator, north)
    _witness(coordinator, north)
    for site, home in homes.items():
        _take_in(home, _images(folder, site, patients // 2, seed=2))
    _sign(north, each=True)
    _exchange(coordinator, homes["south"])
    _exchange(coordinator, north)
    coordinator.propose()
    for home in homes.values():
        _exchange(coordinator, home)
    coordinator.release()
    _exchange(coordinator, north)
    work(north)
    _answer(north, _images(folder, "north", 4, seed=3))
    encrypt(north.approver_key_path, PASSPHRASE, keyring=False)
    return north


def _coordinator(folder: Path) -> Coordinator:
    made = create_front_end("pixels")
    card = FrontEndCard(name=made.name, config=dict(made.config), digest=made.digest, features=made.features)
    config = CoordinatorConfig(federation="echo", name="hub", task="classification", front_end=card)
    return Coordinator(CoordinatorHome.create(folder, config, builtin_vocabulary("heart")))


def _join(folder: Path, coordinator: Coordinator, site: str) -> SiteHome:
    home = SiteHome.create(folder / site, coordinator.invite(site))
    (home.keys_path / "secret").write_bytes(site.encode().ljust(32, b"."))  # the same folds in every run
    coordinator.enrol(home.request_path, fingerprint(bytes.fromhex(public_hex(home.key()))))
    return home


def _images(folder: Path, site: str, patients: int, *, seed: int) -> Path:
    out = folder / f"{site}-{seed}"
    asked = ["generate", "--site", SITES[site], "--out", out, "--patients", patients, "--views", VIEWS, "--seed", seed]
    done = CliRunner().invoke(phantom, list(map(str, asked)))
    assert done.exit_code == 0, done.output
    return out


def _take_in(home: SiteHome, images: Path) -> None:
    ingest(home.archive, home.vocabulary, home.label_map, images)


def _sign(home: SiteHome, *, each: bool) -> None:
    """Statistics and reports; with `each` an approver looks at every contribution.

    The published limits, but for those that a small hospital with many features could not keep.
    """
    policy = default_policy("echo", home.config.site)
    limits = policy.report.limits.model_copy(update={"gram_share": 1000.0, "cell": 2, "batch": 2})
    allowed = {"allowed": True, "approval": "standing", "limits": limits}
    how = allowed | {"approval": "each" if each else "standing", "level_to_sites": 2}
    rules = {"statistics": policy.statistics.model_copy(update=how), "report": policy.report.model_copy(update=allowed)}
    write_policy(home, policy.model_copy(update=rules))
    sign_policy(home, read_private_key(home.approver_key_path))


def _exchange(coordinator: Coordinator, home: SiteHome) -> None:
    site = home.config.site
    outgoing, settled = coordinator.outgoing(site), coordinator.settled(site)
    answer = exchange(home, [parcel.to_bytes() for parcel in outgoing], settled)
    for parcel in outgoing:
        coordinator.acknowledge(site, parcel.digest)
    coordinator.told(site, [digest for digest, _ in settled])
    coordinator.accept_all(answer)


def _event(coordinator: Coordinator, homes: Mapping[str, SiteHome]) -> None:
    for home in homes.values():
        _exchange(coordinator, home)
    coordinator.propose()
    for home in homes.values():
        _exchange(coordinator, home)
    coordinator.release()
    for home in homes.values():
        _exchange(coordinator, home)


def _adopt(home: SiteHome) -> None:
    digest = read_shelf(home).releases[-1].digest
    evaluate(home, digest)
    choose(home, digest, "adopted")
    tell(home)


def _witness(coordinator: Coordinator, home: SiteHome) -> None:
    site = home.config.site
    asked, *told = coordinator.unwitnessed([site])[site]
    assert coordinator.take_cosignature(site, witness(home, asked, told))


def _answer(home: SiteHome, images: Path) -> None:
    model = model_of(home, read_shelf(home).releases[0].digest)
    said = images / "predictions.jsonl"
    predict(model, Reader(home, model.manifest), [images], said, None, partial(note, home, now()))


if __name__ == "__main__":
    print(make(Path(sys.argv[1]), patients=int(sys.argv[2])).path)
