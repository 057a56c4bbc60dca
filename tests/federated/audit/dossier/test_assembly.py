from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from federated.audit.bundle import open_bundle
from federated.audit.bundling import new_bundle
from federated.audit.dossier.assembly import UNCHECKED, assemble
from federated.audit.dossier.materials import Material
from federated.audit.dossier.promises import requirements, risks
from federated.audit.dossier.stated import Stated
from federated.audit.given import newest
from federated.errors import ConsiliumError, SignatureError
from federated.keys import TrustFile

NUMPY = Material(name="numpy", version="2", license=None, needs=())


def test_every_part_is_there(whole: Any, tmp_path: Path) -> None:
    bundle = open_bundle(whole.write(tmp_path / "it.bundle"))
    made = assemble(bundle, newest(bundle), Stated(), (NUMPY,), whole.trust)
    assert [section.title for section in made.sections] == [
        "Model card",
        "Data, hospital by hospital",
        "Performance",
        "Use at the hospitals",
        "Acceptance",
        "Change history",
        "Risk list",
        "Requirements and tests",
        "Bill of materials",
    ]
    assert (made.federation, made.release) == ("test", 2)
    assert made.signatures.startswith("The release is signed by 'hub' with ")
    risk_rows, requirement_rows, material_rows = (section.grids[0].rows for section in made.sections[-3:])
    assert [row[0] for row in risk_rows] == [risk.title for risk in risks()]
    assert [row[2].splitlines() for row in requirement_rows] == [list(each.tests) for each in requirements()]
    assert material_rows == (("numpy", "2", "not stated"),)
    assert len(made.missing) == 24


def test_whose_signatures_count(whole: Any, tmp_path: Path) -> None:
    bundle = open_bundle(whole.write(tmp_path / "it.bundle"))
    assert assemble(bundle, newest(bundle), Stated(), (), None).signatures == UNCHECKED
    nobody = TrustFile(federation="test", parties=whole.trust.parties[1:])
    with pytest.raises(SignatureError, match="it is not enrolled"):
        assemble(bundle, newest(bundle), Stated(), (), nobody)


def test_without_a_release_there_is_no_dossier(tmp_path: Path) -> None:
    with new_bundle(tmp_path / "empty.bundle", "test"):
        pass
    bundle = open_bundle(tmp_path / "empty.bundle")
    with pytest.raises(ConsiliumError, match=r"empty.bundle: holds no release; ask for"):
        newest(bundle)
