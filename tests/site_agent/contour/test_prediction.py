"""Contours are written as pictures, lines and a table."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from federated.enrolment import Kit
from federated.errors import DataError
from site_agent.contour.prediction import FORMS, POINTS, TABLE, predict, table, told
from site_agent.contour.tracer import Traced
from site_agent.expert_predictions import LINES
from site_agent.home import SiteHome
from site_agent.predict import Shown, rows_of
from site_agent.tasks.contour import train
from tests.site_agent.contour_making import BATCH, SIZE, contour_home
from tests.site_agent.sources.conftest import Exported, exported

__all__ = ["exported"]


@pytest.fixture
def home(tmp_path: Path, kit: Kit, exported: Exported) -> SiteHome:
    home = contour_home(tmp_path / "site", kit, exported("camus", **SIZE)[0])
    train(home, BATCH)
    return home


def test_every_image_has_a_line_seven_points_and_a_picture(home: SiteHome, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    rows, columns = np.mgrid[:120, :160]
    wedge = np.hypot(columns - 80, rows) * (np.abs(columns - 80) < rows * 0.8 + 4)
    noise = np.random.default_rng(0).integers(60, 200, wedge.shape)
    for name in ("one.png", "two.png"):
        Image.fromarray(np.where((wedge > 2) & (wedge < 115), noise, 0).astype(np.uint8)).save(folder / name)
    (folder / "broken.png").write_bytes(b"no image")
    out = tmp_path / "out"
    done = predict(home, [folder], out, FORMS[0])
    assert done.images == 2
    assert [name for name, _ in done.unreadable] == ["broken.png"]
    lines = [json.loads(line) for line in (out / LINES).read_text().splitlines()]
    assert [line["image"] for line in lines] == ["one.png", "two.png"]
    for line in lines:
        assert tuple(line["points"]) == POINTS
        assert line["experts"] == {"ada": {"p": pytest.approx(line["experts"]["ada"]["p"]), "share": 1.0}}
        with Image.open(out / line["overlay"]) as picture:
            assert picture.mode == "RGB"
    written = list(csv.DictReader((out / TABLE).read_text().splitlines()))
    assert [row["point"] for row in written] == [*POINTS, *POINTS]
    assert float(written[3]["x"]) == lines[0]["points"]["apex"]["x"]
    assert written[3]["x_mm"] == ""


def test_millimetres_are_told_where_the_size_of_a_pixel_is_known(tmp_path: Path) -> None:
    image = tmp_path / "a.png"
    Image.fromarray(np.zeros((90, 90), np.uint8)).save(image)
    points = np.stack([np.arange(7.0), 10 * np.arange(7.0)], axis=1)
    shown = Shown(next(iter(rows_of([image]))), "a.png", np.zeros((90, 90), np.uint8), (0.5, 2.0))
    line = told(shown, Traced(points, 0.123, {"ada": 0.4}, {"ada": 1.0}))
    assert line["points"]["apex"] == {"x": 3.0, "y": 30.0, "x_mm": 6.0, "y_mm": 15.0}
    assert line["length_mm"] == 0  # the apex lies in the middle of the base, as points in a row do
    assert line["experts_apart_pixels"] == 0.12
    assert table([{"image": "a.png"} | line]).splitlines()[4] == "a.png,apex,3.0,30.0,6.0,15.0"


def test_where_nothing_can_be_used_it_says_why_in_one_line(home: SiteHome, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    with pytest.raises(DataError, match=r"none of the 1 images can be used; .* is not a readable image"):
        predict(home, [broken], tmp_path / "out", FORMS[0])
    assert not (tmp_path / "out").exists()
