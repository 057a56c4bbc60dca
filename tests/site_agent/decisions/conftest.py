"""A hospital that answers: its release adopted, its images at hand, its log as it grows."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from federated.decision_record import Record
from federated.keys import read_private_key
from server.coordinator import Coordinator
from server.home import CoordinatorHome
from site_agent.adopt import model_of, read_shelf
from site_agent.asking import Reader
from site_agent.decisions.book import book_of, now
from site_agent.decisions.noting import note
from site_agent.home import SiteHome
from site_agent.predict import predict
from tests.small_front_end import CARD

if TYPE_CHECKING:
    from tests.site_agent.conftest import Federation

KINDS = ("statistics", "report", "summary", "decision")


@pytest.fixture(scope="session")
def prepared(found: type[Federation], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sites with a release in use; every test gets a copy."""
    federation = found(tmp_path_factory.mktemp("prepared"), card=CARD)
    ada = federation.hospital("ada", {"dark": 24, "light": 24}, *KINDS)
    ben = federation.hospital("ben", {"light": 24, "striped": 24}, *KINDS)
    federation.event(ada, ben, adopting=True)
    return federation.folder


@pytest.fixture
def federation(prepared: Path, found: type[Federation], tmp_path: Path) -> Federation:
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    made = found.__new__(found)
    made.folder, made.coordinator = tmp_path, Coordinator(CoordinatorHome(tmp_path / "hub"))
    return made


@pytest.fixture
def ada(federation: Federation) -> SiteHome:
    return SiteHome(federation.folder / "ada")


@pytest.fixture
def ben(federation: Federation) -> SiteHome:
    return SiteHome(federation.folder / "ben")


class Clinic:
    """Patients come, and are answered."""

    def __init__(self, federation: Federation, home: SiteHome, folder: Path) -> None:
        self.federation, self.home, self.out = federation, home, folder / "predictions.jsonl"
        self.came = 1000

    def images(self, patients: Mapping[str, int], each: int = 1) -> Path:
        """Of new patients, so many a label; none of them is taken in."""
        self.came += 100
        return self.federation.images("ada", patients, each=each, first=self.came)

    def answer(self, patients: Mapping[str, int], each: int = 1, folder: Path | None = None) -> list[Record]:
        """New records, of images first, then of clips."""
        held = read_shelf(self.home).current
        assert held is not None
        model = model_of(self.home, held.digest)
        with book_of(self.home) as book:
            before = book.size
        reader, logged = Reader(self.home, model.manifest), partial(note, self.home, now())
        predict(model, reader, [folder or self.images(patients, each)], self.out, None, logged)
        with book_of(self.home) as book:
            return list(book.records(before))


@pytest.fixture
def clinic(federation: Federation, ada: SiteHome, tmp_path: Path) -> Clinic:
    return Clinic(federation, ada, tmp_path)


@pytest.fixture
def limits(federation: Federation, ada: SiteHome) -> Callable[..., Any]:
    """Sets the policy's limits of summaries."""
    return lambda **changes: _limit(federation, ada, changes)


def _limit(federation: Federation, home: SiteHome, changes: dict[str, int]) -> None:
    policy = federation.allow(home, *KINDS)
    rule = policy.summary
    federation.allow(home, *KINDS, summary={"limits": rule.limits.model_copy(update=changes)})


@pytest.fixture
def approver_of() -> Callable[[SiteHome], Ed25519PrivateKey]:
    """The approver's key that was made when a site joined."""
    return lambda home: read_private_key(home.keys_path / "approver.pem")
