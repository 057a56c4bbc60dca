"""A consultation follows the panel: drafted when an expert comes, once, and not of what was taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from site_agent.agent import withdraw, work
from site_agent.consulting import unasked_batches
from site_agent.home import SiteHome
from site_agent.steps import read_progress
from tests.site_agent.test_panel import Post, expert_of

if TYPE_CHECKING:
    from tests.site_agent.conftest import Federation


@pytest.fixture
def ada(federation: Federation) -> SiteHome:
    """It trains no network of its own."""
    return federation.hospital("ada", {"dark": 4, "light": 4}, "statistics", "consultation")


def _kinds(home: SiteHome) -> list[str]:
    return [step.kind for step in work(home).steps]


def test_every_expert_that_comes_is_asked_about_every_batch(federation: Federation, ada: SiteHome) -> None:
    post = Post(federation, ada)
    assert _kinds(ada) == ["statistics"]
    for place in (1, 2):
        post.send(*expert_of("ben", place))
        assert _kinds(ada) == ["expert", "consultation"]
        assert len(read_progress(ada).consulted["b0001"]) == place
        assert _kinds(ada) == []
    federation.take_in(ada, {"dark": 4, "light": 4}, first=10)
    assert _kinds(ada) == ["statistics", "consultation"]
    replaced = [key for key in read_progress(ada).replaced.values() if key == "consultation/b0001"]
    assert len(replaced) == 1


def test_nothing_is_asked_of_a_batch_that_was_taken_back(federation: Federation, ada: SiteHome) -> None:
    post = Post(federation, ada)
    post.send(*expert_of("ben", 1))
    work(ada)
    withdraw(ada, ["b0001"])
    post.send(*expert_of("ben", 2))
    assert _kinds(ada) == ["expert"]
    assert unasked_batches(ada) == []


def test_a_policy_that_does_not_allow_it_keeps_it_here(federation: Federation, ada: SiteHome) -> None:
    federation.allow(ada, "statistics")
    Post(federation, ada).send(*expert_of("ben", 1))
    assert _kinds(ada) == ["expert", "statistics"]
    assert unasked_batches(ada) == ["b0001"]
    federation.allow(ada, "statistics", "consultation")
    assert _kinds(ada) == ["consultation"]
