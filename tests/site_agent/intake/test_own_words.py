"""What the site's words stand for, beside what was taken in under them."""

from __future__ import annotations

from pathlib import Path

import pytest

from federated.errors import ConsiliumError, DataError
from federated.label_map import LabelMap, Line, write_label_map
from federated.vocabulary import builtin_vocabulary, write_vocabulary
from site_agent.archive import Archive
from site_agent.home import SiteHome
from site_agent.intake.own_words import Taken, take_over, words_of, words_taken
from site_agent.sources import sources
from site_agent.sources.source import Source

FOUR_CHAMBERS, TWO_CHAMBERS, PAPILLARY, SHORT_AXIS = "399214001", "399232001", "399271003", "399306005"
ITEM = "INSERT INTO items (key, root, stamp, said, state, sealed) VALUES (?, '', '', '', 'taken', x'')"
CLIP = (
    "INSERT INTO clips (item, patient, patient_known, clip, label, word, machine, measures, words, header, sector, "
    "quality, blanked, source, looks, frames, batch) "
    "VALUES (?, 'p', 1, 'c', ?, ?, '', '{}', '{}', '', '', 1.0, '', '', x'', ?, ?)"
)


@pytest.fixture
def heart(home: SiteHome) -> SiteHome:
    write_vocabulary(builtin_vocabulary("heart"), home.path / "vocabulary.toml")
    return home


def take_in(archive: Archive, word: str, label: str, images: int, batch: str | None = "b0001") -> None:
    """One clip with so many images."""
    with archive.catalogue.transaction() as connection:
        connection.execute("INSERT OR IGNORE INTO batches VALUES ('b0001', '', '', 1, '', 'sector')")
        key = f"{connection.execute('SELECT count(*) FROM items').fetchone()[0]:032d}"
        connection.execute(ITEM, (key,))
        clip = connection.execute(CLIP, (key, label or None, archive.seal.close(word), images, batch)).lastrowid
        for number in range(images):
            frame = "INSERT INTO frames (clip, number, place, sha256) VALUES (?, ?, ?, '')"
            connection.execute(frame, (clip, number, number))


def written(folder: Path, version: int, *lines: tuple[str, str, str]) -> Path:
    path = folder / f"map-{version}.toml"
    made = [{"word": word, "code": code, "relation": relation} for word, code, relation in lines]
    write_label_map(LabelMap.model_validate({"version": version, "lines": tuple(made)}), path)
    return path


def test_words_are_counted_in_closed_batches(heart: SiteHome) -> None:
    take_in(heart.archive, "4CH", FOUR_CHAMBERS, 3)
    take_in(heart.archive, "4CH", FOUR_CHAMBERS, 2)
    take_in(heart.archive, "4CH", FOUR_CHAMBERS, 7, batch=None)
    take_in(heart.archive, "", "", 4)
    take_in(heart.archive, "2ch", TWO_CHAMBERS, 1)
    assert words_taken(heart.archive) == [Taken("2ch", TWO_CHAMBERS, 1), Taken("4CH", FOUR_CHAMBERS, 5)]


def test_words_with_a_line_come_first_and_the_others_say_why_they_need_none(heart: SiteHome, tmp_path: Path) -> None:
    take_over(heart, written(tmp_path, 1, ("4CH", FOUR_CHAMBERS, "same"), ("short", PAPILLARY, "broader")))
    take_in(heart.archive, "4ch ", FOUR_CHAMBERS, 3)
    take_in(heart.archive, TWO_CHAMBERS, TWO_CHAMBERS, 2)
    take_in(heart.archive, "2CH", TWO_CHAMBERS, 1)
    found = [(word.word, word.relation, word.code, word.label, word.images) for word in words_of(heart)]
    assert found == [
        ("4CH", "same", FOUR_CHAMBERS, FOUR_CHAMBERS, 3),
        ("short", "broader", PAPILLARY, f"{SHORT_AXIS}+any", 0),
        ("2CH", "format", TWO_CHAMBERS, TWO_CHAMBERS, 1),
        (TWO_CHAMBERS, "code", TWO_CHAMBERS, TWO_CHAMBERS, 2),
    ]
    assert words_of(heart)[1].meaning == "parasternal short axis, with or without contrast (PSAX+any)"


def test_a_map_is_taken_over_as_it_was_written(heart: SiteHome, tmp_path: Path) -> None:
    path = written(tmp_path, 1, ("4CH", FOUR_CHAMBERS, "same"), ("2CH", TWO_CHAMBERS, "same"))
    path.write_text("# signed by the head of department\n" + path.read_text())
    taking = take_over(heart, path)
    assert (taking.before, taking.version, taking.added) == (0, 1, ("4CH", "2CH"))
    assert heart.labels_path.read_text() == path.read_text()
    again = take_over(heart, path)
    assert (again.added, again.changed, again.dropped) == ((), (), ())


def test_what_changes_is_said(heart: SiteHome, tmp_path: Path) -> None:
    take_over(heart, written(tmp_path, 1, ("a", FOUR_CHAMBERS, "same"), ("b", "SC", "same"), ("c", "SC", "same")))
    newer = written(tmp_path, 2, ("A", TWO_CHAMBERS, "same"), ("c", "SC", "same"), ("d", "SSN", "narrower"))
    taking = take_over(heart, newer)
    assert (taking.added, taking.changed, taking.dropped) == (("d",), ("A",), ("b",))


@pytest.mark.parametrize("version", [1, 2])
def test_other_lines_need_a_higher_version(heart: SiteHome, tmp_path: Path, version: int) -> None:
    take_over(heart, written(tmp_path, 2, ("4CH", FOUR_CHAMBERS, "same")))
    before = heart.labels_path.read_bytes()
    with pytest.raises(DataError, match=f"is version {version} with other lines than version 2, .*give it version 3"):
        take_over(heart, written(tmp_path, version, ("2CH", TWO_CHAMBERS, "same")))
    assert heart.labels_path.read_bytes() == before


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([("4ch", f"{FOUR_CHAMBERS}+any", "same")], r"gives '4CH' the label '399214001\+any', but 3 images of that"),
        ([("4CH", FOUR_CHAMBERS, "broader")], r"gives '4CH' the label 'AP\+any', but 3 images"),
        ([("2CH", TWO_CHAMBERS, "same")], "has no line for '4CH', but 3 images of that word are here as '399214001'"),
    ],
)
def test_a_word_keeps_its_meaning_once_images_are_here(
    heart: SiteHome, tmp_path: Path, lines: list[tuple[str, str, str]], said: str
) -> None:
    take_over(heart, written(tmp_path, 1, ("4CH", FOUR_CHAMBERS, "same")))
    take_in(heart.archive, "4CH", FOUR_CHAMBERS, 3)
    before = heart.labels_path.read_bytes()
    with pytest.raises(DataError, match=said):
        take_over(heart, written(tmp_path, 2, *lines))
    assert heart.labels_path.read_bytes() == before


def test_a_word_of_a_format_is_not_given_another_meaning_either(heart: SiteHome, tmp_path: Path) -> None:
    take_in(heart.archive, "4CH", FOUR_CHAMBERS, 3)
    with pytest.raises(DataError, match="gives '4CH' the label"):
        take_over(heart, written(tmp_path, 1, ("4CH", TWO_CHAMBERS, "same")))
    taking = take_over(heart, written(tmp_path, 1, ("4CH", FOUR_CHAMBERS, "narrower")))
    assert taking.added == ("4CH",)


def test_a_map_that_does_not_fit_the_vocabulary_changes_nothing(heart: SiteHome, tmp_path: Path) -> None:
    line = Line(word="4CH", code="x", relation="same")
    write_label_map(LabelMap(version=1, lines=(line,)), tmp_path / "wrong.toml")
    with pytest.raises(DataError, match="'x' is no concept of the vocabulary 'heart'"):
        take_over(heart, tmp_path / "wrong.toml")
    with pytest.raises(DataError, match="cannot be read"):
        take_over(heart, tmp_path / "missing.toml")
    assert not heart.labels_path.exists()


@pytest.mark.parametrize("source", sources(), ids=lambda source: source.name)
def test_words_of_every_form_are_concepts_of_what_it_shows(source: Source) -> None:
    LabelMap().merged(source.labels).check(builtin_vocabulary("muscle" if source.name == "muscle" else "heart"))


def test_words_need_the_secret_of_the_site(heart: SiteHome) -> None:
    take_in(heart.archive, "4CH", FOUR_CHAMBERS, 1)
    (heart.keys_path / "secret").write_bytes(b"x" * 32)
    with pytest.raises(ConsiliumError, match="was sealed with another secret"):
        words_of(heart)
