"""A progress bar for work that turns out to take longer than a person likes to wait in silence."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

from rich.console import Console
from rich.progress import Progress

if TYPE_CHECKING:
    from types import TracebackType

    from shared_models import training

Item = TypeVar("Item")

PATIENCE = 2.0  # seconds


class Bar:
    """A bar on stderr, if that is a terminal, from `PATIENCE` seconds after the work began; gone when it ends."""

    def __init__(self, what: str, total: int, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._bar = Progress(console=self._console, transient=True)
        self._task = self._bar.add_task(what, total=total)
        self._started = time.monotonic()

    def at(self, done: int, what: str | None = None) -> None:
        """So much is done; what is being done may have another name by now."""
        live = self._bar.live.is_started
        if self._console.is_terminal and not live and time.monotonic() - self._started > PATIENCE:
            self._bar.start()
        self._bar.update(self._task, completed=done, description=what)

    def close(self) -> None:
        """Takes the bar away."""
        if self._bar.live.is_started:
            self._bar.stop()


def track(items: Iterable[Item], *, total: int, what: str, console: Console | None = None) -> Iterator[Item]:
    """The items one by one, counted by a bar."""
    bar = Bar(what, total, console)
    try:
        for done, item in enumerate(items):
            bar.at(done)
            yield item
    finally:
        bar.close()


class TrainingBar:
    """A watch of `shared_models.training.train`: a bar an epoch, with its loss so far and the metric of the one before.

    Between the epochs there is no bar, so that whoever is told of them can write a line.
    """

    def __init__(self, metric: str = "", console: Console | None = None) -> None:
        self._metric, self._console = metric, console
        self._bar: Bar | None = None
        self._before = ""

    def __enter__(self) -> TrainingBar:
        return self

    def __call__(self, progress: training.Progress) -> None:
        """Shows how far the training is."""
        if progress.metrics is None:
            what = f"epoch {progress.epoch} of {progress.epochs}: loss {progress.loss:.3f}{self._before}"
            self._bar = self._bar or Bar(what, progress.steps, self._console)
            self._bar.at(progress.step, what)
        else:
            self._close()
            if self._metric in progress.metrics:
                self._before = f", before: {self._metric.replace('_', ' ')} {progress.metrics[self._metric]:.3f}"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        if self._bar:
            self._bar.close()
        self._bar = None
