"""The quality falls as a sector is moved, enlarged or shrunk away from the truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from shared_models.sector_echoes import Echoes, echoes_above, picture_of
from shared_models.sector_geometry import Fan, Parallelogram
from shared_models.sector_quality import UNSEEN, quality
from tests.shared_models.sector_toys import BOX, FAN, echoes


def seen(geometry: Fan | Parallelogram) -> Echoes:
    return echoes_above(picture_of(echoes(geometry)[::2, ::2]).coarse, 0.0, 3)


COARSE_FAN, COARSE_BOX = FAN.moved(0.5, 0.0, 0.0), BOX.moved(0.5, 0.0, 0.0)


def test_the_truth_is_best() -> None:
    right = quality(seen(FAN), COARSE_FAN)
    assert right > 0.95
    wrong = [
        replace(COARSE_FAN, far=COARSE_FAN.far * 0.7),
        replace(COARSE_FAN, far=COARSE_FAN.far * 1.3),
        replace(COARSE_FAN, left=-1.1),
        replace(COARSE_FAN, right=0.3),
        replace(COARSE_FAN, x=COARSE_FAN.x + 20),
    ]
    assert all(quality(seen(FAN), each) < right - 0.08 for each in wrong)


@pytest.mark.parametrize("sign", [-1, 1])
def test_it_falls_with_the_error(sign: int) -> None:
    echoes_of_box = seen(BOX)
    falling = [
        quality(echoes_of_box, replace(COARSE_BOX, right=COARSE_BOX.right + sign * by)) for by in (0, 16, 24, 32)
    ]
    assert falling == sorted(falling, reverse=True)
    assert falling[-1] < falling[0] - 0.15


def test_a_frame_without_edges_is_doubtful() -> None:
    full = echoes_above(np.full((60, 80), 90, np.float32), 0.0, 3)
    assert quality(full, Parallelogram(-0.5, 60.0, -0.5, 80.0)) == pytest.approx(UNSEEN, abs=0.01)


def test_a_header_and_a_sector_beside_the_image_are_none() -> None:
    assert quality(seen(BOX), Parallelogram(10.0, 20.0, 10.0, 90.0)) == 0.0
    assert quality(seen(BOX), Parallelogram(10.0, 60.0, 300.0, 350.0)) == 0.0
