"""A site's images as a site takes them in, with their truth beside them."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from deploy.phantom.acquisition import Shot
from deploy.phantom.orders import Pictures, SiteOrder
from deploy.phantom.site_images import site_plan
from deploy.phantom.workplace import fill
from federated.errors import ConsiliumError
from shared_models.phantom.labels import LV, OUTSIDE
from site_agent.sources.images import decode_still
from site_agent.sources.index import read_index

ORDER = SiteOrder("north", 3, {Shot("A4C"): 1.0, Shot("A2C", contrast=True): 0.5}, ejection_fraction=50.0)


def _made(folder: Path, order: SiteOrder = ORDER, **changes: Any) -> Path:
    asked = Pictures(seed=4, size=64, **changes)
    fill(folder, site_plan("generate", [order], asked, {"site": order.site}))
    return folder


def _rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text())))


def _frames(path: Path) -> np.ndarray:
    if path.suffix == ".png":
        with Image.open(path) as image:
            return np.asarray(image)[None]
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="gray") for frame in container.decode(video=0)])


@pytest.fixture(scope="module")
def stills(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _made(tmp_path_factory.mktemp("stills"), truth=True)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _made(tmp_path_factory.mktemp("clips"), truth=True, frames=6)


def test_a_site_can_read_the_index(stills: Path) -> None:
    rows = read_index(stills)
    assert {row.label for row in rows} == {"399214001", "399232001+contrast"}
    assert {row.patient for row in rows} == {"north-00001", "north-00002", "north-00003"}
    assert {(row.site, row.clip, row.frame, row.fold) for row in rows} == {("north", "", None, None)}
    images = [decode_still(row.path) for row in rows]
    assert {image.shape for image in images} == {(64, 64)}
    assert len({image.tobytes() for image in images}) == len(rows)


def test_every_patient_has_a_shot_and_a_rare_one_is_rare(stills: Path) -> None:
    views = [row["view"] for row in _rows(stills / "index.csv")]
    assert views.count("A4C") == 3
    assert views.count("A2C+contrast") < 3


def test_truth_lies_beside_every_image(clips: Path) -> None:
    volumes = _rows(clips / "volumes.csv")
    for row in _rows(clips / "index.csv"):
        stem = row["path"].removeprefix("images/").removesuffix(".avi")
        images, labels = _frames(clips / row["path"]), _frames(clips / "truth" / f"{stem}.labels.avi")
        sector = _frames(clips / "truth" / f"{stem}.sector.png")[0]
        assert images.shape == labels.shape == (6, 64, 64)
        assert ((labels == OUTSIDE) == (sector == 0)).all()
        assert set(np.unique(sector)) == {0, 255}
        of_clip = [line for line in volumes if line["path"] == row["path"]]
        assert [int(line["frame"]) for line in of_clip] == list(range(6))
        sizes = [float(line["volume_ml"]) for line in of_clip]
        assert int(np.argmax(sizes)) == int(of_clip[0]["end_diastole"]) == 0
        assert int(np.argmin(sizes)) == int(of_clip[0]["end_systole"])
        areas = (labels == LV).sum(axis=(1, 2))
        assert areas[np.argmax(sizes)] > areas[np.argmin(sizes)]
        assert float(of_clip[0]["ejection_fraction"]) == 50.0


def test_the_index_names_the_truth_of_stills_and_clips(stills: Path, clips: Path, tmp_path: Path) -> None:
    for folder, suffix in ((stills, "png"), (clips, "avi")):
        for row in read_index(folder):
            stem = row.path.relative_to(folder.absolute() / "images").with_suffix("")
            assert row.mask == folder.absolute() / "truth" / f"{stem}.labels.{suffix}"
            assert row.mask.is_file()
    assert {row.mask for row in read_index(_made(tmp_path / "without"))} == {None}


def test_contours_lie_on_the_border_of_the_ventricle(clips: Path) -> None:
    lines = _rows(clips / "contours.csv")
    assert len(lines) >= 6
    for line in lines:
        stem = line["path"].removeprefix("images/").removesuffix(".avi")
        labels = _frames(clips / "truth" / f"{stem}.labels.avi")[int(line["frame"])]
        inside = np.argwhere(labels == LV)[:, ::-1]
        points = np.array([[float(line[f"x{n}"]), float(line[f"y{n}"])] for n in range(1, 8)])
        far = np.hypot(*(points[:, None] - inside[None]).transpose(2, 0, 1)).min(axis=1)
        assert far.max() < 2.5


def test_a_still_has_no_frames_to_name(stills: Path) -> None:
    lines = _rows(stills / "volumes.csv")
    assert {(line["frame"], line["end_diastole"], line["end_systole"]) for line in lines} == {("0", "", "")}
    assert len({line["phase"] for line in lines}) == len(lines), "each at its own moment"


def test_without_truth_there_is_none(tmp_path: Path) -> None:
    folder = _made(tmp_path)
    assert sorted(path.name for path in folder.iterdir()) == ["PHANTOM.txt", "images", "index.csv", "provenance.json"]


def test_the_same_order_gives_the_same_bytes_and_another_seed_others(
    tmp_path: Path, clips: Path, tree: Callable[[Path], dict[str, bytes]]
) -> None:
    again = tree(_made(tmp_path / "again", truth=True, frames=6))
    assert again == tree(clips)
    fill(tmp_path / "other", site_plan("generate", [ORDER], Pictures(seed=5, size=64, frames=6), {"site": "north"}))
    other = tree(tmp_path / "other")
    assert other["images/north/north-00001/A4C.avi"] != again["images/north/north-00001/A4C.avi"]


def test_more_patients_do_not_change_those_there_are(tmp_path: Path, stills: Path) -> None:
    more = SiteOrder("north", 4, ORDER.shots, ejection_fraction=50.0)
    folder = _made(tmp_path, more)
    for row in _rows(stills / "index.csv"):
        assert (folder / row["path"]).read_bytes() == (stills / row["path"]).read_bytes()


def test_each_patient_is_seen_by_one_machine_of_the_mix(tmp_path: Path) -> None:
    machines = {"bittern": 0.5, "curlew": 0.5}
    rows = _rows(_made(tmp_path, SiteOrder("mixed", 12, {Shot("A4C"): 1.0, Shot("PLAX"): 1.0}, machines)) / "index.csv")
    seen = {(row["patient"], row["machine"]) for row in rows}
    assert len(seen) == 12
    assert {machine for _, machine in seen} == set(machines)


def test_a_split_is_said_in_the_index(tmp_path: Path) -> None:
    folder = _made(tmp_path, SiteOrder("south", 1, {Shot("PLAX"): 1.0}, split="test"))
    assert [row.fold for row in read_index(folder)] == ["test"]


def test_nothing_is_begun_that_cannot_be_made(tmp_path: Path) -> None:
    with pytest.raises(ConsiliumError, match="--patients"):
        site_plan("generate", [SiteOrder("south", 0, {Shot("PLAX"): 1.0})], Pictures(1), {})
    assert not list(tmp_path.iterdir())
