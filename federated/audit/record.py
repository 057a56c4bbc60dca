"""A bundle while it is verified: its parcels by digest, whose keys count, and what its log tells."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from federated.audit.blocks import Block
from federated.audit.bundle import Bundle, Head
from federated.audit.contents import PARCELS
from federated.audit.logged import LogIndex
from federated.envelope import Opened
from federated.keys import TrustFile
from federated.manifest import SummaryManifest

if TYPE_CHECKING:
    from federated.fused_model import FusedModel

Value = TypeVar("Value")


class Lazy(Mapping[str, Value], Generic[Value]):
    """What lies in a bundle under digests; read when it is asked for, and not kept."""

    def __init__(
        self, digests: Callable[[], list[str]], has: Callable[[str], bool], read: Callable[[str], Value]
    ) -> None:
        self._digests, self._has, self._read = digests, has, read

    def __getitem__(self, digest: str) -> Value:
        if not self._has(digest):
            raise KeyError(digest)
        return self._read(digest)

    def __contains__(self, digest: object) -> bool:
        return isinstance(digest, str) and self._has(digest)

    def __iter__(self) -> Iterator[str]:
        return (digest for digest in self._digests() if self._has(digest))

    def __len__(self) -> int:
        return sum(1 for _ in self)


@dataclass
class Record:
    """What is known while a bundle is verified.

    Attributes:
        bundle: the files.
        keys: whose signatures count.
        index: what the log tells; of size 0 as long as it was not read, or there is none.
        witnessed: how many of its entries were witnessed.
        summed: (site, its contributions) -> the block that was computed again from them.
    """

    bundle: Bundle
    keys: TrustFile
    index: LogIndex = field(default_factory=LogIndex)
    witnessed: int = 0
    summed: dict[tuple[str, tuple[str, ...]], Block] = field(default_factory=dict)
    _model: FusedModel | None = None

    def model(self, release: str) -> FusedModel:
        """A release that is there whole, ready to answer; the last one is kept, since many answers are by the same.

        Raises:
            ContractError: it is not what a release holds.
        """
        from federated.fused_model import FusedModel

        if self._model is None or self._model.digest != release:
            opened = self.whole[release]
            self._model = FusedModel.from_release(opened.manifest, opened.tensors)
        return self._model

    @property
    def manifests(self) -> Mapping[str, Any]:
        """Manifests by digest."""
        bundle = self.bundle
        return Lazy(bundle.digests, self._is_here, lambda name: bundle.head(name).manifest)

    @property
    def whole(self) -> Mapping[str, Opened]:
        """Parcels that are there whole, by digest; their signatures are looked at elsewhere."""
        return Lazy(self.bundle.digests, self._is_whole, self.bundle.opened)

    @property
    def told(self) -> Mapping[str, Opened]:
        """The same, and of releases and candidates that are there as heads what they say, without tensors."""
        kinds, head = ("release", "candidate"), self.bundle.head
        return Lazy(
            self.bundle.digests,
            lambda name: self._is_whole(name) or (self._is_here(name) and head(name).manifest.kind in kinds),
            lambda name: self.bundle.opened(name) if self._is_whole(name) else _said(head(name)),
        )

    def _is_here(self, name: str) -> bool:
        return self.bundle.member_of(name) is not None

    def _is_whole(self, name: str) -> bool:
        return str(self.bundle.member_of(name)).startswith(PARCELS)

    @cached_property
    def summaries(self) -> dict[str, list[SummaryManifest]]:
        """What each site's summaries say of its decision log, in the order of its growth, and nothing else of them."""
        found: dict[str, list[SummaryManifest]] = {}
        for head in self.bundle.heads("summary"):
            said = head.manifest.model_copy(update=dict.fromkeys(("tensors", "labels", "sites", "suppressed"), ()))
            found.setdefault(said.site, []).append(said)
        return {site: sorted(some, key=lambda said: (said.size, said.last)) for site, some in sorted(found.items())}

    def has_summaries(self, site: str) -> bool:
        """Whether every summary that the log tells of from a site is here, whole or as a head."""
        return self.index.size > 0 and site not in self._lacking

    @cached_property
    def _lacking(self) -> frozenset[str]:
        """Sites of which a summary is not here."""
        return frozenset(site for site, name in self.index.senders("summary") if not self._is_here(name))

    @property
    def keys_then(self) -> TrustFile:
        """With keys that count no more: for what the log shows to have come when they did."""
        parties = tuple(party.model_copy(update={"revoked": False}) for party in self.keys.parties)
        return self.keys.model_copy(update={"parties": parties})


def _said(head: Head) -> Opened:
    return Opened(head.passage, head.manifest, {}, head.digest, frozenset())
