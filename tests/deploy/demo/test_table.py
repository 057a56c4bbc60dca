"""Tables as a person sees them."""

from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console

from deploy.demo.evaluation import Answers, HeldBack, Interval, difference, figures
from deploy.demo.results import Arrival, Incremental, Received, Setting
from deploy.demo.table import FUSED, arrival_view, incremental_table, percent, size

ORDER = ("north", "south")
SETTING = Setting(kind="phantom", order=ORDER, testing=("west",), names={"a": "A view", "b": "B view", "c": "C view"})


def sample_arrival(number: int = 1) -> Arrival:
    """An arrival of two methods over four clips."""
    names = ("1", "2", "3", "4", "5")
    held = HeldBack(("north", "north", "south", "south", "west"), names, names, ("a", "b", "a", "c", "b"))
    taught: dict[str, tuple[str, ...]] = dict.fromkeys(ORDER[:number], ("a", "b"))
    fused = Answers(FUSED, ("a", "b", "b", "a", "b"), (False, True, False, True, True))
    other = Answers("site alone", ("a", "a", None, None, None), (False,) * 5)
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
        rows=tuple(figures(held, answers, taught, SETTING.sites, SETTING.testing) for answers in (fused, other)),
        over_joint=difference(held, fused, other, np.array([True, True, False, False, False])),
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
    text = _printed(arrival_view(sample_arrival(), SETTING))
    assert "Arrival 1 of 2 (phantom): north adds A view, B view" in text
    assert text.count("(phantom)") == 3
    assert "1.2 s at the site, 2.5 s" in text
    assert "statistics" in text
    assert "1.2 MB" in text
    assert "2 clips of 2 patients" in text
    assert "fewer than the 19 patients that are needed to call a clip foreign: north (12)" in " ".join(text.split())
    assert [line.split("  ")[0] for line in text.splitlines() if line.startswith((*ORDER, "west"))][1:] == [
        "north",
        "south (not yet)",
        "west (only tests)",
    ]
    fused = next(line for line in text.splitlines() if line.startswith(FUSED))
    assert fused.split()[2] == "100"  # accuracy, by the forced labels; of two patients, so without an interval
    assert "[" not in fused
    assert fused.split()[-3:] == ["100", "50", "100"]  # right at the test site; refused: one of two, and the unknown
    assert all(len(line) <= 130 for line in text.splitlines())


def test_a_site_without_answers_shows_a_dash() -> None:
    text = _printed(arrival_view(sample_arrival(), SETTING))
    south = next(line for line in text.splitlines() if line.startswith("south"))
    assert south.split()[3:] == ["0", "/", "0", "–", "50"]  # fused experts, site alone, refused


def test_without_test_sites_nothing_is_said_of_them() -> None:
    text = _printed(arrival_view(sample_arrival(), SETTING.model_copy(update={"testing": (), "kind": ""})))
    assert "only tests" not in text
    assert "phantom" not in text


def test_metrics_over_arrivals() -> None:
    rows = (
        Incremental(method=FUSED, average=0.8, last=0.75, forgetting=0.05),
        Incremental(method="x", average=0.5, last=0.5, forgetting=None),
    )
    lines = _printed(incremental_table(rows, SETTING)).splitlines()
    assert lines[-2].split() == ["fused", "experts", "80", "75", "5"]
    assert lines[-1].split() == ["x", "50", "50", "–"]
