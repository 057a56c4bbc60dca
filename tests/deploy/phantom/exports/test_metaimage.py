from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy.phantom.acquisition import shot_named
from deploy.phantom.exports.layout import patient_of, record
from deploy.phantom.exports.metaimage import MACHINE
from tests.deploy.phantom.reading import meta_image, rows_of

Export = tuple[Path, Any]


@pytest.fixture
def export(exported: Callable[..., Export]) -> Export:
    return exported("metaimage", patients=2, frames=5, size=96)


def test_clips_labels_and_spacing_are_those_of_the_phantom(export: Export) -> None:
    folder, order = export
    rows = rows_of(folder / "index.csv")
    assert len(rows) == 6
    for row in rows:
        number = int(row["patient"].removeprefix("phantom"))
        clip = record(order, number, patient_of(order, number), shot_named(row["view"]), MACHINE, marks=True)
        images, spacing = meta_image(folder / row["path"])
        labels, _ = meta_image(folder / row["path"].replace(".mhd", "_labels.mhd"))
        np.testing.assert_array_equal(images, clip.images)
        np.testing.assert_array_equal(labels, clip.labels)
        assert spacing[:2] == pytest.approx((clip.take.spacing_mm,) * 2, rel=1e-6)
        assert float(row["spacing_mm"]) == pytest.approx(clip.take.spacing_mm, abs=1e-6)
        assert float(row["ejection_fraction"]) == pytest.approx(clip.ejection_fraction, abs=1e-3)
        assert row["label"] == shot_named(row["view"]).label


def test_some_are_compressed_and_some_are_not(export: Export) -> None:
    suffixes = {path.suffix for path in export[0].rglob("phantom*.*")}
    assert suffixes == {".mhd", ".raw", ".zraw"}
