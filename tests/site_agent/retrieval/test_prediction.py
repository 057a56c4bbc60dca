"""What is most like others is written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from federated.enrolment import Kit
from federated.errors import ConsiliumError, DataError
from site_agent.home import SiteHome
from site_agent.retrieval.prediction import find, predict
from site_agent.retrieval.similar import home_cases
from site_agent.tasks.retrieval import train
from tests.site_agent.retrieval_making import SIZE, retrieval_home
from tests.site_agent.sources.conftest import Exported, exported

__all__ = ["exported"]


@pytest.fixture
def home(tmp_path: Path, exported: Exported, kit: Kit) -> SiteHome:
    return retrieval_home(tmp_path / "site", kit, exported("muscle", **SIZE)[0])


@pytest.fixture
def image(home: SiteHome, tmp_path: Path) -> Path:
    case = home_cases(home)[9]
    path = tmp_path / "asked.png"
    Image.fromarray(home.archive.cache.frames(case.key, [case.place])[0]).save(path)
    return path


def test_every_file_has_a_line_and_a_sheet(home: SiteHome, image: Path, tmp_path: Path) -> None:
    with pytest.raises(ConsiliumError, match="no expert of retrieval is here"):
        predict(home, [image], tmp_path / "out", "png")
    train(home, "b0001")
    (tmp_path / "none.png").write_bytes(b"no image")
    done = predict(home, [image, tmp_path / "none.png"], tmp_path / "out", "png")
    assert done.images == 1
    assert [name for name, _ in done.unreadable] == [str(tmp_path / "none.png")]
    (line,) = [json.loads(text) for text in (tmp_path / "out/predictions.jsonl").read_text().splitlines()]
    assert len(line["similar"]) == 8
    assert line["similar"][0]["similarity"] == pytest.approx(1, abs=1e-3)
    assert line["experts"]["ada"]["share"] == 1
    with Image.open(tmp_path / "out" / line["sheet"]) as sheet:
        assert sheet.width > 5 * 160
    with pytest.raises(DataError, match="none of the 1 images can be used"):
        predict(home, [tmp_path / "none.png"], tmp_path / "out", "png")


def test_what_is_no_image_is_told(home: SiteHome, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.png"):
        find(home, tmp_path / "gone.png", 3)
    assert np.isfinite([hit.similarity for hit in find(home, _still(tmp_path), 3)[1]]).all()


def _still(folder: Path) -> Path:
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)).save(folder / "noise.png")
    return folder / "noise.png"
