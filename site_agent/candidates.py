"""A candidate that came: the part of this site in it, and the report on it as it would leave."""

from __future__ import annotations

from typing import TYPE_CHECKING

from federated.errors import ContractError
from federated.fused_model import FusedModel
from federated.manifest import ReleaseManifest, ReleaseSite
from site_agent.adopt import require_front_end
from site_agent.mailbox import Inbox
from site_agent.own_sums import require_own_sums
from site_agent.steps import read_progress
from site_agent.tasks import task_of

if TYPE_CHECKING:
    from federated.envelope import Opened
    from site_agent.drafts import Draft
    from site_agent.home import SiteHome
    from site_agent.policy import Policy


def part_of(home: SiteHome, manifest: ReleaseManifest) -> ReleaseSite | None:
    """What a candidate or release holds of this site; None where it holds nothing."""
    return next((site for site in manifest.sites if site.name == home.config.site), None)


def unread_candidate(home: SiteHome) -> Opened | None:
    """The candidate that the next round of work would report on."""
    candidates = [opened for opened in Inbox(home).unread() if opened.manifest.kind == "candidate"]
    return candidates[-1] if candidates and part_of(home, candidates[-1].manifest) else None


def draft_report(home: SiteHome, opened: Opened, policy: Policy) -> Draft:
    """The report on a candidate that holds something of this site. Nothing changes.

    Raises:
        ContractError: the candidate is about other features, contributions or sums than this site's.
        DisclosureError: no label of a batch has patients enough.
    """
    candidate: ReleaseManifest = opened.manifest
    own = part_of(home, candidate)
    require_front_end(home, candidate)
    batches = read_progress(home).batches(own.contributions) if own else []
    if own is None or not batches:
        raise ContractError("holds contributions that this home does not know", where=f"candidate {candidate.number}")
    model = FusedModel.from_release(candidate, opened.tensors)
    require_own_sums(home, model, own.contributions)
    return task_of(home).report(home, model, batches, policy)
