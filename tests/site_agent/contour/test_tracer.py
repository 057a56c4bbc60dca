"""Experts of contours side by side: whose images are whose is seen in their shares."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from federated.enrolment import Kit
from federated.errors import ConsiliumError
from shared_models.image_reference import COUNTS, MEAN
from site_agent.contour.tracer import Tracer, fused, in_pixels, tracer_of
from site_agent.contour_truth import contoured_cases
from site_agent.home import SiteHome
from site_agent.panel import Expert
from site_agent.tasks.contour import REFERENCE, train
from tests.site_agent.contour_making import BATCH, SIZE, contour_home
from tests.site_agent.sources.conftest import Exported, exported

__all__ = ["exported"]


@pytest.fixture
def home(tmp_path: Path, kit: Kit, exported: Exported) -> SiteHome:
    home = contour_home(tmp_path / "site", kit, exported("camus", **SIZE)[0])
    train(home, BATCH)
    return home


def _images(home: SiteHome) -> list[np.ndarray]:
    return [each.image for each in contoured_cases(home)[:3]]


def _stranger(own: Expert) -> Expert:
    """An expert to whom every image is foreign."""
    counts = np.zeros_like(own.state[REFERENCE + COUNTS])
    counts[160] = 100
    change = {REFERENCE + MEAN: own.state[REFERENCE + MEAN] + 50, REFERENCE + COUNTS: counts}
    return replace(own, site="beta", state=dict(own.state) | change)


def test_an_expert_to_whom_an_image_is_foreign_has_the_least_share(home: SiteHome) -> None:
    (own,) = tracer_of(home).experts.values()
    images = _images(home)
    alone = tracer_of(home).trace(images)
    both = Tracer({"ada": own, "beta": _stranger(own)}).trace(images)
    for one, two, image in zip(alone, both, images, strict=True):
        assert one.points.shape == (7, 2)
        assert (one.points >= -0.5).all()
        assert (one.points <= np.array(image.shape[::-1])).all()
        assert one.shares == {"ada": 1.0}
        assert two.shares["beta"] == pytest.approx((1 / 101) / (1 / 101 + two.p["ada"]))
        assert np.allclose(one.points, two.points), "both say the same"
        assert two.apart == pytest.approx(0, abs=1e-9)


def test_points_are_weighted_means_and_shares_are_told() -> None:
    here, there = np.zeros((7, 2)), np.full((7, 2), 4.0)
    found = fused({"a": here, "b": there}, {"a": 1.0, "b": 0.5}, {"a": 0.6, "b": 0.04})
    assert found.shares == pytest.approx({"a": 2 / 3, "b": 1 / 3})
    assert found.points == pytest.approx(np.full((7, 2), 4 / 3))
    assert found.apart == pytest.approx(np.sqrt(2) * (2 / 3 * 4 / 3 + 1 / 3 * 8 / 3))
    foreign = fused({"a": here, "b": there}, {"a": 0.0, "b": 0.0}, {"a": 0.0, "b": 0.0})
    assert foreign.shares == {"a": 0.5, "b": 0.5}
    assert foreign.points == pytest.approx(np.full((7, 2), 2.0))


def test_points_go_back_to_the_image_that_was_stretched() -> None:
    assert in_pixels(np.array([[-0.5, -0.5], [31.5, 31.5]]), 32, (48, 64)) == pytest.approx(
        np.array([[-0.5, -0.5], [63.5, 47.5]])
    )


def test_without_an_expert_it_says_how_to_get_one(tmp_path: Path, kit: Kit, exported: Exported) -> None:
    home = contour_home(tmp_path / "new", kit, exported("camus", **SIZE)[0])
    with pytest.raises(ConsiliumError, match="no expert of contour is here; consilium site train --task contour"):
        tracer_of(home)
