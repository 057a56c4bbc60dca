"""Experts of reconstruction go from site to site through the coordinator, and are fused where a heart is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tomli_w

from federated.vocabulary import builtin_vocabulary
from server.coordinator import Coordinator
from server.event import run_event
from server.home import CoordinatorConfig, CoordinatorHome
from site_agent.hearts import hearts_of
from site_agent.home import SiteHome
from site_agent.panel import received
from site_agent.reconstruction.reconstructor import reconstructor_of
from tests.e2e.hospitals import Files, join
from tests.site_agent.reconstruction_making import TINY, write_hearts
from tests.small_front_end import CARD


def _joined(coordinator: Coordinator, name: str, first: int) -> SiteHome:
    home = join(coordinator, name, lambda folder, _: write_hearts(folder, 4, first=first))
    config = home.config.model_copy(update={"reconstruction": TINY})
    (home.path / "config.toml").write_text(tomli_w.dumps(config.model_dump(mode="json")))
    return SiteHome(home.path)


def test_each_site_fuses_its_own_expert_and_the_others(tmp_path: Path) -> None:
    config = CoordinatorConfig(federation="phantom", name="hub", task="reconstruction", front_end=CARD)
    coordinator = Coordinator(CoordinatorHome.create(tmp_path / "hub", config, builtin_vocabulary("heart")))
    homes = {name: _joined(coordinator, name, first) for name, first in (("ada", 0), ("ben", 4))}
    for _ in range(2):  # experts come in, and go out with the next round of messages
        found = run_event(coordinator, Files(homes))
        assert not [each for each in found.accepted if each.reason]
    assert [[expert.site for expert in received(home)] for home in homes.values()] == [["ben"], ["ada"]]
    heart = hearts_of(homes["ada"])[0]
    views = dict(zip(heart.views, heart.planes, strict=True))
    made = {name: reconstructor_of(home).volume(views) for name, home in homes.items()}
    assert list(made["ada"].weights) == ["ada", "ben"]
    assert list(made["ben"].weights) == ["ben", "ada"]
    np.testing.assert_allclose(made["ada"].probabilities, made["ben"].probabilities, atol=1e-6)
    assert made["ada"].weights == pytest.approx(made["ben"].weights)
    alone = reconstructor_of(homes["ben"]).volume(views, ("ada",))
    assert alone.weights == {"ada": 1.0}
