"""Tasks, one file a task. A new one is its file, its test and one line in `TASKS`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from federated.errors import ConsiliumError
from federated.fused_model import FusedModel
from site_agent.drafts import Draft
from site_agent.policy import Policy
from site_agent.tasks import (
    candidate_report,
    classification,
    contour,
    exchanged,
    reconstruction,
    registration,
    retrieval,
    segmentation,
)
from site_agent.tasks.blocks import Selection

if TYPE_CHECKING:
    from site_agent.home import SiteHome


@dataclass(frozen=True)
class Task:
    """What a site does for one task.

    Attributes:
        kinds: those it may contribute.
        selection: home, batch, policy -> the cases that may leave.
        draft: home, kind, batch, policy -> what would leave.
        report: home, candidate, batches in it, policy -> what would be reported on it.
    """

    kinds: tuple[str, ...]
    selection: Callable[[SiteHome, str, Policy], Selection]
    draft: Callable[[SiteHome, str, str, Policy], Draft]
    report: Callable[[SiteHome, FusedModel, Sequence[str], Policy], Draft]


TASKS: dict[str, Task] = {
    "classification": Task(
        classification.KINDS, classification.selection, classification.draft, candidate_report.report
    ),
    "contour": Task(exchanged.KINDS, contour.selection, contour.draft, exchanged.no_report),
    "registration": Task(exchanged.KINDS, registration.selection, registration.draft, exchanged.no_report),
    "reconstruction": Task(exchanged.KINDS, reconstruction.selection, reconstruction.draft, exchanged.no_report),
    "retrieval": Task(exchanged.KINDS, retrieval.selection, retrieval.draft, exchanged.no_report),
    "segmentation": Task(exchanged.KINDS, segmentation.selection, segmentation.draft, exchanged.no_report),
}


def task_of(home: SiteHome) -> Task:
    """The task of a site's federation.

    Raises:
        ConsiliumError: this program has no such task.
    """
    if home.config.task not in TASKS:
        raise ConsiliumError(
            f"there is no task '{home.config.task}'",
            where=str(home.path / "config.toml"),
            cure=f"this program knows: {', '.join(TASKS)}; install the version that the coordinator names",
        )
    return TASKS[home.config.task]
