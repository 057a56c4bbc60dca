"""Views by name, each with its channel: the order is that of the nine planes, whatever order they are given in.

The published code trains on views in random order and asks in the order of a folder, though the channel that a view
comes in decides what the fusing layer makes of it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shared_models.phantom.volumes import NINE_PLANES, PLANE_PIXELS

Planes = NDArray[np.float32]
Present = NDArray[np.bool_]


def planes_of(greys: NDArray[np.uint8]) -> Planes:
    """Pictures of any shape as networks see them: greys from 0 to 1."""
    return greys.astype(np.float32) / np.float32(255)


def in_order(names: Sequence[str]) -> tuple[str, ...]:
    """Views in the order of their channels.

    Raises:
        ValueError: no view, one that is given twice, or one that is not among the nine.
    """
    if not names:
        raise ValueError(f"no view is given; there are {', '.join(NINE_PLANES)}")
    for name in names:
        if name not in NINE_PLANES:
            raise ValueError(f"there is no view '{name}', there are {', '.join(NINE_PLANES)}")
        if list(names).count(name) > 1:
            raise ValueError(f"view '{name}' is given twice")
    return tuple(sorted(names, key=NINE_PLANES.index))


def arranged(built: Sequence[str], names: Sequence[str], planes: Planes) -> tuple[Planes, Present]:
    """What a network built for some views is shown of a heart of which there may be fewer.

    Args:
        built: views of the network, in the order of their channels.
        names: of the planes, in any order.
        planes: (v, 224, 224) grey in [0, 1].

    Returns:
        (V, 224, 224) planes, zero where a view is missing, and (V,) which are there.

    Raises:
        ValueError: see `in_order`; a view that the network was not built for; planes of another number or size, or with
            values that are no grey.
    """
    if strange := [name for name in in_order(names) if name not in built]:
        raise ValueError(f"the network was not built for view '{strange[0]}', but for {', '.join(built)}")
    if planes.shape != (len(names), PLANE_PIXELS, PLANE_PIXELS):
        raise ValueError(
            f"{len(names)} views of {PLANE_PIXELS} pixels a side are {(len(names), PLANE_PIXELS, PLANE_PIXELS)},"
            f" the planes are {planes.shape}"
        )
    for name, plane in zip(names, planes, strict=True):
        if not (plane.min() >= 0 and plane.max() <= 1):  # which no NaN is
            raise ValueError(f"the plane of view '{name}' holds values that are not from 0 to 1")
    shown = np.zeros((len(built), PLANE_PIXELS, PLANE_PIXELS), np.float32)
    channels = [list(built).index(name) for name in names]
    shown[channels] = planes
    present = np.zeros(len(built), np.bool_)
    present[channels] = True
    return shown, present
