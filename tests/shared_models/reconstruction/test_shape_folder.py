from __future__ import annotations

from dataclasses import fields, is_dataclass, replace

import numpy as np
import pytest

from shared_models.reconstruction import shape_folder
from shared_models.reconstruction.shape_examples import ShapePlan
from shared_models.reconstruction.shape_folder import examples, read_example, write_example

PLAN = ShapePlan(edge=32, views=("A4C", "A2C"))


def same(first, second):
    if is_dataclass(first):
        return all(same(getattr(first, one.name), getattr(second, one.name)) for one in fields(first))
    if isinstance(first, tuple) and first and is_dataclass(first[0]):
        return len(first) == len(second) and all(map(same, first, second))
    return np.array_equal(first, second)


def test_what_was_kept_is_what_was_made(tmp_path, monkeypatch):
    made = list(examples([3, 4], PLAN))
    assert [(one.patient, one.moment) for one in made] == [
        (f"phantom-{seed:08d}", moment) for seed in (3, 4) for moment in ("ED", "ES")
    ]
    written = list(examples([3, 4], PLAN, tmp_path))
    monkeypatch.setattr(shape_folder, "shape_example", None)  # nothing is made again
    read = list(examples([3, 4], PLAN, tmp_path))
    assert all(same(*pair) for pair in zip(made, written, strict=True))
    assert all(same(*pair) for pair in zip(made, read, strict=True))
    assert not list(tmp_path.glob(".*"))


def test_it_goes_on_where_it_stopped(tmp_path):
    half = examples([3, 4], PLAN, tmp_path)
    next(half)
    assert [path.name for path in tmp_path.glob("*.npz")] == ["phantom-00000003-ED.npz"]
    assert len(list(examples([3, 4], PLAN, tmp_path, moments=["ED"]))) == 2
    assert len(list(tmp_path.glob("*.npz"))) == 2


def test_a_folder_holds_one_plan(tmp_path):
    next(examples([3], PLAN, tmp_path))
    with pytest.raises(ValueError, match=r"holds examples of another plan \(edge, views\); choose another folder"):
        next(examples([3], ShapePlan(edge=64, views=("A4C",)), tmp_path))
    (tmp_path / "plan.json").write_text("{")
    with pytest.raises(ValueError, match=r"plan.json: is damaged; choose another folder"):
        next(examples([3], PLAN, tmp_path))


def test_a_damaged_file_is_told_in_one_line(tmp_path):
    one = next(examples([3], PLAN))
    path = tmp_path / "one.npz"
    write_example(path, one)
    whole = path.read_bytes()
    middle = len(whole) // 2
    strange = []
    for greys in (one.planes, one.greys[:1], one.greys[:, :100]):
        write_example(path, replace(one, greys=greys))
        strange.append(path.read_bytes())
    for damaged in (b"", whole[:100], whole[:-40], whole[:middle] + b"\0\0\0\0" + whole[middle + 4 :], *strange):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"one.npz: is no example that can be read; remove it"):
            read_example(path)
    with pytest.raises(ValueError, match=r"missing.npz: is no example that can be read"):
        read_example(tmp_path / "missing.npz")


def test_a_folder_that_cannot_be_made_is_told_in_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"file/set: cannot be used"):
        next(examples([3], PLAN, tmp_path / "file" / "set"))
