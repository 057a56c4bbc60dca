from __future__ import annotations

import hashlib
from typing import Any

from federated.audit.logged import LogIndex
from federated.canonical import digest


def _index(record: Any) -> LogIndex:
    index = LogIndex()
    for number, entry in enumerate(record.entries):
        index.add(number, entry)
    return index


def test_every_parcel_is_found_by_kind_sender_and_digest(whole: Any) -> None:
    index = _index(whole)
    assert index.size == len(whole.entries)
    assert index.counts() == {"candidate": 2, "release": 2, "report": 5, "statistics": 3}
    for number, entry in enumerate(whole.entries):
        if entry.event == "accepted":
            found = index.find(entry.kind, entry.site, entry.subject)
            assert found is not None
            assert (found.number, found.concerns) == (number, entry.concerns)
            assert found.envelope == hashlib.sha256(whole.parcels[entry.subject].envelope).digest()
            assert index.find(entry.kind, "dan", entry.subject) is None


def test_what_the_coordinator_made_is_found_whoever_it_was_sent_to(whole: Any) -> None:
    index = _index(whole)
    (first, second) = index.releases
    found = index.find("release", "hub", str(first.subject))
    assert found is not None
    assert (found.envelope, found.concerns) == (None, first.concerns)
    assert index.digests("release") == [first.subject, second.subject]
    assert index.find("candidate", "hub", str(first.subject)) is None


def test_plans_and_withdrawals_are_known(make_record: Any) -> None:
    record = make_record()
    sent = next(entry for entry in record.entries if entry.event == "accepted")
    record.add("withdraw", site=sent.site, kind=sent.kind, subject=sent.subject)
    record.add("plan", subject=digest(b"plan"))
    record.add("quarantined", subject=digest(b"bytes"))
    index = _index(record)
    withdrawn = {sent.subject: len(record.entries) - 3}
    assert (index.withdrawn, index.plans) == (withdrawn, [digest(b"plan")])
    assert sum(index.counts().values()) == 12
