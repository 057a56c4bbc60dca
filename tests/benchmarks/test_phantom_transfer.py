"""From a gallery to what is told of it, on toy fans; the real gallery is read where it is there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import phantom_transfer
from benchmarks.phantom_gallery import FAMILIES, family_of, read_gallery
from benchmarks.phantom_transfer import Effort, answers, measure
from benchmarks.phantom_transfer_report import UNTOUCHED, summarise
from tests.benchmarks.phantom_toys import toy, write_gallery

SMALL = Effort(frames=56, validation=14, steps=4, seeds=2, textures=56)
VIEWS = ["a2ch-full", "a3ch-lv", "a4ch-full", "a5ch-full", "plax-full-lv", "psax-av", "subcostal-ivc", "doppler-ao"]


def test_a_toy_gallery_from_end_to_end(tmp_path: Path) -> None:
    write_gallery(tmp_path, VIEWS, {view: family_of(view)[0] or "psax" for view in VIEWS})
    gallery = read_gallery(tmp_path)
    found = answers(gallery.shots, SMALL, toy)
    assert found.networks.shape == (2, 7, len(FAMILIES))
    assert found.phantom.shape == (2, 14, len(FAMILIES))
    np.testing.assert_allclose(found.networks.sum(axis=2), 1, atol=1e-6)
    assert not np.array_equal(found.networks[0], found.networks[1])
    right = found.textures.argmax(axis=1) == [FAMILIES.index(shot.family) for shot in gallery.shots]
    assert right.mean() > 0.7  # the interface did not get into the way
    (claim,) = [one for one in summarise(gallery, found).claims if one.claim.endswith(UNTOUCHED)]
    assert claim.target == "≥ 60"


def test_a_gallery_without_a_usable_image_is_told_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_gallery(tmp_path, ["doppler-ao", "mmode-ivc"], {})
    monkeypatch.setattr(phantom_transfer, "answers", lambda *_: pytest.fail("trained"))
    with pytest.raises(ValueError, match="has no image of apical-two"):
        measure(quick=True, gallery=tmp_path)


def test_the_real_gallery_has_every_family_but_one_in_both_halves(shared_data: Path) -> None:
    gallery = read_gallery(shared_data / "tte47_gallery")
    if len(gallery.shots) != 26:
        pytest.skip("another gallery")
    for half in (True, False):
        there = {shot.family for shot in gallery.shots if shot.development is half}
        assert there == set(FAMILIES) - {"apical-five"}
    sides = [shot.frame.image.shape for shot in gallery.shots]
    assert min(min(side) for side in sides) > 150
