"""Energy and focus of saliencies whose share inside is known."""

from __future__ import annotations

import numpy as np
import pytest

from shared_models.region_focus import energy_percentage, focus_percentage

LEFT = np.zeros((1, 4, 8), dtype=np.bool_)
LEFT[:, :, :4] = True


def test_even_saliency_is_the_sectors_share_of_the_image() -> None:
    even = np.ones((1, 4, 8))
    assert energy_percentage(even, LEFT) == pytest.approx([50.0])
    assert focus_percentage(even, LEFT) == pytest.approx([50.0])


def test_energy_counts_how_much_and_focus_where_it_is_most() -> None:
    saliency = np.where(LEFT, 1.0, 0.25)
    assert energy_percentage(saliency, LEFT) == pytest.approx([80.0])
    assert focus_percentage(saliency, LEFT) == pytest.approx([100.0])
    assert focus_percentage(saliency, LEFT, threshold=0.2) == pytest.approx([50.0])


def test_scale_does_not_matter() -> None:
    saliency = np.random.default_rng(0).random((3, 4, 8))
    sectors = np.repeat(LEFT, 3, axis=0)
    for measure in (energy_percentage, focus_percentage):
        assert measure(saliency, sectors) == pytest.approx(measure(7 * saliency, sectors))


def test_no_saliency_at_all_has_no_share() -> None:
    nothing = np.zeros((1, 4, 8))
    assert np.isnan(energy_percentage(nothing, LEFT)).all()
    assert np.isnan(focus_percentage(nothing, LEFT)).all()


def test_what_cannot_be_measured() -> None:
    with pytest.raises(ValueError, match="do not go together"):
        energy_percentage(np.ones((2, 4, 8)), LEFT)
    with pytest.raises(ValueError, match="negative"):
        focus_percentage(-np.ones((1, 4, 8)), LEFT)
