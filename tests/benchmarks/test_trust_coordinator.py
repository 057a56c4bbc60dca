from __future__ import annotations

from pathlib import Path

from benchmarks.trust_coordinator import Size, measure_pages


def test_every_page_is_asked_for(tmp_path: Path) -> None:
    found = list(measure_pages(tmp_path, Size(sites=3, releases=4, summaries=6)))
    assert [row["what"] for row in found] == [
        "reading releases, once",
        *(
            f"coordinator's page: {what}"
            for what in ("overview", "hospitals", "one hospital", "releases", "one release", "quarantine", "log")
        ),
    ]
    assert all(float(row["median, ms"] or 0) > 0 for row in found[1:])
