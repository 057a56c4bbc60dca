"""Hearts as they were taken in: pictures by view, volumes at the network's size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from federated.errors import ConsiliumError, DataError
from site_agent.heart_planes import CODES
from site_agent.hearts import hearts_of, shown
from site_agent.home import SiteHome
from tests.site_agent.reconstruction_making import EDGE, VIEWS, ball, picture, reconstruction_home, write_hearts


@pytest.fixture
def home(tmp_path: Path) -> SiteHome:
    return reconstruction_home(tmp_path / "site", write_hearts(tmp_path / "hearts", 3))


def test_what_was_taken_in_comes_back(home: SiteHome) -> None:
    hearts = hearts_of(home)
    assert len(hearts) == 3
    first = hearts[0]
    assert (first.views, first.spacing_mm) == (VIEWS, 3.0)
    np.testing.assert_array_equal(first.target, ball(6))
    np.testing.assert_array_equal(np.rint(first.planes * 255), [picture(6, 200), picture(6, 180)])
    assert [case.label for case in first.cases] == [CODES[view] for view in VIEWS]
    assert len({case.patient for heart in hearts for case in heart.cases}) == 3
    folds = {heart.case.fold for heart in hearts}
    assert sum(len(hearts_of(home, fold=fold)) for fold in folds) == 3
    assert hearts_of(home, batch="b0009") == []


def test_a_heart_is_shown_by_some_of_its_views(home: SiteHome) -> None:
    heart = hearts_of(home)[0]
    only = heart.only(("A2C", "PLAX"))
    assert only is not None
    assert (only.views, len(only.planes), [case.frame for case in only.cases]) == (("A2C",), 1, [1])
    assert heart.only(("PLAX",)) is None
    assert shown([heart], ("PLAX",), EDGE) == []


def test_a_finer_volume_is_brought_to_the_size_by_halves(home: SiteHome) -> None:
    heart = hearts_of(home)[0]
    smaller = heart.at(16)
    counts = heart.target.reshape(16, 2, 16, 2, 16, 2).sum(axis=(1, 3, 5))
    np.testing.assert_array_equal(smaller.target, counts >= 4)
    assert smaller.spacing_mm == 6.0
    assert heart.at(EDGE) is heart
    with pytest.raises(DataError, match="hearts: a volume has 32 voxels a side, the network makes 64"):
        heart.at(64)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("volume.views", lambda _: np.array([6, 40])),
        ("volume.filled", lambda old: old[:3]),
        ("frames", lambda old: old[:1]),
    ],
)
def test_what_was_changed_in_the_archive_is_told(home: SiteHome, name: str, change: object) -> None:
    path = home.archive.cache.path(hearts_of(home)[0].case.key)
    held = load_file(path)
    save_file(held | {name: np.ascontiguousarray(change(held[name]))}, path)  # type: ignore[operator]
    with pytest.raises(ConsiliumError, match="a heart does not fit together; consilium site ingest"):
        hearts_of(home)


def test_images_without_a_volume_are_no_hearts(home: SiteHome) -> None:
    path = home.archive.cache.path(hearts_of(home)[0].case.key)
    held = load_file(path)
    save_file({name: array for name, array in held.items() if not name.startswith("volume.")}, path)
    assert len(hearts_of(home)) == 2
