from __future__ import annotations

import io

import pytest
from rich.console import Console

from site_agent import progress


def shown(monkeypatch: pytest.MonkeyPatch, *, patience: float, terminal: bool) -> str:
    monkeypatch.setattr(progress, "PATIENCE", patience)
    console = Console(file=io.StringIO(), force_terminal=terminal, width=60)
    assert list(progress.track("abc", total=3, what="looking", console=console)) == ["a", "b", "c"]
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_quick_work_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(monkeypatch, patience=60.0, terminal=True) == ""


def test_slow_work_shows_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "looking" in shown(monkeypatch, patience=-1.0, terminal=True)


def test_no_bar_is_written_into_a_log(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(monkeypatch, patience=-1.0, terminal=False) == ""
