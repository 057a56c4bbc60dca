"""Pages and forms of a hospital, asked for with anything: never a fault, and nothing leaves that was not approved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from site_agent.web.house import DONE, SHOWN
from tests.fuzz.asking import FINE, QUERIES, WORDS, looked_at, path_of
from tests.fuzz.mutation import fuzzed
from tests.site_agent.web.conftest import browser, mark_of

if TYPE_CHECKING:
    from site_agent.home import SiteHome


@pytest.fixture(scope="module")
def hospital(north: SiteHome) -> TestClient:
    made = browser(north, "approver")
    asked = made.app.asked  # type: ignore[attr-defined]
    asked._burst = 1e9
    asked._left.clear()
    return made


@given(form=st.sampled_from([path for path, _ in SHOWN]), word=WORDS, query=QUERIES)
@fuzzed(80)
def test_the_hospitals(hospital: TestClient, form: str, word: str, query: dict[str, str]) -> None:
    looked_at(hospital, form, word, query)


@given(
    form=st.sampled_from([path for path, _ in DONE]),
    word=WORDS,
    fields=st.dictionaries(
        st.sampled_from(["choice", "reason", "passphrase", "digest", "seen", "x"]), WORDS, max_size=3
    ),
)
@fuzzed(60)
def test_forms_of_a_hospital(
    hospital: TestClient, north: SiteHome, form: str, word: str, fields: dict[str, str]
) -> None:
    """With a right mark and anything else: nothing leaves that was not approved."""
    before = _state(north.path)
    mark = mark_of(hospital.get("/").text)
    answer = hospital.post(
        path_of(form, word), data={"csrf": mark, **{key: value.encode() for key, value in fields.items()}}
    )
    assert answer.status_code in FINE, (form, word, fields, answer.status_code)
    if "pending" in form:
        assert _state(north.path) == before


def _state(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in (folder / "outbox").rglob("*"))
