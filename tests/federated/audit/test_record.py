from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from federated.audit.bundle import open_bundle
from federated.audit.record import Record
from federated.keys import TrustFile
from tests.answering import Answering


@pytest.fixture
def record(whole: Any, tmp_path: Path) -> Record:
    """Of which the first release is a head."""
    release = next(name for name, parcel in whole.parcels.items() if b'"kind":"release"' in parcel.manifest)
    path = replace(whole, kept={release: "withdrawn"}).write(tmp_path / "a.bundle")
    return Record(open_bundle(path), whole.trust)


def test_parcels_are_found_by_digest_whole_or_as_far_as_they_are_there(record: Record, whole: Any) -> None:
    (head,) = set(record.manifests) - set(record.whole)
    assert set(record.manifests) == set(record.told) == set(whole.parcels)
    assert len(record.whole) == len(whole.parcels) - 1
    assert head not in record.whole
    assert record.told[head].manifest == record.manifests[head]
    assert record.told[head].tensors == {}
    other = next(iter(record.whole))
    assert record.told[other].tensors.keys() == record.whole[other].tensors.keys() != set()


def test_what_is_not_there_is_not_there(record: Record) -> None:
    absent = "sha256:" + "0" * 64
    for found in (record.manifests, record.whole, record.told):
        assert absent not in found
        assert found.get(absent) is None
        with pytest.raises(KeyError):
            found[absent]


def test_keys_that_were_ended_are_known(record: Record) -> None:
    ended = tuple(party.model_copy(update={"revoked": True}) for party in record.keys.parties)
    then = replace(record, keys=TrustFile(federation="test", parties=ended)).keys_then
    assert then == record.keys


def test_summaries_are_known_in_the_order_of_growth_and_small(whole: Any, tmp_path: Path) -> None:
    answering = Answering(whole)
    answering.tell(answering.tree(), first=3, since=3)
    answering.tell(answering.tree(3))
    found = answering.write(tmp_path / "a.bundle").summaries
    assert {site: [said.size for said in some] for site, some in found.items()} == {"ada": [3, 6]}
    assert [said.root for said in found["ada"]] == [answering.tree(3).root, answering.tree().root]
    assert {(said.labels, said.suppressed) for said in found["ada"]} == {((), ())}
