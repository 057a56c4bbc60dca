"""The history is what manifests and log tell, in their order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from federated.audit.bundle import open_bundle
from federated.audit.dossier import history as module
from federated.audit.dossier.history import NO_LOG, RELEASES, history
from federated.manifest import parse_manifest

AT = RELEASES.index("logged")


def _releases(record: Any) -> dict[int, str]:
    found = {digest: parse_manifest(parcel.manifest) for digest, parcel in record.parcels.items()}
    return {manifest.number: digest for digest, manifest in found.items() if manifest.kind == "release"}


def test_releases_and_what_changed(make_record: Callable[..., Any], make_sample: Any, tmp_path: Path) -> None:
    record = make_record()
    first, second = (_releases(record)[number] for number in (1, 2))
    manifest, data = make_sample("adoption", site="ben", release=first, choice="refused")
    record.send(manifest, data, choice="refused", concerns=first)
    recall, data = make_sample("recall", {}, release=first)
    parcel = record.seal(recall, data)
    record.add("recall", subject=parcel.digest, number=1, concerns=first)
    section = history(open_bundle(record.write(tmp_path / "it.bundle")))
    releases, events = section.grids
    one, two = (dict(zip(RELEASES, row, strict=True)) for row in releases.rows)
    assert (one["number"], one["digest"], one["what changed"]) == ("1", first[7:19], "the first")
    assert (one["hospitals' choices"], one["now"]) == ("ben refused", "recalled")
    assert (two["digest"], two["now"], two["hospitals' choices"]) == (second[7:19], "stands", "-")
    assert two["what changed"].startswith("joined: cem; new labels: sub")
    assert [row[AT] for row in releases.rows] == sorted(row[AT] for row in releases.rows)
    assert [row[2] for row in events.rows] == [
        "the federation began",
        *["a hospital was let in"] * 3,
        "a release was recalled",
    ]
    assert events.rows[-1][0] == str(len(record.entries) - 1)
    assert str(section.lines[0].text).startswith(f"{len(record.entries)} entries: ")
    assert section.notes == ()


def test_plan_and_approvals_of_a_release(make_record: Callable[..., Any], tmp_path: Path) -> None:
    record = make_record()
    plan = "sha256:" + "9" * 64
    record.entries[-1] = record.entries[-1].model_copy(update={"plan": plan, "approvals": ("one", "two")})
    rows = history(open_bundle(record.write(tmp_path / "it.bundle", log=True))).grids[0].rows
    assert [row[4:6] for row in rows] == [("-", "0"), ("999999999999", "2")]


def test_without_a_log_it_is_said(whole: Any, tmp_path: Path) -> None:
    section = history(open_bundle(whole.write(tmp_path / "it.bundle", log=False)))
    assert section.notes == (NO_LOG,)
    assert section.lines[0].text is None
    assert [row[AT] for row in section.grids[0].rows] == ["-", "-"]
    assert section.grids[1].rows == ()


def test_a_release_before_that_is_not_there(make_record: Callable[..., Any], tmp_path: Path) -> None:
    record = make_record()
    first = _releases(record)[1]
    del record.parcels[first]
    rows = history(open_bundle(record.write(tmp_path / "it.bundle"))).grids[0].rows
    assert [row[3] for row in rows] == [f"the release before, {first[7:19]}, is not in the bundle"]


def test_a_long_history_shows_its_end(whole: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "SHOWN", 2)
    events = history(open_bundle(whole.write(tmp_path / "it.bundle"))).grids[1]
    assert (events.title, [row[3] for row in events.rows]) == ("What else happened, the last 2", ["ben", "cem"])
