"""What tasks have in common that learn from pairs of frames of clips: which pairs of a batch teach, and may leave.

A clip counts under what it shows, so that the patients behind each label are held to the site's limits; clips without a
label teach an expert that is not sent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from federated.errors import DataError
from site_agent.tasks.blocks import TRAIN, Selection, select
from site_agent.tasks.exchanged import FOLDS
from site_agent.truth import Clip, clips_of

if TYPE_CHECKING:
    from federated.disclosure import Limits
    from site_agent.catalogue import Case
    from site_agent.home import SiteHome


class OfClip(Protocol):
    """A pair of frames of a clip."""

    @property
    def clip(self) -> Clip:
        """Whose frames they are."""

    @property
    def case(self) -> Case:
        """As the filters count it."""


Pair = TypeVar("Pair", bound=OfClip)


@dataclass(frozen=True)
class ClipLesson(Generic[Pair]):
    """Pairs of a batch that are learnt from.

    Attributes:
        labels: codes of what their clips show.
        folds: fold -> pairs.
        selection: the same as the filters count them.
    """

    labels: tuple[str, ...]
    folds: dict[str, list[Pair]]
    selection: Selection


def clip_lesson(
    home: SiteHome,
    batch: str,
    limits: Limits,
    pairs_of: Callable[[SiteHome, Sequence[Clip]], list[Pair]],
    *,
    unlabelled: bool,
    nothing: str,
) -> ClipLesson[Pair]:
    """What a batch teaches.

    Args:
        home: the site's.
        batch: by name.
        limits: of patients behind a label.
        pairs_of: clips -> pairs of their frames.
        unlabelled: whether clips count of which nobody said what they show.
        nothing: what is said where there is no pair.

    Raises:
        DataError: no training patient has a pair.
        DisclosureError: no label has patients enough.
    """
    clips = [clip for clip in clips_of(home.archive, batch=batch) if clip.fold in FOLDS]
    pairs = pairs_of(home, [clip for clip in clips if unlabelled or clip.label])
    if not any(pair.clip.fold == TRAIN for pair in pairs):
        raise DataError(nothing, where=f"batch {batch}", cure="take in clips")
    chosen = select([pair.case for pair in pairs], limits, where=f"batch {batch}")
    folds = {
        fold: [each for each in pairs if each.case.fold == fold and chosen.keeps(each.case)] for fold in chosen.folds
    }
    return ClipLesson(tuple(sorted({row.label for row in chosen.folds[TRAIN]} - {""})), folds, chosen)


def is_sent(home: SiteHome, task: str, batch: str) -> bool:
    """Whether work may send the expert of a batch, which then learns from labelled clips alone, and not twice."""
    return home.config.task == task and any(clip.label for clip in clips_of(home.archive, batch=batch))
