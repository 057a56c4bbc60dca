"""Whether an update of a model that is averaged in rounds lies within what an approver has allowed beforehand.

A standing approval names a task and a model, and ends: after so many updates, so many bytes, or a day. What has left is
counted over the whole ledger, whatever run it was for, so that a new run does not begin to count anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from federated.disclosure import Check, Facts
from federated.errors import DisclosureError

if TYPE_CHECKING:
    from federated.averaging import UpdateManifest
    from site_agent.policy import StandingApproval, UpdateRule


@dataclass(frozen=True)
class Used:
    """Updates of one task and model that ever left, and the bytes of their tensors together."""

    rounds: int
    bytes: int


def about(task: str, model: str) -> str:
    """What the facts of an update say that it is about."""
    return f"{task}/{model}"


def used(task: str, model: str, earlier: Sequence[Facts]) -> Used:
    """What of a standing approval is used up.

    Args:
        task: of the approval.
        model: of the approval.
        earlier: facts of everything that ever left this site.
    """
    sizes = [facts.size for facts in earlier if facts.kind == "update" and facts.about == about(task, model)]
    return Used(len(sizes), sum(sizes))


def require_standing(rule: UpdateRule, manifest: UpdateManifest) -> StandingApproval:
    """The standing approval for the task and model of an update.

    Raises:
        DisclosureError: there is none.
    """
    for approval in rule.averaging:
        if (approval.task, approval.model) == (manifest.task, manifest.model):
            return approval
    raise DisclosureError(
        f"no standing approval names task '{manifest.task}' and model '{manifest.model}'",
        filter_name="policy",
        where="policy.toml",
        cure="add them under [[update.averaging]] with rounds, until and bytes, and have an approver sign the policy",
    )


def standing_checks(
    rule: UpdateRule, manifest: UpdateManifest, size: int, earlier: Sequence[Facts], today: date
) -> tuple[Check, ...]:
    """Rounds, day and bytes against the standing approval; none where an approver signs each update.

    Args:
        rule: of the signed policy.
        manifest: of the update that would leave.
        size: bytes of its tensors.
        earlier: facts of everything that ever left this site.
        today: UTC.

    Raises:
        DisclosureError: no standing approval is about this task and model.
    """
    if rule.approval == "each":
        return ()
    approval = require_standing(rule, manifest)
    before = used(manifest.task, manifest.model, earlier)
    rounds, total, day = before.rounds + 1, before.bytes + size, today.isoformat()
    return (
        _check("standing_rounds", rounds <= approval.rounds, approval.rounds, rounds, "more rounds"),
        _check("standing_bytes", total <= approval.bytes, approval.bytes, total, "more bytes"),
        _check("standing_until", day <= approval.until, approval.until, day, "a later day"),
    )


def _check(name: str, passed: bool, limit: object, found: object, wanted: str) -> Check:
    cure = "" if passed else f"have an approver sign a policy with {wanted} under [[update.averaging]]"
    return Check(name, passed, "at most", str(limit), str(found), cure)


def standing_lines(rule: UpdateRule, earlier: Sequence[Facts]) -> list[str]:
    """What stands and how much of it is used, a line an approval, for a person."""
    return [_line(approval, used(approval.task, approval.model, earlier)) for approval in rule.averaging]


def _line(approval: StandingApproval, before: Used) -> str:
    what = f"updates of '{approval.model}' for '{approval.task}' leave without asking"
    return (
        f"{what}: {before.rounds} of {approval.rounds} rounds and {before.bytes} of {approval.bytes} bytes are used, "
        f"until {approval.until}"
    )
