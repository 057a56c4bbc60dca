"""Encoders of retrieval on the site's held-back patients: whether what belongs together is found again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from federated.errors import DataError
from federated.manifest import Frozen
from site_agent.evaluation import Interval
from site_agent.expert_figures import FUSED, interval, shown
from site_agent.retrieval.similar import Encoders, cosines, encoders_of
from site_agent.tasks.exchanged import TEST
from site_agent.tasks.retrieval import Pair, pairs_of
from site_agent.training_report.page import Table
from site_agent.truth import clips_of

if TYPE_CHECKING:
    from site_agent.home import SiteHome

Floats = NDArray[np.float64]


class Retrieval(Frozen):
    """How well one encoder, or all together, find again.

    Attributes:
        neighbour: share of frames to which, among those of all clips, the nearest is of the same clip.
        label: share of labelled frames to which, among other patients' labelled ones, the nearest shows the same.
    """

    by: str
    frames: int
    patients: int
    neighbour: Interval
    label: Interval


class RetrievalEvaluation(Frozen):
    """What encoders do on the test fold."""

    clips: int
    found: tuple[Retrieval, ...]


def evaluate(home: SiteHome, names: Sequence[str] = ()) -> RetrievalEvaluation:
    """All encoders that are here, or those named, on neighbouring frames of the test fold's clips.

    Raises:
        DataError: no test patient has a clip.
        ConsiliumError: no encoder is here, or none of a name.
    """
    pairs = pairs_of(home, clips_of(home.archive, fold=TEST))
    if not pairs:
        raise DataError("no test patient has a clip", where=str(home.path), cure="take in clips of more patients")
    return judged(home, encoders_of(home, names), pairs, names)


def judged(home: SiteHome, encoders: Encoders, pairs: Sequence[Pair], names: Sequence[str] = ()) -> RetrievalEvaluation:
    """Figures of each encoder, and of all where there are several."""
    said = [codes_of(home, encoders, pairs, place) for place in (0, 1)]
    weights = encoders.weights(said[0], names)
    ways: dict[str, Floats] = {name: np.eye(len(said[0]))[row] for row, name in enumerate(said[0])}
    if len(ways) > 1:
        ways[FUSED] = weights
    found = [_retrieval(by, pairs, _mixed(said, np.broadcast_to(each, weights.shape))) for by, each in ways.items()]
    return RetrievalEvaluation(clips=len({pair.clip.id for pair in pairs}), found=tuple(found))


def codes_of(home: SiteHome, encoders: Encoders, pairs: Sequence[Pair], place: int) -> dict[str, Floats]:
    """Expert -> (n, d) of the first or the second frames of pairs."""
    cache = home.archive.cache
    frames = [cache.frames(pair.clip.key, [pair.places[place]])[0] for pair in pairs]
    return {name: encoders.codes(name, frames) for name in encoders.experts}


def _mixed(said: Sequence[Mapping[str, Floats]], weights: Floats) -> tuple[Floats, Floats]:
    """(n, n) likeness of first frames with second frames, and with first ones; (n, K) weights, by row."""
    first, second = (
        np.stack([cosines(said[0][name], other[name]) for name in said[0]]) for other in (said[1], said[0])
    )
    return np.einsum("nk,knm->nm", weights, first), np.einsum("nk,knm->nm", weights, second)


def _retrieval(by: str, pairs: Sequence[Pair], alike: tuple[Floats, Floats]) -> Retrieval:
    clips = np.array([pair.clip.id for pair in pairs])
    patients = np.array([pair.clip.patient for pair in pairs])
    labels = np.array([pair.clip.label for pair in pairs])
    nearest = alike[0].argmax(axis=1)
    others = (patients[:, None] != patients[None, :]) & (labels[None, :] != "")
    likest = np.where(others, alike[1], -np.inf).argmax(axis=1)
    right = np.where((labels != "") & others.any(axis=1), labels[likest] == labels, np.nan).astype(np.float64)
    return Retrieval(
        by=by,
        frames=len(pairs),
        patients=len(set(patients.tolist())),
        neighbour=interval((clips[nearest] == clips).astype(np.float64), patients.tolist()),
        label=interval(right, patients.tolist()),
    )


def tables(_home: SiteHome, found: RetrievalEvaluation) -> list[Table]:
    """The figures for a person."""
    columns = ("by", "frames", "patients", "neighbour of the same clip", "other patient's nearest shows the same")
    rows = [
        (each.by, each.frames, each.patients, shown(each.neighbour, 3), shown(each.label, 3)) for each in found.found
    ]
    return [Table(f"frames of {found.clips} clips, shares with 95 % intervals by patient", columns, rows)]
