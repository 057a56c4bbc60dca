"""A home with hearts, and its expert."""

from __future__ import annotations

import pytest

from site_agent.home import SiteHome
from site_agent.tasks.reconstruction import train
from tests.site_agent.reconstruction_making import BATCH, reconstruction_home, write_hearts


@pytest.fixture(scope="package")
def home(tmp_path_factory: pytest.TempPathFactory) -> SiteHome:
    """Of six patients, whose expert is trained; nothing in it is changed."""
    folder = tmp_path_factory.mktemp("reconstruction")
    home = reconstruction_home(folder / "site", write_hearts(folder / "hearts", 6))
    train(home, BATCH)
    return home
