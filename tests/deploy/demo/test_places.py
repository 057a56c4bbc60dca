"""A demonstration replaces its own folder only."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.demo.places import MARK, claimed
from federated.errors import ConsiliumError


def test_a_new_folder_is_marked(tmp_path: Path) -> None:
    said: list[str] = []
    with claimed(tmp_path / "a" / "b", said.append) as places:
        assert (places.out / MARK).is_file()
    assert said == []


def test_an_empty_folder_may_be_used(tmp_path: Path) -> None:
    with claimed(tmp_path, print):
        assert (tmp_path / MARK).is_file()


def test_an_earlier_demo_is_replaced_and_said_so(tmp_path: Path) -> None:
    with claimed(tmp_path, print):
        (tmp_path / "old").touch()
    said: list[str] = []
    with claimed(tmp_path, said.append):
        assert [path.name for path in tmp_path.iterdir()] == [MARK]
    assert said == [f"Replacing the earlier demo in {tmp_path}."]


@pytest.mark.parametrize("name", ["thesis.txt", "results.json"])
def test_somebody_elses_folder_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine", encoding="utf-8")
    with pytest.raises(ConsiliumError, match=r"is not empty and no demo's folder; choose another with --out"):  # noqa: SIM117
        with claimed(tmp_path, print):
            pytest.fail("it was taken")
    assert (tmp_path / name).read_text(encoding="utf-8") == "mine"


def test_a_file_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(ConsiliumError, match="no demo's folder"), claimed(tmp_path / "out", print):
        pytest.fail("it was taken")


def test_a_running_demo_is_not_replaced(tmp_path: Path) -> None:
    with claimed(tmp_path, print):
        (tmp_path / "busy").touch()
        with pytest.raises(ConsiliumError, match="a demo is running here"), claimed(tmp_path, print):
            pytest.fail("it was taken")
        assert (tmp_path / "busy").exists()
