"""A small federation's whole record, made by hand: what sites sent, what the coordinator made of it, and the log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from federated.audit.bundling import new_bundle
from federated.audit.contents import Why
from federated.audit.whole import ANSWERED
from federated.envelope import EVERYONE, Parcel, Passage, seal
from federated.keys import Party, TrustFile, public_hex, write_trust
from federated.log.checkpoints import origin_of, witness_name
from federated.log.entries import Entry, sign_entry
from federated.log.journal import Journal
from federated.log.notes import Note, cosign
from federated.manifest import Tensors, manifest_digest, pack_tensors, unpack_tensors
from federated.release import Built, SiteInput, build_release
from federated.statistics import pack_symmetric
from tests.audit_files import seal_as, written

SITES = ("ada", "ben", "cem")
HUB = Ed25519PrivateKey.from_private_bytes(b"h" * 32)
KEYS = {name: Ed25519PrivateKey.from_private_bytes(name[:1].encode() * 32) for name in SITES}
TRUST = TrustFile(
    federation="test",
    parties=(
        Party(name="hub", role="coordinator", public=public_hex(HUB)),
        *(Party(name=name, role="site", public=public_hex(key)) for name, key in KEYS.items()),
    ),
)
WITNESSED_AT = 1_800_000_000


@dataclass
class Record:
    """What happened so far; entries are not signed yet."""

    trust: ClassVar[TrustFile] = TRUST
    entries: list[Entry] = field(default_factory=list)
    parcels: dict[str, Parcel] = field(default_factory=dict)
    last: dict[str, tuple[int, str]] = field(default_factory=dict)
    kept: dict[str, Why] = field(default_factory=dict)

    def add(self, event: str, **facts: Any) -> None:
        at = f"2026-11-21T06:00:{len(self.entries):02d}Z"
        self.entries.append(Entry.model_validate({"federation": "test", "at": at, "event": event} | facts))

    def seal(self, manifest: Any, data: bytes, key: Ed25519PrivateKey | None = None, **changes: Any) -> Parcel:
        sender = getattr(manifest, "site", "hub")
        number, previous = self.last.get(sender, (0, None))
        fields = {
            "federation": "test",
            "sender": sender,
            "recipient": EVERYONE if sender == "hub" else "hub",
            "sequence": number + 1,
            "previous": previous,
            "kind": manifest.kind,
            "policy": None,
            "filters": {},
            "approval": "none",
            "issued": "2026-11-21T06:00:00Z",
        }
        parcel = seal(manifest, data, Passage.model_validate(fields | changes), [key or KEYS.get(sender, HUB)])
        self.last[sender] = (number + 1, parcel.digest)
        self.parcels[parcel.digest] = parcel
        return parcel

    def send(self, manifest: Any, data: bytes, key: Ed25519PrivateKey | None = None, **facts: Any) -> str:
        """A site's parcel, taken in."""
        parcel = self.seal(manifest, data, key)
        told = {"site": manifest.site, "kind": manifest.kind, "subject": parcel.digest}
        if manifest.kind in ANSWERED:
            told["concerns"] = getattr(manifest, ANSWERED[manifest.kind])
        self.add("accepted", **(told | {"envelope": parcel.envelope.decode()} | facts))
        return parcel.digest

    def tell(self, event: str, built: Built, **facts: Any) -> str:
        """A parcel of the coordinator's own."""
        parcel = self.seal(built.manifest, built.tensors)
        self.add(event, subject=parcel.digest, number=built.manifest.number, **facts)
        return parcel.digest

    def journal(self, folder: Path, witnesses: Sequence[str] = SITES[:2]) -> Journal:
        journal = Journal(folder, origin_of("test"))
        journal.append([sign_entry(entry, HUB) for entry in self.entries], HUB)
        for name in witnesses:
            assert journal.note is not None
            journal.cosigned(cosign(Note(journal.note.text), witness_name("test", name), KEYS[name], WITNESSED_AT))
        return journal

    def write(self, path: Path, *, log: bool = True, keys: bool = True, extra: dict[str, bytes] | None = None) -> Path:
        """The bundle; its log is made beside it."""
        beside = path.with_name(f"{path.name}-beside")
        if log:
            self.journal(beside / "log")
        beside.mkdir(exist_ok=True)
        write_trust(TRUST, beside / "keys.toml")
        with new_bundle(path, "test") as bundle:
            if keys:
                bundle.add("keys.toml", (beside / "keys.toml").read_bytes())
            if log:
                bundle.add_log(beside / "log")
            for digest, parcel in sorted(self.parcels.items()):
                bundle.add_parcel(parcel, self.kept.get(digest))
            bundle.add_all((extra or {}).items())
        return path


def _contribution(federation: Any, site: str, make_sample: Callable[..., Any], level_to_sites: int) -> Any:
    tensors: Tensors = {}
    for fold, block in (("train", federation.input(site).train), ("validation", federation.input(site).validation)):
        tensors |= {f"{fold}.class_sums": block.class_sums, f"{fold}.weights": block.weights}
        tensors[f"{fold}.gram"] = pack_symmetric(block.gram)
    labels = federation.input(site).train.labels
    counts = dict.fromkeys(labels, 9)
    fields = {"labels": labels, "patients": counts, "images": counts, "features": block.features}
    fields |= {"folds": ("train", "validation"), "front_end": "sha256:" + "0" * 64}
    return make_sample("statistics", tensors, site=site, level=2, level_to_sites=level_to_sites, **fields)


def _inputs(federation: Any, sent: dict[str, str]) -> list[SiteInput]:
    return [replace(federation.input(name), contributions=(digest,)) for name, digest in sent.items()]


def _same(what: Any) -> Any:
    return what


def release_of(
    record: Record,
    federation: Any,
    sent: dict[str, str],
    previous: str | None,
    made_of: Callable[[list[SiteInput]], list[SiteInput]] = _same,
    told_as: Callable[[Built], Built] = _same,
    heard: Callable[[dict[str, Any]], dict[str, Any]] = _same,
) -> str:
    """A candidate, the sites' reports on it, the release.

    Args:
        record: so far.
        federation: the sites and their images.
        sent: digests of contributions, by site.
        previous: the release before.
        made_of: what the coordinator puts in the place of what sites sent.
        told_as: what it releases in the place of what it built.
        heard: those of the reports, by site, that it calibrates the release by.
    """
    number = 1 + sum(entry.event == "release" for entry in record.entries)
    inputs = made_of(_inputs(federation, sent))
    candidate = federation.candidate_of(inputs, number=number, previous=previous)
    told = record.tell("candidate", candidate)
    reports = federation.reports(candidate, tuple(sent))
    for _, manifest, counts in reports.values():
        record.send(manifest, pack_tensors(counts)[0], concerns=told)
    tensors = unpack_tensors(candidate.tensors, candidate.manifest)
    built = build_release(candidate.manifest, tensors, heard(reports))
    assert built.manifest.candidate == told == manifest_digest(candidate.manifest)
    return record.tell("release", told_as(built), concerns=told)


@pytest.fixture(scope="session")
def make_record(make_federation: Callable[..., Any], make_sample: Callable[..., Any]) -> Callable[..., Record]:
    """Two sites contribute and a release is made; then a third, and another release."""

    def make(*, level_to_sites: int = 2, **lies: Any) -> Record:
        federation, record = make_federation(gram_to_sites=level_to_sites == 2), Record()
        record.add("init", keys=({"public": public_hex(HUB), "role": "coordinator"},))
        for name, key in KEYS.items():
            record.add("enrol", site=name, keys=({"public": public_hex(key), "role": "site"},))
        sent: dict[str, str] = {}
        previous = None
        for arriving in (SITES[:2], SITES[2:]):
            for name in arriving:
                sent[name] = record.send(*_contribution(federation, name, make_sample, level_to_sites))
            previous = release_of(record, federation, sent, previous, **lies)
        return record

    return make


@pytest.fixture(scope="session")
def whole(make_record: Callable[..., Record]) -> Record:
    """Of a federation whose sites let others have their Gram matrices; nobody changes it."""
    return make_record()


@pytest.fixture
def bundle(whole: Record, tmp_path: Path) -> Path:
    """Its bundle, in one file."""
    return whole.write(tmp_path / "record.bundle")


@pytest.fixture
def trust(tmp_path: Path) -> Path:
    """The hospitals' own keys."""
    write_trust(TRUST, tmp_path / "trust.toml")
    return tmp_path / "trust.toml"


@pytest.fixture(scope="session")
def built(federation: Any) -> Any:
    return federation.release()


@pytest.fixture
def release(built: Any, tmp_path: Path) -> Path:
    return written(tmp_path / "release", seal_as(built.manifest, built.tensors))


@pytest.fixture(scope="session")
def lines(federation: Any, built: Any) -> list[str]:
    fold = federation.folds["ada"]["test"]
    model = federation.model(built)
    images = [f"image {number}" for number in range(8)]
    return [each.json_line() for each in model.decide(fold.features[:8], images, list(fold.clips[:8]))]
