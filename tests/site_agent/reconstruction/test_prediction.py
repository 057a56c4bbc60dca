"""Volumes of hearts as files: a mesh, a picture, a line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from federated.errors import DataError
from site_agent.home import SiteHome
from site_agent.reconstruction import prediction
from site_agent.reconstruction.prediction import FORMS, predict
from site_agent.reconstruction.reconstructor import Rebuilt, Reconstructor
from tests.site_agent.reconstruction_making import ball, heart_arrays, write_hearts


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What experts are shown; they make the same ball of every heart."""
    shown: list[list[str]] = []

    def volume(_self: Reconstructor, views: dict[str, np.ndarray], _names: object = ()) -> Rebuilt:
        shown.append(list(views))
        return Rebuilt(ball(10).astype(np.float32), {"ada": 0.5}, {"ada": 1.0})

    monkeypatch.setattr(Reconstructor, "volume", volume)
    return shown


@pytest.mark.parametrize("form", FORMS)
def test_a_mesh_a_picture_and_a_line_each(home: SiteHome, tmp_path: Path, form: str, made: list[list[str]]) -> None:
    root = write_hearts(tmp_path / "in", 2, views=("PLAX", "A4C", "A2C"))
    done = predict(home, [root], tmp_path / "out", form)
    assert (done.images, done.unreadable) == (2, ())
    assert made == 2 * [["A4C", "A2C"]]
    lines = [json.loads(line) for line in (tmp_path / "out" / "predictions.jsonl").read_text().splitlines()]
    assert [line["heart"] for line in lines] == ["000.npz", "001.npz"]
    assert lines[0]["experts"] == {"ada": {"p": 0.5, "share": 1.0}}
    assert lines[0]["filled_ml"] == pytest.approx(ball(10).sum() * 0.027, abs=0.01)
    assert (tmp_path / "out" / lines[0]["mesh"]).read_bytes()[:3] == (b"ply" if form == "ply" else b"Sur")
    with Image.open(tmp_path / "out" / lines[0]["picture"]) as seen:
        assert seen.size == (288, 96)


def test_what_cannot_be_read_is_left_out_and_told(home: SiteHome, tmp_path: Path, made: list[list[str]]) -> None:
    root = write_hearts(tmp_path / "in", 1)
    (root / "x.npz").write_bytes(b"nothing")
    np.savez(root / "y.npz", **heart_arrays("p", 9.0, ("PLAX",)))
    done = predict(home, [root], tmp_path / "out", "stl")
    assert done.images == len(made) == 1
    assert dict(done.unreadable) == {
        "x.npz": "is no heart: it holds no 'said'",
        "y.npz": "shows none of the views A4C, A2C",
    }


def test_nothing_that_can_be_used_is_one_line_and_no_folder(home: SiteHome, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with pytest.raises(DataError, match=r"holds no heart; they end in \.npz"):
        predict(home, [tmp_path / "in"], tmp_path / "out", "stl")
    (tmp_path / "in" / "x.npz").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"none of the 1 hearts can be used; x\.npz is no heart"):
        predict(home, [tmp_path / "in"], tmp_path / "out", "stl")
    assert not (tmp_path / "out").exists()


def test_what_fills_nothing_has_no_mesh(home: SiteHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = Rebuilt(np.zeros((32, 32, 32), np.float32), {"ada": 0.5}, {"ada": 1.0})
    monkeypatch.setattr(prediction.Reconstructor, "volume", lambda *_: empty)
    with pytest.raises(DataError, match=r"nothing in the volume reaches 0\.5"):
        predict(home, [write_hearts(tmp_path / "in", 1)], tmp_path / "out", "stl")
