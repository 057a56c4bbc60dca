"""Global models that are averaged in rounds, as rows: a run is begun, its updates are found, the next one is kept.

All that a run is stands in the signed manifest of its newest global model. A run that was killed therefore goes on from
there; the updates that had come for it count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from federated.averaging import Averaged, AverageManifest, Plan, UpdateManifest, check_average, check_update
from federated.contract import Tensors, pack_tensors
from federated.envelope import Parcel, open_parcel
from federated.errors import ConsiliumError, ContractError, SequenceError, SignatureError
from federated.keys import TrustFile
from federated.manifest import manifest_bytes
from server.artefacts import Artefacts
from server.contributions import Stored, load, load_manifest
from server.deliveries import enqueue
from server.home import CoordinatorHome
from server.registry import (
    AverageRow,
    ParcelRow,
    current_parcels,
    enrolled_sites,
    newest_average,
    now,
    record,
    trust_file,
)


@dataclass(frozen=True)
class Update:
    """An update whose signature and contents were checked.

    Attributes:
        parcel: as the site sealed it.
        manifest: says the images that it is weighted by.
        tensors: the state.
    """

    parcel: Parcel
    manifest: UpdateManifest
    tensors: Tensors


def open_average(session: Session, artefacts: Artefacts) -> tuple[str, AverageManifest] | None:
    """Digest and manifest of the global model that asks for updates now."""
    row = newest_average(session)
    if row is None or row.state != "open":
        return None
    manifest: AverageManifest = load_manifest(artefacts, row.digest)
    return row.digest, manifest


def load_open(session: Session, artefacts: Artefacts) -> Stored | None:
    """The global model that asks for updates now, with its state."""
    found = open_average(session, artefacts)
    return load(artefacts, found[0]) if found else None


def begin(session: Session, artefacts: Artefacts, home: CoordinatorHome, plan: Plan) -> str:
    """The global model that a run begins with; one of the same plan that was not finished goes on instead.

    Returns:
        Its digest, or that of the one from which the run goes on.

    Raises:
        ConsiliumError: there is no such network, or a run of another plan is not finished.
    """
    open_ = open_average(session, artefacts)
    if open_ is not None and open_[1].plan == plan:
        enqueue(session, enrolled_sites(session), open_[0], "average")
        return open_[0]
    if open_ is not None:
        raise ConsiliumError(
            f"round {open_[1].round} of {open_[1].plan.rounds} of another plan is waiting for updates",
            where=f"run {open_[1].run}",
            cure="go on with its options, or end it: consilium coordinator average --stop",
        )
    state = start_state(plan, home.config.front_end.features)
    run = (session.scalar(select(func.max(AverageRow.run))) or 0) + 1
    return _keep(session, artefacts, home, {"run": run, "plan": plan, "round": 0, "previous": None}, state)


def start_state(plan: Plan, features: int) -> Tensors:
    """The state that a run begins with.

    Raises:
        ConsiliumError: no such network is trained in rounds.
    """
    from shared_models.averaged_models import averaged_model, start_of

    try:
        return start_of(averaged_model(plan.model), plan.config, features, len(plan.labels))
    except ValueError as error:
        raise ConsiliumError(str(error), where="--model") from error


def updates_of(session: Session, artefacts: Artefacts, home: CoordinatorHome, average: Stored) -> list[Update]:
    """Updates that answer a global model, of sites that are enrolled, by site; each is opened and checked once more.

    One that does not pass any more, as after its key was revoked, is refused from now on.

    Raises:
        ConsiliumError: an artefact is missing or was altered.
    """
    rows = [row for row in current_parcels(session, ("update",)) if row.concerns == average.digest]
    enrolled, trust = set(enrolled_sites(session)), trust_file(session, home.config.federation)
    found = []
    for row in sorted(rows, key=lambda row: row.site):
        if row.site in enrolled:
            try:
                found.append(_opened(artefacts, home.config.name, trust, average, row))
            except (ContractError, SignatureError, SequenceError) as error:
                row.state, row.reason = "refused", str(error)
                entry = {"subject": row.digest, "kind": row.kind}
                record(session, "dropped", site=row.site, subject=row.digest, detail=str(error), entry=entry)
    return found


def _opened(artefacts: Artefacts, coordinator: str, trust: TrustFile, average: Stored, row: ParcelRow) -> Update:
    """Signature, address, contents, and that it answers this global model: nothing of before is believed."""
    tensors_digest = load_manifest(artefacts, row.digest).tensors_digest
    parcel = Parcel(artefacts.get(row.envelope), artefacts.get(row.digest), artefacts.get(tensors_digest))
    opened = open_parcel(parcel, trust.with_former(), recipient=coordinator)
    check_update(opened.manifest, opened.tensors, average.digest, average.manifest)
    return Update(parcel, opened.manifest, opened.tensors)


def advance(
    session: Session,
    artefacts: Artefacts,
    home: CoordinatorHome,
    average: Stored,
    state: Tensors,
    updates: Sequence[Update],
) -> str:
    """Keeps the next global model, which is signed for every site when it is handed over; its digest.

    Raises:
        ConsiliumError: the run went on or was stopped meanwhile.
        ContractError: the state is not one of the same network.
    """
    row = newest_average(session)
    if row is None or row.digest != average.digest or row.state != "open":
        raise ConsiliumError("went on or was stopped meanwhile", where=f"run {average.manifest.run}")
    before: AverageManifest = average.manifest
    entered = tuple(
        Averaged(site=each.manifest.site, update=each.parcel.digest, images=each.manifest.examples) for each in updates
    )
    row.state = "averaged"
    fields = {"run": before.run, "plan": before.plan, "round": before.round + 1, "previous": average.digest}
    return _keep(session, artefacts, home, {**fields, "updates": entered}, state, average)


def stop(session: Session) -> int:
    """Ends the run that waits for updates; its number.

    Raises:
        ConsiliumError: none does.
    """
    row = newest_average(session)
    if row is None or row.state != "open":
        raise ConsiliumError("no run of rounds waits for updates", where="average")
    row.state = "stopped"
    detail, entry = f"run {row.run}, round {row.round}", {"subject": row.digest}
    record(session, "average stopped", subject=row.digest, detail=detail, entry=entry)
    return row.run


def _keep(
    session: Session,
    artefacts: Artefacts,
    home: CoordinatorHome,
    fields: dict[str, object],
    state: Tensors,
    before: Stored | None = None,
) -> str:
    data, specs, tensors_digest = pack_tensors(state)
    common = {"federation": home.config.federation, "tensors": specs, "tensors_digest": tensors_digest, "updates": ()}
    manifest = AverageManifest.model_validate(common | fields)
    check_average(manifest, state, before.manifest.tensors if before else specs)
    artefacts.put(data)
    name = artefacts.put(manifest_bytes(manifest))
    place = (session.scalar(select(func.max(AverageRow.place))) or 0) + 1
    kind = "finished" if manifest.is_finished else "open"
    row = AverageRow(digest=name, place=place, run=manifest.run, round=manifest.round, state=kind, created=now())
    session.add(row)
    session.flush()
    enqueue(session, enrolled_sites(session), name, "average")
    detail = f"run {manifest.run}, round {manifest.round}, {kind}"
    record(session, "average", subject=name, detail=detail, entry={"subject": name})
    return name
