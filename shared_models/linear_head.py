"""One linear softmax head on frozen features: the baseline of a site alone, of fine-tuning and of pooled training.

Multinomial logistic regression with a ridge penalty on the weights and none on the bias:
minimise sum_i w_i (logsumexp(h_i W + b) - (h_i W + b)_{y_i}) / sum_i w_i + (penalty / 2) ||W||².
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

Array = NDArray[np.float64]

PENALTY = 3e-3  # where there are no patients to choose it by
PENALTIES = (1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5, 1e-6)
MAX_STEPS = 200


def linear_head(features: int, labels: int) -> torch.nn.Linear:
    """The head as a network: ``weight`` (C, M), ``bias`` (C,), float32."""
    import torch

    return torch.nn.Linear(features, labels)


def head_state(weights: Array, bias: Array) -> dict[str, NDArray[np.float32]]:
    """State of the network `linear_head` for weights (M, C) and bias (C,)."""
    return {"weight": np.ascontiguousarray(weights.T, dtype=np.float32), "bias": bias.astype(np.float32)}


def train_head(
    features: Array,
    labels: NDArray[np.int64],
    weights: Array,
    classes: int,
    *,
    seed: int,
    start: tuple[Array, Array] | None = None,
    penalty: float = PENALTY,
    proximal: float = 0.0,
    steps: int = MAX_STEPS,
) -> tuple[Array, Array]:
    """Weights (M, C) and bias (C,) by L-BFGS over all images at once; the same numbers every time.

    Args:
        features: (n, M).
        labels: (n,) class numbers, not all of which need occur.
        weights: (n,) sample weights; only their proportions count.
        classes: C.
        seed: of the small first weights.
        start: an earlier head to go on from, (M, C') and (C',) with C' <= C; new classes begin at zero.
        penalty: of the squared weights.
        proximal: μ of a further term μ/2 ||(W, b) - start||², which holds the head near where it began.
        steps: at most so many passes over the images.

    Raises:
        ValueError: shapes that do not fit, or a class number outside the classes.
    """
    from scipy.optimize import minimize

    images, size = features.shape
    if labels.shape != (images,) or weights.shape != (images,) or not images:
        raise ValueError(f"{features.shape} features, {labels.shape} labels and {weights.shape} weights do not fit")
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(f"labels lie in {labels.min()}..{labels.max()}, there are {classes} classes")
    share = weights / weights.sum()
    begin = np.concatenate([part.ravel() for part in _begin(size, classes, seed, start)])

    def objective(flat: Array) -> tuple[float, Array]:
        loss, gradient = _loss(
            flat[: size * classes].reshape(size, classes), flat[size * classes :], features, labels, share, penalty
        )
        away = flat - begin
        return loss + proximal / 2 * float(away @ away), gradient + proximal * away

    found = minimize(objective, begin, jac=True, method="L-BFGS-B", options={"maxiter": steps}).x
    return found[: size * classes].reshape(size, classes), found[size * classes :]


def tune_head(
    features: Array,
    labels: NDArray[np.int64],
    weights: Array,
    classes: int,
    *,
    validation: tuple[Array, NDArray[np.int64], Array],
    seed: int,
    start: tuple[Array, Array] | None = None,
) -> tuple[Array, Array]:
    """`train_head` at the penalty of `PENALTIES` with the least weighted negative log-likelihood on validation images.

    The path runs from the largest penalty down, each head going on from the one before.

    Args:
        features: (n, M), as are labels, weights, classes, seed and start, those of `train_head`.
        labels: (n,).
        weights: (n,).
        classes: C.
        validation: features, labels and weights of other patients; `PENALTY` is taken if there are none.
        seed: of the small first weights.
        start: an earlier head to go on from.
    """
    if not validation[1].size:
        return train_head(features, labels, weights, classes, seed=seed, start=start)
    path = []
    for penalty in PENALTIES:
        start = train_head(features, labels, weights, classes, seed=seed, start=start, penalty=penalty)
        path.append(start)
    share = validation[2] / validation[2].sum()
    return min(path, key=lambda head: _loss(head[0], head[1], validation[0], validation[1], share, 0.0)[0])


def predict_head(features: Array, weights: Array, bias: Array) -> Array:
    """Softmax probabilities (n, C) of features (n, M)."""
    from scipy.special import softmax

    return softmax(features @ weights + bias, axis=1)


def _begin(size: int, classes: int, seed: int, start: tuple[Array, Array] | None) -> tuple[Array, Array]:
    if start is None:
        return 1e-3 * np.random.default_rng(seed).standard_normal((size, classes)), np.zeros(classes)
    new = classes - start[1].size
    if new < 0 or start[0].shape != (size, start[1].size):
        raise ValueError(f"a head {start[0].shape} cannot go on as one of {(size, classes)}")
    return np.pad(start[0], ((0, 0), (0, new))), np.pad(start[1], (0, new))


def _loss(
    weights: Array, bias: Array, features: Array, labels: NDArray[np.int64], share: Array, penalty: float
) -> tuple[float, Array]:
    """The objective above and its gradient, flat."""
    from scipy.special import logsumexp

    rows = np.arange(labels.size)
    scores = features @ weights + bias
    total = logsumexp(scores, axis=1)
    loss = share @ (total - scores[rows, labels]) + penalty / 2 * np.sum(weights**2)
    error = np.exp(scores - total[:, None])
    error[rows, labels] -= 1.0
    error *= share[:, None]
    return float(loss), np.concatenate([(features.T @ error + penalty * weights).ravel(), error.sum(axis=0)])
