"""Counts of a dossier are those that hospitals signed, small groups as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from federated.audit.bundle import Bundle, open_bundle
from federated.audit.dossier.sites import data, few, performance
from federated.audit.dossier.sources import Sources
from federated.audit.dossier.stated import Stated
from federated.audit.given import newest
from federated.keys import TrustFile


@pytest.fixture
def opened(whole: Any, tmp_path: Path) -> Bundle:
    return open_bundle(whole.write(tmp_path / "it.bundle"))


def test_counts_are_those_of_manifests(opened: Bundle) -> None:
    manifest = newest(opened).manifest
    sites, labels = data(Sources(opened, None), manifest, Stated(data_dates="2020 to 2022")).grids
    assert sites.rows[0] == ("ada", "plax, a4c, a2c", "1", "13", "27", "in the release", "its own patients", "36")
    assert labels.columns == ("label", "ada", "ben", "cem")
    assert labels.rows == (
        ("plax", "12 (small)", "-", "12 (small)"),
        ("a4c", "12 (small)", "12 (small)", "-"),
        ("a2c", "12 (small)", "12 (small)", "-"),
        ("psax", "-", "12 (small)", "12 (small)"),
        ("sub", "-", "-", "12 (small)"),
    )


def test_what_takes_a_p_value_is_not_small(opened: Bundle) -> None:
    manifest = newest(opened).manifest
    assert few(manifest) == 19
    sites = (manifest.sites[0].model_copy(update={"patients": {"plax": 19, "a4c": 18, "a2c": 1}}), *manifest.sites[1:])
    labels = data(Sources(opened, None), manifest.model_copy(update={"sites": sites}), Stated()).grids[1]
    assert [row[1] for row in labels.rows] == ["19", "18 (small)", "1 (small)", "-", "-"]


def test_parcels_that_are_not_in_the_bundle_are_not_stated(opened: Bundle) -> None:
    manifest = newest(opened).manifest
    gone = manifest.sites[0].model_copy(update={"contributions": ("sha256:" + "f" * 64,), "gram": "imputed"})
    rows = data(Sources(opened, None), manifest.model_copy(update={"sites": (gone,)}), Stated()).grids[0].rows
    assert rows[0][2:6] == ("1", "not stated", "not stated", "not sent")


def test_right_answers_are_counted_from_the_reports(opened: Bundle, whole: Any) -> None:
    manifest = newest(opened).manifest
    section = performance(Sources(opened, whole.trust), manifest)
    right, patients = section.grids
    report = opened.opened(manifest.sites[0].report)
    counts = report.tensors["confusion"]
    clips, hits = int(counts.sum()), int(counts.trace())
    assert right.rows[-1][:2] == ("all", f"{hits / clips:.1%} ({hits} of {clips})")
    assert right.rows[4][:3] == ("sub", "-", "-")
    assert patients.rows[0] == ("ada", "24", "36")
    assert section.notes == ()


def test_a_wrong_answer_shows(opened: Bundle, whole: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = newest(opened).manifest
    report = opened.opened(manifest.sites[0].report)
    confusion = report.tensors["confusion"].copy()
    confusion[:] = 0
    confusion[1, 1], confusion[1, 2] = 3, 1
    report.tensors["confusion"] = confusion
    monkeypatch.setattr(opened, "opened", lambda *_: report)
    right = performance(Sources(opened, None), manifest).grids[0]
    assert [row[1] for row in right.rows] == ["-", "75.0% (3 of 4)", "-", "-", "-", "75.0% (3 of 4)"]


def test_a_site_without_a_report_is_named(opened: Bundle) -> None:
    manifest = newest(opened).manifest
    without = [site.model_copy(update={"report": None}) for site in manifest.sites]
    some = manifest.model_copy(update={"sites": (without[0], *manifest.sites[1:])})
    section = performance(Sources(opened, None), some)
    assert section.notes == ("No report is at hand of ada.",)
    assert section.grids[0].columns == ("label", "ben", "cem")
    nobody = performance(Sources(opened, None), manifest.model_copy(update={"sites": tuple(without)}))
    assert nobody.grids[0].rows == ()


def test_a_report_that_somebody_else_signed_is_left_out(opened: Bundle, whole: Any) -> None:
    parties = tuple(party for party in whole.trust.parties if party.name != "ben")
    stranger = whole.trust.parties[1].model_copy(update={"name": "ben"})
    sources = Sources(opened, TrustFile(federation="test", parties=(*parties, stranger)))
    section = performance(sources, newest(opened).manifest)
    assert section.grids[0].columns == ("label", "ada", "cem")
    assert section.notes == ("No report is at hand of ben.",)
    assert list(sources.left_out.values()) == ["the report of ben: the signature does not verify"]
    rows = data(sources, newest(opened).manifest, Stated()).grids[0].rows
    assert [row[3] for row in rows] == ["13", "not stated", "13"]
