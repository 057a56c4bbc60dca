"""Parts of a page: words stay words, and the frame is the same for all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from site_agent.page_parts import moment, number, page, paragraphs, picture, section, table, text, tiles
from tests.site_agent.page_reading import assert_needs_nothing_else, read_page

HOSTILE = '<script>alert("x")</script>$title&amp;'


def test_hostile_words_are_words() -> None:
    content = (
        tiles([(HOSTILE, HOSTILE)])
        + section(HOSTILE, paragraphs([HOSTILE]))
        + table([("", HOSTILE), ("number", "n")], [[text(HOSTILE, HOSTILE), number(3)]])
        + picture(b"one", HOSTILE)
    )
    whole = page(title=HOSTILE, heading=HOSTILE, about=[HOSTILE, HOSTILE], content=content, command=HOSTILE)
    assert_needs_nothing_else(whole)
    reader = read_page(whole)
    assert "".join(reader.words).count(HOSTILE) == 12
    assert ("alt", HOSTILE) in reader.attributes
    assert reader.elements.count("br") == 1, "between two lines about it"


def test_a_table_has_a_class_for_each_column() -> None:
    found = table([("", "view"), ("number", "images")], [[text("A4C", "a note"), number(1234)]])
    assert '<th class="number">images</th>' in found
    assert '<td class="">A4C<small>a note</small></td><td class="number">1,234</td>' in found


def test_a_picture_lies_inside_the_page() -> None:
    assert picture(b"one") == '<img alt="" src="data:image/png;base64,b25l">'


def test_a_time_is_told_in_one_zone() -> None:
    assert moment(datetime(2026, 3, 4, 5, 6, tzinfo=UTC)) == "2026-03-04 05:06 UTC"
    assert moment(datetime(2026, 3, 4, 1, 6, tzinfo=timezone(timedelta(hours=2)))) == "2026-03-03 23:06 UTC"
