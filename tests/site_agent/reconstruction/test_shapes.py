from __future__ import annotations

import numpy as np
import pytest

from federated.errors import DataError
from site_agent.reconstruction.shapes import FORMS, looked_through, mesh_bytes
from tests.site_agent.reconstruction_making import ball


def test_a_volume_is_seen_along_each_axis() -> None:
    volume = np.zeros((32, 32, 32), np.bool_)
    volume[:16, 4, 8] = True
    seen = looked_through(volume)
    assert seen.shape == (96, 288)
    first, second, third = np.split(seen, 3, axis=1)
    assert np.argwhere(first == 255).min(axis=0).tolist() == [12, 24]
    assert (first == 255).sum() == 9
    assert set(np.unique(second[:48, 24:27])) == {round(255 / 16)}
    assert not third[48:].any()


def test_nothing_is_black() -> None:
    assert not looked_through(np.zeros((64, 64, 64), np.float32)).any()
    assert looked_through(np.ones((64, 64, 64), np.float32)).shape == (128, 384)


@pytest.mark.parametrize("form", FORMS)
def test_a_mesh_is_of_the_millimetres_that_were_asked_for(form: str) -> None:
    assert len(mesh_bytes(form, ball(8).astype(np.float32), 2.0)) > 1000
    with pytest.raises(DataError, match=f"{form}: nothing in the volume"):
        mesh_bytes(form, np.zeros((8, 8, 8)), 2.0)
