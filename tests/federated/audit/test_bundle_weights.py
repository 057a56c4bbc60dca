from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import Any

import pytest

from federated.audit.bundle import open_bundle
from federated.audit.bundle_weights import COLUMNS, Weight, as_csv, heat_map_of, weights_of
from federated.errors import ConsiliumError
from federated.manifest import unpack_tensors
from tests.answering import Answering


def _of(path: Path, **chosen: Any) -> list[Weight]:
    return list(weights_of(open_bundle(path), None, **chosen))


def test_shares_of_the_training_weight_of_a_label_add_up_to_one(bundle: Path) -> None:
    found = _of(bundle)
    assert {row.source for row in found} == {"release"}
    assert {row.release for row in found} == {1, 2}
    for release in (1, 2):
        for label in {row.label for row in found if row.release == release}:
            shares = [row.weight or 0.0 for row in found if (row.release, row.label) == (release, label)]
            assert sum(shares) == pytest.approx(1.0, abs=1e-12)


def test_shares_are_those_of_the_release(whole: Any, bundle: Path) -> None:
    head = open_bundle(bundle).release("2")
    weights = unpack_tensors(whole.parcels[head.digest].tensors, head.manifest)["weights"]
    column = weights[:, head.manifest.labels.index("a4c")]
    found = _of(bundle, release="2", label="a4c")
    assert [(row.site, row.weight) for row in found] == [
        (name, column[place] / column.sum()) for place, name in enumerate(("ada", "ben"))
    ]
    assert found[0].patients == head.manifest.sites[0].patients["a4c"]


def test_one_release_expert_or_label_is_asked_for(bundle: Path) -> None:
    assert {row.site for row in _of(bundle, site="cem")} == {"cem"}
    assert {row.label for row in _of(bundle, label="plax")} == {"plax"}
    assert {row.release for row in _of(bundle, release="1")} == {1}
    assert _of(bundle, release="1", site="cem") == []
    with pytest.raises(ConsiliumError, match="holds no release '7'"):
        _of(bundle, release="7")


def _answered(whole: Any) -> Answering:
    """A hospital tells twice of its answers, in which all sites have equal parts."""
    answering = Answering(whole)
    answering.tell(answering.tree(3))
    answering.tell(answering.tree(), first=3, since=3)
    return answering


def test_what_hospitals_told_is_added_up(whole: Any, tmp_path: Path) -> None:
    answering = _answered(whole)
    answering.write(tmp_path / "a.bundle")
    found = [row for row in _of(tmp_path / "a.bundle") if row.source == "answers"]
    assert {(row.at, row.label, row.answers) for row in found} == {("ada", answering.manifest.labels[0], 6)}
    sites = {row.site: row for row in found}
    assert set(sites) == {"ada", "ben", "cem", "prior", "disagreement", "other"}
    assert sites["ada"].weight == 1.0
    assert sites["ada"].contribution == pytest.approx(1 / 3)
    assert sum(row.evidence or 0 for row in found) == pytest.approx(1.0)
    assert (sites["prior"].weight, sites["prior"].contribution, sites["prior"].evidence) == (None, None, 0.0)


def test_a_summary_of_a_release_that_is_not_here_is_left_out(whole: Any, tmp_path: Path) -> None:
    answering = _answered(whole)
    del answering.record.parcels[answering.release]
    answering.write(tmp_path / "a.bundle")
    assert {(row.release, row.source) for row in _of(tmp_path / "a.bundle")} == {(1, "release")}


def test_all_foundare_in_the_table(whole: Any, tmp_path: Path) -> None:
    _answered(whole).write(tmp_path / "a.bundle")
    found = _of(tmp_path / "a.bundle")
    lines = list(csv.DictReader(io.StringIO(as_csv(found).decode())))
    assert list(lines[0]) == list(COLUMNS)
    assert len(lines) == len(found)
    for line, row in zip(lines, found, strict=True):
        assert line["site"] == row.site
        assert line["at"] == (row.at or "")
        assert (float(line["weight"]) if line["weight"] else None) == row.weight


def test_the_plot_shows_the_newest_release_or_one_label_over_releases(whole: Any, bundle: Path, tmp_path: Path) -> None:
    newest = heat_map_of(_of(bundle)).decode()
    assert "share of the training weight in release 2, by label" in newest
    over = heat_map_of(_of(bundle, label="plax")).decode()
    assert re.search("share of the training weight of [^<]*plax[^<]*, by release", over)
    _answered(whole).write(tmp_path / "a.bundle")
    told_ = heat_map_of(_of(tmp_path / "a.bundle")).decode()
    assert "mean contribution to answers in release 2, by label" in told_
    for plot in (newest, over, told_):
        assert plot.startswith("<svg")
        assert len(set(re.findall(r">(ada|ben|cem)<", plot))) > 1
    assert heat_map_of([]).startswith(b"<svg")


def test_a_label_that_nothing_was_answered_with_has_no_row(whole: Any, tmp_path: Path) -> None:
    answering = Answering(whole)
    answering.tell(answering.tree())
    answering.write(tmp_path / "a.bundle")
    assert {row.label for row in _of(tmp_path / "a.bundle") if row.source == "answers"} == {
        answering.manifest.labels[0]
    }
