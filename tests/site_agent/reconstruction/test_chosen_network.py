"""A file's network answers as its card says; experts of a site answer fused, as large as the site's hearts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from federated.enrolment import Kit
from federated.errors import ConsiliumError
from site_agent.home import SiteHome
from site_agent.reconstruction.chosen_network import of_file, of_home
from site_agent.reconstruction.reconstructor import reconstructor_of
from tests.site_agent.reconstruction.heart_making import CARD, written
from tests.site_agent.reconstruction_making import EDGE, picture


def test_experts_are_asked_fused_and_tell_the_usual_size(home: SiteHome) -> None:
    chosen = of_home(home)
    greys = {"A4C": picture(9.0, 200), "A2C": picture(9.0, 180)}
    views = {name: grey.astype(np.float32) / np.float32(255) for name, grey in greys.items()}
    np.testing.assert_array_equal(
        chosen.reconstructor.volume(views), reconstructor_of(home).volume(views).probabilities
    )
    assert chosen.target == "heart"
    assert chosen.cube_mm == pytest.approx(3.0 * EDGE)


def test_a_file_is_asked_as_its_card_says(tmp_path: Path) -> None:
    chosen = of_file(written(tmp_path / "heart.safetensors"))
    assert (chosen.target, chosen.cube_mm) == (CARD.target, CARD.cube_mm)


def test_without_experts_it_is_one_line(tmp_path: Path, kit: Kit) -> None:
    with pytest.raises(ConsiliumError, match="reconstruction"):
        of_home(SiteHome.create(tmp_path / "ada", kit))
