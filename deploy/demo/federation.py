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
from federated.label_map import LabelMap, Line
from federated.local_fold import LocalFold
from federated.manifest import FrontEndCard
from server.coordinator import Coordinator
from server.home import CoordinatorConfig, CoordinatorHome
from site_agent.catalogue import Case, Catalogue
from site_agent.features import features_of
from site_agent.folds import FOLDS
from site_agent.home import SiteHome
from site_agent.intake.ingest import Order, cores, ingest
from site_agent.intake.quarantine import item_names
from site_agent.intake.reports import IngestReport
from site_agent.policy import permissive_policy, sign_policy, write_policy
from site_agent.sources.images import CINES
from site_agent.sources.index import parse_columns
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
    order = Order(columns=parse_columns(material.columns), site=material.sites[home.config.site], processes=cores())
    said = {**material.labels, **material.words.get(home.config.site, {})}
    lines = tuple(Line(word=word, code=code, relation="same") for word, code in said.items() if word != code)
    label_map = LabelMap(version=1, lines=lines) if lines else LabelMap()
    return ingest(home.archive, home.vocabulary, label_map, material.index, order)


def allow(home: SiteHome, kinds: Iterable[str]) -> None:
    """The approver of this demonstration signs a policy that lets these kinds out without limits or questions."""
    write_policy(home, permissive_policy(home.config.federation, home.config.site, tuple(kinds)))
    sign_policy(home, read_private_key(home.keys_path / "approver.pem"))


def folds_of(home: SiteHome) -> SiteFolds:
    """All of a site's images as features: what the onlooker of a demonstration sees, and no coordinator."""
    catalogue = Catalogue(home.catalogue_path)
    cases = {fold: catalogue.cases(fold=fold) for fold in FOLDS}
    balance = class_balance(cases[TRAIN], home.config.class_balance)
    folds = {fold: _local(home, some, balance) for fold, some in cases.items()}
    names = item_names(home.archive)
    return SiteFolds(home.config.site, folds, tuple(_image_name(case, names[case.key]) for case in cases["test"]))


def _image_name(case: Case, name: str) -> str:
    """As the index names it; with the frame's number where the file is a cine."""
    return f"{name}#{case.frame}" if Path(name).suffix.lower() in CINES else name


def _local(home: SiteHome, cases: list[Case], balance: dict[str, float]) -> LocalFold:
    everything = {case.label: 1.0 for case in cases} | balance
    return LocalFold(
        features=features_of(home, cases),
        labels=tuple(case.label for case in cases),
        patients=tuple(case.patient for case in cases),
        clips=tuple(case.clip for case in cases),
        weights=sample_weights(cases, everything),
    )
