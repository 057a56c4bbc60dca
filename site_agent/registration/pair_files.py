"""One pair from files to files: everything is checked first, and written when all is found."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from federated.errors import ConsiliumError
from federated.files import write_whole
from site_agent.registration.alignment import aligned, require_alignment
from site_agent.registration.field_files import field_bytes, field_in_millimetres, image_bytes, require_writable
from site_agent.registration.image_files import is_nifti, read_image, read_labels
from site_agent.registration.network_files import load_network
from site_agent.registration.one_pair import FORCES, Registered, Settings, register_pair, unlikeness
from site_agent.registration.pair_figures import Came, Dice, PairFigures, dice_by_label, pair_figures, require_common
from site_agent.registration.placement import PlacedPair, placed, placed_to_align

if TYPE_CHECKING:
    from shared_models.registration.network import RegistrationNetwork

Labels = NDArray[np.uint8]


@dataclass(frozen=True)
class Files:
    """What is read, and what is written where it is named.

    Attributes:
        moving, fixed: images.
        out: the field.
        warped: the moving image, moved.
        labels: of the moving image.
        warped_labels: these, moved.
        fixed_labels: of the fixed image.
        weights: of a network.
        spacing_mm: side of a pixel of pictures that do not say it.
        resample: whether headers place the moving image onto the fixed one's grid.
        align: how the moving image is brought onto the fixed one as a whole before, one of `alignment.ALIGNMENTS`.
    """

    moving: Path
    fixed: Path
    out: Path
    warped: Path | None = None
    labels: Path | None = None
    warped_labels: Path | None = None
    fixed_labels: Path | None = None
    weights: Path | None = None
    spacing_mm: float | None = None
    resample: bool = False
    align: str | None = None

    def __post_init__(self) -> None:
        """Raises `ConsiliumError` where files cannot be written, or what is asked for lacks a part or is not known."""
        if self.align is not None:
            require_alignment(self.align)
        require_writable(self.out, "--out", picture=False)
        for option, path in (("--warped", self.warped), ("--warped-labels", self.warped_labels)):
            if path is not None:
                require_writable(path, option, picture=True)
        if self.labels is None and (self.warped_labels or self.fixed_labels):
            option = "--warped-labels" if self.warped_labels else "--fixed-labels"
            raise ConsiliumError("needs a label map to move", where=option, cure="name it with --labels")
        if self.spacing_mm is not None and not 0 < self.spacing_mm < np.inf:
            raise ConsiliumError(f"is {self.spacing_mm}", where="--spacing-mm", cure="millimetres above 0")
        written = [path.absolute() for path in (self.out, self.warped, self.warped_labels) if path]
        given = [each for each in (self.moving, self.fixed, self.labels, self.fixed_labels, self.weights) if each]
        for path in written:
            if path in {each.absolute() for each in given} or written.count(path) > 1:
                raise ConsiliumError("is named twice", where=str(path), cure="name another file to write")


@dataclass(frozen=True)
class LabelMaps:
    """Of the moving and of the fixed image, where they are given."""

    moving: Labels | None
    fixed: Labels | None


def register_files(files: Files, settings: Settings) -> PairFigures:
    """Registers a pair, writes what was asked for and tells its figures.

    Raises:
        ConsiliumError: something cannot be read, does not go together, or cannot be written.
    """
    network = None if files.weights is None else load_network(files.weights, diffeomorphic=settings.diffeomorphic)
    if network is None and settings.refine:
        raise ConsiliumError("needs a network to refine", where="--refine", cure="name one with --weights")
    if network is not None and settings.way == FORCES:
        raise ConsiliumError("asks no network", where="--by forces", cure="leave it out, or --weights")
    came = _placed(files)
    maps = _label_maps(files, came)
    _require_pictures(files, came)
    began = time.monotonic()
    pair = came if files.align is None else aligned(came, files.align)
    found = register_pair(pair, settings, network)
    seconds = time.monotonic() - began
    contents = _contents(files, pair, found, maps)
    dice = _dice(came, pair, found, maps)
    for path, data in contents.items():
        write_whole(path, data)
    return pair_figures(
        pair,
        settings,
        found,
        method=_method(settings, network),
        came=None if files.align is None else Came(files.align, unlikeness(came, settings)),
        dice=dice,
        files=tuple(map(str, contents)),
        seconds=seconds,
    )


def _placed(files: Files) -> PlacedPair:
    moving, fixed = (read_image(path, files.spacing_mm) for path in (files.moving, files.fixed))
    return placed(moving, fixed, resample=files.resample) if files.align is None else placed_to_align(moving, fixed)


def _label_maps(files: Files, pair: PlacedPair) -> LabelMaps:
    moving = None if files.labels is None else read_labels(files.labels, pair.moving)
    fixed = None if files.fixed_labels is None else read_labels(files.fixed_labels, pair.fixed)
    if moving is not None and fixed is not None:
        require_common(moving, fixed, str(files.labels))
    return LabelMaps(moving, fixed)


def _require_pictures(files: Files, pair: PlacedPair) -> None:
    """Whether what is to be a picture is one, before the work is done."""
    for path in (files.warped, files.warped_labels):
        if path is not None and not is_nifti(path) and pair.fixed.grid.dimensions != 2:
            raise ConsiliumError("can hold no volume", where=str(path), cure="name it .nii.gz")


def _contents(files: Files, pair: PlacedPair, found: Registered, maps: LabelMaps) -> dict[Path, bytes]:
    """Bytes of every file."""
    grid = pair.fixed.grid
    millimetres = field_in_millimetres(pair.whole(found.field), grid)
    contents: dict[Path, bytes] = {files.out: field_bytes(files.out, millimetres, grid)}
    if files.warped is not None:
        contents[files.warped] = image_bytes(files.warped, pair.taken(pair.moving.values, found.field), grid)
    if files.warped_labels is not None and maps.moving is not None:
        moved = pair.taken_labels(maps.moving, found.field)
        contents[files.warped_labels] = image_bytes(files.warped_labels, moved, grid)
    return contents


def _dice(came: PlacedPair, pair: PlacedPair, found: Registered, maps: LabelMaps) -> dict[str, Dice]:
    if maps.moving is None or maps.fixed is None:
        return {}
    return dice_by_label(
        came.taken_labels(maps.moving, None),
        pair.taken_labels(maps.moving, found.field),
        maps.fixed,
        None if pair.alignment is None else pair.taken_labels(maps.moving, None),
    )


def _method(settings: Settings, network: RegistrationNetwork | None) -> str:
    if network is None:
        return f"{settings.way} on a {'velocity' if settings.velocity else 'displacement'}"
    from shared_models.stretched_registration import StretchedRegistration

    of_a_site = isinstance(network, StretchedRegistration)
    return ("expert of a site" if of_a_site else type(network).__name__) + (", refined" if settings.refine else "")
