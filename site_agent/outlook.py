"""What would leave of a batch or about a candidate, before anything does: the gate's preview, and what is left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from federated.disclosure import Cell
from federated.errors import ConsiliumError, ContractError, DisclosureError
from federated.fusion.targets import coarse_labels
from federated.manifest import StatisticsManifest
from federated.vocabulary import Vocabulary
from site_agent.catalogue import Catalogue
from site_agent.egress import Gate, Preview
from site_agent.policy import Policy, default_policy, read_policy
from site_agent.steps import read_progress

if TYPE_CHECKING:
    from site_agent.drafts import Draft
    from site_agent.home import SiteHome

LEVEL_1 = (
    "at level 1 the coordinator gets no Gram matrix: it fits this site with one made up from its class means and the "
    "other sites' scatter within classes, so at least one other site has to allow level 2, and releases mark this site "
    "'imputed'"
)
NOT_APART = (
    "too few patients for a Gram matrix of its own beside the others': {labels}; the coordinator makes one up from "
    "class means where other sites name what lies below"
)
NO_POLICY = "there is no signed policy, so nothing leaves; this shows the published limits"


@dataclass(frozen=True)
class Outlook:
    """One batch in one kind, or the report on a candidate.

    Attributes:
        batch: empty for a report.
        preview: None where there is nothing to draft.
        refusal: why there is nothing, or empty.
        left_out: (fold, label) -> patients who stay out, being too few.
    """

    batch: str
    kind: str
    preview: Preview | None
    refusal: str
    left_out: dict[Cell, int]
    notes: tuple[str, ...]
    candidate: int | None = None

    def lines(self) -> list[str]:
        """For a person to read."""
        small = sorted(self.left_out.items())
        stay = [f"left out: {fold}/{label}, patients: {count}" for (fold, label), count in small]
        what = self.preview.lines() if self.preview else [f"stays here: {self.refusal}"]
        head = f"batch {self.batch} as {self.kind}" if self.batch else f"{self.kind} on candidate {self.candidate}"
        return [head, *what, *stay, *(f"note: {note}" for note in self.notes)]


def outlooks(home: SiteHome, batches: Sequence[str] = (), kinds: Sequence[str] = ()) -> list[Outlook]:
    """What would leave of batches, by default of all that were not drafted yet in a kind that the policy allows.

    Where no batch is named, the report on a candidate that waits in the inbox follows.

    Raises:
        ConsiliumError: there is no such batch, or the task has no such kind.
    """
    from site_agent.tasks import task_of

    policy, notes = _policy(home)
    known = task_of(home).kinds
    _require_known("batch", batches, Catalogue(home.catalogue_path).batches())
    _require_known("kind", kinds, (*known, "report"))
    contributed = [kind for kind in kinds if kind != "report"]
    chosen = contributed if kinds else [kind for kind in known if policy.rule(kind).allowed] or known[:1]
    drafted = read_progress(home).contributions
    pairs = [
        (batch, kind)
        for batch in batches or Catalogue(home.catalogue_path).batches()
        for kind in chosen
        if batches or f"{kind}/{batch}" not in drafted
    ]
    about = _reports(home, policy, notes) if not batches and (not kinds or "report" in kinds) else []
    return [*(_outlook(home, batch, kind, policy, notes) for batch, kind in pairs), *about]


def _policy(home: SiteHome) -> tuple[Policy, tuple[str, ...]]:
    try:
        return read_policy(home), ()
    except DisclosureError:
        return default_policy(home.config.federation, home.config.site), (NO_POLICY,)


def _require_known(what: str, names: Sequence[str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            raise ConsiliumError(
                f"there is no such {what}", where=name, cure=f"there are: {', '.join(known) or 'none'}"
            )


def _outlook(home: SiteHome, batch: str, kind: str, policy: Policy, notes: tuple[str, ...]) -> Outlook:
    from site_agent.tasks import task_of

    try:
        left_out = task_of(home).selection(home, batch, policy).left_out
        draft = task_of(home).draft(home, kind, batch, policy)
    except DisclosureError as error:
        return Outlook(batch, kind, None, str(error), {}, notes)
    return Outlook(
        batch, kind, Gate(home).preview(draft), "", left_out, (*notes, *_level_notes(draft, home.vocabulary))
    )


def _reports(home: SiteHome, policy: Policy, notes: tuple[str, ...]) -> list[Outlook]:
    from site_agent.candidates import draft_report, unread_candidate

    opened = unread_candidate(home)
    if opened is None:
        return []
    number = opened.manifest.number
    try:
        draft = draft_report(home, opened, policy)
    except (ContractError, DisclosureError) as error:
        return [Outlook("", "report", None, str(error), {}, notes, number)]
    return [Outlook("", "report", Gate(home).preview(draft), "", {}, notes, number)]


def _level_notes(draft: Draft, vocabulary: Vocabulary) -> tuple[str, ...]:
    manifest = draft.manifest
    if not isinstance(manifest, StatisticsManifest):
        return ()
    if manifest.level == 1:
        return (LEVEL_1,)
    whole = [label for label in coarse_labels(vocabulary, manifest.labels) if label not in manifest.coarse]
    return (NOT_APART.format(labels=", ".join(whole)),) if whole else ()
