"""What stands in a dossier bears a signature that counts; what does not is named and stands nowhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from federated.audit.bundle import Bundle, open_bundle
from federated.audit.dossier.assembly import assemble
from federated.audit.dossier.markdown import markdown
from federated.audit.dossier.page import page
from federated.audit.dossier.sources import Sources
from federated.audit.dossier.stated import Stated
from federated.audit.given import newest
from federated.keys import TrustFile


@pytest.fixture
def opened(whole: Any, tmp_path: Path) -> Bundle:
    return open_bundle(whole.write(tmp_path / "it.bundle"))


def _without_ben(trust: TrustFile, *, followed: bool) -> TrustFile:
    """His key counts no more; another one of his may count."""
    ben = next(party for party in trust.parties if party.name == "ben")
    others = [party for party in trust.parties if party.name != "ben"]
    key = next(party for party in others if party.name == "cem").public
    new = [ben.model_copy(update={"public": key})] if followed else []
    return TrustFile(federation="test", parties=(*others, ben.model_copy(update={"revoked": True}), *new))


def test_what_is_signed_is_there(opened: Bundle, whole: Any) -> None:
    sources = Sources(opened, whole.trust)
    digests = [head.digest for head in opened.heads("report")]
    assert [head.digest for head in sources.heads("report")] == digests
    assert all(sources.opened(digest) is not None for digest in digests)
    assert sources.head("sha256:" + "f" * 64) is None
    candidate = next(opened.heads("candidate")).digest
    assert sources.head(candidate) is not None
    assert sources.left_out == {}


def test_a_head_alone_is_not_opened(make_record: Any, tmp_path: Path) -> None:
    record = make_record()
    candidate = next(digest for digest, each in record.parcels.items() if b'"kind":"candidate"' in each.manifest)
    record.kept[candidate] = "release"
    sources = Sources(open_bundle(record.write(tmp_path / "it.bundle")), record.trust)
    assert sources.head(candidate) is not None
    assert sources.opened(candidate) is None


def test_a_key_that_was_followed_by_another_counts_for_what_it_signed(opened: Bundle, whole: Any) -> None:
    trust = _without_ben(whole.trust, followed=True)
    made = assemble(opened, newest(opened), Stated(), (), trust)
    assert made.left_out == ()


def test_a_hospital_whose_key_was_revoked_is_left_out_and_named(opened: Bundle, whole: Any) -> None:
    trust = _without_ben(whole.trust, followed=False)
    head = newest(opened)
    made = assemble(opened, head, Stated(), (), trust)
    assert set(made.left_out) == {
        f"the {kind} of ben: no key of this site counts: its key was revoked" for kind in ("statistics", "report")
    }
    assert "**Left out: the report of ben: no key of this site counts: its key was revoked.**" in markdown(made)
    assert "Left out: the statistics of ben: no key of this site counts" in page(made, head.manifest)
    performance = made.sections[2]
    assert performance.notes == ("No report is at hand of ben.",)
