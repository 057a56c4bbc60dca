"""The tables a person sees after each arrival."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from deploy.demo.evaluation import Figures, Interval
from deploy.demo.results import Arrival, Incremental, Setting

FUSED = "fused experts"
DASH = "–"
LEAST_PATIENTS = 5  # fewer bound nothing
READING = (
    "How to read the tables. Figures are per clip, in %, of the label with the largest score, refused or not, with "
    "[95 % interval over patients], where there are five. Seen pairs: the site taught this label; unseen: only other "
    "sites did; unknown: nobody has yet, so a refusal is right. Test sites never arrive: their figures "
    "are of labels that somebody taught. Most frequent: the site's most frequent label, without looking at the image. "
    "Site alone: a linear head of its own. Sequential: one linear head, fine-tuned by site after site. Joint: one "
    "linear head on the pooled features of all sites so far, which no hospital would allow."
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


def method_table(arrival: Arrival, setting: Setting) -> RenderableType:
    """Every method over the sites that have arrived, and over those that only test."""
    clips, patients = arrival.rows[0].accuracy.clips, arrival.rows[0].accuracy.patients
    title = f"Held-back clips of the sites that have arrived: {clips} clips of {_patients(patients)}"
    table = Table(box=None, pad_edge=False)
    table.add_column("method")
    refusals = ("known\nrefused", "unknown\nrefused")
    names = ("accuracy", "balanced", "seen\npairs", "unseen\npairs", *(["test\nsites"] if setting.testing else []))
    for name in (*names, *refusals):
        table.add_column(name, justify="right")
    for row in arrival.rows:
        cells = [row.accuracy, row.balanced, row.seen, row.unseen, row.testing][: len(names)]
        refused = [percent(row.refused), percent(row.refused_unknown)] if row.method == FUSED else [DASH] * 2
        table.add_row(row.method, *map(percent, cells), *refused, style=_style(row))
    return _titled(setting.marked(title), table)


def _titled(title: str, table: Table) -> RenderableType:
    """A title may be wider than its table."""
    return Group(Text(title, style="italic"), table)


def site_table(arrival: Arrival, setting: Setting) -> RenderableType:
    """Accuracy and balanced accuracy of every method at every site, arrived or not."""
    title = "Accuracy / balanced accuracy over all held-back clips of a site, and how many the fused experts refuse"
    table = Table(box=None, pad_edge=False)
    table.add_column("site")
    for name in (*(row.method for row in arrival.rows), "refused"):
        table.add_column(name, justify="right")
    for site in setting.sites:
        cells = [_pair(row, site) for row in arrival.rows]
        refused = [percent(row.site_refused[site], bounds=False) for row in arrival.rows if row.method == FUSED]
        table.add_row(_present(site, arrival, setting), *cells, *refused)
    return _titled(setting.marked(title), table)


def _present(site: str, arrival: Arrival, setting: Setting) -> str:
    if site in setting.testing:
        return f"{site} (only tests)"
    return site if site in arrival.taught else f"{site} (not yet)"


def _pair(row: Figures, site: str) -> str:
    accuracy, balanced = row.site_accuracy[site], row.site_balanced[site]
    if accuracy.value is None:
        return DASH
    return f"{percent(accuracy, bounds=row.method == FUSED)} / {percent(balanced, bounds=False)}"


def _style(row: Figures) -> str:
    return "bold" if row.method == FUSED else ""


def arrival_view(arrival: Arrival, setting: Setting) -> RenderableType:
    """Everything shown after one arrival."""
    added = setting.named(arrival.labels_added) or "no new label"
    title = setting.marked(f"Arrival {arrival.number} of {len(setting.order)}")
    head = Text(f"{title}: {arrival.site} adds {added}", style="bold")
    times = (
        f"{arrival.local_seconds:.1f} s at the site, {arrival.exchange_seconds:.1f} s from its offer to the release; "
        f"ridge {arrival.ridge:.3g}, scatter {arrival.scatter:.3g}, outside weight {arrival.outside:.2g}"
    )
    blank = Text("")
    tables = (received_table(arrival), blank, method_table(arrival, setting), blank, site_table(arrival, setting))
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


def incremental_table(rows: tuple[Incremental, ...], setting: Setting) -> Table:
    """Metrics over all arrivals."""
    title = setting.marked("Over all arrivals")
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("method")
    for name in ("average incremental accuracy", "last", "forgetting"):
        table.add_column(name, justify="right")
    for row in rows:
        shown = [DASH if value is None else f"{100 * value:.0f}" for value in (row.average, row.last, row.forgetting)]
        table.add_row(row.method, *shown)
    return table
