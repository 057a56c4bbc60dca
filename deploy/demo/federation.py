"""The demonstration's federation: a coordinator and sites in folders of their own, made by what the commands call.

One process plays every person here, so fingerprints are compared without a telephone. In everything else each party
does what it would do at its own place, and nothing passes between them but signed parcels.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from deploy.demo.baselines import SiteFolds
from deploy.demo.data import FRONT_END, Material
from deploy.demo.places import Places
from federated.canonical import digest
from federated.enrolment import read_kit, write_kit
from federated.keys import fingerprint, read_private_key
from federated.local_fold import LocalFold
from federated.manifest import FrontEndCard
from server.coordinator import Coordinator
from server.home import CoordinatorConfig, CoordinatorHome
from site_agent.catalogue import Case, Catalogue
from site_agent.features import features_of
from site_agent.folds import FOLDS
from site_agent.home import SiteHome
from site_agent.index import parse_columns
from site_agent.ingest import IngestReport, ingest
from site_agent.policy import permissive_policy, sign_policy, write_policy
from site_agent.sources import reader_of
from site_agent.tasks.blocks import TRAIN, class_balance, sample_weights

FEDERATION = "demo"
COORDINATOR = "coordinator"
TASK = "classification"


def found(material: Material, places: Places, superlink: str) -> Coordinator:
    """A coordinator with a home of its own; `superlink` is host:port of its Flower link, on this machine."""
    from shared_models.front_ends import create_front_end

    front_end = create_front_end(FRONT_END)
    card = FrontEndCard(
        name=front_end.name, config=dict(front_end.config), digest=front_end.digest, features=front_end.features
    )
    config = CoordinatorConfig(federation=FEDERATION, name=COORDINATOR, task=TASK, front_end=card, superlink=superlink)
    return Coordinator(CoordinatorHome.create(places.coordinator, config, material.vocabulary))


def move_in(coordinator: Coordinator, places: Places, name: str) -> SiteHome:
    """A site's home, made from the kit that the coordinator hands it; the site is invited and no more.

    The site's secret, from which pseudonyms and folds follow, is fixed here, so that every run splits alike.
    """
    path = places.kit(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    kit = coordinator.invite(name)
    write_kit(kit, coordinator.home.key(), path)
    told = fingerprint(bytes.fromhex(kit.coordinator_public))
    home = SiteHome.create(places.site(name), read_kit(path, fingerprint=told))
    (home.keys_path / "secret").write_bytes(bytes.fromhex(digest(f"demo {name}".encode())[7:]))
    return home


def join(coordinator: Coordinator, places: Places, name: str) -> SiteHome:
    """Invite, join, enrol: kit and request are files whose fingerprints both sides compare."""
    home = move_in(coordinator, places, name)
    coordinator.enrol(home.request_path, fingerprint(home.key().public_key().public_bytes_raw()))
    return home


def take_in(home: SiteHome, material: Material) -> IngestReport:
    """The site's own rows of the index go into its catalogue."""
    return ingest(
        home.catalogue_path,
        home.secret(),
        home.vocabulary,
        material.labels,
        material.index,
        parse_columns(material.columns),
        material.sites[home.config.site],
    )


def allow(home: SiteHome, kinds: Iterable[str]) -> None:
    """The approver of this demonstration signs a policy that lets these kinds out without limits or questions."""
    write_policy(home, permissive_policy(home.config.federation, home.config.site, tuple(kinds)))
    sign_policy(home, read_private_key(home.keys_path / "approver.pem"))


def folds_of(home: SiteHome, material: Material) -> SiteFolds:
    """All of a site's images as features: what the onlooker of a demonstration sees, and no coordinator."""
    catalogue = Catalogue(home.catalogue_path)
    cases = {fold: catalogue.cases(fold=fold) for fold in FOLDS}
    balance = class_balance(cases[TRAIN], home.config.class_balance)
    folds = {fold: _local(home, some, balance) for fold, some in cases.items()}
    base = material.index.parent.absolute()
    return SiteFolds(home.config.site, folds, tuple(_image_name(case, base) for case in cases["test"]))


def _image_name(case: Case, base: Path) -> str:
    """As the index names it; with the frame's number where the file is a cine."""
    name = case.path.relative_to(base).as_posix() if case.path.is_relative_to(base) else case.path.name
    return f"{name}#{case.frame}" if reader_of(case.path).cine else name


def _local(home: SiteHome, cases: list[Case], balance: dict[str, float]) -> LocalFold:
    everything = {case.label: 1.0 for case in cases} | balance
    return LocalFold(
        features=features_of(home, cases),
        labels=tuple(case.label for case in cases),
        patients=tuple(case.patient for case in cases),
        clips=tuple(case.clip for case in cases),
        weights=sample_weights(cases, everything),
    )
