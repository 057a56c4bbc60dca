from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from federated.audit.opening import open_release
from federated.audit.verification import verify
from federated.errors import ConsiliumError, ContractError
from tests.audit_files import STRANGER, TRUST, seal_as, written

MakeSample = Callable[..., tuple[Any, bytes]]


def test_only_a_signed_release_counts_as_one(tmp_path: Path, built: Any, make_sample: MakeSample) -> None:
    forged = written(tmp_path / "forged", seal_as(built.manifest, built.tensors, STRANGER))
    with pytest.raises(ConsiliumError, match="hub: the signature does not verify"):
        open_release(forged, TRUST)
    assert open_release(forged, None).manifest == built.manifest
    other = written(tmp_path / "other", seal_as(*make_sample("statistics")))
    with pytest.raises(ContractError, match="is a 'statistics', not a release"):
        open_release(other, TRUST)


def test_files_that_cannot_be_verified_are_one_line(tmp_path: Path, release: Path, make_sample: MakeSample) -> None:
    with pytest.raises(ConsiliumError, match=r"missing: cannot be read \(No such file or directory\)"):
        verify([tmp_path / "missing"], TRUST)
    with pytest.raises(ConsiliumError, match="cannot be read"):
        verify([tmp_path], TRUST)
    (tmp_path / "empty").touch()
    with pytest.raises(ContractError, match="is neither a parcel nor predictions: it is empty"):
        verify([tmp_path / "empty"], TRUST)
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(ConsiliumError, match="cannot be read"):
        verify([tmp_path / "binary"], TRUST)
