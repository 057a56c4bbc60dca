"""Errors of the phantom's truth are measured as they are."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import phantom_geometry as geometry
from shared_models.phantom.patients import draw_patient
from shared_models.phantom.study import Acquisition


def test_distances_to_the_edges_of_pixels():
    inside = np.zeros((9, 9), bool)
    inside[3:6, 2:7] = True  # edges at x 1.5 and 6.5, y 2.5 and 5.5
    points = np.array([[4.0, 4.0], [1.5, 4.0], [6.5, 5.5], [0.5, 1.5], [4.0, 2.0], [6.5, 2.6]])
    assert geometry.to_edges(points, inside) == pytest.approx([1.5, 0, 0, np.sqrt(2), 0.5, 0])


def test_every_claim_is_measured_on_patients_of_all_populations():
    measured = geometry.measure_geometry(quick=True)
    assert all(claim.holds is not False for claim in measured.claims)
    assert [claim.target for claim in measured.claims if claim.target] == ["≤ 1", "≤ 5", "≤ 0.05", "≤ 0.5"]
    assert all(row["median"] <= row["95 % below"] <= row["largest"] for row in measured.rows)
    assert len(measured.rows) == 5
    assert {one.population for one in geometry._patients(3)} == {"healthy", "dilated", "hypertrophic"}


def test_an_error_of_the_ejection_fraction_is_seen():
    patient = draw_patient(0)
    meant = replace(patient.parameters, ejection_fraction=50.0)
    other = SimpleNamespace(seed=0, parameters=meant, heart=patient.heart)
    assert geometry._ejection_error(patient, 40) < 1
    missed = abs(patient.parameters.ejection_fraction / 50 - 1) * 100
    assert geometry._ejection_error(other, 40) == pytest.approx(missed, abs=1)


def test_a_contour_off_its_boundary_is_seen():
    held = Acquisition(draw_patient(0), "A4C", "godwit", size=(112, 112), jitter=False)
    frame = next(held.frames([0.0]))
    on, off = (geometry._to_change(held, frame.contour + shift, 0.0) for shift in (0.0, np.float32([0.4, 0.4])))
    assert max(on) == geometry.RADII[0]
    assert max(off) > 0.1
