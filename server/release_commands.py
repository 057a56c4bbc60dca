"""``consilium coordinator``: candidates and releases, the plan that they are held against, recalls and returns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from federated.approval_commands import print_assessment
from federated.errors import ConsiliumError
from federated.tables import print_json, print_tables, table
from server.options import HERE, Home, Json, open_coordinator, wake

if TYPE_CHECKING:
    from federated.assessment import Assessment
    from server.coordinator import Coordinator

SHORT = 12  # digits of a digest
UNDECLARED = (
    "was made before this plan was pinned, and audit verify says so of its release; for a plan that was declared "
    "before, pin it and release a new candidate instead, which the next contribution makes"
)
PlanFile = Annotated[Path | None, typer.Option("--plan", help="The change plan, where none is pinned.")]
Substantial = Annotated[
    bool, typer.Option("--substantial", help="Something changes that the plan does not allow; approvals say so too.")
]
approver = typer.Typer(no_args_is_help=True, help="Who approves releases: two of them for each.")


def release(
    candidate: Annotated[bool, typer.Option("--candidate", help="Make a candidate for sites to report on.")] = False,
    plan: PlanFile = None,
    substantial: Substantial = False,
    out: Annotated[Path | None, typer.Option(help="Write what waits for each site under this folder.")] = None,
    home: Home = HERE,
    as_json: Json = False,
) -> None:
    """Make a candidate from what is here, or a release from the candidate and the sites' reports."""
    coordinator = open_coordinator(home)
    if candidate:
        made, assessment = coordinator.propose(), None
    else:
        data = _read_plan(plan)
        assessment = _assessed(coordinator, data)
        if assessment is not None and not as_json:
            _print_assessment(coordinator, assessment)
        made = coordinator.release(data, substantial=substantial)
    if made is None and not candidate:
        _require_candidate(coordinator)
    wake(coordinator.home)
    written = _export(coordinator, out) if out is not None else []
    what = "candidate" if candidate else "release"
    if as_json:
        held: dict[str, Any] = {}
        if assessment is not None:
            held = {"assessment": assessment.model_dump(mode="json"), "declared": _declared(coordinator, assessment)}
        print_json({what: made, "files": written, **held})
        return
    typer.echo(f"{what} {_short(made)}" if made else f"no new {what}: nothing has changed since the last one")
    _print_written(written)


def approve(
    key: Annotated[Path | None, typer.Option(help="Your private key; without it, nothing is approved.")] = None,
    approval: Annotated[
        Path | None, typer.Option(help="What an approver signed elsewhere: consilium audit approve.")
    ] = None,
    figures: Annotated[Path | None, typer.Option(help="Write the figures, for an approver elsewhere.")] = None,
    plan: PlanFile = None,
    substantial: Substantial = False,
    home: Home = HERE,
    as_json: Json = False,
) -> None:
    """Show the newest candidate held against its change plan, and approve it with your key."""
    from federated.approval import read_approval_bytes, sign_approval
    from federated.files import write_whole
    from federated.passphrases import unlocked_key
    from server.change_plans import require_met

    if key is not None and approval is not None:
        raise ConsiliumError("--key and --approval are two ways to approve", where="approve", cure="give one of them")
    coordinator = open_coordinator(home)
    assessment = coordinator.assess(_read_plan(plan))
    if as_json:
        approved = {"digest": assessment.digest, "approved_by": coordinator.approvals(assessment)}
        print_json(assessment.model_dump(mode="json") | approved | {"declared": _declared(coordinator, assessment)})
    else:
        _print_assessment(coordinator, assessment)
    if figures is not None:
        write_whole(figures, assessment.to_bytes())
        typer.echo(f"wrote {figures}; an approver signs it: consilium audit approve {figures.name}", err=as_json)
    if approval is not None:
        signed = read_approval_bytes(approval)
    elif key is not None:
        require_met(assessment, substantial=substantial)
        signed = sign_approval(assessment, unlocked_key(key))
    else:
        return
    name = coordinator.approve(signed)
    wake(coordinator.home)
    typer.echo(f"{name} approves candidate {_short(assessment.candidate)}", err=as_json)


def plan(
    file: Annotated[Path | None, typer.Argument(help="The plan to pin; without it, the pinned one is shown.")] = None,
    home: Home = HERE,
) -> None:
    """Pin a change plan, under which every release from now on is made, or show the one that is pinned."""
    from federated.change_plan import read_plan_bytes

    coordinator = open_coordinator(home)
    if file is not None:
        name = coordinator.pin_plan(read_plan_bytes(file))
        typer.echo(f"plan {_short(name)} is pinned: no release without it, and without two approvals")
        newest = coordinator.status()["candidate"]
        if newest is not None and newest["state"] == "current":
            _note_undeclared(newest["digest"], declared=coordinator.is_declared(newest["digest"], name))
        return
    pinned = coordinator.plan()
    if pinned is None:
        raise ConsiliumError("no change plan is pinned", where=str(home), cure="consilium coordinator plan FILE")
    typer.echo(pinned.decode(), nl=False)


@approver.command("add")
def add_approver(
    name: Annotated[str, typer.Argument(help="A short name for the person.")],
    key: Annotated[Path, typer.Option(help="The person's public key; the private one stays with them.")],
    home: Home = HERE,
) -> None:
    """Let somebody approve releases, who is no hospital and approves nothing for one."""
    from federated.keys import fingerprint, read_public_key, spoken_fingerprint

    public = read_public_key(key)
    open_coordinator(home).add_approver(name, public)
    told = spoken_fingerprint(fingerprint(bytes.fromhex(public)))
    typer.echo(f"{name} approves releases, with the key {told}; auditors get {home / 'keys.toml'} again")


@approver.command("end")
def end_approver(name: Annotated[str, typer.Argument(help="Of the approver.")], home: Home = HERE) -> None:
    """Let somebody approve releases no more; those that were made stay as they are."""
    open_coordinator(home).end_approver(name)
    typer.echo(f"{name} approves releases no more; auditors get {home / 'keys.toml'} again")


@approver.command("list")
def list_approvers(home: Home = HERE, as_json: Json = False) -> None:
    """List who approves releases."""
    from federated.keys import fingerprint, spoken_fingerprint

    found = open_coordinator(home).approvers()
    if as_json:
        print_json(found)
        return
    rows = [(name, spoken_fingerprint(fingerprint(bytes.fromhex(public)))) for name, public in found.items()]
    print_tables(table("approvers of releases", ("name", "fingerprint"), rows))


def export(
    out: Annotated[Path, typer.Option(help="A folder; each site's parcels come under its name.")],
    home: Home = HERE,
) -> None:
    """Write what waits for each site as files, with the list of releases that stand and the log to be witnessed."""
    _print_written(_export(open_coordinator(home), out))


def withdraw(
    site: Annotated[str, typer.Argument(help="The site that asks for it.")],
    contributions: Annotated[list[str] | None, typer.Argument(help="Digests of its contributions.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Everything the site contributed.")] = False,
    home: Home = HERE,
    as_json: Json = False,
) -> None:
    """Take a site's contributions back for good, and recall the releases that hold them."""
    if bool(contributions) == everything:
        raise ConsiliumError("name contributions, or --all", where="withdraw", cure="see: consilium coordinator status")
    coordinator = open_coordinator(home)
    done = coordinator.withdraw(site, None if everything else contributions)
    wake(coordinator.home)
    if as_json:
        print_json(done.model_dump(mode="json"))
        return
    numbers = ", ".join(map(str, done.recalled)) or "none"
    typer.echo(f"withdrew {len(done.contributions)} contributions of {site}; recalled releases: {numbers}")
    for line in done.residue:
        typer.echo(f"remains: {line}")


def recall(
    number: Annotated[int, typer.Argument(help="Number of the release.")],
    reason: Annotated[str, typer.Option(help="Why, for the sites.")],
    home: Home = HERE,
) -> None:
    """Take a release back; sites fall back to the newest one that stands."""
    coordinator = open_coordinator(home)
    coordinator.recall(number, reason)
    wake(coordinator.home)
    typer.echo(f"release {number} is recalled; sites hear of it in the next event, or by: consilium coordinator export")


def rollback(number: Annotated[int, typer.Argument(help="Number of the release.")], home: Home = HERE) -> None:
    """Bring the content of an older release back under a new number."""
    coordinator = open_coordinator(home)
    made = coordinator.rollback(number)
    wake(coordinator.home)
    typer.echo(f"release {coordinator.number_of(made)} has the content of release {number}")


def _read_plan(path: Path | None) -> bytes | None:
    from federated.change_plan import read_plan_bytes

    return read_plan_bytes(path) if path is not None else None


def _assessed(coordinator: Coordinator, data: bytes | None) -> Assessment | None:
    """What the next release is held against; None where there is no plan."""
    return coordinator.assess(data) if data is not None or coordinator.plan() is not None else None


def _print_assessment(coordinator: Coordinator, assessment: Assessment) -> None:
    print_assessment(assessment)
    typer.echo(f"approved by: {', '.join(coordinator.approvals(assessment)) or 'nobody'}")
    _note_undeclared(assessment.candidate, declared=_declared(coordinator, assessment))


def _declared(coordinator: Coordinator, assessment: Assessment) -> bool:
    return coordinator.is_declared(assessment.candidate, assessment.plan)


def _note_undeclared(candidate: str, *, declared: bool) -> None:
    """An auditor refuses no release for it, so it is not refused here."""
    if not declared:
        typer.echo(f"note: candidate {_short(candidate)} {UNDECLARED}", err=True)


def _export(coordinator: Coordinator, out: Path) -> list[str]:
    """Writes what waits for a site: parcels as ``OUT/SITE/0001-kind.parcel``, the list of what stands, what to witness.

    Returns:
        The files' names.
    """
    from federated.envelope import read_passage
    from federated.files import write_whole
    from federated.release_status import SUFFIX

    sites, status = coordinator.sites(), coordinator.release_status()
    outgoing = {site: coordinator.outgoing(site) for site in sites}
    asked, written = _requests(coordinator, sites), list[str]()
    for site, parcels in outgoing.items():
        files = {f"releases{SUFFIX}": status} | asked.get(site, {})
        for parcel in parcels:
            passage = read_passage(parcel)
            files[f"{passage.sequence:04d}-{passage.kind}.parcel"] = parcel.to_bytes()
        (out / site).mkdir(parents=True, exist_ok=True)
        for name, data in sorted(files.items()):
            write_whole(out / site / name, data)
            written.append(str(out / site / name))
    return written


def _requests(coordinator: Coordinator, sites: Sequence[str]) -> dict[str, dict[str, bytes]]:
    """By site, the file in which it is asked to sign the log as it is now."""
    from federated.log.request_file import SUFFIX, RequestFile

    found = {}
    for site, (request, *told) in coordinator.unwitnessed(sites).items():
        asked = RequestFile(site=site, request=request.decode(), told=tuple(each.decode() for each in told))
        found[site] = {f"log{SUFFIX}": asked.to_bytes()}
    return found


def _require_candidate(coordinator: Coordinator) -> None:
    newest = coordinator.status()["candidate"]
    if newest is None or newest["state"] != "current":
        why = "there is no candidate" if newest is None else "the newest candidate holds a withdrawn contribution"
        raise ConsiliumError(why, where="release", cure="make one with: consilium coordinator release --candidate")


def _short(digest: str | None) -> str:
    return digest.removeprefix("sha256:")[:SHORT] if digest else ""


def _print_written(files: list[str]) -> None:
    for path in files:
        typer.echo(path)
