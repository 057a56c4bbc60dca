"""Real breasts: which images are there, and that look-alikes stay in one fold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import backmix_breast
from benchmarks.backmix_breast import FOLDS, STRANGE, TAUGHT, Site, sites
from federated.errors import DataError


@pytest.fixture
def both(shared_data: Path) -> dict[str, Site]:
    assert (shared_data / "breast_us_two_site" / "index.csv").is_file()
    return sites(32)


def test_tumours_of_both_sites(both: dict[str, Site]) -> None:
    assert set(both) == {TAUGHT, STRANGE}
    for site in both.values():
        assert site.pictures.images.shape == (len(site.patients), 32, 32)
        assert set(site.pictures.labels.tolist()) == {0, 1}
        assert site.sure <= site.found <= len(site.patients)
        assert site.pictures.sectors.any(axis=(1, 2)).sum() == site.found
    assert both[STRANGE].outside > 0.1 > both[TAUGHT].outside


def test_folds_divide_groups_and_not_their_images(both: dict[str, Site]) -> None:
    folds = {name: both[TAUGHT].fold(name, seed=0) for name, _ in FOLDS}
    assert sum(len(fold.labels) for fold in folds.values()) == len(both[TAUGHT].patients)
    owners = [set(fold.patients.tolist()) for fold in folds.values()]
    assert not owners[0] & owners[1] | owners[0] & owners[2] | owners[1] & owners[2]
    assert not np.array_equal(folds["test"].patients, both[TAUGHT].fold("test", seed=1).patients)


def test_data_that_are_not_there_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(backmix_breast, "BREAST", tmp_path / "nowhere")
    with pytest.raises(DataError, match="nowhere"):
        sites(32)
