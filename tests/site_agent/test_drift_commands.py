from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from site_agent.drift import DRIFTING, Drift, drift
from site_agent.home import SiteHome
from site_agent.intake.ingest import ingest

if TYPE_CHECKING:
    from tests.site_agent.conftest import Federation, Run


@pytest.fixture
def ada(federation: Federation) -> SiteHome:
    """A release in use, and images after it that are negatives."""
    home = federation.join("ada")
    federation.allow(home)
    federation.take_in(home, {"dark": 72, "striped": 72}, each=1)
    federation.event(home, adopting=True)
    folder = federation.images("ada", {"dark": 10, "striped": 10, "light": 1}, each=1, first=1000)
    for path in sorted(folder.glob("*.png")):
        Image.fromarray(255 - np.asarray(Image.open(path))).save(path)
    ingest(home.archive, home.vocabulary, home.label_map, folder)
    return home


def test_the_command_shows_a_table_or_json(run: Run, ada: SiteHome) -> None:
    told = run("drift")
    assert (told.code, told.err) == (0, "")
    for line in ("release 1, own calibration of 22 patients; 5% may be refused", "by machine", "by batch", "b0002"):
        assert line in told.out
    assert "100% [83%, 100%]" in told.out
    assert DRIFTING in told.out
    assert "left out: 1 patient with labels that it does not know from this site" in told.out
    assert Drift.model_validate_json(run("drift", "--json").out) == drift(ada)


def test_it_says_so_where_nothing_is_adopted(run: Run, federation: Federation) -> None:
    federation.join("ada")
    told = run("drift")
    assert (told.code, len(told.err.splitlines())) == (1, 1)
    assert "no release answers here" in told.err
