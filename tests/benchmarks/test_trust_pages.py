"""Every page is timed, and an answer that is none is no result."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import trust_pages
from federated.audit_pages.house import NAV


def test_every_page_has_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust_pages, "TIMES", 2)
    rows = trust_pages.measure_pages(tmp_path, sites=5, releases=4)
    names = [str(row["what"]) for row in rows]
    assert names[0] == "index of summaries"
    assert {f"page {path}" for path, _ in NAV} <= set(names)
    assert "page /experts/site-004?release=4" in names
    assert {row["entries"] for row in rows} == {20}
    assert all(float(row["p95, ms"] or 0) > 0 for row in rows[1:])


def test_an_answer_that_is_none_is_no_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust_pages, "TIMES", 1)
    monkeypatch.setattr(trust_pages, "_deeper", lambda *_: ["/nothing"])
    with pytest.raises(AssertionError, match="/nothing answers 404"):
        trust_pages.measure_pages(tmp_path, sites=2, releases=1)
