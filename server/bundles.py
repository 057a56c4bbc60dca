"""The whole record for an auditor: what the log tells of, held to what each site lets auditors have.

Of what a site sent to the coordinator alone, of a Gram matrix that it keeps from other sites, and of what was taken
back, the bundle has the head: envelope and manifest, as they were signed, without tensors. What the coordinator made is
sealed for everybody, numbered in the order of the log.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select
from sqlalchemy.orm import Session

from federated.approval import read_approval
from federated.audit.bundling import BundleWriter, add_predictions, new_bundle
from federated.audit.contents import ASSESSMENTS, KEYS, PLANS, Why
from federated.audit.kept_back import reason_to_keep
from federated.audit.record import Lazy
from federated.contract import Count, Frozen
from federated.envelope import EVERYONE, Parcel, Passage, seal
from federated.log.verification import TELLS_OF
from federated.manifest import parse_manifest
from server.artefacts import Artefacts
from server.contributions import load_manifest
from server.home import CoordinatorHome
from server.log import write_log
from server.registry import EntryRow, ParcelRow, Registry, ReleaseRow


class Bundled(Frozen):
    """What was put into a bundle.

    Attributes:
        members, bytes: all of them.
        parcels: of each kind, whole or as heads.
        kept: heads, by why the rest was kept back.
    """

    members: Count
    bytes: int
    parcels: dict[str, Count]
    kept: dict[Why, Count]


@dataclass(frozen=True)
class Sent:
    """A parcel that a site sent and that was taken in."""

    digest: str
    envelope: str
    state: str


@dataclass(frozen=True)
class Made:
    """A parcel of the coordinator's own, as the log tells of it first."""

    digest: str
    kind: str
    at: str


@dataclass(frozen=True)
class Known:
    """What the registry has at one moment, and the log at the same."""

    sent: list[Sent]
    made: list[Made]
    withdrawn: set[str]
    plans: list[str]
    assessments: list[str]


def write_bundle(
    home: CoordinatorHome,
    out: Path,
    *,
    features: bool = False,
    averages: bool = False,
    predictions: Sequence[Path] = (),
) -> Bundled:
    """Writes everything into a new bundle.

    Args:
        home: the coordinator's.
        out: a file whose name ends in ``.bundle``, or a folder.
        features: contributions of features whole, which sites sent to the coordinator alone.
        averages: the states of rounds.
        predictions: files (``NAME.jsonl``) whose answers an auditor is to see beside it.

    Raises:
        ConsiliumError: it is there already, cannot be written, or an artefact or a file cannot be read.
    """
    artefacts, wanted = Artefacts(home.artefacts_path), _wanted(features=features, averages=averages)
    with tempfile.TemporaryDirectory(prefix=".log-", dir=home.path) as folder:
        known = _at_one_moment(home, Path(folder) / "log")
        with new_bundle(out, home.config.federation) as bundle:
            bundle.add(KEYS, home.trust_path.read_bytes())
            bundle.add_log(Path(folder) / "log")
            _add_sent(bundle, artefacts, known, wanted)
            _add_made(bundle, artefacts, home, known, wanted)
            for name in known.plans:
                bundle.add(f"{PLANS}/{name.removeprefix('sha256:')}.toml", artefacts.get(name))
            for name in known.assessments:
                bundle.add(f"{ASSESSMENTS}/{name.removeprefix('sha256:')}.json", artefacts.get(name))
            add_predictions(bundle, predictions)
            return _told(bundle)


def _wanted(*, features: bool, averages: bool) -> set[str]:
    """Kinds that go in whole because somebody said so."""
    return {kind for kind, said in (("features", features), ("average", averages)) if said}


def _at_one_moment(home: CoordinatorHome, log: Path) -> Known:
    registry = Registry(home.registry_url)
    with home.lock():
        write_log(registry, home)
        shutil.copytree(home.log_path, log)
        with registry.transaction() as session:
            return _known(session)


def _known(session: Session) -> Known:
    taken = select(ParcelRow).where(ParcelRow.state != "refused").order_by(ParcelRow.digest)
    facts = [json.loads(each) for each in session.scalars(select(EntryRow.facts).order_by(EntryRow.id))]
    made = [Made(each["subject"], TELLS_OF[each["event"]], each["at"]) for each in facts if each["event"] in TELLS_OF]
    plans = [each["subject"] for each in facts if each["event"] == "plan"]
    plans += [each["plan"] for each in facts if each.get("plan")]
    approvals = [approval for each in facts for approval in each.get("approvals") or ()]
    return Known(
        sent=[Sent(row.digest, row.envelope, row.state) for row in session.scalars(taken)],
        made=list({each.digest: each for each in reversed(made)}.values())[::-1],
        withdrawn=set(session.scalars(select(ReleaseRow.digest).where(ReleaseRow.state == "withdrawn"))),
        plans=sorted(set(plans)),
        assessments=sorted({read_approval(each.encode()).predicate.assessment for each in approvals}),
    )


def _add_sent(bundle: BundleWriter, artefacts: Artefacts, known: Known, wanted: set[str]) -> None:
    candidates = [each.digest for each in known.made if each.kind == "candidate"]
    manifests: Lazy[Any] = Lazy(lambda: candidates, set(candidates).__contains__, lambda name: _read(artefacts, name))
    for each in known.sent:
        body = artefacts.get(each.digest)
        manifest = parse_manifest(body)
        why = reason_to_keep(manifest, manifests) if manifest.kind not in wanted else None
        why = "withdrawn" if each.state == "withdrawn" else why
        tensors = artefacts.get(manifest.tensors_digest) if why is None else b""
        bundle.add_parcel(Parcel(artefacts.get(each.envelope), body, tensors), why)


def _read(artefacts: Artefacts, name: str) -> Any:
    return load_manifest(artefacts, name)


def _add_made(
    bundle: BundleWriter, artefacts: Artefacts, home: CoordinatorHome, known: Known, wanted: set[str]
) -> None:
    key = home.key() if known.made else None
    for parcel in _sealed(artefacts, home, known, key) if key is not None else ():
        manifest = parse_manifest(parcel.manifest)
        why = reason_to_keep(manifest, {}) if manifest.kind not in wanted else None
        why = "withdrawn" if parcel.digest in known.withdrawn else why
        tensors = artefacts.get(manifest.tensors_digest) if why is None else b""
        bundle.add_parcel(Parcel(parcel.envelope, parcel.manifest, tensors), why)


def _sealed(artefacts: Artefacts, home: CoordinatorHome, known: Known, key: Ed25519PrivateKey) -> Iterator[Parcel]:
    """What the coordinator made, for everybody, without tensors; the same each time."""
    previous = None
    for number, each in enumerate(known.made, 1):
        passage = Passage.model_validate(
            {
                "federation": home.config.federation,
                "sender": home.config.name,
                "recipient": EVERYONE,
                "sequence": number,
                "previous": previous,
                "kind": each.kind,
                "policy": None,
                "filters": {},
                "approval": "none",
                "issued": each.at,
            }
        )
        yield seal(_read(artefacts, each.digest), b"", passage, [key])
        previous = each.digest


def _told(bundle: BundleWriter) -> Bundled:
    members = bundle.members.values()
    return Bundled(
        members=len(members),
        bytes=sum(member.bytes for member in members),
        parcels=dict(sorted(Counter(member.kind for member in members if member.kind is not None).items())),
        kept=dict(sorted(Counter(member.why for member in members if member.why is not None).items())),
    )
