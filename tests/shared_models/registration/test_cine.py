"""A heart that contracts by a known share: outline, strain, areas and ejection fraction are known as well."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from shared_models.long_axis import spline
from shared_models.phantom.motion import END_SYSTOLE
from shared_models.phantom.patients import draw_patient
from shared_models.phantom.study import Acquisition
from shared_models.registration.cine import Followed, biplane_ejection_fraction, carried, fields_of, followed
from shared_models.registration.descent import Effort
from shared_models.registration.fields import to_normalised
from shared_models.registration.per_pair import register_by_patch
from shared_models.registration.random_warps import warped
from shared_models.registration.registration_loss import RegistrationLoss
from tests.shared_models.registration.textures import texture

SIZE = (48, 56)
MIDDLE = np.array([28.0, 22.0])  # x, y
SHARES = (1.0, 0.95, 0.85, 0.9)  # of each frame's lengths in those of the first
SHORT = Effort(steps=30, patience=10)


def arch(height: float = 16.0, width: float = 10.0, points: int = 101) -> NDArray[np.float64]:
    """(M, 2) the upper half of an ellipse from its left end over the apex to its right end."""
    angles = np.linspace(np.pi, 0, points)
    return MIDDLE + np.stack([width * np.cos(angles), -height * np.sin(angles)], axis=1) + [0, height / 2]


def contraction(share: float) -> NDArray[np.float32]:
    """(2, H, W) voxels from where tissue is at first to where it is when all lengths have a share of theirs."""
    rows, columns = np.indices(SIZE)
    return ((share - 1) * np.stack([rows - MIDDLE[1], columns - MIDDLE[0]])).astype(np.float32)


def clip() -> NDArray[np.uint8]:
    """(T, H, W) of tissue that contracts towards the middle."""
    tissue = texture(SIZE)
    return np.stack([(255 * warped(tissue, contraction(1 / share))).astype(np.uint8) for share in SHARES])


def exact(first: int = 0) -> list[Tensor]:
    return [
        to_normalised(torch.from_numpy(contraction(share / SHARES[first]))[None])
        for number, share in enumerate(SHARES)
        if number != first
    ]


def test_the_outline_goes_where_the_tissue_goes() -> None:
    answers = iter(exact())
    found = followed(clip(), arch(), lambda _moving, _fixed: next(answers), spacing_mm=0.5)
    for contour, share in zip(found.contours, SHARES, strict=True):
        assert contour == pytest.approx(MIDDLE + share * (arch() - MIDDLE), abs=1e-4)
    assert found.strain == pytest.approx([100 * (share - 1) for share in SHARES], abs=1e-3)
    half = np.pi * 16 * 10 / 2 * 0.25
    assert found.areas_mm2 == pytest.approx([half * share**2 for share in SHARES], rel=1e-3)
    assert found.end_systole == 2


def test_lengths_are_those_of_an_open_line() -> None:
    corner = np.array([[[0.0, 0.0], [3.0, 0.0], [3.0, 4.0]]])
    found = Followed(corner, 0, 2.0)
    assert found.lengths_mm.tolist() == [14]
    assert found.areas_mm2.tolist() == [24]


def test_end_diastole_may_be_any_frame() -> None:
    answers = iter(exact(3))
    found = followed(clip(), arch(), lambda _moving, _fixed: next(answers), end_diastole=3)
    assert found.strain == pytest.approx([100 * (share / SHARES[3] - 1) for share in SHARES], abs=1e-3)
    assert found.contours[3] == pytest.approx(arch())


def test_every_frame_is_moved_onto_end_diastole() -> None:
    images, asked = clip(), []

    def registers(moving: Tensor, fixed: Tensor) -> Tensor:
        asked.append((moving, fixed))
        return torch.zeros(1, 2, *SIZE)

    fields = list(fields_of(images, registers, 1))
    assert len(fields) == 4
    assert not np.any(fields)
    assert all(np.array_equal((255 * fixed).round()[0, 0], images[1]) for _, fixed in asked)
    moved = [(255 * moving).round()[0, 0].numpy() for moving, _ in asked]
    assert all(np.array_equal(one, images[number]) for one, number in zip(moved, (0, 2, 3), strict=True))


def test_strain_is_found_in_images() -> None:
    loss = RegistrationLoss("mse", 1e-3)
    found = followed(clip(), arch(), lambda moving, fixed: register_by_patch(moving, fixed, loss, effort=SHORT).field)
    assert found.strain == pytest.approx([100 * (share - 1) for share in SHARES], abs=1)
    true = np.stack([MIDDLE + share * (arch() - MIDDLE) for share in SHARES])
    assert np.linalg.norm(found.contours - true, axis=2).mean(axis=1).max() < 0.3


def test_points_move_by_the_field_between_voxels() -> None:
    field = np.stack([np.full((4, 5), 0.5), np.tile(np.arange(5.0), (4, 1))])
    points = np.array([[1.25, 2.0], [9.0, -3.0]])
    assert carried(points, field).tolist() == [[2.5, 2.5], [13.0, -2.5]]


def test_the_ejection_fraction_is_what_the_contraction_leaves() -> None:
    def of(shares: tuple[float, ...]) -> Followed:
        return Followed(np.stack([MIDDLE + share * (arch(40, 15) - MIDDLE) for share in shares]), 0, 0.7)

    found = biplane_ejection_fraction(of((1.0, 0.9, 0.8)), of((1.0, 0.8)))
    assert found == pytest.approx(100 * (1 - 0.8**3), abs=1e-6)


def test_a_phantom_contracts() -> None:
    held = Acquisition(draw_patient(3), "A4C", "albatross", seed=1, size=(96, 96), jitter=False)
    frames = list(held.frames([0.0, END_SYSTOLE / 2]))
    images = np.stack([frame.image * held.scanner.sector for frame in frames]).astype(np.uint8)
    true = Followed(np.stack([spline(frame.contour.astype(float), 100) for frame in frames]), 0, 1.0)
    loss = RegistrationLoss("local_ncc", 1.0)
    found = followed(
        images,
        true.contours[0],
        lambda moving, fixed: register_by_patch(moving, fixed, loss, diffeomorphic=True, effort=SHORT).field,
    )
    away, still = (np.linalg.norm(each - true.contours[1], axis=1).mean() for each in found.contours[::-1])
    assert away < still / 2
    assert true.strain[1] < found.strain[1] < true.strain[1] / 3 < 0


def test_what_cannot_be_followed() -> None:
    def still(moving: Tensor, _fixed: Tensor) -> Tensor:
        return torch.zeros(1, 2, *moving.shape[2:])

    with pytest.raises(ValueError, match=r"an outline is \(M, 2\) with 3 points or more, not \(2, 2\)"):
        followed(clip(), arch()[:2], still)
    with pytest.raises(ValueError, match="the outline has points that are no numbers"):
        followed(clip(), arch() * np.nan, still)
    with pytest.raises(ValueError, match="end-diastole is frame 4 of 4"):
        followed(clip(), arch(), still, end_diastole=4)
    with pytest.raises(ValueError, match=r"a clip is \(T, H, W\), not \(48, 56\)"):
        followed(clip()[0], arch(), still)
    flat = Followed(np.tile(np.array([[0.0, 0.0], [0.0, 1.0], [0.0, 0.0]]), (2, 1, 1)), 0, 1.0)
    with pytest.raises(ValueError, match="there is no volume at the end of diastole"):
        biplane_ejection_fraction(flat, flat)
