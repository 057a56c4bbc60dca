"""A federation whose events take little time: every test of what is forgotten begins with some."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.small_front_end import CARD

if TYPE_CHECKING:
    from tests.site_agent.conftest import Federation


@pytest.fixture
def federation(found: type[Federation], tmp_path: Path) -> Federation:
    """One of few features, which every event is the faster for."""
    return found(tmp_path, card=CARD)
