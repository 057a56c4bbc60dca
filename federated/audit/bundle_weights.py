"""How much each expert weighs, class by class: in what a release is made of, and in what hospitals answered by it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from federated.audit.bundle import Bundle, Head
from federated.contract import Count, Digest, Frozen, Label, Name, Tensors
from federated.decision_summary import REST
from federated.envelope import Opened
from federated.keys import TrustFile
from federated.manifest import SummaryManifest

Source = Literal["release", "answers"]
COLUMNS = (
    "release",
    "digest",
    "source",
    "at",
    "site",
    "label",
    "patients",
    "answers",
    "weight",
    "contribution",
    "evidence",
)


class Weight(Frozen):
    """One expert and one class of one release.

    Attributes:
        source: "release": what it is made of; "answers": what a hospital told of its answers.
        at: the hospital that answered; None of a release.
        site: whose expert; of answers also ``prior``, ``disagreement`` and ``other``, which have evidence alone.
        patients: training patients of the label at the site.
        answers: with the label, behind the means.
        weight: of a release the site's share of all training weight of the label; of answers the mean in-distribution
            weight.
        contribution: mean part of the label's score.
        evidence: mean share of the evidence.
    """

    release: Count
    digest: Digest
    source: Source
    at: Name | None = None
    site: Name
    label: Label
    patients: Count | None = None
    answers: Count | None = None
    weight: float | None = None
    contribution: float | None = None
    evidence: float | None = None


def weights_of(
    bundle: Bundle,
    trust: TrustFile | None,
    *,
    release: str | None = None,
    site: str | None = None,
    label: str | None = None,
) -> Iterator[Weight]:
    """Rows of all releases, or of one, an expert or a label; a release of which only the head is here has none.

    Raises:
        ConsiliumError: there is no such release, or a parcel is damaged or not signed by whom the keys name.
    """
    heads = bundle.releases() if release is None else (bundle.release(release),)
    for row in (*_made_of(bundle, heads, trust), *_answered(bundle, heads, trust)):
        if site in (None, row.site) and label in (None, row.label):
            yield row


def _made_of(bundle: Bundle, heads: Iterable[Head], trust: TrustFile | None) -> Iterator[Weight]:
    for head in heads:
        if head.why is None:
            yield from _of_release(bundle.opened(head.digest, trust))


def _of_release(opened: Opened) -> Iterator[Weight]:
    manifest, weights = opened.manifest, opened.tensors["weights"]
    for place, site in enumerate(manifest.sites):
        for label in site.labels:
            column = weights[:, manifest.labels.index(label)]
            yield Weight(
                release=manifest.number,
                digest=opened.digest,
                source="release",
                site=site.name,
                label=label,
                patients=site.patients.get(label),
                weight=float(column[place] / column.sum()) if column.sum() else None,
            )


def _answered(bundle: Bundle, heads: Sequence[Head], trust: TrustFile | None) -> Iterator[Weight]:
    """Summaries of one hospital on one release, added up."""
    numbers = {head.digest: int(head.manifest.number) for head in heads}
    sums: dict[tuple[str, str], tuple[SummaryManifest, Tensors]] = {}
    for head in bundle.heads("summary"):
        key = (head.manifest.release, head.manifest.site)
        if key[0] in numbers and head.why is None:
            tensors = bundle.opened(head.digest, trust).tensors
            before = sums.get(key)
            sums[key] = (head.manifest, _added(before[1], tensors) if before else tensors)
    for (digest, _), (manifest, tensors) in sorted(sums.items(), key=lambda item: (numbers[item[0][0]], item[0][1])):
        yield from _of_answers(numbers[digest], manifest, tensors)


def _added(one: Tensors, other: Tensors) -> Tensors:
    return {name: one[name] + other[name] for name in ("answered", "weights", "contributions", "evidence")}


def _of_answers(number: int, manifest: SummaryManifest, tensors: Tensors) -> Iterator[Weight]:
    for row, label in enumerate(manifest.labels):
        answered = int(tensors["answered"][row])
        if not answered:
            continue
        for column, site in enumerate((*manifest.sites, *REST)):
            own = column < len(manifest.sites)
            yield Weight(
                release=number,
                digest=manifest.release,
                source="answers",
                at=manifest.site,
                site=site,
                label=label,
                answers=answered,
                weight=float(tensors["weights"][row, column] / answered) if own else None,
                contribution=float(tensors["contributions"][row, column] / answered) if own else None,
                evidence=float(tensors["evidence"][row, column] / answered),
            )


def as_csv(rows: Iterable[Weight]) -> bytes:
    """With a line of names; numbers as they are, nothing where there is none."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        said = row.model_dump(mode="json")
        writer.writerow(["" if said[name] is None else said[name] for name in COLUMNS])
    return text.getvalue().encode()


def heat_map_of(rows: Sequence[Weight]) -> bytes:
    """A plot of experts by classes of the newest release among the rows; of a single class by releases.

    It shows mean contributions where hospitals told of answers, and else what the release is made of.
    """
    from federated.pages.plots import heat_map
    from federated.pages.svg import standalone

    labels = list(dict.fromkeys(row.label for row in rows))
    over_releases = len(labels) == 1 and len({row.release for row in rows}) > 1
    if not over_releases:
        rows = [row for row in rows if row.release == max((row.release for row in rows), default=0)]
    told = [row for row in rows if row.source == "answers" and row.contribution is not None]
    shown = told or [row for row in rows if row.source == "release"]
    columns = list(dict.fromkeys(_column(row, over_releases=over_releases) for row in shown))
    sites = list(dict.fromkeys(row.site for row in shown))
    values = _means(shown, sites, columns, over_releases=over_releases)
    title = "mean contribution to answers" if told else "share of the training weight"
    where = f"of '{labels[0]}', by release" if over_releases else _of_release_number(rows)
    return standalone(heat_map(sites, columns, values, title=f"{title} {where}"))


def _of_release_number(rows: Sequence[Weight]) -> str:
    return f"in release {rows[0].release}, by label" if rows else "of no release"


def _column(row: Weight, *, over_releases: bool) -> str:
    return str(row.release) if over_releases else row.label


def _means(
    rows: Sequence[Weight], sites: Sequence[str], columns: Sequence[str], *, over_releases: bool
) -> list[list[float | None]]:
    """Means over hospitals, each by its answers."""
    sums: NDArray[np.float64] = np.zeros((len(sites), len(columns)))
    counts = np.zeros_like(sums)
    for row in rows:
        place = sites.index(row.site), columns.index(_column(row, over_releases=over_releases))
        value = row.weight if row.source == "release" else row.contribution
        count = row.answers or 1
        sums[place] += count * (value or 0.0)
        counts[place] += count
    return [
        [float(total / count) if count else None for total, count in zip(*pair, strict=True)]
        for pair in zip(sums, counts, strict=True)
    ]
