"""How rough a field is: the regulariser of Fourier-Net."""

from __future__ import annotations

from torch import Tensor


def smoothness(field: Tensor) -> Tensor:
    """R(u) = (1/d) Σ_k mean((n_k / 2 · ∂_k u)²) of a normalised field (B, d, *N), a scalar; 0 for a shift.

    ∂_k is the difference of neighbours along axis k, of all channels; n_k / 2 brings each axis to its own voxels,
    nearly: the same channel along two axes counts by the axis, not by the channel, as in the authors' code.
    """
    axes = range(2, field.ndim)
    terms = [((field.shape[axis] / 2 * field.diff(dim=axis)) ** 2).mean() for axis in axes]
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total / len(terms)
