from __future__ import annotations

from federated.vocabulary import builtin_vocabulary
from shared_models.phantom.volumes import NINE_PLANES
from site_agent.heart_planes import CODES, named


def test_every_plane_has_a_code_of_the_hearts_views() -> None:
    assert tuple(CODES) == NINE_PLANES
    assert len(set(CODES.values())) == 9
    assert set(CODES.values()) <= set(builtin_vocabulary("heart").codes)


def test_views_are_named_with_commas() -> None:
    assert named("A4C, PSAX low ,A2C") == ("A4C", "PSAX low", "A2C")
