from __future__ import annotations

from pathlib import Path

from benchmarks.trust_coordinator import Size, measure_coordinator


def test_every_page_is_asked_for(tmp_path: Path) -> None:
    found = list(measure_coordinator(tmp_path, Size(sites=3, releases=4, summaries=6)))
    assert [row["what"] for row in found] == [
        "releases read by the coordinator",
        *(
            f"page of the coordinator: {what}"
            for what in ("overview", "hospitals", "one hospital", "releases", "one release", "quarantine", "log")
        ),
    ]
    assert all(float(row["median, ms"] or 0) > 0 for row in found[1:])
