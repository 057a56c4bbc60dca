"""Displacement fields: the one place of their conventions.

A field u is (B, d, *N), d = 2 or 3; channel k moves along spatial axis k, so the first channel along the first axis. It
is given on the fixed image's grid and leads into the moving one: warped(p) = moving(p + u(p)).

Units: *normalised*, where the centres of an axis' first and last voxels are -1 and 1 (``align_corners`` of
``grid_sample``), is what networks say and what is warped by; *voxels* is what Jacobians and smoothness are of;
*millimetres* are voxels times spacing. Of an axis of n voxels, 1 normalised is (n - 1) / 2 voxels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

STEPS = 7  # of scaling and squaring
LEAST_SIDE = 2  # voxels along an axis: fewer have no normalised unit
Padding = Literal["zeros", "border"]


def to_voxels(field: Tensor) -> Tensor:
    """A normalised field in voxels.

    Raises:
        ValueError: not a field.
    """
    return field * _halves(field)


def to_normalised(field: Tensor) -> Tensor:
    """A field in voxels, normalised.

    Raises:
        ValueError: not a field, or an axis of one voxel, which has no such unit.
    """
    halves = _halves(field)
    if not halves.all():
        raise ValueError(f"a field of {_said(field)} has an axis of one voxel, along which nothing can be normalised")
    return field / halves


def to_millimetres(field: Tensor, spacing: Sequence[float]) -> Tensor:
    """A field in voxels, in millimetres.

    Args:
        field: (B, d, *N), voxels.
        spacing: millimetres from voxel to voxel along each axis, in the order of the axes.

    Raises:
        ValueError: not a field, or not one positive number an axis.
    """
    return field * _spacings(field, spacing)


def from_millimetres(field: Tensor, spacing: Sequence[float]) -> Tensor:
    """A field in millimetres, in voxels; see `to_millimetres`."""
    return field / _spacings(field, spacing)


def identity_grid(size: Sequence[int], like: Tensor) -> Tensor:
    """(1, d, *size) normalised positions of the voxels, of the type and on the device of `like`."""
    return torch.stack(torch.meshgrid([_line(n, like) for n in size], indexing="ij")).unsqueeze(0)


def warp(images: Tensor, field: Tensor, padding: Padding = "zeros") -> Tensor:
    """What of images (B, C, *M) lies where a field leads, interpolated linearly: (B, C, *N).

    A field of zeros gives the images again, to the rounding of positions.

    Args:
        images: moving images, or fields.
        field: (B, d, *N), normalised.
        padding: what lies outside the images: nothing, or their border's values.

    Raises:
        ValueError: not a field, or one of other axes or of another batch than the images.
    """
    _require_field(field)
    if images.ndim != field.ndim or len(images) != len(field):
        raise ValueError(f"images of {_said(images)} cannot be warped by a field of {_said(field)}")
    grid = _sampling_grid(field)
    return functional.grid_sample(images, grid, mode="bilinear", padding_mode=padding, align_corners=True)


def compose(first: Tensor, second: Tensor, padding: Padding = "border") -> Tensor:
    """The one field that does what warping by `first` and then its outcome by `second` does; all are normalised.

    u(p) = second(p) + first(p + second(p)).
    """
    return warp(first, second, padding) + second


def integrate(velocity: Tensor, steps: int = STEPS, coarseness: int = 1) -> Tensor:
    """The displacement (B, d, *N) at time 1 along a stationary velocity, both normalised, by scaling and squaring.

    Arsigny et al. (MICCAI 2006): u = v / 2^T, and T times u = u ∘ (id + u) + u; the border's values outside.

    Args:
        velocity: (B, d, *N).
        steps: T.
        coarseness: voxels along an axis to one of the grid on which this is done; field and velocity are brought
            from grid to grid linearly. The squarings then take a fraction of the time, 1/8 in 3D at 2.
    """
    if coarseness > 1:
        size = velocity.shape[2:]
        coarse = resized(velocity, [max(LEAST_SIDE, math.ceil(n / coarseness)) for n in size])
        return resized(integrate(coarse, steps), size)
    field = velocity / 2**steps
    for _ in range(steps):
        field = warp(field, field, "border").add_(field)
    return field


def resized(field: Tensor, size: Sequence[int]) -> Tensor:
    """A normalised field (B, d, *N) on a grid of another size from centre to centre of its edges, linearly.

    Raises:
        ValueError: not a field.
    """
    _require_field(field)
    mode = "bilinear" if field.ndim == 4 else "trilinear"
    return functional.interpolate(field, size=tuple(size), mode=mode, align_corners=True)


def jacobian_determinants(field: Tensor) -> Tensor:
    """(B, *N) determinants of the Jacobian of p + u(p), by central differences; one-sided at the edges.

    Args:
        field: (B, d, *N), in **voxels**; at least two along each axis.
    """
    _require_field(field)
    axes = list(range(1, field.ndim - 1))
    rows = [list(torch.gradient(field[:, k], dim=axes)) for k in range(len(axes))]
    for k, row in enumerate(rows):
        row[k] = row[k] + 1
    if len(axes) == 2:
        return rows[0][0] * rows[1][1] - rows[0][1] * rows[1][0]
    (a, b, c), (d, e, f), (g, h, i) = rows
    return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)


def folded_fraction(field: Tensor) -> Tensor:
    """(B,) shares of voxels at which a field in **voxels** folds: whose determinant is 0 or less."""
    return (jacobian_determinants(field) <= 0).flatten(1).float().mean(dim=1)


def warp_labels(labels: Tensor, field: Tensor, known: Sequence[int]) -> Tensor:
    """Label maps (B, *M) where a normalised field leads: each label warped linearly, the strongest wins; (B, *N).

    Args:
        labels: whole numbers.
        field: (B, d, *N).
        known: all labels there may be, the background first: it wins ties, and lies outside the maps.

    Raises:
        ValueError: no known labels, or the maps hold another one.
    """
    if not known:
        raise ValueError("label maps are warped label by label: name the labels")
    if strange := sorted(set(labels.unique().tolist()) - set(known)):
        raise ValueError(f"label maps hold {strange[0]}; the labels are {', '.join(map(str, known))}")
    best = 1 - warp((labels != known[0]).to(field)[:, None], field)[:, 0]  # what lies outside is background
    found = torch.full_like(best, known[0], dtype=labels.dtype)
    for label in known[1:]:
        share = warp((labels == label).to(field)[:, None], field)[:, 0]
        found[share > best] = label
        best = torch.maximum(best, share)
    return found


def _sampling_grid(field: Tensor) -> Tensor:
    """(B, *N, d) positions, last axis first, as ``grid_sample`` wants them; without a second copy where it may be."""
    size = field.shape[2:]
    lines = [_line(n, field).view(-1, *[1] * (len(size) - 1 - k)) for k, n in enumerate(size)]
    if torch.is_grad_enabled() and field.requires_grad:
        return torch.stack([field[:, k] + lines[k] for k in reversed(range(len(size)))], dim=-1)
    grid = field.new_empty(len(field), *size, len(size))
    for k, line in enumerate(lines):
        torch.add(field[:, k], line, out=grid[..., len(size) - 1 - k])
    return grid


def _line(n: int, like: Tensor) -> Tensor:
    return torch.linspace(-1, 1, n, dtype=like.dtype, device=like.device)


def _halves(field: Tensor) -> Tensor:
    _require_field(field)
    return _by_channel([(n - 1) / 2 for n in field.shape[2:]], field)


def _spacings(field: Tensor, spacing: Sequence[float]) -> Tensor:
    _require_field(field)
    if len(spacing) != field.shape[1] or not all(0 < step < float("inf") for step in spacing):
        raise ValueError(f"a spacing of {tuple(spacing)} does not go with a field of {_said(field)}")
    return _by_channel(spacing, field)


def _by_channel(numbers: Sequence[float], field: Tensor) -> Tensor:
    return field.new_tensor(numbers).view(1, -1, *[1] * (field.ndim - 2))


def _require_field(field: Tensor) -> None:
    if field.ndim not in {4, 5} or field.shape[1] != field.ndim - 2:
        raise ValueError(f"a field is (B, 2, H, W) or (B, 3, D, H, W), not {_said(field)}")


def _said(tensor: Tensor) -> str:
    return f"({', '.join(map(str, tensor.shape))})"
