from __future__ import annotations

import numpy as np
import pytest

from deploy.phantom.exports.camus_clips import camus_values, cfg_lines, half_beats, half_phases, rate_line
from deploy.phantom.exports.layout import ExportOrder
from shared_models.phantom.motion import END_SYSTOLE


def test_half_a_beat_runs_either_way() -> None:
    ejection, filling = half_phases(5, filling=False), half_phases(5, filling=True)
    assert ejection[0] == 0.0
    assert ejection[-1] == filling[0] == END_SYSTOLE
    assert filling[-1] == 0.0, "the next end-diastole"
    np.testing.assert_allclose(np.diff(ejection), END_SYSTOLE / 4)


def test_labels_become_those_of_camus() -> None:
    np.testing.assert_array_equal(camus_values(np.arange(8, dtype=np.uint8)), [0, 0, 1, 2, 3, 0, 0, 0])


def test_both_views_are_of_one_patient_and_one_quality() -> None:
    two, four = half_beats(ExportOrder(patients=1, seed=1, frames=8, size=64), 1)
    assert (two.view, four.view) == ("2CH", "4CH")
    assert two.patient == four.patient
    assert two.quality == four.quality
    assert len(four.images) == 4
    assert cfg_lines(four)[:3] == [f"ED: {four.diastole + 1}", f"ES: {four.systole + 1}", "NbFrame: 4"]
    assert {four.diastole, four.systole} == {0, 3}
    assert float(rate_line(four).removeprefix("FrameRate: ")) == pytest.approx(four.clip.take.rate_hz, abs=0.06)
