"""The tables a person sees after each arrival."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from deploy.demo.evaluation import Figures, Interval
from deploy.demo.results import Arrival, Incremental

FUSED = "fused experts"
DASH = "–"
LEAST_PATIENTS = 5  # fewer bound nothing
READING = (
    "How to read the tables. Figures are per clip, in %, of the label with the largest score, refused or not, with "
    "[95 % interval over patients], where there are five. Seen pairs: the site taught this label; unseen: only other "
    "sites did; unknown: nobody has yet, so a refusal is right. Most frequent: the site's most frequent label, without "
    "looking at the image. Site alone: a linear head of its own. Sequential: one linear head, fine-tuned by site after "
    "site. Joint: one linear head on the pooled features of all sites so far, which no hospital would allow."
)


def percent(interval: Interval, *, bounds: bool = True) -> str:
    """``83 [71–92]``, which is never broken over lines; a dash without clips, no bounds under `LEAST_PATIENTS`."""
    if interval.value is None or interval.low is None or interval.high is None:
        return DASH
    value = f"{100 * interval.value:.0f}"
    if not bounds or interval.patients < LEAST_PATIENTS:
        return value
    return f"{value}\u00a0[{100 * interval.low:.0f}–{100 * interval.high:.0f}]"


def _patients(count: int) -> str:
    return "1 patient" if count == 1 else f"{count} patients"


def size(count: int) -> str:
    """Bytes for people."""
    if count < 1000:
        return f"{count} B"
    return f"{count / 1000:.0f} kB" if count < 1_000_000 else f"{count / 1_000_000:.1f} MB"


def received_table(arrival: Arrival) -> Table:
    """What reached the coordinator during an arrival."""
    table = Table(title="What arrived at the coordinator", title_justify="left", box=None, pad_edge=False)
    for name in ("from", "kind", "parcels", "size"):
        table.add_column(name, justify="right" if name in {"parcels", "size"} else "left")
    for item in arrival.received:
        table.add_row(item.site, item.kind, str(item.parcels), size(item.bytes))
    return table


def method_table(arrival: Arrival) -> RenderableType:
    """Every method over the sites that have arrived."""
    clips, patients = arrival.rows[0].accuracy.clips, arrival.rows[0].accuracy.patients
    title = f"Held-back clips of the sites that have arrived: {clips} clips of {_patients(patients)}"
    table = Table(box=None, pad_edge=False)
    table.add_column("method")
    names = ("accuracy", "balanced", "seen\npairs", "unseen\npairs", "known\nrefused", "unknown\nrefused")
    for name in names:
        table.add_column(name, justify="right")
    for row in arrival.rows:
        cells = (row.accuracy, row.balanced, row.seen, row.unseen)
        refusals = (row.refused, row.refused_unknown) if row.method == FUSED else ()
        shown = [*map(percent, cells), *map(percent, refusals)]
        table.add_row(row.method, *shown, *[DASH] * (len(names) - len(shown)), style=_style(row))
    return _titled(title, table)


def _titled(title: str, table: Table) -> RenderableType:
    """A title may be wider than its table."""
    return Group(Text(title, style="italic"), table)


def site_table(arrival: Arrival, order: tuple[str, ...]) -> RenderableType:
    """Accuracy and balanced accuracy of every method at every site, arrived or not."""
    title = "Accuracy / balanced accuracy over all held-back clips of each site (round brackets: has not arrived)"
    table = Table(box=None, pad_edge=False)
    table.add_column("method")
    for site in order:
        table.add_column(site if site in arrival.taught else f"({site})", justify="right")
    for row in arrival.rows:
        cells = [_pair(row.site_accuracy[site], row.site_balanced[site]) for site in order]
        table.add_row(row.method, *cells, style=_style(row))
    return _titled(title, table)


def _pair(accuracy: Interval, balanced: Interval) -> str:
    if accuracy.value is None:
        return DASH
    return f"{percent(accuracy)} / {percent(balanced, bounds=False)}"


def _style(row: Figures) -> str:
    return "bold" if row.method == FUSED else ""


def arrival_view(arrival: Arrival, order: tuple[str, ...]) -> RenderableType:
    """Everything shown after one arrival."""
    added = ", ".join(arrival.labels_added) or "no new label"
    head = Text(f"Arrival {arrival.number} of {len(order)}: {arrival.site} adds {added}", style="bold")
    times = (
        f"{arrival.local_seconds:.1f} s at the site, {arrival.exchange_seconds:.1f} s from its offer to the release; "
        f"ridge {arrival.ridge:.3g}, scatter {arrival.scatter:.3g}, outside weight {arrival.outside:.2g}"
    )
    blank = Text("")
    tables = (received_table(arrival), blank, method_table(arrival), blank, site_table(arrival, order))
    gain = Text(f"Fused experts minus joint training: {_gain(arrival)}")
    return Group(head, Text(times), blank, *tables, gain, Text(_calibration(arrival)))


def _calibration(arrival: Arrival) -> str:
    """Who can be silenced, and so who can refuse."""
    short = [site for site, patients in arrival.calibrated.items() if patients < arrival.calibration_needed]
    if not short:
        least = min(arrival.calibrated.values())
        return f"Foreign is judged by at least {least} patients a site: its own, or all sites' where it has too few."
    named = ", ".join(f"{site} ({arrival.calibrated[site]})" for site in short)
    return (
        f"Calibrated by fewer than the {arrival.calibration_needed} patients that are needed to call a clip foreign: "
        f"{named}. Their weights stay at 1, so nothing is refused."
    )


def _gain(arrival: Arrival) -> str:
    gain = arrival.over_joint
    if gain.value is None or gain.low is None or gain.high is None:
        return DASH
    if gain.patients < LEAST_PATIENTS:
        return f"{100 * gain.value:+.0f} points, of {_patients(gain.patients)}: too few for an interval"
    told = "" if gain.low > 0 or gain.high < 0 else ", not told apart by these patients"
    return f"{100 * gain.value:+.0f} points [{100 * gain.low:+.0f}, {100 * gain.high:+.0f}]{told}"


def incremental_table(rows: tuple[Incremental, ...]) -> Table:
    """Metrics over all arrivals."""
    table = Table(title="Over all arrivals", title_justify="left", box=None, pad_edge=False)
    table.add_column("method")
    for name in ("average incremental accuracy", "last", "forgetting"):
        table.add_column(name, justify="right")
    for row in rows:
        shown = [DASH if value is None else f"{100 * value:.0f}" for value in (row.average, row.last, row.forgetting)]
        table.add_row(row.method, *shown)
    return table
