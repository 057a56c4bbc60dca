"""Consultations: drafted for every batch when the panel has changed, so that who was away is caught up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from site_agent.catalogue import Catalogue
from site_agent.egress import Gate
from site_agent.forget.renewal import stale_batches
from site_agent.lessons import taken_back
from site_agent.panel import panel_of
from site_agent.steps import Step, note_contribution, note_panel, read_progress

if TYPE_CHECKING:
    from site_agent.home import SiteHome
    from site_agent.policy import Policy

KIND = "consultation"


def unasked_batches(home: SiteHome) -> list[str]:
    """Batches about which not all of the panel was asked; not one that was taken back, or is to be renewed."""
    panel = _names(home)
    if not panel:
        return []
    progress, waiting = read_progress(home), stale_batches(home) | taken_back(home)
    return [
        batch
        for batch in Catalogue(home.catalogue_path).batches()
        if batch not in waiting
        and (f"{KIND}/{batch}" not in progress.contributions or progress.consulted.get(batch) != panel)
    ]


def consult(home: SiteHome, batch: str, policy: Policy) -> Step:
    """Gives the consultation of a batch to the gate.

    Raises:
        DisclosureError: the policy or a filter refuses.
    """
    from site_agent.tasks import task_of

    draft = task_of(home).draft(home, KIND, batch, policy)
    submission = Gate(home).submit(draft)
    note_contribution(home, KIND, batch, submission.digest)
    note_panel(home, batch, _names(home))
    return Step(kind=KIND, subject=f"batch {batch}", state=submission.state, digest=submission.digest)


def _names(home: SiteHome) -> tuple[str, ...]:
    return tuple(expert.contribution for expert in panel_of(home))
