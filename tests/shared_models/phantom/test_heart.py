from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared_models.phantom import labels as label
from shared_models.phantom.heart import Heart
from shared_models.phantom.motion import END_SYSTOLE
from shared_models.phantom.population import Parameters
from shared_models.phantom.structures import structure_labels
from tests.shared_models.phantom.hearts import FEW, SOME, patients, phases, scattered

POINTS = scattered(8000, kind=np.float32) * np.float32(0.8)
CAVITIES = (label.LV, label.LA, label.RV, label.RA, label.AORTA)
DIGEST = """
import hashlib
import numpy as np
from shared_models.phantom.heart import Heart
from shared_models.phantom.population import Parameters
heart = Heart(Parameters())
points = np.random.default_rng(0).uniform(-80, 80, (5000, 3)).astype(np.float32)
seen = heart.tissue(points, 0.3, contrast=False)
parts = [heart.labels(points, 0.3), *vars(seen).values()]
print(hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest())
"""


@given(patients(), phases, st.booleans())
@SOME
def test_tissue_is_what_a_scanner_may_ask_for(patient, phase, contrast):
    seen = patient.heart.tissue(POINTS, phase, contrast=contrast)
    count = len(POINTS)
    for name, shape in (
        ("scatter", (count,)),
        ("interface", (count,)),
        ("absorption", (count,)),
        ("normal", (count, 3)),
    ):
        values = getattr(seen, name)
        assert (values.shape, values.dtype) == (shape, np.float32), name
        assert np.isfinite(values).all(), name
    assert seen.scatter.min() >= 0
    assert seen.interface.min() >= 0
    assert seen.absorption.min() > 0
    length = np.linalg.norm(seen.normal, axis=1)
    assert (np.isclose(length, 1, atol=1e-4) | (length == 0)).all()
    assert (length[seen.interface > 0.01] > 0.5).all()
    assert seen.blood.dtype == bool


@given(patients(), phases)
@FEW
def test_material_is_where_the_tissue_lies_at_end_diastole(patient, phase):
    seen = patient.heart.tissue(POINTS, phase, contrast=False)
    assert seen.material == pytest.approx(patient.heart.motion.inverse(POINTS, phase), abs=1e-3)


@given(patients(), phases)
@FEW
def test_tissue_keeps_its_label_while_it_moves(patient, phase):
    heart = patient.heart
    moved = heart.motion.forward(POINTS.astype(np.float64), phase)
    assert np.mean(heart.labels(moved, phase) == heart.labels(POINTS.astype(np.float64), 0.0)) > 0.9995


@given(patients(), phases)
@FEW
def test_labels_are_those_of_the_structures(patient, phase):
    found = patient.heart.motion.locate(POINTS, phase)
    here, marks = patient.heart.labelled(found)
    assert np.array_equal(marks, structure_labels(found, here))
    assert np.array_equal(marks, patient.heart.labels(POINTS, phase))
    assert marks.dtype == np.uint8


@given(patients())
@FEW
def test_blood_is_dark_and_muscle_bright_and_contrast_turns_that_round(patient):
    heart = patient.heart
    marks = heart.labels(POINTS, END_SYSTOLE)
    for contrast, brighter, darker in ((False, label.MYOCARDIUM, label.LV), (True, label.LV, label.MYOCARDIUM)):
        scatter = heart.tissue(POINTS, END_SYSTOLE, contrast=contrast).scatter
        assert np.median(scatter[marks == brighter]) > 4 * np.median(scatter[marks == darker])


@given(patients(), phases)
@FEW
def test_blood_flows_and_muscle_holds_together(patient, phase):
    seen, marks = patient.heart.tissue(POINTS, phase, contrast=False), patient.heart.labels(POINTS, phase)
    assert not seen.blood[marks == label.MYOCARDIUM].any()
    assert np.mean(seen.blood[np.isin(marks, CAVITIES)]) > 0.75


@given(patients())
@FEW
def test_walls_reflect_where_they_are(patient):
    heart, p = patient.heart, patient.parameters
    angle = np.linspace(0, 2 * np.pi, 100, endpoint=False)
    height = np.full(100, 0.5 * p.lv_length)
    radius = heart.anatomy.endocardium(angle, height)
    wall = np.stack([radius * np.cos(angle), radius * np.sin(angle), height], axis=1).astype(np.float32)
    seen = heart.tissue(wall, 0.0, contrast=False)
    middle = heart.tissue((wall * [0.2, 0.2, 1]).astype(np.float32), 0.0, contrast=False)
    assert seen.interface.min() > 0.9
    assert middle.interface.max() < 0.01
    outward = wall * [1, 1, 0] / radius[:, None]
    assert (seen.normal * outward).sum(axis=1).min() > 0.9


def test_another_process_sees_the_same_bytes():
    here = subprocess.run([sys.executable, "-c", DIGEST], capture_output=True, text=True, check=True, timeout=60).stdout
    there = subprocess.run(
        [sys.executable, "-c", DIGEST], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    assert here == there
    assert len(here.strip()) == 64


def test_a_heart_of_default_parameters_beats():
    heart = Heart(Parameters())
    assert heart.motion.lv_volume(END_SYSTOLE) == pytest.approx(heart.anatomy.endocardial_volume() * 0.38)
