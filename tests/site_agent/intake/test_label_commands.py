"""`consilium site labels`: the table, taking a map over, and one line for each mistake."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from federated.vocabulary import builtin_vocabulary, write_vocabulary
from site_agent.home import SiteHome

if TYPE_CHECKING:
    from tests.site_agent.conftest import Federation, Run

MAP = """# asked: head of echocardiography
version = 1

[[lines]]
word = "4CH"
code = "399214001"
relation = "same"

[[lines]]
word = "short axis"
code = "399271003"
relation = "broader"
note = "levels are not told apart"
"""


@pytest.fixture
def heart(home: SiteHome) -> SiteHome:
    write_vocabulary(builtin_vocabulary("heart"), home.path / "vocabulary.toml")
    return home


@pytest.fixture
def label_map(tmp_path: Path) -> Path:
    path = tmp_path / "labels.toml"
    path.write_text(MAP)
    return path


def test_without_a_map_it_says_what_to_do(run: Run, heart: SiteHome) -> None:
    said = run("labels").out
    assert "no label map of your own" in said
    assert "consilium site labels FILE" in said


def test_a_map_is_taken_over_and_shown(run: Run, heart: SiteHome, label_map: Path) -> None:
    assert run("labels", label_map).out == "label map: version 0 -> 1\nnew: 4CH, short axis\n"
    assert heart.labels_path.read_text() == MAP
    said = run("labels").out
    assert said.startswith("label map, version 1\n")
    assert "broader than 399271003" in said
    assert "parasternal short axis, with or without contrast (PSAX+any)" in said
    assert "levels are not told apart" in said
    assert run("labels", label_map).out == "label map: version 1 -> 1\nno word means anything else than before\n"


def test_an_unknown_word_stops_an_ingest_until_it_has_a_line(
    run: Run, heart: SiteHome, label_map: Path, federation: Federation
) -> None:
    index = federation.images("ada", {"dark": 5}) / "index.csv"
    index.write_text(index.read_text().replace(",dark,", ",4ch,"))
    refused = run("ingest", index)
    assert (refused.code, refused.err.count("\n")) == (1, 1)
    assert "label '4ch' is not in the vocabulary 'heart'; nearest are 399214001 = apical four-chamber" in refused.err
    assert "consilium site labels FILE" in refused.err
    assert run("labels", label_map).code == 0
    done = run("ingest", index, "--json")
    assert (done.code, done.json["labels"]) == (0, {"399214001": 10}), done.err
    assert run("labels", "--json").json[0]["images"] == 10
    label_map.write_text(MAP.replace("version = 1", "version = 2").replace('"399214001"', '"399232001"'))
    changed = run("labels", label_map)
    assert "gives '4ch' the label '399232001', but 10 images of that word are here as '399214001'" in changed.err


def test_a_program_reads_json(run: Run, heart: SiteHome, label_map: Path) -> None:
    assert run("labels", label_map, "--json").json["added"] == ["4CH", "short axis"]
    first, second = run("labels", "--json").json
    assert (first["word"], first["label"], first["images"]) == ("4CH", "399214001", 0)
    assert (second["code"], second["label"]) == ("399271003", "399306005+any")


def test_a_mistake_is_one_line(run: Run, heart: SiteHome, label_map: Path) -> None:
    label_map.write_text(MAP.replace("399214001", "A4C"))
    result = run("labels", label_map)
    assert (result.code, result.err.count("\n")) == (1, 1)
    assert "line of '4CH': 'A4C' is no concept of the vocabulary 'heart'; nearest are 399214001 = apical" in result.err
    assert not heart.labels_path.exists()
