"""A contest goes on with the code that began it, and with no other; what only tells of it may change."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.incremental.code import PLAYING, ROOT, TELLING, playing


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in (*(f"{folder}/a.py" for folder in PLAYING), *TELLING, "server/a.py", "federated/a.toml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("one = 1\n")
    return tmp_path


@pytest.mark.parametrize("name", [*(f"{folder}/a.py" for folder in PLAYING), "federated/fusion/new.py"])
def test_what_plays_changes_it(tree: Path, name: str) -> None:
    before = playing(tree)
    (tree / name).parent.mkdir(exist_ok=True)
    (tree / name).write_text("one = 2\n")
    assert playing(tree) != before


@pytest.mark.parametrize("name", [*sorted(TELLING), "server/a.py", "federated/a.toml"])
def test_what_tells_does_not(tree: Path, name: str) -> None:
    before = playing(tree)
    (tree / name).write_text("one = 2\n")
    assert playing(tree) == before


def test_what_is_named_is_there() -> None:
    assert all((ROOT / name).exists() for name in (*PLAYING, *TELLING))
    assert len(playing()) == 12
