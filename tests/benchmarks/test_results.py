"""The documentation's numbers are those of docs/results, and only full runs get there."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.claims import Result, at_least, at_most, told, write_result
from benchmarks.results import BEGIN, END, ROOT, page, read_results, shown, tables, with_claims, with_tables, written

RESULT = Result(
    name="spine",
    quick=False,
    commit="abc",
    machine={"cores": "2"},
    rows=({"table": "first", "n": 20000, "seconds": 0.12345}, {"table": "second", "peer": None, "same": True}),
    claims=(at_most("solve", 0.5, "s", 2.0), at_least("speed", 1234.5, "images/s", 5000), told("rest", 3.5, "")),
    notes=("What it does not say.",),
)


def test_the_written_documents_are_up_to_date() -> None:
    stale = [path.name for path, text in written(ROOT).items() if path.read_text(encoding="utf-8") != text]
    assert not stale, "run make docs"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.12345, "0.123"), (1234.5, "1,234"), (20000, "20,000"), (None, "–"), (True, "yes"), (3.0, "3"), ("a", "a")],
)
def test_values_are_shown_for_people(value: float | str | None, text: str) -> None:
    assert shown(value) == text


def test_rows_are_grouped_by_their_table() -> None:
    assert list(tables(RESULT.rows)) == ["first", "second"]
    assert tables(RESULT.rows)["first"] == [{"n": 20000, "seconds": 0.12345}]


def test_the_page_holds_every_claim_row_and_note() -> None:
    text = page("# Head", [RESULT])
    for part in ("## spine", "Commit `abc`; cores 2.", "### first", "What it does not say."):
        assert part in text
    assert "| solve | 0.5 s | ≤ 2 | holds |" in text
    assert "| speed | 1,234 images/s | ≥ 5000 | DOES NOT HOLD |" in text
    assert "| 20,000 | 0.123 |" in text
    assert "| rest | 3.5 |  |  |" in text


def test_the_readme_gets_the_claims_between_its_marks() -> None:
    readme = f"before\n{BEGIN}\nstale\n{END}\nafter\n"
    once = with_claims(readme, [RESULT])
    assert "stale" not in once
    assert "| solve |" in once
    assert "| rest |" not in once
    assert once.startswith(f"before\n{BEGIN}\n| claim |")
    assert once.endswith(f"{END}\nafter\n")
    assert with_claims(once, [RESULT]) == once


def test_a_page_gets_the_tables_it_has_marks_for() -> None:
    begin, end = "<!-- tables of {}: begin, written by make docs -->\n", "<!-- tables: end -->"
    text = f"before\n{begin.format('spine')}stale\n{end}\nbetween\n{begin.format('other')}kept\n{end}\nafter\n"
    once = with_tables(text, [RESULT])
    assert "| 20,000 | 0.123 |" in once
    assert "stale" not in once
    assert "kept" in once
    assert with_tables(once, [RESULT]) == once


def test_a_quick_run_is_not_for_the_docs(tmp_path: Path) -> None:
    write_result(RESULT.model_copy(update={"quick": True}), tmp_path / "spine.json")
    with pytest.raises(ValueError, match="quick run"):
        read_results(tmp_path)


def test_a_result_shows_the_pictures_that_are_named_after_it() -> None:
    pictures = [Path(f"docs/results/{RESULT.name}-cost.png"), Path("docs/results/other-cost.png")]
    text = page("# Head", [RESULT], pictures)
    assert f"![cost](results/{RESULT.name}-cost.png)" in text
    assert "other" not in text


def test_the_contest_has_a_page_of_its_own(tmp_path: Path) -> None:
    folder = tmp_path / "docs" / "results"
    folder.mkdir(parents=True)
    (tmp_path / "README.md").write_text("# X\n")
    for name in ("incremental_clouds", "spine"):
        write_result(RESULT.model_copy(update={"name": name}), folder / f"{name}.json")
    (folder / "incremental_clouds-cost.png").write_bytes(b"")
    found = {path.name: text for path, text in written(tmp_path).items()}
    assert ("## spine" in found["results.md"], "## incremental_clouds" in found["results.md"]) == (True, False)
    assert "## incremental_clouds" in found["contest.md"]
    assert "results/incremental_clouds-cost.png" in found["contest.md"]
