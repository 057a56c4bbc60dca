"""A site's home: one folder with its configuration, keys, catalogue, mail, ledger and receipts."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import tomli_w
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import ValidationError

from federated.enrolment import Address, Kit, Request, write_request
from federated.errors import ConsiliumError, cannot_read
from federated.faults import first_fault
from federated.files import write_new, write_whole
from federated.homes import LOCK_SECONDS, held, read_config
from federated.keys import (
    Party,
    PublicHex,
    TrustFile,
    create_private_key,
    public_hex,
    read_public_key,
    read_trust,
    write_trust,
)
from federated.label_map import LabelMap, read_label_map
from federated.manifest import FrontEndCard, Frozen, Name
from federated.passphrases import unlocked_key
from federated.vocabulary import Vocabulary, builtin_vocabulary, read_vocabulary, write_vocabulary
from site_agent.archive import Archive
from site_agent.expert_settings import ExpertSettings
from site_agent.network_settings import EncoderSettings, NetworkSettings, ReconstructionSettings, RegistrationSettings

SECRET_BYTES = 32


class SiteConfig(Frozen):
    """``config.toml``.

    Attributes:
        superlink: host:port of the Flower link; empty where parcels go by file only.
        class_balance: whether every label weighs the same in this site's sums.
        backbone_weights: local file with the weights of a timm front end; empty for the fixed ones.
        expert: what this site trains and sends as `weights`.
        segmentation, contour, retrieval, registration, reconstruction: how the networks of these tasks are trained
            here.
    """

    version: Literal[1] = 1
    federation: Name
    site: Name
    coordinator: Name
    coordinator_public: PublicHex
    superlink: Address
    task: Name
    front_end: FrontEndCard
    class_balance: Literal["none", "site"] = "site"
    backbone_weights: str = ""
    expert: ExpertSettings = ExpertSettings()
    segmentation: NetworkSettings = NetworkSettings()
    contour: NetworkSettings = NetworkSettings()
    retrieval: EncoderSettings = EncoderSettings()
    registration: RegistrationSettings = RegistrationSettings()
    reconstruction: ReconstructionSettings = ReconstructionSettings()


class SiteHome:
    """An existing home.

    Raises:
        ConsiliumError: the folder is not a site's home, or its configuration is wrong.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = _read_config(path / "config.toml")

    @classmethod
    def create(
        cls, path: Path, kit: Kit, approver_key: Path | None = None, passphrases: tuple[str, str] | None = None
    ) -> SiteHome:
        """A new home, whole or not at all: keys, configuration from the kit, and the request to enrol.

        Args:
            path: a folder that is missing or empty.
            kit: as `read_kit` verified it.
            approver_key: public key of an approver who keeps the private one; without it both are made here.
            passphrases: of the site's key and of the approver's; without them the files are not encrypted.

        Raises:
            ConsiliumError: something is already there, or the approver's key cannot be read.
        """
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise ConsiliumError("is not empty", where=str(path), cure="choose another folder with --home")
        path.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(dir=path.parent, prefix=".partial-"))
        try:
            _furnish(staging, kit, approver_key, passphrases or (None, None))
            staging.replace(path)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        return cls(path)

    def choose_augment(self, name: str) -> None:
        """What becomes of backgrounds while the expert of views learns, in ``config.toml``.

        Raises:
            ConsiliumError: there is no such way.
        """
        without = {"augment"} if name != "none" else {"augment", "augment_share", "augment_strength"}
        said = self.config.expert.model_dump(exclude=without)
        try:
            expert = ExpertSettings.model_validate(said | {"augment": name})
        except ValidationError as error:
            raise ConsiliumError(first_fault(error), where="--augment") from error
        self.config = self.config.model_copy(update={"expert": expert})
        write_whole(self.path / "config.toml", tomli_w.dumps(self.config.model_dump(mode="json")).encode())

    @property
    def vocabulary(self) -> Vocabulary:
        """The federation's labels."""
        return read_vocabulary(self.path / "vocabulary.toml")

    @property
    def image_vocabulary(self) -> Vocabulary:
        """What images are labelled with: the federation's labels, or, where these are structures, the heart's views."""
        return builtin_vocabulary("heart") if self.config.task == "segmentation" else self.vocabulary

    def follow_vocabulary(self, newer: Vocabulary) -> None:
        """Takes over labels that the coordinator has appended; one that changes or drops a label changes nothing."""
        current = self.vocabulary
        if newer != current and newer.extends(current):
            write_vocabulary(newer, self.path / "vocabulary.toml")

    @property
    def labels_path(self) -> Path:
        """``labels.toml``: what the site's own words stand for; missing until there is a line."""
        return self.path / "labels.toml"

    @property
    def label_map(self) -> LabelMap:
        """What the site's own words stand for."""
        return read_label_map(self.labels_path, self.image_vocabulary) if self.labels_path.exists() else LabelMap()

    @property
    def keys_path(self) -> Path:
        """Folder of ``site.pem``, ``approver.pem`` where made here, ``flower``, ``ca.crt``, and who is trusted."""
        return self.path / "keys"

    @property
    def site_key_path(self) -> Path:
        """The site's private key."""
        return self.keys_path / "site.pem"

    @property
    def approver_key_path(self) -> Path:
        """The approver's private key; missing where it is kept elsewhere."""
        return self.keys_path / "approver.pem"

    @property
    def flower_key_path(self) -> Path:
        """Private key of the Flower node (ECDSA P-384, OpenSSH), with the public one beside it (``.pub``)."""
        return self.keys_path / "flower"

    @property
    def ca_path(self) -> Path:
        """Certificate of the authority that vouches for the SuperLink; empty where parcels go by file only."""
        return self.keys_path / "ca.crt"

    @property
    def request_path(self) -> Path:
        """The signed request to enrol, for the coordinator."""
        return self.path / "request.json"

    @property
    def policy_path(self) -> Path:
        """``policy.toml``; its signature lies beside it (``.sig``)."""
        return self.path / "policy.toml"

    @property
    def catalogue_path(self) -> Path:
        """The index of cases (SQLite)."""
        return self.path / "catalogue.sqlite"

    @property
    def frames_path(self) -> Path:
        """Working images, de-identified."""
        return self.path / "frames"

    @property
    def archive(self) -> Archive:
        """Where images go that are taken in."""
        return Archive(self.catalogue_path, self.frames_path, self.secret())

    @property
    def features_path(self) -> Path:
        """Cached features."""
        return self.path / "features"

    @property
    def outbox(self) -> Path:
        """Folder of sealed parcels that wait for the courier."""
        return self.path / "outbox"

    @property
    def inbox(self) -> Path:
        """Folder of parcels from the coordinator."""
        return self.path / "inbox"

    @property
    def pending(self) -> Path:
        """Folder of drafts that wait to be sealed or approved."""
        return self.path / "pending"

    @property
    def releases(self) -> Path:
        """Folder of releases by digest."""
        return self.path / "releases"

    @property
    def averages(self) -> Path:
        """Folder of global models that were averaged in rounds, by digest; missing until there is one."""
        return self.path / "averages"

    @property
    def experts(self) -> Path:
        """Folder of other sites' expert networks, by contribution, and of this site's in training; missing at first."""
        return self.path / "experts"

    @property
    def receipts_path(self) -> Path:
        """Receipts of everything that left, one JSON line each."""
        return self.path / "receipts.jsonl"

    @property
    def state_path(self) -> Path:
        """The ledger of what left and what came (SQLite)."""
        return self.path / "ledger.sqlite"

    def key(self) -> Ed25519PrivateKey:
        """The site's signing key; where it is encrypted, its passphrase is looked for once a process.

        Raises:
            ConsiliumError: it cannot be read, or nobody knows the passphrase.
        """
        return unlocked_key(self.site_key_path)

    def trust(self) -> TrustFile:
        """Whose signatures count here: the coordinator, this site, and its approvers."""
        return read_trust(self.keys_path / "keys.toml")

    def secret(self) -> bytes:
        """32 random bytes, known here only, that fix pseudonyms and the order of splits.

        Raises:
            ConsiliumError: the file is missing or was changed.
        """
        path = self.keys_path / "secret"
        try:
            data = path.read_bytes()
        except OSError as error:
            raise cannot_read(path, error) from error
        if len(data) != SECRET_BYTES:
            raise ConsiliumError(f"holds {len(data)} bytes, expected {SECRET_BYTES}", where=str(path))
        return data

    @contextmanager
    def lock(self, seconds: float = LOCK_SECONDS) -> Iterator[None]:
        """Holds the home, so that two processes never work in it at once.

        Raises:
            ConsiliumError: another process held it for longer than `seconds`.
        """
        with held(self.path, by="another command", seconds=seconds):
            yield


def _furnish(path: Path, kit: Kit, approver_key: Path | None, passphrases: tuple[str | None, str | None]) -> None:
    keys = path / "keys"
    keys.mkdir(mode=0o700)
    for folder in ("outbox", "inbox", "pending", "releases", "features", "frames"):
        (path / folder).mkdir()
    key = create_private_key(keys / "site.pem", passphrases[0])
    approver = _approver(keys, kit.site, approver_key, passphrases[1])
    if approver.public == public_hex(key):
        raise ConsiliumError("an approver needs a key of their own", where=str(approver_key))
    write_new(keys / "secret", secrets.token_bytes(SECRET_BYTES))
    write_whole(keys / "ca.crt", kit.ca_certificate.encode())
    write_trust(_trust(kit, public_hex(key), approver), keys / "keys.toml")
    write_vocabulary(kit.vocabulary, path / "vocabulary.toml")
    write_whole(path / "config.toml", tomli_w.dumps(_config(kit).model_dump(mode="json")).encode())
    write_request(
        _request(kit, public_hex(key), approver, _create_flower_key(keys / "flower")), key, path / "request.json"
    )


def _approver(keys: Path, site: str, given: Path | None, passphrase: str | None) -> Party:
    if given is not None:
        public = read_public_key(given)
    else:
        public = public_hex(create_private_key(keys / "approver.pem", passphrase))
    return Party(name="approver", role="approver", public=public, site=site)


def _trust(kit: Kit, public: str, approver: Party) -> TrustFile:
    coordinator = Party(name=kit.coordinator, role="coordinator", public=kit.coordinator_public)
    own = Party(name=kit.site, role="site", public=public)
    return TrustFile(federation=kit.federation, parties=(coordinator, own, approver))


def _config(kit: Kit) -> SiteConfig:
    shared = ("federation", "site", "coordinator", "coordinator_public", "superlink", "task", "front_end")
    return SiteConfig(**{name: getattr(kit, name) for name in shared})


def _request(kit: Kit, public: str, approver: Party, flower_public: str) -> Request:
    return Request(
        federation=kit.federation,
        site=kit.site,
        site_public=public,
        approvers=(approver,),
        invitation=kit.invitation,
        flower_public=flower_public,
    )


def _create_flower_key(path: Path) -> str:
    """The node's key pair; Flower takes elliptic-curve keys only. Returns the public line."""
    key = ec.generate_private_key(ec.SECP384R1())
    encoding, no_password = serialization.Encoding, serialization.NoEncryption()
    write_new(path, key.private_bytes(encoding.PEM, serialization.PrivateFormat.OpenSSH, no_password))
    public = key.public_key().public_bytes(encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    write_whole(path.with_suffix(".pub"), public + b"\n")
    return public.decode()


def _read_config(path: Path) -> SiteConfig:
    missing = ConsiliumError(
        "is not a site's home", where=str(path.parent), cure="make one with: consilium site join KIT"
    )
    return read_config(path, SiteConfig, missing=missing)
