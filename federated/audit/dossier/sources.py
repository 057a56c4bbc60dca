"""What of a bundle may stand in a dossier: what bears the signature of whom it speaks for, where keys are given."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from federated.audit.bundle import Bundle, Head
from federated.contract import manifest_bytes
from federated.envelope import Opened, Parcel, check_envelope
from federated.errors import SequenceError, SignatureError
from federated.keys import TrustFile


@dataclass
class Sources:
    """A bundle, and whose signatures count; keys that were followed by others count for what they signed.

    Attributes:
        bundle: the files.
        trust: None where nothing is checked.
        left_out: what bears no signature that counts, with the reason; it stands nowhere in the dossier.
    """

    bundle: Bundle
    trust: TrustFile | None
    left_out: dict[str, str] = field(default_factory=dict)

    def head(self, digest: str) -> Head | None:
        """A parcel as far as its manifest; None where it is not there, or its signature does not count.

        Raises:
            ConsiliumError: it is none.
        """
        if self.bundle.member_of(digest) is None:
            return None
        head = self.bundle.head(digest)
        return head if self._counts(head) else None

    def heads(self, *kinds: str) -> Iterator[Head]:
        """The same of all parcels of these kinds.

        Raises:
            ConsiliumError: one of them is none.
        """
        return (head for head in self.bundle.heads(*kinds) if self._counts(head))

    def opened(self, digest: str) -> Opened | None:
        """A whole parcel; None where it is not there whole, or its signature does not count.

        Raises:
            ConsiliumError: it is none.
        """
        head = self.head(digest)
        return None if head is None or head.why is not None else self.bundle.opened(digest)

    def _counts(self, head: Head) -> bool:
        if self.trust is None:
            return True
        parcel = Parcel(head.envelope, manifest_bytes(head.manifest), b"")
        try:
            check_envelope(parcel, self.trust, recipient=head.passage.recipient)
        except (SignatureError, SequenceError) as error:
            self.left_out[head.digest] = f"the {head.passage.kind} of {error}"
            return False
        return True
