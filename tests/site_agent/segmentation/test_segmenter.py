"""Experts of segmentation side by side: whose images are whose is seen in their weights and shares."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from federated.enrolment import Kit
from federated.errors import ConsiliumError
from shared_models.image_reference import COUNTS, MEAN
from site_agent.home import SiteHome
from site_agent.panel import Expert
from site_agent.segmentation.segmenter import Segmenter, segmenter_of
from site_agent.tasks.segmentation import train
from site_agent.truth import LA, LV, MYOCARDIUM, masked_cases
from tests.site_agent.segmentation_making import segmentation_home
from tests.site_agent.sources.conftest import Exported, exported

__all__ = ["exported"]

SIZE = {"patients": 8, "frames": 8, "size": 64}


@pytest.fixture
def home(tmp_path: Path, kit: Kit, exported: Exported) -> SiteHome:
    home = segmentation_home(tmp_path / "site", kit, exported("camus", **SIZE)[0])
    train(home, "b0001")
    return home


def _images(home: SiteHome, count: int = 3) -> list[np.ndarray]:
    return [each.image for each in masked_cases(home, [LV])[:count]]


def _stranger(own: Expert) -> Expert:
    """An expert to whom every image is foreign: it has seen others, and is sure of what is its own."""
    state = dict(own.state)
    counts = np.zeros_like(state[COUNTS])
    counts[160] = 100  # all of its own lie at the mean
    return replace(own, site="beta", state=state | {MEAN: state[MEAN] + 50, COUNTS: counts})


def test_one_expert_alone_has_all_of_every_share(home: SiteHome) -> None:
    for seen in segmenter_of(home).look(_images(home)):
        assert seen.structures == (LV, MYOCARDIUM, LA)
        assert seen.labels.shape == (64, 64)
        assert seen.labels.max() <= 3
        assert all(shares == {"ada": pytest.approx(1)} for shares in seen.shares.values() if shares)
        assert set(seen.weights) == {"ada"}


def test_an_expert_to_whom_an_image_is_foreign_has_the_least_share(home: SiteHome) -> None:
    (own,) = segmenter_of(home).experts.values()
    both = Segmenter({"ada": own, "beta": _stranger(own)})
    for seen in both.look(_images(home)):
        assert seen.p["beta"] < 0.05 < seen.p["ada"]
        assert seen.weights["beta"] == seen.p["beta"] == pytest.approx(1 / 101)
        assert all(shares["beta"] < 0.05 < shares["ada"] for shares in seen.shares.values() if shares)


def test_two_alike_share_alike_and_one_may_be_asked_alone(home: SiteHome) -> None:
    (own,) = segmenter_of(home).experts.values()
    both, alone = Segmenter({"ada": own, "beta": replace(own, site="beta")}), ("beta",)
    for fused, single in zip(both.look(_images(home)), both.look(_images(home), alone), strict=True):
        assert np.array_equal(fused.labels, single.labels)
        assert all(shares["ada"] == pytest.approx(0.5) for shares in fused.shares.values() if shares)
        assert set(single.weights) == {"beta"}


def test_what_no_expert_knows_is_nowhere(home: SiteHome) -> None:
    (seen,) = segmenter_of(home).look(_images(home, 1))
    assert not seen.mask("15825003").any()
    assert np.array_equal(seen.mask(LV), seen.labels == 1)


def test_without_an_expert_it_says_how_to_get_one(tmp_path: Path, kit: Kit, exported: Exported) -> None:
    home = segmentation_home(tmp_path / "new", kit, exported("camus", **SIZE)[0])
    with pytest.raises(ConsiliumError, match="no expert of segmentation is here; consilium site train --task segment"):
        segmenter_of(home)
