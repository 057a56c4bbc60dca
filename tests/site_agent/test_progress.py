from __future__ import annotations

import io

import pytest
from rich.console import Console

from shared_models.training import Progress
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


def bars_of_a_training(monkeypatch: pytest.MonkeyPatch, *, patience: float) -> str:
    monkeypatch.setattr(progress, "PATIENCE", patience)
    console = Console(file=io.StringIO(), force_terminal=True, width=90)
    with progress.TrainingBar("views_right", console) as watch:
        watch(Progress(1, 2, step=1, steps=1, loss=3.25))
        watch(Progress(1, 2, step=1, steps=1, loss=3.25, metrics={"views_right": 0.5}))
        watch(Progress(2, 2, step=1, steps=1, loss=2.125))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_training_shows_its_loss_and_the_metric_of_the_epoch_before(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = bars_of_a_training(monkeypatch, patience=-1.0)
    assert "epoch 1 of 2: loss 3.250 " in shown
    assert "epoch 2 of 2: loss 2.125, before: views right 0.500" in shown
    assert bars_of_a_training(monkeypatch, patience=60.0) == ""
