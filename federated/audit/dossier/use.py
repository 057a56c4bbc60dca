"""What hospitals told of the answers that a release gave them: floored sums over whole clips, which they signed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from federated.audit.dossier.document import Grid, Section
from federated.audit.dossier.sources import Sources
from federated.decision_summary import CONFIDENT, DRIFT_BINS

if TYPE_CHECKING:
    from federated.envelope import Opened

ABOUT = (
    "Counts of clips that hospitals signed. What few patients stand behind is left out there and counted here as left "
    "out, so that sums may be too small. Wrong and confident: the truth became known, and the probability was "
    f"{CONFIDENT:g} or more. Unlike its own: the hospital's own p-value is {1 / DRIFT_BINS:g} or less, as of that "
    "share of its own patients when it was calibrated; much more is a drift. Records that no summary counts show as "
    "gaps between the numbers."
)
COLUMNS = (
    "hospital",
    "records",
    "answered",
    "refused",
    "truth known",
    "wrong",
    "wrong and confident",
    "unlike its own",
    "left out",
)


def use(sources: Sources, release: str) -> Section:
    """Every summary of a release.

    Raises:
        ConsiliumError: one is none.
    """
    rows = tuple(_rows(_summaries(sources, release)))
    grid = Grid(
        title="Answers at the hospitals",
        items=("CONSORT-AI 19",),
        columns=COLUMNS,
        rows=rows,
        numbers=tuple(range(2, 9)),
        empty="Not stated: no hospital has sent a summary of its decisions.",
    )
    return Section(title="Use at the hospitals", about=ABOUT, grids=(grid,))


def _summaries(sources: Sources, release: str) -> Sequence[Opened]:
    ours = [head.digest for head in sources.heads("summary") if head.manifest.release == release]
    found = [opened for opened in map(sources.opened, ours) if opened is not None]
    return sorted(found, key=lambda opened: (opened.manifest.site, opened.manifest.first))


def _rows(found: Sequence[Opened]) -> Iterator[tuple[str, ...]]:
    for each in found:
        names = ("answered", "abstained", "flagged", "wrong", "wrong_confident")
        yield (
            each.manifest.site,
            f"{each.manifest.first} to {each.manifest.last}",
            *(str(int(each.tensors[name].sum())) for name in names),
            _unlike(each),
            str(len(each.manifest.suppressed)),
        )


def _unlike(each: Opened) -> str:
    """Share of clips in the lowest bin of the hospital's own p-value."""
    drift = each.tensors["drift"]
    total = int(drift.sum())
    return f"{int(drift[0]) / total:.0%} ({int(drift[0])} of {total})" if total else "-"
