"""The coordinator's home: a folder with its configuration, key, vocabulary, trust file, registry and artefacts."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import tomli_w
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import BaseModel, Field, StringConstraints, ValidationError

from federated.errors import ConsiliumError
from federated.faults import ADDRESS, first_fault
from federated.files import write_whole
from federated.homes import LOCK_SECONDS, held, read_config
from federated.keys import Party, TrustFile, create_private_key, public_hex, read_trust, write_trust
from federated.manifest import FrontEndCard, Frozen, Name, RuleName
from federated.passphrases import unlocked_key
from federated.release_status import LeaseDays
from federated.vocabulary import Vocabulary, read_vocabulary, write_vocabulary

Model = TypeVar("Model", bound=BaseModel)


class CoordinatorConfig(Frozen):
    """``config.toml``.

    Attributes:
        registry_url: any SQLAlchemy URL; empty for a SQLite file in the home.
        lease_days: for how long a site may answer by a list of the releases that stand.
    """

    version: Literal[1] = 1
    federation: Name
    name: Name
    task: Name
    front_end: FrontEndCard
    superlink: Annotated[str, StringConstraints(pattern=ADDRESS)] = "127.0.0.1:18000"
    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.05
    weighting: Literal["refit", "graded", "scaled", "none"] = "none"
    mode: Literal["shared", "isolated"] = "shared"
    fusion: RuleName = "closed-form"
    registry_url: str = ""
    lease_days: LeaseDays = 30


class CoordinatorHome:
    """An existing home.

    Raises:
        ConsiliumError: the folder is not a coordinator's home, or its configuration is wrong.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = _read_config(path / "config.toml")

    @classmethod
    def create(
        cls, path: Path, config: CoordinatorConfig, vocabulary: Vocabulary, passphrase: str | None = None
    ) -> CoordinatorHome:
        """A new home with a fresh key, whole or not at all.

        Args:
            path: a folder that is missing or empty.
            config: what is to stand in it.
            vocabulary: the labels to begin with.
            passphrase: of the key; without it the file is not encrypted.

        Raises:
            ConsiliumError: something is already there.
        """
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise ConsiliumError("is not empty", where=str(path), cure="choose another folder with --home")
        path.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(dir=path.parent, prefix=".partial-"))
        try:
            _furnish(staging, config, vocabulary, passphrase)
            staging.replace(path)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        return cls(path)

    def choose_fusion(self, rule: RuleName) -> None:
        """The rule of the next candidate, in ``config.toml``."""
        self.config = self.config.model_copy(update={"fusion": rule})
        write_whole(self.path / "config.toml", tomli_w.dumps(self.config.model_dump(mode="json")).encode())

    @property
    def artefacts_path(self) -> Path:
        """Folder of artefacts by digest."""
        return self.path / "artefacts"

    @property
    def quarantine_path(self) -> Path:
        """Folder of refused bytes by digest."""
        return self.path / "quarantine"

    @property
    def events_path(self) -> Path:
        """Folder of event summaries."""
        return self.path / "events"

    @property
    def log_path(self) -> Path:
        """Folder of the log."""
        return self.path / "log"

    @property
    def certificates_path(self) -> Path:
        """Folder of the certificate authority and the SuperLink's certificate."""
        return self.path / "certificates"

    @property
    def trust_path(self) -> Path:
        """The trust file, which is what auditors get."""
        return self.path / "keys.toml"

    @property
    def registry_url(self) -> str:
        """Where the registry is, as SQLAlchemy takes it."""
        return self.config.registry_url or f"sqlite:///{self.path.resolve() / 'registry.sqlite'}"

    @property
    def key_path(self) -> Path:
        """The coordinator's private key."""
        return self.path / "keys" / "coordinator.pem"

    @property
    def vocabulary_path(self) -> Path:
        """``vocabulary.toml``: a list that only grows."""
        return self.path / "vocabulary.toml"

    def key(self) -> Ed25519PrivateKey:
        """The coordinator's signing key; where it is encrypted, its passphrase is looked for once a process.

        Raises:
            ConsiliumError: it cannot be read, or nobody knows the passphrase.
        """
        return unlocked_key(self.key_path)

    def vocabulary(self) -> Vocabulary:
        """The federation's labels; later versions may only append."""
        return read_vocabulary(self.vocabulary_path)

    def trust(self) -> TrustFile:
        """Whose signatures count, as last written from the registry."""
        return read_trust(self.trust_path)

    def write_trust(self, trust: TrustFile) -> None:
        """Replaces the trust file in one step."""
        write_trust(trust, self.trust_path)

    @contextmanager
    def lock(self, seconds: float = LOCK_SECONDS) -> Iterator[None]:
        """Holds the home for one step, so that two processes never change it at once.

        Raises:
            ConsiliumError: another process held it for longer than `seconds`.
        """
        with held(self.path, by="another coordinator process", seconds=seconds):
            yield


def validated(model: type[Model], values: Mapping[str, Any], *, where: str) -> Model:
    """A model of values that a person gave.

    Raises:
        ConsiliumError: one of them is not what it should be.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise ConsiliumError(first_fault(error), where=where) from error


def _furnish(path: Path, config: CoordinatorConfig, vocabulary: Vocabulary, passphrase: str | None) -> None:
    key = create_private_key(path / "keys" / "coordinator.pem", passphrase)
    party = Party(name=config.name, role="coordinator", public=public_hex(key))
    write_trust(TrustFile(federation=config.federation, parties=(party,)), path / "keys.toml")
    write_vocabulary(vocabulary, path / "vocabulary.toml")
    (path / "config.toml").write_text(tomli_w.dumps(config.model_dump(mode="json")), encoding="utf-8")


def _read_config(path: Path) -> CoordinatorConfig:
    missing = ConsiliumError(
        "is not a coordinator's home", where=str(path.parent), cure="make one with: consilium coordinator init"
    )
    return read_config(path, CoordinatorConfig, missing=missing)
