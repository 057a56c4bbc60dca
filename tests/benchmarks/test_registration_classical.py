"""Each tool's field has the sign, the axes and the length that a known movement asks for."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.registration_classical import Affine, affine, demons, identity, syn
from tests.benchmarks.registration_toys import SHAPES, blobs, moved, shift, swirl

STEPS = {2: (2.0, -1.0), 3: (1.5, -1.0, 0.5)}
TOOLS = {
    "SyN": lambda moving, fixed: syn(moving, fixed, metric="meansquares", iterations=(40, 20, 5)),
    "SyN with correlation": lambda moving, fixed: syn(moving, fixed, metric="CC", iterations=(20, 10, 0), sampling=2),
    "diffeomorphic demons": lambda moving, fixed: demons(moving, fixed, iterations=60),
    "demons on two scales": lambda moving, fixed: demons(moving, fixed, iterations=40, scales=2),
    "fast symmetric demons": lambda moving, fixed: demons(moving, fixed, kind="fast symmetric", iterations=60),
}


@pytest.mark.parametrize("shape", SHAPES, ids=["2D", "3D"])
@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("true", [shift, swirl], ids=["shift", "swirl"])
def test_a_known_field_is_found(tool, shape, true) -> None:
    field = shift(shape, STEPS[len(shape)]) if true is shift else swirl(shape)
    moving = blobs(shape)
    fixed = moved(moving, field)
    found = TOOLS[tool](moving, fixed)
    assert found.shape == field.shape
    assert found.dtype == np.float32
    seen = fixed > 0.3  # where there is something to see
    error = np.linalg.norm(found - field, axis=0)[seen].mean()
    assert error < 0.35 * np.linalg.norm(field, axis=0)[seen].mean()
    assert np.abs(moved(moving, found) - fixed).mean() < 0.35 * np.abs(moving - fixed).mean()


@pytest.mark.parametrize("shape", SHAPES, ids=["2D", "3D"])
def test_a_known_affine_map_is_found(shape) -> None:
    d = len(shape)
    matrix = np.eye(d)
    matrix[0, 1], matrix[1, 1] = 0.12, 1.1
    centre = (np.array(shape) - 1) / 2
    true = Affine(matrix, centre - matrix @ centre + STEPS[d])
    moving = blobs(shape)
    fixed = moved(moving, true.field(shape))
    found = affine(moving, fixed)
    error = np.linalg.norm(found.field(shape) - true.field(shape), axis=0)[fixed > 0.3].mean()
    assert error < 0.25 * np.linalg.norm(true.field(shape), axis=0)[fixed > 0.3].mean()


def test_a_field_is_followed_by_the_affine_map() -> None:
    field = shift((5, 6), (1.0, 0.0))
    doubled = Affine(2 * np.eye(2), np.array([0.0, 3.0])).after(field)
    rows, columns = np.indices((5, 6))
    np.testing.assert_allclose(doubled, np.stack([rows + 2.0, columns + 3.0]))


def test_no_movement_changes_no_field() -> None:
    field = swirl((12, 14))
    np.testing.assert_allclose(identity(2).after(field), field, atol=1e-6)
    assert not identity(3).field((4, 5, 6)).any()
