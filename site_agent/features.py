"""Features of the site's images, computed once for each front end or expert and kept (SQLite, one file each)."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from federated.errors import ConsiliumError, ContractError
from federated.manifest import FrontEndCard
from federated.statistics import Array
from site_agent.frame_cache import FrameCache
from site_agent.progress import track

if TYPE_CHECKING:
    from shared_models.front_ends import FrontEnd
    from site_agent.catalogue import Case
    from site_agent.home import SiteHome

Look = Callable[[NDArray[np.uint8]], NDArray[Any]]
SCHEMA = "CREATE TABLE IF NOT EXISTS vectors (sha256 TEXT PRIMARY KEY, vector BLOB NOT NULL) WITHOUT ROWID"
ASKED_AT_ONCE = 500  # SQLite takes a limited number of parameters
CLIPS_A_COMMIT = 32


class Card(Protocol):
    """By what a kind of vectors is told from others: a digest, and how long they are."""

    @property
    def digest(self) -> str:
        """``sha256:…`` of everything that a vector depends on but the image."""

    @property
    def features(self) -> int:
        """M."""


def features_of(home: SiteHome, cases: Sequence[Case]) -> Array:
    """(n, M) float64, one row a case in their order; what is missing in the cache is computed and added to it.

    Stopped half-way, what was computed stays, and the next call goes on from there.

    Raises:
        ConsiliumError: a working image is gone, the federation's front end cannot be made here, or the cache cannot be
            used.
    """
    card, weights = home.config.front_end, home.config.backbone_weights
    return vectors_of(home, cases, card, lambda: require_front_end(card, Path(weights) if weights else None))


def vectors_of(
    home: SiteHome, cases: Sequence[Case], card: Card, make: Callable[[], Look], what: str = "computing features"
) -> Array:
    """(n, M) float64, one row a case; cached as those of `features_of`.

    Args:
        home: the site's.
        cases: in their order.
        card: of the vectors.
        make: gives what computes a vector of an image, if one is missing.
        what: the bar says that it does.

    Raises:
        ConsiliumError: a working image is gone, or the cache cannot be used.
    """
    cache = FeatureCache(home.features_path, card)
    known = cache.read(case.sha256 for case in cases)
    missing = {case.sha256: case for case in cases if case.sha256 not in known}
    if missing:
        known |= _compute(make(), FrameCache(home.frames_path), list(missing.values()), cache, what)
    return np.stack([known[case.sha256] for case in cases]) if cases else np.zeros((0, card.features))


class FeatureCache:
    """Vectors of one front end or expert, by the digest of the image.

    Raises:
        ConsiliumError: the file is damaged, or the disk is full.
    """

    def __init__(self, folder: Path, card: Card) -> None:
        self.path = folder / f"{card.digest.removeprefix('sha256:')}.sqlite"
        self.features = card.features
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._connection() as connection:
            connection.execute(SCHEMA)

    def read(self, digests: Iterable[str]) -> dict[str, Array]:
        """Those that are there."""
        wanted = list(dict.fromkeys(digests))
        rows: list[tuple[str, bytes]] = []
        with self._connection() as connection:
            for begin in range(0, len(wanted), ASKED_AT_ONCE):
                part = wanted[begin : begin + ASKED_AT_ONCE]
                marks = ",".join("?" * len(part))
                rows += connection.execute(f"SELECT * FROM vectors WHERE sha256 IN ({marks})", part)  # noqa: S608
        if any(len(vector) != 8 * self.features for _, vector in rows):
            raise self._unusable(f"holds vectors of other lengths than {self.features}")
        return {digest: np.frombuffer(vector, dtype="<f8") for digest, vector in rows}

    def add(self, vectors: Mapping[str, Array]) -> None:
        """All of them, or none."""
        rows = [(digest, vector.astype("<f8").tobytes()) for digest, vector in vectors.items()]
        with self._connection() as connection:
            connection.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self.path)) as connection, connection:
                yield connection
        except sqlite3.Error as error:
            raise self._unusable(f"the feature cache cannot be used ({error})") from error

    def _unusable(self, what: str) -> ConsiliumError:
        return ConsiliumError(what, where=str(self.path), cure="delete the file, it is made anew")


def erase_vectors(folder: Path, digests: Collection[str]) -> int:
    """Takes images out of every front end's cache, and their bytes out of the files; how many vectors that were.

    Raises:
        ConsiliumError: a cache cannot be used.
    """
    return sum(_erase(path, digests) for path in sorted(folder.glob("*.sqlite")))


def _erase(path: Path, digests: Collection[str]) -> int:
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA secure_delete = ON")
            before = connection.total_changes
            connection.executemany("DELETE FROM vectors WHERE sha256 = ?", [(digest,) for digest in digests])
            gone = connection.total_changes - before
            connection.execute("VACUUM")
            return gone
    except sqlite3.Error as error:
        what = f"the feature cache cannot be used ({error})"
        raise ConsiliumError(what, where=str(path), cure="delete the file, it is made anew") from error


def require_front_end(card: FrontEndCard, weights: Path | None = None) -> FrontEnd:
    """The front end that a card names, made here and of the same digest.

    Raises:
        ContractError: this program makes another one, or its weights are missing.
    """
    from shared_models.front_ends import create_front_end

    try:
        front_end = create_front_end(card.name, weights_file=weights, **card.config)
    except ValueError as error:
        raise ContractError(str(error), where=f"front end {card.name}") from error
    if (front_end.digest, front_end.features) != (card.digest, card.features):
        raise ContractError(
            f"made here it has the digest {front_end.digest[:23]}, wanted is {card.digest[:23]}",
            where=f"front end {card.name}",
            cure="install the version of this program that the coordinator names",
        )
    return front_end


def _compute(look: Look, images: FrameCache, cases: Sequence[Case], cache: FeatureCache, what: str) -> dict[str, Array]:
    """Vectors by digest, put into the cache every few clips and when the work is stopped."""
    clips: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        clips[case.key].append(case)
    done: dict[str, Array] = {}
    fresh: dict[str, Array] = {}
    try:
        for number, (key, its_cases) in enumerate(track(clips.items(), total=len(clips), what=what), 1):
            fresh |= _vectors(look, images, key, its_cases)
            if number % CLIPS_A_COMMIT == 0:
                cache.add(fresh)
                done |= fresh
                fresh = {}
    finally:
        cache.add(fresh)
    return done | fresh


def _vectors(look: Look, images: FrameCache, key: str, cases: Sequence[Case]) -> dict[str, Array]:
    """Vectors of the cases that share a file of working images."""
    frames = images.frames(key, [case.place for case in cases])
    return {case.sha256: look(frame) for case, frame in zip(cases, frames, strict=True)}
