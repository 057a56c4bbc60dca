from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from federated.disclosure import Limits
from site_agent.home import SiteHome

if TYPE_CHECKING:
    from tests.site_agent.conftest import Federation, Run

LIMITS = Limits(cell=1, batch=1, difference=5, gram_share=1e9, dominance=1.0)


@pytest.fixture
def ada(federation: Federation) -> SiteHome:
    home = federation.hospital("ada", {"dark": 14})
    federation.allow(home, statistics={"limits": LIMITS})
    federation.event(home)
    return home


def _number(home: SiteHome, run: Run) -> str:
    """Of a training patient, as the hospital has it."""
    trained = {case.patient[:12] for case in home.archive.catalogue.cases(fold="train")}
    found = (
        f"dark-{n}" for n in range(14) if run("forget", f"dark-{n}", "--dry-run", "--json").json["patient"] in trained
    )
    return next(found)


def test_a_patient_is_forgotten_and_what_remains_is_said(run: Run, ada: SiteHome) -> None:
    number = _number(ada, run)
    before = ada.archive.catalogue.counts()
    dry = run("forget", number, "--dry-run")
    assert "would be removed here: 2 images in 2 files" in dry.out
    assert ada.archive.catalogue.counts() == before
    told = run("forget", number, "--yes")
    assert (told.code, told.err) == (0, "")
    for line in (
        "removed here: 2 images in 2 files",
        "stays in the sums of b0001 (statistics) until 4 more training patients with 'dark'",
        "consilium site withdraw b0001",
        "reports that left counted this patient and cannot be unsent",
        "releases that others hold were computed from these sums; they cannot be unsent",
        "backups",
    ):
        assert line in told.out
    assert number not in told.out
    assert "a patient who was forgotten stays in the sums of b0001" in run("status").out
    assert run("forget", number, "--dry-run", "--json").json["images"] == 0


def test_it_asks_first_and_no_changes_nothing(run: Run, ada: SiteHome, monkeypatch: pytest.MonkeyPatch) -> None:
    before = ada.archive.catalogue.counts()
    monkeypatch.setattr("typer.confirm", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
    assert run("forget", "dark-1").code != 0
    assert ada.archive.catalogue.counts() == before
    monkeypatch.setattr("typer.confirm", lambda *_, **__: True)
    told = run("forget", "dark-1", "--json")
    assert json.loads(told.out)["done"]
    assert "would be removed here" in told.err
    assert ada.archive.catalogue.counts() != before


def test_a_stranger_is_one_line(run: Run, ada: SiteHome) -> None:
    told = run("forget", "nobody")
    assert told.code == 1
    assert told.err.splitlines() == [
        "consilium: nobody: no patient here is named so; give the hospital's own number, or 12 digits of a pseudonym"
    ]
