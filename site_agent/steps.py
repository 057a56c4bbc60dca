"""What a round of work did, and what was given to the gate so far: ``work.json``, replaced in one step."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, ValidationError

from federated.errors import ConsiliumError, cannot_read
from federated.files import write_whole
from federated.manifest import Digest, Frozen

if TYPE_CHECKING:
    from site_agent.home import SiteHome

State = Literal["outbox", "pending", "same", "refused", "waiting", "adopted", "recalled", "kept"]


class Step(Frozen):
    """One thing that was done, or refused.

    Attributes:
        kind: of what was drafted or read.
        subject: a batch, or a candidate or release by its number.
        note: why it was refused, or what a person should know.
    """

    kind: str
    subject: str
    state: State
    digest: Digest | None = None
    note: str = ""

    @property
    def line(self) -> str:
        """For a person to read."""
        return f"{self.kind}, {self.subject}: {self.state}{f' ({self.note})' if self.note else ''}"


class WorkSummary(Frozen):
    """What one round of work did; where nothing was new it is empty."""

    steps: tuple[Step, ...]

    @property
    def refusals(self) -> tuple[Step, ...]:
        """Steps that did not happen."""
        return tuple(step for step in self.steps if step.state == "refused")


class Progress(Frozen):
    """What was given to the gate.

    Attributes:
        contributions: "kind/batch" -> digest.
        replaced: digest -> "kind/batch" of what was drafted anew, without a patient who was forgotten, or with another
            panel.
        consulted: batch -> the panel that its consultation asked.
        last: steps of the last round that did anything.
    """

    version: Literal[1] = 1
    contributions: dict[str, Digest] = Field(default_factory=dict)
    replaced: dict[Digest, str] = Field(default_factory=dict)
    consulted: dict[str, tuple[Digest, ...]] = Field(default_factory=dict)
    last: tuple[Step, ...] = ()

    def batches(self, digests: Sequence[str]) -> list[str]:
        """Batches behind contributions, each once, sorted."""
        return sorted({key.partition("/")[2] for key, digest in self.drafted if digest in digests})

    def of_batch(self, batch: str) -> list[str]:
        """Digests of a batch's contributions, whatever their kind."""
        return sorted(digest for key, digest in self.drafted if key.partition("/")[2] == batch)

    @property
    def drafted(self) -> list[tuple[str, str]]:
        """Everything that was ever drafted, each as its "kind/batch" and digest."""
        return [*self.contributions.items(), *((key, digest) for digest, key in self.replaced.items())]


def read_progress(home: SiteHome) -> Progress:
    """What was given to the gate so far.

    Raises:
        ConsiliumError: the file cannot be read.
    """
    path = _path(home)
    try:
        return Progress.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Progress()
    except OSError as error:
        raise cannot_read(path, error) from error
    except ValidationError as error:
        raise ConsiliumError("was changed by hand or damaged", where=str(path), cure="restore the file") from error


def note_contribution(home: SiteHome, kind: str, batch: str, digest: str) -> None:
    """Writes down that the gate has a draft; what it replaces is remembered."""
    progress, key = read_progress(home), f"{kind}/{batch}"
    before = progress.contributions.get(key, digest)
    replaced = {**progress.replaced, before: key} if before != digest else progress.replaced
    update = {"contributions": {**progress.contributions, key: digest}, "replaced": replaced}
    _write(home, progress.model_copy(update=update))


def note_panel(home: SiteHome, batch: str, panel: Sequence[str]) -> None:
    """Writes down whom the consultation of a batch asked."""
    progress = read_progress(home)
    _write(home, progress.model_copy(update={"consulted": {**progress.consulted, batch: tuple(panel)}}))


def note_replaced(home: SiteHome, digest: str) -> None:
    """Writes down that a contribution is taken back to be drafted anew."""
    progress = read_progress(home)
    kept = {key: name for key, name in progress.contributions.items() if name != digest}
    gone = {name: key for key, name in progress.contributions.items() if name == digest}
    _write(home, progress.model_copy(update={"contributions": kept, "replaced": {**progress.replaced, **gone}}))


def keep_only(home: SiteHome, known: Collection[str]) -> None:
    """Forgets drafts that the gate does not have any more, so that their batches are drafted anew."""
    progress = read_progress(home)
    kept = {key: digest for key, digest in progress.contributions.items() if digest in known}
    if kept != progress.contributions:
        _write(home, progress.model_copy(update={"contributions": kept}))


def note_steps(home: SiteHome, steps: Sequence[Step]) -> None:
    """Keeps the last round for a person to see."""
    _write(home, read_progress(home).model_copy(update={"last": tuple(steps)}))


def _write(home: SiteHome, progress: Progress) -> None:
    write_whole(_path(home), progress.model_dump_json(indent=1).encode())


def _path(home: SiteHome) -> Path:
    return home.path / "work.json"
