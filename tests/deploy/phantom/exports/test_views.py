"""Pictures of named views lie in folders as the command reads them, with the true surface beside."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from deploy.phantom.exports.layout import patient_of
from shared_models.phantom.volumes import NINE_PLANES
from shared_models.reconstruction.shape_examples import ShapePlan, shape_example
from shared_models.reconstruction.surface import TRIANGLE
from site_agent.reconstruction.view_names import view_of_file
from tests.deploy.phantom.reading import rows_of

Export = tuple[Path, Any]


@pytest.fixture
def export(exported: Callable[..., Export]) -> Export:
    return exported("views", patients=1)


def test_nine_pictures_a_moment_are_those_of_the_phantom(export: Export) -> None:
    folder, order = export
    for row in rows_of(folder / "truth.csv"):
        made = shape_example(patient_of(order, 1), row["moment"], ShapePlan())
        files = sorted((folder / row["folder"]).glob("*.png"))
        assert sorted(view_of_file(file) for file in files) == sorted(NINE_PLANES)
        for file in files:
            plane = made.planes[made.views.index(view_of_file(file))]
            with Image.open(file) as image:
                np.testing.assert_array_equal(np.asarray(image), np.rint(plane * 255))
        assert float(row["pixel_mm"]) == pytest.approx(made.picture_mm[0], abs=1e-4)
        assert float(row["lv_volume_ml"]) == pytest.approx(made.lv_volume_ml, abs=0.01)
        corners = np.frombuffer((folder / row["folder"] / "walls.stl").read_bytes()[84:], TRIANGLE)["corners"]
        wall_mm = np.ptp(np.argwhere(made.target), axis=0) * made.spacing_mm
        assert np.ptp(corners.reshape(-1, 3), axis=0) == pytest.approx(wall_mm + made.spacing_mm, rel=0.01)
