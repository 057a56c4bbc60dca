from __future__ import annotations

import pickle

import numpy as np
import pytest

from deploy.phantom.exports.camus_clips import half_beats
from deploy.phantom.exports.layout import part_of, volumes
from site_agent.sources.camus_mhd import CamusMhdSource
from site_agent.sources.source import Item
from tests.site_agent.sources.conftest import Exported

SOURCE = CamusMhdSource()


def test_the_phantom_comes_back_as_it_was(exported: Exported) -> None:
    folder, order = exported("camus-mhd", patients=7, frames=8, size=96)
    assert SOURCE.recognises(folder)
    items = {(item.patient, item.label): item for item in SOURCE.scan(folder) if isinstance(item, Item)}
    assert len(items) == 7 * 2
    place = dict.fromkeys(("training", "testing"), 0)
    for number in range(1, 8):
        part = "testing" if part_of(number) == "test" else "training"
        place[part] += 1
        for beat in half_beats(order, number):
            item = items[f"{part}/patient{place[part]:04d}", beat.view]
            opened = SOURCE.open(pickle.loads(pickle.dumps(item)))
            facts, edge = opened.facts, beat.clip.take.spacing_mm
            assert item.fold == ("test" if part == "testing" else None)
            assert facts.doubts == ()
            assert facts.spacing_mm == pytest.approx((edge, 2 * edge))
            assert (facts.end_diastole, facts.end_systole) == (beat.diastole, beat.systole)
            np.testing.assert_array_equal(list(opened.frames()), beat.images[:, :, ::2])
            drawn = {each.frame: each.values for each in opened.annotations()}
            if part == "testing":
                assert drawn == {}
                assert facts.ejection_fraction is None
                continue
            assert facts.ejection_fraction == pytest.approx(beat.clip.ejection_fraction, abs=0.05)
            assert (facts.end_diastolic_ml, facts.end_systolic_ml) == pytest.approx(volumes(beat.clip), abs=0.05)
            assert set(drawn) == {beat.diastole, beat.systole}
            for frame, values in drawn.items():
                np.testing.assert_array_equal(values, beat.truth[frame][:, ::2])
