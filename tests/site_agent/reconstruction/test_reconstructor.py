"""Experts of reconstruction side by side: what is made of a heart is theirs by share."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from federated.errors import ConsiliumError, DataError
from shared_models.image_reference import COUNTS, MEAN
from site_agent.asked_experts import AVERAGE
from site_agent.hearts import Heart, hearts_of
from site_agent.home import SiteHome
from site_agent.panel import Expert
from site_agent.reconstruction.reconstructor import Reconstructor, fused, reconstructor_of

Views = dict[str, np.ndarray]


def _views(heart: Heart) -> Views:
    return dict(zip(heart.views, heart.planes, strict=True))


def _stranger(own: Expert) -> Expert:
    """An expert to whom every heart is foreign, and who fills everything."""
    counts = np.zeros_like(own.state[COUNTS])
    counts[160] = 100
    state = dict(own.state) | {MEAN: own.state[MEAN] + 50, COUNTS: counts}
    return replace(own, site="beta", state=state)


def _global(own: Expert, way: str) -> Expert:
    """The last global model of rounds, whose statistics are those of a new network."""
    new = {"running_mean": 0, "running_var": 1, "num_batches_tracked": 0}
    state = {
        name: np.full_like(array, new[last]) if (last := name.rpartition(".")[2]) in new else array
        for name, array in own.state.items()
    }
    return replace(own, site=AVERAGE, config=own.config | {"batch_norm": way}, state=state)


@pytest.fixture
def heart(home: SiteHome) -> Heart:
    return hearts_of(home, fold="test")[0]


def test_an_expert_to_whom_a_heart_is_foreign_has_the_least_share(home: SiteHome, heart: Heart) -> None:
    (own,) = reconstructor_of(home).experts.values()
    alone = reconstructor_of(home).volume(_views(heart))
    both = Reconstructor({"ada": own, "beta": _stranger(own)}).volume(_views(heart))
    assert alone.probabilities.shape == (32, 32, 32)
    assert (alone.probabilities >= 0).all()
    assert (alone.probabilities <= 1).all()
    assert alone.weights == {"ada": 1.0}
    assert both.p["beta"] == pytest.approx(1 / 101)
    assert both.weights["beta"] == pytest.approx(both.p["beta"] / (both.p["ada"] + both.p["beta"]))
    assert np.allclose(alone.probabilities, both.probabilities, atol=1e-6), "both say the same"


def test_volumes_are_weighted_means_at_the_finest_size() -> None:
    coarse, fine = np.zeros((2, 2, 2), np.float32), np.ones((4, 4, 4), np.float32)
    coarse[0, 1, 0] = 1
    found = fused({"a": coarse, "b": fine}, {"a": 3.0, "b": 1.0}, {"a": 0.3, "b": 0.1})
    assert found.weights == {"a": 0.75, "b": 0.25}
    wanted = np.full((4, 4, 4), 0.25, np.float32)
    wanted[:2, 2:, :2] = 1
    np.testing.assert_allclose(found.probabilities, wanted)
    assert fused({"a": coarse, "b": fine}, {"a": 0.0, "b": 0.0}, {"a": 0.0, "b": 0.0}).weights == {"a": 0.5, "b": 0.5}


def test_an_expert_is_shown_the_views_that_it_was_built_for(home: SiteHome, heart: Heart) -> None:
    (own,) = reconstructor_of(home).experts.values()
    other = replace(own, site="beta", config=own.config | {"views": "PLAX,A2C"})
    both = Reconstructor({"ada": own, "beta": other})
    assert both.views() == ("PLAX", "A4C", "A2C")
    assert set(both.volume({"A4C": heart.planes[0]}).weights) == {"ada"}
    assert set(both.volume(_views(heart)).weights) == {"ada", "beta"}


@pytest.mark.parametrize(
    ("views", "says"),
    [
        ({}, "views: no view is given"),
        ({"A9C": 0.5}, "views: there is no view 'A9C', there are RV inflow"),
        ({"A4C": 0.5, "PLAX": 0.5}, "views: no expert was built for view 'PLAX', but for A4C, A2C"),
        ({"A4C": np.nan}, "views: the plane of view 'A4C' holds values that are not from 0 to 1"),
    ],
)
def test_pictures_that_cannot_be_are_one_line(home: SiteHome, views: dict[str, float], says: str) -> None:
    with pytest.raises(DataError) as told:
        reconstructor_of(home).volume({name: np.full((224, 224), grey, np.float32) for name, grey in views.items()})
    assert str(told.value).startswith(says)
    assert "\n" not in str(told.value)


def test_pictures_of_another_size_are_one_line(home: SiteHome) -> None:
    with pytest.raises(DataError, match="views of 224 pixels a side are"):
        reconstructor_of(home).volume({"A4C": np.zeros((100, 100), np.float32)})


def test_a_name_of_nobody_is_told(home: SiteHome, heart: Heart) -> None:
    with pytest.raises(ConsiliumError, match="there is no expert 'zoe', there are ada"):
        reconstructor_of(home).volume(_views(heart), ("zoe",))


def test_a_global_model_is_first_shown_the_sites_own_hearts(home: SiteHome, heart: Heart) -> None:
    (own,) = reconstructor_of(home).experts.values()
    train = hearts_of(home, fold="train")
    shown = Reconstructor({AVERAGE: _global(own, "re-estimated")}, lambda: train).volume(_views(heart))
    unshown = Reconstructor({AVERAGE: _global(own, "averaged")}).volume(_views(heart))
    assert np.abs(shown.probabilities - unshown.probabilities).max() > 1e-3
    assert np.isfinite(shown.probabilities).all()
    with pytest.raises(DataError, match="average: the global model must first be shown training hearts of this site"):
        Reconstructor({AVERAGE: _global(own, "re-estimated")}).volume(_views(heart))


def test_where_a_site_has_experts_the_average_is_asked_by_name_alone(home: SiteHome, heart: Heart) -> None:
    (own,) = reconstructor_of(home).experts.values()
    both = Reconstructor({"ada": own, AVERAGE: _global(own, "re-estimated")})
    assert set(both.volume(_views(heart)).weights) == {"ada"}, "so that it needs no hearts"
