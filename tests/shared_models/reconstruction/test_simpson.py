"""Half an ellipsoid's volume from both views, or from one as if it were round."""

from __future__ import annotations

import numpy as np
import pytest

from shared_models.reconstruction.simpson import simpson_volume_ml
from tests.shared_models.test_ejection_fraction import half_ellipsoid

WIDE, NARROW = half_ellipsoid(26, 70), half_ellipsoid(20, 70)


@pytest.mark.parametrize(
    ("chambers", "radii"),
    [
        ({"A4C": NARROW, "A2C": WIDE}, (20, 26)),
        ({"A4C": NARROW}, (20, 20)),
        ({"A2C": WIDE, "PLAX": NARROW}, (26, 26)),
    ],
)
def test_the_volume_of_half_an_ellipsoid(chambers: dict, radii: tuple[float, float]) -> None:
    wanted = 2 / 3 * np.pi * radii[0] * radii[1] * 70 / 1000
    assert simpson_volume_ml(chambers) == pytest.approx(wanted, rel=0.03)


def test_views_that_have_no_long_axis_say_nothing() -> None:
    with pytest.raises(ValueError, match="discs need view A4C or A2C; there are PSAX low"):
        simpson_volume_ml({"PSAX low": WIDE})
    with pytest.raises(ValueError, match="there are none"):
        simpson_volume_ml({})
