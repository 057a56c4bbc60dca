"""Whether the tensors of a candidate or release are those that its manifest needs, with numbers that can be used.

Its signature says who made it, not that it is sound: a coordinator that is wrong or lies is found out here, and not by
whatever breaks when an image is asked about.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from federated.descent import MARGINS
from federated.errors import ContractError
from federated.in_distribution import BINS, QUADRATIC
from federated.manifest import ReleaseManifest, Tensors
from federated.release import UNITS, coarse_name
from federated.statistics import Statistics, unpack_symmetric

Shape = tuple[int, ...]
COUNTS = {"weights", "calibration", "steps"}


def block_of(manifest: ReleaseManifest, tensors: Tensors, index: int) -> Statistics:
    """What a release carries of the statistics of its site of this place."""
    site, size = manifest.sites[index], manifest.front_end.features
    sums, weights = tensors["class_sums"][index], tensors["weights"][index]
    packed = tensors.get(f"gram.{site.name}")
    if packed is None:
        return Statistics(manifest.labels, None, sums, weights)
    own = {label: tensors[coarse_name(number, site.name)] for number, label in enumerate(site.coarse)}
    own_grams = {label: unpack_symmetric(gram, size) for label, gram in own.items()}
    return Statistics(manifest.labels, unpack_symmetric(packed, size), sums, weights, own_grams)


def check_release(manifest: ReleaseManifest, tensors: Tensors) -> None:
    """Whether a release has what its sites, labels and systems need.

    Raises:
        ContractError: a tensor is missing, of another shape, or holds NaN or infinity.
    """
    if len({site.name for site in manifest.sites}) != len(manifest.sites) or not manifest.sites:
        raise ContractError("has no site, or one twice", where=manifest.kind)
    if not manifest.labels or any(not site.labels for site in manifest.sites):
        raise ContractError("has no label, or a site without one", where=manifest.kind)
    for name, shape in _shapes(manifest, tensors).items():
        found = tensors[name].shape if name in tensors else None
        if found != shape:
            told = "is missing" if found is None else f"is {found}, needed is {shape}"
            raise ContractError(f"tensor {name} {told}", where=manifest.kind)
    for name, array in sorted(tensors.items()):
        _check_numbers(name, array, manifest.kind)


def _check_numbers(name: str, array: NDArray[Any], where: str) -> None:
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ContractError(f"tensor {name} holds NaN or infinity", where=where)
    kind = name.partition(".")[0]
    if kind in COUNTS and array.size and array.min() < 0:
        raise ContractError(f"tensor {name} counts less than nothing", where=where)
    spread = array[:, 1] if kind == "standard" else array
    if kind in {"standard", "total"} and spread.size and spread.min() <= 0:
        raise ContractError(f"tensor {name} has a spread of nothing", where=where)


def _shapes(manifest: ReleaseManifest, tensors: Tensors) -> dict[str, Shape]:
    size, sites, labels = manifest.front_end.features, len(manifest.sites), len(manifest.labels)
    rank = _rank(tensors)
    shapes: dict[str, Shape] = {"class_sums": (sites, size, labels), "weights": (sites, labels)}
    shapes |= {"center": (size,), "basis": (size, rank), "total": (rank,), "within": (_packed(rank),)}
    for site in manifest.sites:
        if f"gram.{site.name}" in tensors:
            names = (f"gram.{site.name}", *(coarse_name(index, site.name) for index in range(len(site.coarse))))
            shapes |= dict.fromkeys(names, (_packed(size),))
    for index, system in enumerate(manifest.systems):
        shapes[f"solution.{index:03d}"] = (len(system.inside), size, len(system.labels))
        if system.inverse:
            shapes[f"inverse.{index:03d}"] = (_packed(size),)
    return shapes | _calibration(manifest, rank)


def _calibration(manifest: ReleaseManifest, rank: int) -> dict[str, Shape]:
    """None in a candidate, nor in a release that no site has reported on."""
    if manifest.kind == "candidate" or all(site.calibration == "none" for site in manifest.sites):
        return {}
    shapes: dict[str, Shape] = {}
    for site in manifest.sites:
        shapes[f"covariance.{site.name}"] = (len(site.labels), _packed(min(QUADRATIC, rank)))
        shapes |= {f"standard.{site.name}.{unit}": (3, 2) for unit in UNITS}
        shapes |= {f"calibration.{site.name}.{unit}": (len(BINS) - 1,) for unit in UNITS}
    if manifest.steps:
        shapes |= {f"steps.{unit}": (len(manifest.steps), len(MARGINS)) for unit in UNITS}
    return shapes


def _rank(tensors: Tensors) -> int:
    """Of the subspace, which nothing else tells."""
    basis = tensors.get("basis")
    return basis.shape[1] if basis is not None and basis.ndim == 2 else 0


def _packed(size: int) -> int:
    return size * (size + 1) // 2
