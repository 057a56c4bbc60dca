"""Tables as a person sees them."""

from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console

from deploy.demo.evaluation import Answers, HeldBack, Interval, difference, figures
from deploy.demo.results import Arrival, Incremental, Received
from deploy.demo.table import FUSED, arrival_view, incremental_table, percent, size

ORDER = ("north", "south")


def sample_arrival(number: int = 1) -> Arrival:
    """An arrival of two methods over four clips."""
    names = ("1", "2", "3", "4")
    held = HeldBack(("north", "north", "south", "south"), names, names, ("a", "b", "a", "c"))
    taught: dict[str, tuple[str, ...]] = dict.fromkeys(ORDER[:number], ("a", "b"))
    fused = Answers(FUSED, ("a", "b", "b", "a"), (False, True, False, True))
    other = Answers("site alone", ("a", "a", None, None), (False,) * 4)
    return Arrival(
        number=number,
        site=ORDER[number - 1],
        received=(Received(site="north", kind="statistics", parcels=1, bytes=1_234_567),),
        local_seconds=1.25,
        exchange_seconds=2.5,
        taught=taught,
        labels=("a", "b"),
        labels_added=("a", "b") if number == 1 else (),
        release="sha256:" + "0" * 64,
        ridge=0.1,
        scatter=1.0,
        outside=0.5,
        calibrated={"north": 12, "south": 25},
        calibration_needed=19,
        rows=tuple(figures(held, answers, taught, ORDER) for answers in (fused, other)),
        over_joint=difference(held, fused, other, np.array([True, True, False, False])),
    )


def _printed(*things: object) -> str:
    stream = io.StringIO()
    Console(file=stream, width=130, color_system=None).print(*things)
    return stream.getvalue()


def test_percent() -> None:
    assert percent(Interval(value=0.834, low=0.7, high=0.9, clips=5, patients=5)) == "83\u00a0[70–90]"
    assert percent(Interval(value=0.834, low=0.7, high=0.9, clips=5, patients=5), bounds=False) == "83"
    assert percent(Interval(value=1.0, low=1.0, high=1.0, clips=9, patients=4)) == "100"
    assert percent(Interval(value=None, low=None, high=None, clips=0, patients=0)) == "–"


@pytest.mark.parametrize(
    ("count", "text"), [(999, "999 B"), (1_234, "1 kB"), (999_000, "999 kB"), (2_500_000, "2.5 MB")]
)
def test_size(count: int, text: str) -> None:
    assert size(count) == text


def test_an_arrival_shows_everything() -> None:
    text = _printed(arrival_view(sample_arrival(), ORDER))
    assert "Arrival 1 of 2: north adds a, b" in text
    assert "1.2 s at the site, 2.5 s" in text
    assert "statistics" in text
    assert "1.2 MB" in text
    assert "2 clips of 2 patients" in text
    assert "fewer than the 19 patients that are needed to call a clip foreign: north (12)" in " ".join(text.split())
    assert "(south)" in text  # it has not arrived
    fused = next(line for line in text.splitlines() if line.startswith(FUSED))
    assert fused.split()[2] == "100"  # accuracy, by the forced labels; of two patients, so without an interval
    assert "[" not in fused
    assert fused.split()[-2] == "50"  # refused: one of two
    assert all(len(line) <= 130 for line in text.splitlines())


def test_a_site_without_answers_shows_a_dash() -> None:
    text = _printed(arrival_view(sample_arrival(), ORDER))
    alone = [line for line in text.splitlines() if line.startswith("site alone")][1]
    assert alone.split()[-1] == "–"


def test_metrics_over_arrivals() -> None:
    rows = (
        Incremental(method=FUSED, average=0.8, last=0.75, forgetting=0.05),
        Incremental(method="x", average=0.5, last=0.5, forgetting=None),
    )
    lines = _printed(incremental_table(rows)).splitlines()
    assert lines[-2].split() == ["fused", "experts", "80", "75", "5"]
    assert lines[-1].split() == ["x", "50", "50", "–"]
