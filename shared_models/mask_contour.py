"""The left ventricle's outline from masks: where its border leaves the myocardium is the valve, and the rest is walked.

A reconstruction of how such points are taken from masks (contours, d.2): the base ends where the longest stretch of
border that does not touch the myocardium ends, the apex lies farthest from the middle of the base, and from there the
one-pixel border is followed to both ends, smoothed a little and moved out to the pixels' edge. Of long stretches the
lowest is the valve, since another may be where the sector ends. Where the atrium is known as well, the valve is where
the ventricle meets it, whatever the myocardium leaves open elsewhere. Where the border cannot be followed, as in a mask
that the image cuts off, it is sampled by angle.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shared_models.mask_components import largest_piece

Mask = NDArray[np.bool_]
Points = NDArray[np.float64]
FEWEST = 12  # pixels of a ventricle that has an outline
REACH = 2  # pixels
RAYS = 181
SMOOTH, SLOPE = 1.0, 2.0  # pixels: how much the walk is smoothed, and its direction
HALF = 0.5  # from a pixel's centre to its edge
MEETING = 3  # pixels of a valve between ventricle and atrium, at least, and the gap that there may be
LONG = 0.5  # of the longest stretch without myocardium, from which on another may be the valve


def outline(ventricle: Mask, myocardium: Mask, atrium: Mask | None = None) -> Points:
    """(M, 2) pixels, x then y, from the left end of the base over the apex to the right end.

    Args:
        ventricle: (H, W) cavity, of which the largest piece counts.
        myocardium: (H, W) of the same image.
        atrium: (H, W) the left one, if it is known, in a view where the ventricle opens into nothing else.

    Raises:
        ValueError: the masks differ in size, or there is no ventricle, no myocardium, or no base to be seen.
    """
    if ventricle.shape != myocardium.shape:
        raise ValueError(f"the ventricle's mask is {ventricle.shape}, the myocardium's {myocardium.shape}")
    cavity = largest_piece(ventricle)
    if cavity.sum() < FEWEST:
        raise ValueError(f"the left ventricle has {int(cavity.sum())} pixels; {FEWEST} are the fewest with an outline")
    if not myocardium.any():
        raise ValueError("there is no myocardium, so that nothing tells where the valve is")
    left, right, valve = _base(cavity, myocardium, atrium)
    apex = _apex(cavity, (left + right) / 2)
    wall = border(cavity)
    wall[tuple(valve.T)] = False
    sides = [_walked(wall, end, apex) for end in (left, right)]
    if any(side is None for side in sides):
        return _by_angle(cavity, left, right, apex)
    walked = np.concatenate([sides[0], sides[1][::-1][1:]])[:, ::-1]  # type: ignore[index]
    return _at_the_edge(walked.astype(np.float64), np.argwhere(cavity).mean(axis=0)[::-1])


def border(mask: Mask) -> Mask:
    """Pixels, or voxels, of a mask that have a neighbour, over an edge or a corner, outside it or outside the image."""
    from scipy.ndimage import binary_erosion

    return mask & ~np.asarray(binary_erosion(mask, np.ones((3,) * mask.ndim, dtype=bool)))


def _base(cavity: Mask, myocardium: Mask, atrium: Mask | None) -> tuple[Points, Points, NDArray[np.int64]]:
    """The left and right end of the base, row then column, and the (n, 2) pixels of the valve between them."""
    from scipy.ndimage import binary_dilation
    from scipy.spatial.distance import cdist

    edge, touched = border(cavity), np.asarray(binary_dilation(myocardium, np.ones((3, 3), dtype=bool)))
    valve = _meeting(edge, atrium)
    if valve is None:
        valve = _opening(edge & ~touched)
    one, other = np.unravel_index(int(cdist(valve, valve).argmax()), (len(valve), len(valve)))
    held = np.argwhere(edge & touched)
    pair = [_hinge(held, valve[this], valve[that]) for this, that in ((one, other), (other, one))]
    if np.array_equal(pair[0], pair[1]):
        raise ValueError("the left ventricle's base is a single pixel")
    left, right = sorted(pair, key=lambda end: end[1])
    return left, right, valve


def _meeting(edge: Mask, atrium: Mask | None) -> NDArray[np.int64] | None:
    """(n, 2) pixels of a border by the atrium, if they are a valve's."""
    from scipy.ndimage import binary_dilation

    if atrium is None or not atrium.any():
        return None
    by = edge & np.asarray(binary_dilation(largest_piece(atrium), np.ones((3, 3), dtype=bool), iterations=MEETING))
    return np.argwhere(by) if by.sum() >= MEETING else None


def _opening(free: Mask) -> NDArray[np.int64]:
    """(n, 2) pixels of the lowest of the long stretches of a border that touch no myocardium."""
    from scipy.ndimage import label

    numbered, count = label(free, np.ones((3, 3)))
    if not count:
        raise ValueError("the myocardium encloses the left ventricle, so that there is no base to be seen")
    sizes = np.bincount(numbered.ravel())[1:]
    long = 1 + np.flatnonzero(sizes >= LONG * sizes.max())
    return max((np.argwhere(numbered == number) for number in long), key=lambda pixels: float(pixels[:, 0].mean()))


def _hinge(held: NDArray[np.int64], end: NDArray[np.int64], other: NDArray[np.int64]) -> Points:
    """Of the border pixels by an end of the valve that the myocardium holds, the one farthest out along the valve.

    A step off the valve's line, as up the wall, counts against it as much as a step along it counts for it.
    """
    near = held[np.abs(held - end).max(axis=1) <= REACH] if len(held) else held
    choices = np.concatenate([end[None], near])
    valve = (end - other) / max(1.0, float(np.linalg.norm(end - other)))
    along, off = (choices - end) @ valve, (choices - end) @ [-valve[1], valve[0]]
    return np.asarray(choices[(along - np.abs(off)).argmax()], dtype=np.float64)


def _apex(cavity: Mask, middle: Points) -> Points:
    """The pixel nearest to the middle of those that are, to a pixel, the farthest from the middle of the base."""
    pixels = np.argwhere(cavity)
    distance = np.linalg.norm(pixels - middle, axis=1)
    top = pixels[distance > distance.max() - 1]
    return np.asarray(top[((top - top.mean(axis=0)) ** 2).sum(axis=1).argmin()], dtype=np.float64)


def _walked(wall: Mask, end: Points, apex: Points) -> NDArray[np.int64] | None:
    """(n, 2) border pixels, row then column, from an end of the base to the apex; None if it is interrupted."""
    from skimage.graph import route_through_array

    first, last = (tuple(int(value) for value in point) for point in (end, apex))
    costs = np.where(wall, 1.0, -1.0)  # what is negative cannot be passed
    costs[first] = costs[last] = 1.0
    try:
        path, _ = route_through_array(costs, first, last, fully_connected=True, geometric=True)
    except ValueError:
        return None
    return np.array(path, dtype=np.int64)


def _at_the_edge(curve: Points, middle: Points) -> Points:
    """Centres of border pixels, smoothed so that stairs count less, and half a pixel out, where the pixels end."""
    from scipy.ndimage import gaussian_filter1d

    def smoothed(values: Points, width: float) -> Points:
        return np.asarray(gaussian_filter1d(values, width, axis=0, mode="nearest"))

    found = smoothed(curve, SMOOTH)
    slope = np.gradient(smoothed(found, SLOPE), axis=0)
    out = np.stack([slope[:, 1], -slope[:, 0]], axis=1)
    out /= np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-9)
    found[[0, -1]] = curve[[0, -1]]
    return found + HALF * np.sign(((found - middle) * out).sum()) * out


def _by_angle(cavity: Mask, left: Points, right: Points, apex: Points) -> Points:
    """Where rays from the middle of the cavity leave it, from one end of the base over the apex to the other."""
    middle = np.argwhere(cavity).mean(axis=0)
    first, top, last = (np.arctan2(*(point - middle)) for point in (left, apex, right))
    up, down = (np.angle(np.exp(1j * (end - top))) for end in (first, last))
    if np.sign(up) == np.sign(down):
        up -= 2 * np.pi * np.sign(up)
    angles = top + np.concatenate([np.linspace(up, 0, RAYS // 2 + 1), np.linspace(0, down, RAYS // 2 + 1)[1:]])
    steps = np.arange(0, np.hypot(*cavity.shape), 0.5)
    rows, columns = (middle[axis] + steps * turn(angles)[:, None] for axis, turn in enumerate((np.sin, np.cos)))
    at = [np.rint(values).astype(int) for values in (rows, columns)]
    within = (at[0] >= 0) & (at[0] < cavity.shape[0]) & (at[1] >= 0) & (at[1] < cavity.shape[1])
    inside = within & cavity[np.where(within, at[0], 0), np.where(within, at[1], 0)]
    far = steps[np.array([np.flatnonzero(row)[-1] if row.any() else 0 for row in inside])]
    found = np.stack([middle[1] + far * np.cos(angles), middle[0] + far * np.sin(angles)], axis=1)
    found[0], found[-1] = left[::-1], right[::-1]
    return found
