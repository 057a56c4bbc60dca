"""What waits for an approver: as it would leave, with what could be inferred from it; let out or kept by a form."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from federated.envelope import Parcel
from federated.errors import ConsiliumError
from federated.keys import read_key_file, read_private_key
from federated.manifest import manifest_bytes, unpack_tensors
from federated.pages.paging import pager
from federated.pkcs8 import is_encrypted
from federated.web.exchange import Answer, Attachment, Missing, Moved, Refused, Rendered, Seen
from site_agent.adopt import REASON_LENGTH
from site_agent.egress import Gate, Preview
from site_agent.web.wording import KINDS, digest_of, in_words, subject_of

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from federated.web.limits import Buckets
    from site_agent.drafts import Draft
    from site_agent.home import SiteHome

PER_PAGE = 10


def waiting(home: SiteHome, seen: Seen) -> Answer:
    """Everything that waits, oldest first."""
    gate = Gate(home)
    pending = gate.pending()
    part = pager(len(pending), seen.query, rows=PER_PAGE)
    cards = []
    for one in pending[part.part]:
        draft = gate.draft(one.digest)
        cards.append((one, _title(draft), gate.preview(draft)))
    return Rendered("pending.html", {"heading": "Waiting for an approver", "cards": cards, "pager": part})


def draft(home: SiteHome, seen: Seen) -> Answer:
    """One of them, exactly as it would leave."""
    gate, found = _draft(home, seen)
    preview = gate.preview(found)
    manifest = json.loads(preview.manifest)
    meanings = {each.code: each.meaning for each in home.vocabulary.concepts}
    context = {
        "heading": _title(found),
        "what": KINDS[preview.kind],
        "preview": preview,
        "inferences": [in_words(line, meanings) for line in preview.inferences],
        "hex": preview.digest.removeprefix("sha256:"),
        "fields": [(name, _value(value)) for name, value in manifest.items() if name != "tensors"],
        "numbers": _numbers(found, preview),
        "key": key_state(home),
        "may_write": seen.who.by != "open" and seen.who.role == "approver",
        "reason_length": REASON_LENGTH,
    }
    return Rendered("draft.html", context)


def whole(home: SiteHome, seen: Seen) -> Answer:
    """The very bytes that would leave, without an envelope."""
    _, found = _draft(home, seen)
    data = Parcel(b"", manifest_bytes(found.manifest), found.tensors).to_bytes()
    return Attachment(data, "application/octet-stream", f"{found.digest.removeprefix('sha256:')[:12]}.draft")


def approve(home: SiteHome, guesses: Buckets, seen: Seen) -> Answer:
    """Lets one out under the approver's own signature, after every filter once more."""
    digest = digest_of(seen.path)
    key = approver_key(home, seen.form.get("passphrase", ""), guesses)
    with home.lock(WAIT_SECONDS):
        Gate(home).approve(digest, key)
    return Moved(f"/left/{seen.path['digest']}")


def reject(home: SiteHome, guesses: Buckets, seen: Seen) -> Answer:
    """Keeps one here for good, with a reason."""
    digest = digest_of(seen.path)
    key = approver_key(home, seen.form.get("passphrase", ""), guesses)
    with home.lock(WAIT_SECONDS):
        Gate(home).reject(digest, key, seen.form.get("reason", "")[:REASON_LENGTH])
    return Moved("/pending")


GUESSED = "the approver's key"
ONE_BY_ONE = threading.Lock()
WAIT_SECONDS = 10.0  # for another command to let go of the home


def key_state(home: SiteHome) -> str:
    """What an approval takes: nothing more, a passphrase, or a command where the key is kept elsewhere."""
    path = home.approver_key_path
    if not path.exists():
        return "elsewhere"
    return "passphrase" if is_encrypted(read_key_file(path)) else "here"


def approver_key(home: SiteHome, passphrase: str, guesses: Buckets) -> Ed25519PrivateKey:
    """The approver's key, opened for this one form and kept nowhere.

    Args:
        home: the site's.
        passphrase: as the form says.
        guesses: how many wrong ones are taken, whoever asks.

    Raises:
        ConsiliumError: it is kept elsewhere, or the passphrase is another.
        Refused: too many were.
    """
    if not home.approver_key_path.exists():
        cure = "consilium site approve --key FILE, where the key is"
        raise ConsiliumError("is kept elsewhere", where="the approver's key", cure=cure)
    with ONE_BY_ONE:  # many at once would all be let through before the first was found wrong
        if guesses.left(GUESSED) < 1:
            raise Refused(429, "Too many wrong passphrases; wait some minutes, or approve on the command line.")
        try:
            return read_private_key(home.approver_key_path, passphrase)
        except ConsiliumError:
            guesses.take(GUESSED)
            raise


def _draft(home: SiteHome, seen: Seen) -> tuple[Gate, Draft]:
    digest, gate = digest_of(seen.path), Gate(home)
    if digest not in {one.digest for one in gate.pending()}:
        raise Missing("Nothing with this digest waits: it has left, was kept here, or never was.")
    return gate, gate.draft(digest)


def _title(found: Draft) -> str:
    subject = subject_of(found.manifest)
    kind = KINDS[found.facts.kind]
    return f"{kind}: {subject}" if subject else kind


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _numbers(found: Draft, preview: Preview) -> list[tuple[object, ...]]:
    """Each tensor with the range of its values, so that a person sees what kind of numbers leave."""
    values = unpack_tensors(found.tensors, found.manifest)
    rows: list[tuple[object, ...]] = []
    for line in preview.tensors:
        array = values[line.name]
        shape = " x ".join(map(str, line.shape)) or "one number"
        span = f"{np.min(array):.6g} to {np.max(array):.6g}" if array.size else ""
        rows.append((line.name, line.dtype, shape, f"{line.bytes:,}", span))
    return rows
