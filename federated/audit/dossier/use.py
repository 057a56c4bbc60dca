"""What hospitals told of the answers that a release gave them: floored sums over whole clips, which they signed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from federated.audit.bundle import Bundle
from federated.audit.dossier.document import Grid, Section
from federated.decision_summary import CONFIDENT, DRIFT_BINS

if TYPE_CHECKING:
    from federated.envelope import Opened
    from federated.keys import TrustFile

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


def use(bundle: Bundle, release: str, trust: TrustFile | None) -> Section:
    """Every summary of a release.

    Raises:
        ConsiliumError: one is none, or bears no signature that counts.
    """
    rows = tuple(_rows(_summaries(bundle, release, trust)))
    grid = Grid(
        title="Answers at the hospitals",
        items=("CONSORT-AI 19",),
        columns=COLUMNS,
        rows=rows,
        numbers=tuple(range(2, 9)),
        empty="Not stated: no hospital has sent a summary of its decisions.",
    )
    return Section(title="Use at the hospitals", about=ABOUT, grids=(grid,))


def _summaries(bundle: Bundle, release: str, trust: TrustFile | None) -> Sequence[Opened]:
    whole = (head for head in bundle.heads("summary") if head.why is None and head.manifest.release == release)
    found = [bundle.opened(head.digest, trust) for head in whole]
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
