"""What pages tell of parcels and releases, read once from their bytes, which never change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from federated.assessment import Judged, Reported, recalls
from federated.errors import ConsiliumError
from federated.manifest import ReleaseManifest, ReleaseSite
from server.artefacts import Artefacts
from server.contributions import load, load_manifest

Found = TypeVar("Found")


@dataclass(frozen=True)
class ParcelFigures:
    """One accepted parcel.

    Attributes:
        bytes: of manifest and tensors.
        level, level_to_sites: of statistics; None of other kinds.
        patients: behind the whole batch; None where it says nothing of patients.
        choice: of an adoption.
    """

    bytes: int
    level: int | None
    level_to_sites: int | None
    patients: int | None
    labels: tuple[str, ...]
    choice: str


@dataclass(frozen=True)
class ReleaseFigures:
    """One release, and how well it answered held-back patients of the sites that reported on its candidate.

    Its manifest is not kept: of a thousand releases with a hundred sites each, that is what fills the memory.

    Attributes:
        sites: names of those whose contributions it was made of.
        accuracy: by site, mean over labels of the share of its own clips that was answered rightly.
        contributions: digests of what it was computed from.
        bytes: of its manifest and tensors.
    """

    sites: tuple[str, ...]
    labels: tuple[str, ...]
    rule: str
    accuracy: dict[str, float]
    contributions: frozenset[str]
    bytes: int

    @property
    def mean(self) -> float | None:
        """Over the sites that reported."""
        return sum(self.accuracy.values()) / len(self.accuracy) if self.accuracy else None

    @property
    def worst(self) -> tuple[str, float] | None:
        """The site with the smallest accuracy."""
        return min(self.accuracy.items(), key=lambda item: (item[1], item[0])) if self.accuracy else None


@dataclass
class Figures:
    """Figures by digest, kept in memory; pages are asked for by several threads."""

    artefacts: Artefacts
    _kept: dict[str, Any] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def parcel(self, digest: str) -> ParcelFigures | None:
        """Of an accepted parcel; None where its bytes cannot be read any more."""
        return self._once(digest, self._read_parcel)

    def release(self, digest: str) -> ReleaseFigures | None:
        """Of a release; None where its bytes cannot be read any more."""
        return self._once(digest, self._read_release)

    def manifest(self, digest: str) -> ReleaseManifest | None:
        """Of a release, read anew; None where its bytes cannot be read any more."""
        try:
            return self._manifest(digest)
        except ConsiliumError:
            return None

    def _once(self, digest: str, read: Callable[[str], Found]) -> Found | None:
        with self._lock:
            if digest not in self._kept:
                try:
                    self._kept[digest] = read(digest)
                except ConsiliumError:
                    return None  # a backup that is put back may bring it again
            found: Found = self._kept[digest]
            return found

    def _read_parcel(self, digest: str) -> ParcelFigures:
        manifest = load_manifest(self.artefacts, digest)
        return ParcelFigures(
            bytes=self._bytes(digest, manifest.tensors_digest),
            level=getattr(manifest, "level", None),
            level_to_sites=getattr(manifest, "level_to_sites", None),
            patients=getattr(manifest, "batch_patients", None),
            labels=tuple(getattr(manifest, "labels", ())),
            choice=getattr(manifest, "choice", ""),
        )

    def _read_release(self, digest: str) -> ReleaseFigures:
        manifest = self._manifest(digest)
        told = {site.name: self._recalls(manifest, site) for site in manifest.sites}
        return ReleaseFigures(
            sites=tuple(told),
            labels=manifest.labels,
            rule=manifest.rule,
            accuracy={name: sum(found.values()) / len(found) for name, found in told.items() if found},
            contributions=frozenset(name for site in manifest.sites for name in site.contributions)
            | frozenset(card.contribution for card in manifest.experts),
            bytes=self._bytes(digest, manifest.tensors_digest),
        )

    def _manifest(self, digest: str) -> ReleaseManifest:
        manifest: ReleaseManifest = load_manifest(self.artefacts, digest)
        return manifest

    def _recalls(self, manifest: ReleaseManifest, site: ReleaseSite) -> dict[str, float]:
        """By label, as the site reported; nothing where it did not."""
        if site.report is None:
            return {}
        stored = load(self.artefacts, site.report)
        report = Reported(stored.digest, stored.manifest, stored.tensors)
        return recalls(Judged(manifest, {site.name: report}), site.name)

    def _bytes(self, *digests: str) -> int:
        return sum(_length(self.artefacts.path(each)) for each in digests)


def _length(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
