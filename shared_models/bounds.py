"""Sizes of networks that come from outside, in a parcel or a file: what is absurd is refused before memory is taken."""

from __future__ import annotations

SIDES = range(8, 1025)  # pixels
CLASSES = range(1, 257)
MOST_BYTES = 512 * 2**20  # of weights
MOST_VALUES = 2**22  # of one image in one layer: 32 such images take half a GiB
MOST_CHANNELS = 2048


def require_sizes(network: str, **sizes: tuple[object, range]) -> None:
    """Whether sizes, by name with those that are taken, are whole numbers among them.

    Raises:
        TypeError: one is no whole number.
        ValueError: one is far too large or too small.
    """
    for name, (size, taken) in sizes.items():
        if type(size) is not int:
            raise TypeError(f"{network} of {name} {size!r}, which is no whole number")
        if size not in taken:
            raise ValueError(f"{network} of {name} {size}; {taken[0]} to {taken[-1]} are taken")


def require_room(network: str, channels: int, values: int) -> None:
    """Whether the widest layer, and what it holds of one image, are no larger than what is taken.

    Raises:
        ValueError: one is.
    """
    if channels > MOST_CHANNELS:
        raise ValueError(f"{network} of {channels} channels at its widest; {MOST_CHANNELS} are the most")
    if values > MOST_VALUES:
        raise ValueError(f"{network} of {values} numbers an image in one layer; {MOST_VALUES} are the most")
