"""Hearts of the phantom lie on disk as sites take them in."""

from __future__ import annotations

import numpy as np
import pytest

from deploy.phantom.exports.hearts import edge_of
from deploy.phantom.exports.layout import ExportOrder, patient_of
from shared_models.phantom.volumes import NINE_PLANES, bounding_grid, wall_occupancy
from shared_models.reconstruction.shape_folder import read_example
from tests.deploy.phantom.conftest import Exported
from tests.deploy.phantom.reading import rows_of


def test_every_patient_has_a_heart_at_both_ends_of_the_beat(exported: Exported) -> None:
    folder, order = exported("hearts", patients=2, size=32)
    rows = rows_of(folder / "truth.csv")
    assert [row["file"] for row in rows] == sorted(path.name for path in folder.glob("*.npz"))
    assert float(rows[0]["lv_volume_ml"]) > float(rows[1]["lv_volume_ml"])
    example = read_example(folder / "PHANTOM-00002-ED.npz")
    assert (example.patient, example.moment, example.views) == ("PHANTOM-00002", "ED", NINE_PLANES)
    heart = patient_of(order, 2).heart
    np.testing.assert_array_equal(example.target, wall_occupancy(heart, 0.0, bounding_grid(heart, 32)))


@pytest.mark.parametrize(("size", "edge"), [(None, 64), (32, 32), (40, 32), (64, 64), (300, 128)])
def test_the_size_is_that_of_the_volume(size: int | None, edge: int) -> None:
    assert edge_of(ExportOrder(1, 0, 4, size)) == edge
