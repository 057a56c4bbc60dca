"""Parcels on a stick: the same bytes as by wire, in any order, and nothing taken in of what cannot be read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from federated.errors import ConsiliumError
from federated.log.request_file import RequestFile
from federated.log.witness import parse_request
from site_agent.agent import exchange, work
from site_agent.home import SiteHome
from site_agent.mailbox import Inbox, Outbox
from site_agent.parcel_files import export_outbox, import_files

if TYPE_CHECKING:
    from tests.site_agent.conftest import Federation


@pytest.fixture
def ada(federation: Federation) -> SiteHome:
    return federation.hospital("ada", {"dark": 14, "light": 14}, "statistics", "weights", "report")


def _stick(federation: Federation, folder: Path) -> list[Path]:
    """What waits for ada, as files whose names sort the wrong way round."""
    folder.mkdir(exist_ok=True)
    parcels = federation.coordinator.outgoing("ada")
    paths = [folder / f"{9 - number}.parcel" for number in range(len(parcels))]
    for path, parcel in zip(paths, parcels, strict=True):
        path.write_bytes(parcel.to_bytes())
    return paths


def test_a_stick_carries_the_bytes_that_the_wire_would(ada: SiteHome, tmp_path: Path) -> None:
    by_wire = exchange(ada, [], [])
    paths = export_outbox(ada, tmp_path / "stick" / "ada")
    assert [path.name for path in paths] == ["ada-0001-statistics.parcel", "ada-0002-weights.parcel"]
    assert [path.read_bytes() for path in paths] == by_wire
    assert len(Outbox(ada).parcels()) == 2  # they stay until they are answered


def test_parcels_are_taken_in_by_number_whatever_their_files_are_called(federation: Federation, ada: SiteHome) -> None:
    federation.exchange(ada)
    federation.coordinator.propose()
    federation.coordinator.release()  # without the report: the site gets candidate and release at once
    paths = _stick(federation, federation.folder / "stick")
    assert len(paths) == 2
    done = import_files(ada, [federation.folder / "stick"])
    assert (done.parcels, done.errors) == (2, ())
    assert [opened.manifest.kind for opened in Inbox(ada).unread()] == ["candidate", "release"]
    assert import_files(ada, paths).parcels == 2  # again is no work
    assert len(Inbox(ada).unread()) == 2


def test_answers_settle_the_outbox_and_those_of_other_sites_do_not(federation: Federation, ada: SiteHome) -> None:
    ben = federation.hospital("ben", {"dark": 14, "light": 14})
    parcels = [*exchange(ada, [], []), *exchange(ben, [], [])]
    answers = [one.model_dump(mode="json") for one in federation.coordinator.accept_all(parcels)]
    assert len(answers) == 3
    path = federation.folder / "answers.json"
    path.write_text(json.dumps(answers))
    assert import_files(ada, [path]).answers == 2
    assert Outbox(ada).parcels() == []


def test_a_damaged_parcel_and_those_after_it_are_sent_again(federation: Federation, ada: SiteHome) -> None:
    first, second = exchange(ada, [], [])
    damaged = first[:-1] + bytes([first[-1] ^ 1])
    answers = federation.folder / "answers.json"
    told = [one.model_dump(mode="json") for one in federation.coordinator.accept_all([damaged, second])]
    answers.write_text(json.dumps(told))
    assert [one["outcome"] for one in told] == ["quarantined", "refused"]
    import_files(ada, [answers])
    assert [parcel.to_bytes() for parcel in Outbox(ada).parcels()] == [first, second]
    told = [one.model_dump(mode="json") for one in federation.coordinator.accept_all([first, second])]
    answers.write_text(json.dumps(told))
    import_files(ada, [answers])
    assert Outbox(ada).parcels() == []


@pytest.mark.parametrize(
    ("told", "folder"),
    [
        ({"outcome": "quarantined", "numbered": True}, "refused"),
        ({"outcome": "refused", "numbered": True}, "refused"),
        ({"outcome": "quarantined", "numbered": False}, "."),
        ({"outcome": "refused"}, "."),
        ({"outcome": "same", "numbered": True}, "settled"),
    ],
)
def test_a_parcel_leaves_the_outbox_where_its_number_was_used_up(
    ada: SiteHome, tmp_path: Path, told: dict[str, object], folder: str
) -> None:
    exchange(ada, [], [])
    digest = Outbox(ada).parcels()[0].digest
    (tmp_path / "answers.json").write_text(json.dumps([{"site": "ada", "digest": digest, **told}]))
    import_files(ada, [tmp_path / "answers.json"])
    assert len(list((ada.outbox / folder).glob(f"*-{digest.removeprefix('sha256:')}.parcel"))) == 1


def test_a_parcel_that_is_not_the_next_is_told_and_the_others_taken(federation: Federation, ada: SiteHome) -> None:
    federation.exchange(ada)
    federation.coordinator.propose()
    federation.coordinator.release()
    candidate, release = _stick(federation, federation.folder / "stick")
    done = import_files(ada, [release])
    assert done.parcels == 0
    assert "is number 2, number 1 is next; send the missing parcels first" in str(done.errors[0])
    assert import_files(ada, [release, candidate]).parcels == 2


def test_a_stick_brings_the_log_and_takes_the_signature_back(federation: Federation, ada: SiteHome) -> None:
    stick = federation.folder / "stick"
    stick.mkdir()
    (request, *told) = federation.coordinator.unwitnessed(["ada"])["ada"]
    asked = RequestFile(site="ada", request=request.decode(), told=tuple(each.decode() for each in told))
    (stick / "log.witness").write_bytes(asked.to_bytes())
    (stick / "other.witness").write_bytes(asked.to_bytes()[:-1])
    done = import_files(ada, [stick])
    assert str(done.witnessed) == parse_request(request).note.text.split()[1]
    assert [error.where for error in done.errors] == ["request to a witness"]
    signed = [path for path in export_outbox(ada, federation.folder / "back") if path.suffix == ".witnessed"]
    assert [path.name for path in signed] == ["ada.witnessed"]
    assert federation.coordinator.take_signed_file(signed[0].read_bytes()).kept


@pytest.mark.parametrize(
    ("name", "data", "line"),
    [
        ("a.parcel", b"", "is not a Consilium parcel"),
        ("a.json", b"{}", "holds no answers of the coordinator; expected the output of"),
        ("a.json", b"\xff", "holds no answers of the coordinator"),
        ("a.json", b"[" * 100_000, "holds no answers of the coordinator"),
        ("a.json", b'[{"site": "ada", "digest": "none", "outcome": "accepted"}]', "holds no answers"),
    ],
)
def test_what_cannot_be_read_takes_nothing_in(
    federation: Federation, ada: SiteHome, name: str, data: bytes, line: str
) -> None:
    federation.exchange(ada)
    federation.coordinator.propose()
    good = _stick(federation, federation.folder / "stick")
    (federation.folder / name).write_bytes(data)
    with pytest.raises(ConsiliumError, match=line):
        import_files(ada, [*good, federation.folder / name])
    assert Inbox(ada).unread() == []


def test_a_stick_that_is_not_there_is_told(ada: SiteHome, tmp_path: Path) -> None:
    work(ada)
    (tmp_path / "file").write_text("")
    with pytest.raises(ConsiliumError, match="cannot be written"):
        export_outbox(ada, tmp_path / "file")
    with pytest.raises(ConsiliumError, match="No such file"):
        import_files(ada, [tmp_path / "missing.parcel"])
