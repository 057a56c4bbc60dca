"""Decisions that an auditor is given, in predictions, in an opened parcel or in a bundle, and their releases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from federated.audit.bundle import Bundle, Head, is_bundle, open_bundle
from federated.audit.opening import is_parcel, open_decision, open_release, read_predictions
from federated.decision import Decision, parse_decision
from federated.decision_record import Record
from federated.envelope import Opened
from federated.errors import ConsiliumError, ContractError
from federated.fused_model import FusedModel
from federated.keys import TrustFile

MODELS = 4  # kept in memory
SOME = 5  # names that a cure lists


@dataclass(frozen=True)
class Given:
    """One decision; `opened` is its parcel where it came in one."""

    decision: Decision
    opened: Opened | None

    @property
    def name(self) -> str:
        """The image, or the clip where it answers a clip."""
        return self.decision.image or self.decision.clip


class Decisions:
    """What is in a file or a bundle, with the release that is given or that the bundle holds."""

    def __init__(self, path: Path, release: Path | None, trust: TrustFile | None) -> None:
        """Opens what there is, decisions last.

        Raises:
            ConsiliumError: it cannot be read, or `release` is none.
        """
        self.path, self.trust = path, trust
        self.bundle: Bundle | None = open_bundle(path) if is_bundle(path) else None
        self._release = None if release is None else _model(open_release(release, trust))
        self._held = lru_cache(MODELS)(self._from_bundle)

    def model(self, decision: Decision) -> FusedModel | None:
        """The release that is given, whichever it is, or else the one of the bundle that answered; None without."""
        return self._release or self._held(decision.release)

    def _from_bundle(self, digest: str) -> FusedModel | None:
        if self.bundle is None or all(head.digest != digest for head in self.bundle.releases()):
            return None
        return _model(self.bundle.opened(digest, self.trust))

    def __iter__(self) -> Iterator[Given]:
        """Every decision, opened ones first; flags are left out.

        Raises:
            ConsiliumError: one of them is none, or bears no signature that counts.
        """
        if self.bundle is not None:
            yield from self.opened()
            for member in self.bundle.names("predictions"):
                yield from (Given(decision, None) for decision in self.bundle.decisions(member))
        elif is_parcel(self.path):
            yield from self.opened()
        else:
            for number, line in read_predictions(self.path):
                yield Given(parse_decision(line, where=f"{self.path} line {number}"), None)

    def opened(self) -> Iterator[Given]:
        """Those that were opened.

        Raises:
            ConsiliumError: as above.
        """
        for parcel in self._parcels():
            if parcel.manifest.decision is not None:
                yield Given(parcel.manifest.decision, parcel)

    def flags(self, given: Given) -> tuple[Record, ...]:
        """What became known of an opened decision, where the hospital opened that as well.

        Raises:
            ConsiliumError: a parcel is none, or bears no signature that counts.
        """
        if given.opened is None:
            return ()
        site, number = given.opened.manifest.site, given.opened.manifest.record.number
        told = (parcel.manifest for parcel in self._parcels() if parcel.manifest.site == site)
        return tuple(each.record for each in told if each.record.of == number)

    def _parcels(self) -> Iterator[Opened]:
        if self.bundle is None:
            if is_parcel(self.path):
                yield open_decision(self.path, self.trust)
            return
        for digest in self.bundle.digests("decision"):
            if self.bundle.head(digest).why is None:
                yield self.bundle.opened(digest, self.trust)

    def choose(self, name: str | None) -> Given:
        """The decision on an image or clip of this name; the only one where none is named.

        Of an image and the clip that it is alone, the image; of several releases, the answer of the one that is given.

        Raises:
            ConsiliumError: there is none, or there are several.
        """
        found = self._named(name)
        found = [given for given in found if self._is_asked(given)] or found
        found.sort(key=lambda given: given.decision.image is None)
        if not found:
            what = "holds no decision" if name is None else f"holds no decision on '{name}'"
            raise ConsiliumError(what, where=str(self.path), cure="the names are those of its lines")
        names = list(dict.fromkeys(given.name for given in found))
        if len(names) > 1:
            some = ", ".join(names[:SOME]) + (" …" if len(names) > SOME else "")
            raise ConsiliumError("holds several decisions", where=str(self.path), cure=f"name one with --image: {some}")
        return found[0]

    def _named(self, name: str | None) -> list[Given]:
        """All of a name; where none is named, no more than show that there are several."""
        found: list[Given] = []
        names: set[str] = set()
        for given in self:
            if name in (None, given.name):
                found.append(given)
                names.add(given.name)
            if len(names) > SOME:
                break
        return found

    def _is_asked(self, given: Given) -> bool:
        return self._release is None or self._release.digest == given.decision.release


def newest(bundle: Bundle) -> Head:
    """The release with the largest number.

    Raises:
        ConsiliumError: there is none.
    """
    found = bundle.releases()
    if not found:
        cure = "ask for a bundle of a federation that has released something"
        raise ConsiliumError("holds no release", where=str(bundle.path), cure=cure)
    return found[-1]


def whole_release(bundle: Bundle, which: str | None, trust: TrustFile | None) -> Opened:
    """A release of a bundle by number or digest, the newest where none is named; without keys, unchecked.

    Raises:
        ConsiliumError: there is none, it is not there whole, or not signed by whom the keys name.
    """
    head = newest(bundle) if which is None else bundle.release(which)
    return bundle.opened(head.digest, trust)


def _model(release: Opened) -> FusedModel:
    try:
        return FusedModel.from_release(release.manifest, release.tensors)
    except ContractError as error:
        raise ContractError(str(error), where=release.digest) from error
