from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from federated.audit.verification import verify
from tests.audit_files import STRANGER, TRUST, audited, found_by, seal_as, verdicts, written

MakeSample = Callable[..., tuple[Any, bytes]]


def test_a_release_is_verified(release: Path, built: Any) -> None:
    audit = audited(release)
    assert audit.ok
    assert (audit.kind, audit.file) == ("release", str(release))
    seen = dict.fromkeys(("signature", "contents", "model", "number", "lineage", "solutions"), True)
    assert verdicts(audit) == seen | dict.fromkeys(("site ada", "site ben", "site cem"))
    assert found_by(audit, "lineage") == "0 of 3 contributions among the files"
    assert found_by(audit, "site ada") == "not recomputed: 1 of its 1 contributions are not among the files"


def test_a_contribution_is_verified(tmp_path: Path, make_sample: MakeSample) -> None:
    audit = audited(written(tmp_path / "one", seal_as(*make_sample("statistics"))))
    assert audit.ok
    assert verdicts(audit) == dict.fromkeys(("signature", "contents", "number"), True)


def test_no_byte_can_change_unnoticed(tmp_path: Path, make_sample: MakeSample) -> None:
    path = written(tmp_path / "one", seal_as(*make_sample("statistics")))
    data = path.read_bytes()
    for place in range(20, len(data), 37):
        path.write_bytes(data[:place] + bytes([data[place] ^ 2]) + data[place + 1 :])
        assert not audited(path).ok, f"byte {place}"


def test_a_wrong_file_tells_the_step_and_the_reason(tmp_path: Path, make_sample: MakeSample, built: Any) -> None:
    manifest, data = make_sample("statistics")
    wrong = {
        "stranger": seal_as(manifest, data, STRANGER),
        "tensors": seal_as(manifest, data + b"x"),
        "release": seal_as(*make_sample("release")),
    }
    audits = verify([written(tmp_path / name, parcel) for name, parcel in wrong.items()], TRUST)
    found = [[check for check in audit.checks if check.ok is False] for audit in audits]
    assert [(check.name, check.found.split(";")[0]) for (check,) in found[:2]] == [
        ("signature", "ada: the signature does not verify"),
        ("contents", "tensors: the tensors are not the ones the manifest names"),
    ]
    assert [check.name for check in found[2]] == ["model"]


def test_numbers_that_follow_each_other(tmp_path: Path, make_sample: MakeSample) -> None:
    first = seal_as(*make_sample("statistics"))
    second = seal_as(*make_sample("features"), sequence=2, previous=first.digest)
    third = seal_as(*make_sample("adoption"), sequence=3, previous=second.digest)
    paths = [written(tmp_path / str(number), each) for number, each in enumerate((third, first, second))]
    audits = verify(paths, TRUST)
    assert all(audit.ok for audit in audits)
    assert "its predecessor is right" in audits[0].checks[-1].found
    assert "its predecessor is not among the files" in audited(paths[0]).checks[-1].found


@pytest.mark.parametrize(
    ("sequence", "previous", "reason"),
    [
        (2, "sha256:" + "0" * 64, "names another predecessor"),
        (2, None, "names another predecessor"),
        (1, "sha256:" + "0" * 64, "was used for 2 different parcels"),
        (1, None, "was used for 2 different parcels"),
    ],
)
def test_numbers_that_do_not(
    sequence: int, previous: str | None, reason: str, tmp_path: Path, make_sample: MakeSample
) -> None:
    first = written(tmp_path / "1", seal_as(*make_sample("statistics")))
    second = seal_as(*make_sample("features"), sequence=sequence, previous=previous)
    audit = verify([first, written(tmp_path / "2", second)], TRUST)[1]
    assert [reason in check.found for check in audit.checks if check.ok is False] == [True]


def test_the_first_parcel_has_no_predecessor(tmp_path: Path, make_sample: MakeSample) -> None:
    parcel = seal_as(*make_sample("statistics"), previous="sha256:" + "0" * 64)
    assert not audited(written(tmp_path / "1", parcel)).ok
