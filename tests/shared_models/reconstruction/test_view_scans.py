from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared_models.phantom import labels as label
from shared_models.phantom.patients import draw_patient
from shared_models.phantom.planes import standard_plane
from shared_models.phantom.shapes import radial
from shared_models.phantom.surroundings import PARASTERNAL
from shared_models.phantom.volumes import NINE_PLANES, nine_cuts
from shared_models.reconstruction.view_scans import REFERENCE, scan, transducer
from tests.shared_models.phantom.hearts import FEW, patients

SHOWN = {  # what must be seen, of what is in the plane
    "RV inflow": (label.RV, label.RA),
    "PLAX": (label.LV, label.MYOCARDIUM, label.LA),
    "PSAX aortic": (label.LA, label.RA, label.RV),
    "PSAX mitral": (label.LV, label.MYOCARDIUM, label.RV),
    "PSAX papillary": (label.LV, label.MYOCARDIUM),
    "PSAX low": (label.LV, label.MYOCARDIUM),
    "A4C": (label.LV, label.LA, label.RV, label.RA),
    "A5C": (label.LV, label.LA, label.RV),
    "A2C": (label.LV, label.LA),
}


def tilted(heart, seed):
    return dict(zip(NINE_PLANES, nine_cuts(heart, 0.0, np.random.default_rng(seed)), strict=True))


@given(patients(), st.integers(0, 100))
@FEW
def test_a_transducer_looks_along_the_plane_that_is_asked_for(patient, seed):
    for view, cut in tilted(patient.heart, seed).items():
        held = transducer(patient.heart, view, cut)
        assert abs(held.normal @ cut.normal) == pytest.approx(1)
        assert (held.origin - cut.origin) @ cut.normal == pytest.approx(0, abs=1e-6)
        axes = np.stack([held.right, held.down])
        assert axes @ axes.T == pytest.approx(np.eye(2), abs=1e-9)
        window = standard_plane(patient.heart, REFERENCE[view])
        outward = radial(PARASTERNAL) if view.startswith("P") else np.array([0.0, 0.0, 1.0])
        assert held.origin @ outward == pytest.approx(window.origin @ outward)  # it stands on the skin
        assert held.right @ window.right > 0


@given(patients())
@FEW
def test_the_heart_lies_before_the_transducer(patient):
    across, down = np.meshgrid(np.arange(-70.0, 70.0, 2.0), np.arange(5.0, 150.0, 2.0))
    for view, cut in zip(NINE_PLANES, nine_cuts(patient.heart), strict=True):
        plane = transducer(patient.heart, view, cut)
        inside = np.abs(across) < down  # a sector of 90 degrees
        seen = np.bincount(patient.heart.labels(plane.points(across, down)[inside.ravel()], 0.0), minlength=8)
        for value in SHOWN[view]:
            assert 4 * seen[value] > 60, (view, label.LABEL_NAMES[value])


def test_a_scan_is_the_machines_and_its_seeds():
    heart = draw_patient(1).heart
    cut = nine_cuts(heart)[NINE_PLANES.index("A4C")]
    found = scan(heart, "A4C", cut, "albatross", 0.0, 3)
    assert found.image.shape == (224, 224)
    assert found.image.dtype == np.uint8
    assert 0.4 < found.spacing_mm < 1.6
    assert np.array_equal(found.image, scan(heart, "A4C", cut, "albatross", 0.0, 3).image)
    assert not np.array_equal(found.image, scan(heart, "A4C", cut, "albatross", 0.0, 4).image)


def test_an_unknown_view_is_refused_in_one_line():
    heart = draw_patient(1).heart
    with pytest.raises(ValueError, match="there is no view 'A3C' to reconstruct from; known are RV inflow"):
        transducer(heart, "A3C", nine_cuts(heart)[0])
