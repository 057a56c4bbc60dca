"""``python -m benchmarks.results``: write docs/results.md, docs/contest.md and tables in other pages from results."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path

from benchmarks.claims import Claim, Result, Row, Value, read_result

ROOT = Path(__file__).resolve().parents[1]
BEGIN, END = "<!-- claims: begin, written by make docs -->", "<!-- claims: end -->"
TABLES = re.compile(r"(<!-- tables of (\w+): begin, written by make docs -->\n).*?(<!-- tables: end -->)", re.DOTALL)
HEAD = """# Results

Written by `make docs` from `docs/results/*.json`, which `make bench` writes; no number here was typed. The contest of
rules has [its own page](contest.md).
"""
CONTEST = "incremental_"
CONTEST_HEAD = """# The contest of rules

Written by `make docs` from `docs/results/incremental_*.json`, which `make contest` writes; no number here was typed.
What each rule does is told by [weighted experts](methods/weighted_experts.md). Pictures show means over seeds.
"""


def shown(value: Value) -> str:
    """A value for people: three significant digits, no exponent where it can be helped."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else value


def verdict(claim: Claim) -> str:
    """Whether a claim holds, in words."""
    return {True: "holds", False: "DOES NOT HOLD", None: ""}[claim.holds]


def tables(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Rows by their ``table``, in order, without that column."""
    grouped: dict[str, list[Row]] = {}
    for row in rows:
        rest = {column: value for column, value in row.items() if column != "table"}
        grouped.setdefault(str(row.get("table", "")), []).append(rest)
    return grouped


def claims_table(claims: Iterable[Claim]) -> str:
    """Claims, one a row."""
    rows: list[Row] = [
        {
            "claim": claim.claim,
            "measured": f"{shown(claim.value)} {claim.unit}".strip(),
            "target": claim.target,
            "": verdict(claim),
        }
        for claim in claims
    ]
    return _markdown(rows)


def page(head: str, results: Iterable[Result], pictures: Iterable[Path] = ()) -> str:
    """A page of results, with those pictures that are named after them."""
    names = [path.name for path in pictures]
    return "\n".join(
        [
            head,
            *(_section(result, [name for name in names if name.startswith(f"{result.name}-")]) for result in results),
        ]
    )


def _section(result: Result, pictures: Iterable[str]) -> str:
    machine = ", ".join(f"{name} {value}" for name, value in result.machine.items())
    parts = [f"## {result.name}\n", f"Commit `{result.commit}`; {machine}.\n", claims_table(result.claims)]
    parts += [f"![{Path(name).stem.rpartition('-')[2]}](results/{name})\n" for name in pictures]
    parts += [f"{note}\n" for note in result.notes]
    for title, rows in tables(result.rows).items():
        parts += [f"### {title}\n"] if title else []
        parts.append(_markdown(rows))
    return "\n".join(parts)


def _markdown(rows: list[Row]) -> str:
    columns = list(dict.fromkeys(column for row in rows for column in row))
    lines = [columns, ["---"] * len(columns), *([shown(row.get(column)) for column in columns] for row in rows)]
    return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |\n" for line in lines)


def with_claims(readme: str, results: Iterable[Result]) -> str:
    """The README with every claim that has a target between its two marks."""
    before, mark, rest = readme.partition(BEGIN)
    after = rest.partition(END)[2]
    claims = [claim for result in results for claim in result.claims if claim.holds is not None]
    return f"{before}{mark}\n{claims_table(claims)}{END}{after}" if mark else readme


def with_tables(text: str, results: Iterable[Result]) -> str:
    """A page with the tables of each result that it has marks for."""
    known = {result.name: result for result in results}

    def filled(marks: re.Match[str]) -> str:
        begin, name, end = marks.groups()
        return f"{begin}\n{_tables(known[name])}\n{end}" if name in known else marks.group()

    return TABLES.sub(filled, text)


def _tables(result: Result) -> str:
    return "\n".join(f"{title}\n\n{_markdown(rows)}" for title, rows in tables(result.rows).items())


def read_results(folder: Path) -> list[Result]:
    """Results in name order.

    Raises:
        ValueError: one of them is of a quick run.
    """
    results = [read_result(path) for path in sorted(folder.glob("*.json"))]
    quick = [result.name for result in results if result.quick]
    if quick:
        raise ValueError(f"{', '.join(quick)}: a quick run is not for the docs; measure again without --quick")
    return results


def written(root: Path) -> dict[Path, str]:
    """What the generated files of a tree should hold."""
    results = read_results(root / "docs" / "results")
    readme, summary, contest = root / "README.md", root / "docs" / "results.md", root / "docs" / "contest.md"
    pages = [path for path in sorted((root / "docs").rglob("*.md")) if path not in (summary, contest)]
    played = [result for result in results if result.name.startswith(CONTEST)]
    return {
        summary: page(HEAD, [result for result in results if result not in played]),
        contest: page(CONTEST_HEAD, played, sorted((root / "docs" / "results").glob(f"{CONTEST}*.png"))),
        readme: with_claims(readme.read_text(encoding="utf-8"), results),
        **{path: with_tables(path.read_text(encoding="utf-8"), results) for path in pages},
    }


def main() -> None:
    """Write them."""
    try:
        for path, text in written(ROOT).items():
            path.write_text(text, encoding="utf-8")
    except ValueError as error:
        sys.exit(f"docs/results: {error}")


if __name__ == "__main__":
    main()
