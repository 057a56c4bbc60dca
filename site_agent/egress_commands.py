"""Commands about what leaves: the policy, what would leave, who allows it, what left, and taking it back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from federated.errors import ConsiliumError
from site_agent import tables
from site_agent.options import HERE, NO_IMAGES, Home, Json, has_images, open_home, print_json, words

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from federated.disclosure import Limits
    from site_agent.egress import Gate
    from site_agent.home import SiteHome
    from site_agent.outlook import Outlook
    from site_agent.policy import Policy, Rule

Key = Annotated[Path | None, typer.Option("--key", help="The approver's key; the one made when joining by default.")]


class Start(StrEnum):
    """What a policy may start from."""

    default = "default"
    permissive = "permissive"


def policy(
    start: Annotated[Start | None, typer.Option("--write", help="Write a policy file to start from.")] = None,
    kinds: Annotated[str, typer.Option(help="What a permissive policy lets out, with commas.")] = "statistics,report",
    replace: Annotated[
        bool, typer.Option("--replace", help="Write it though there is one, which is kept beside it.")
    ] = False,
    sign: Annotated[bool, typer.Option("--sign", help="Sign the policy file as it is.")] = False,
    key: Key = None,
    home: Home = HERE,
) -> None:
    """Show the policy, write one to start from, or sign it as an approver."""
    from site_agent.policy import sign_policy, start_policy

    opened = open_home(home)
    if start is not None:
        kept = start_policy(opened, _policy_to_start(opened, start, words(kinds)), replace=replace)
        if kept is not None:
            typer.echo(f"kept the policy that was there as {kept}")
        typer.echo(f"wrote {opened.policy_path}; edit it, then sign it: consilium site policy --sign")
        if start is Start.permissive:
            typer.echo("a permissive policy has no limits: for public data only, never for patients'")
    if sign:
        sign_policy(opened, _approver_key(opened, key))
    if sign or start is None:
        _show_policy(opened)


def preview(
    batches: Annotated[list[str] | None, typer.Argument(help="Batches; those not drafted yet by default.")] = None,
    kinds: Annotated[str, typer.Option(help="Kinds, with commas; those that the policy allows by default.")] = "",
    home: Home = HERE,
    as_json: Json = False,
) -> None:
    """Show exactly what would leave of batches and about a candidate, to whom, and what could be inferred."""
    from site_agent.outlook import outlooks

    opened = open_home(home)
    with opened.lock():
        found = outlooks(opened, batches or (), words(kinds))
    if as_json:
        print_json([_outlook_json(one) for one in found])
        return
    for one in found:
        typer.echo("\n".join(one.lines()) + "\n")
    if not found:
        done = "every batch was drafted already, and no candidate waits for a report: consilium site status"
        typer.echo(done if has_images(opened) else NO_IMAGES)


def approve(
    digests: Annotated[list[str] | None, typer.Argument(help="Drafts that wait, by the beginning of a digest.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Everything that waits.")] = False,
    reject: Annotated[str | None, typer.Option(help="Keep them here for good, for this reason.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; the preview was read elsewhere.")] = False,
    key: Key = None,
    home: Home = HERE,
) -> None:
    """Let drafts that wait out, under the approver's own signature; or keep them here for good."""
    from site_agent.egress import Gate

    opened = open_home(home)
    with opened.lock():
        gate = Gate(opened)
        for digest in _waiting(gate, digests or [], everything=everything):
            typer.echo("\n".join(gate.preview(gate.draft(digest)).lines()))
            if reject is not None:
                gate.reject(digest, _approver_key(opened, key), reject)
                typer.echo(f"{tables.short(digest)} stays here for good")
            elif yes or typer.confirm(f"let {tables.short(digest)} leave?"):
                typer.echo(f"{tables.short(digest)}: {gate.approve(digest, _approver_key(opened, key)).state}")


def receipts(
    verify: Annotated[
        bool, typer.Option("--verify", help="Hold everything that left against the coordinator's log.")
    ] = False,
    home: Home = HERE,
    as_json: Json = False,
) -> None:
    """Show everything that ever left: when, to whom, and why it was allowed to; or whether the log tells of it."""
    from site_agent.egress import Gate

    if verify:
        _verify(open_home(home), as_json=as_json)
        return
    found = Gate(open_home(home)).receipts()
    if as_json:
        print_json([receipt.model_dump(mode="json") for receipt in found])
    else:
        tables.print_receipts(found)


def _verify(home: SiteHome, *, as_json: bool) -> None:
    """Exits with 1 where the log tells of something else than what left."""
    from site_agent.logged import verify_receipts

    found = verify_receipts(home)
    if as_json:
        print_json([each.model_dump(mode="json") for each in found])
    else:
        tables.print_logged(found)
    if any(each.state == "wrong" for each in found):
        raise typer.Exit(1)


def withdraw(
    batches: Annotated[list[str], typer.Argument(help="Batches, as consilium site status names them.")],
    home: Home = HERE,
) -> None:
    """Take back everything that left of some batches, for good."""
    from site_agent.agent import withdraw as take_back

    step = take_back(open_home(home), batches)
    typer.echo(f"{step.line}; releases that hold them are recalled, what was sent cannot be unsent")


def _approver_key(home: SiteHome, key: Path | None) -> Ed25519PrivateKey:
    from federated.passphrases import unlocked_key

    path = key or home.approver_key_path
    if key is None and not path.exists():
        raise ConsiliumError("the approver keeps the key elsewhere", where=str(home.path), cure="name it with --key")
    return unlocked_key(path)


def _policy_to_start(home: SiteHome, start: Start, kinds: list[str]) -> Policy:
    from site_agent.policy import GOVERNED_KINDS, default_policy, permissive_policy

    federation, site = home.config.federation, home.config.site
    unknown = [kind for kind in kinds if kind not in GOVERNED_KINDS]
    if unknown:
        raise ConsiliumError(
            f"there is no kind '{unknown[0]}'", where="--kinds", cure=f"there are: {', '.join(GOVERNED_KINDS)}"
        )
    return default_policy(federation, site) if start is Start.default else permissive_policy(federation, site, kinds)


def _show_policy(home: SiteHome) -> None:
    from site_agent.policy import GOVERNED_KINDS, read_signed_policy

    signed = read_signed_policy(home)
    rules = [(kind, signed.policy.rule(kind)) for kind in GOVERNED_KINDS]
    rows = [(kind, "yes" if rule.allowed else "no", rule.approval, *_levels(rule)) for kind, rule in rules]
    tables.print_table("", ("kind", "may leave", "approval", "to coordinator", "to sites"), rows)
    for line in (*limits_lines({kind: rule.limits for kind, rule in rules}), *_standing_lines(home, signed.policy)):
        typer.echo(line)
    typer.echo(f"{home.policy_path}, signed by approver {signed.approver[:16]}, {signed.digest}")


def limits_lines(limits: Mapping[str, Limits]) -> list[str]:
    """The limits that most kinds have, then what is otherwise for some of them."""
    usual = Counter(limits.values()).most_common(1)[0][0].model_dump()
    kinds_with: dict[str, list[str]] = {}
    for kind, own in limits.items():
        other = {name: value for name, value in own.model_dump().items() if value != usual[name]}
        if other:
            kinds_with.setdefault(_named(other), []).append(kind)
    lines = [f"limits: {_named(usual)}"]
    return lines + [f"limits of {', '.join(kinds)} that differ: {other}" for other, kinds in kinds_with.items()]


def _named(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _standing_lines(home: SiteHome, policy: Policy) -> list[str]:
    from site_agent.ledger import earlier_facts, transaction
    from site_agent.standing import standing_lines

    with transaction(home.state_path) as connection:
        return standing_lines(policy.update, earlier_facts(connection))


def _levels(rule: Rule) -> tuple[str, str]:
    """How much of statistics goes to the coordinator and on to the sites; other kinds have no levels."""
    from site_agent.policy import StatisticsRule

    if not isinstance(rule, StatisticsRule):
        return "", ""
    return f"level {rule.level_to_coordinator}", f"level {rule.level_to_sites}"


def _waiting(gate: Gate, digests: list[str], *, everything: bool) -> list[str]:
    """Full digests of what waits and is meant."""
    there = [pending.digest for pending in gate.pending()]
    if everything:
        return there
    if not digests:
        names = ", ".join(tables.short(digest) for digest in there) or "nothing"
        raise ConsiliumError("name what is meant, or --all", where="approve", cure=f"waiting: {names}")
    return [_one_of(there, name) for name in digests]


def _one_of(there: list[str], name: str) -> str:
    found = [digest for digest in there if digest.removeprefix("sha256:").startswith(name.removeprefix("sha256:"))]
    if len(found) != 1:
        what = "several drafts are named so" if found else "nothing that waits is named so"
        raise ConsiliumError(what, where=name, cure="see: consilium site status")
    return found[0]


def _outlook_json(one: Outlook) -> dict[str, Any]:
    from dataclasses import asdict

    left_out = [{"fold": fold, "label": label, "patients": n} for (fold, label), n in sorted(one.left_out.items())]
    return {**asdict(one), "left_out": left_out}
