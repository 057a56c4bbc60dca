"""Phantom beside real, in numbers: grey levels, speckle and edges of both, in one table.

Of a gallery only the half that may guide development is measured, since these figures did guide it. The phantom's
frames show the same families of views, as its machines store them, and all frames go through the same preparation.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks import real_data
from benchmarks.claims import Claim, Measured, Row, at_least, told
from benchmarks.phantom_frames import views_of_families
from benchmarks.phantom_gallery import read_gallery
from benchmarks.phantom_sector import frame_of
from benchmarks.phantom_statistics import statistics
from site_agent.progress import track

Measures = Mapping[str, float]

SIZE = (450, 600)  # pixels: sectors about as high as those of the gallery
SEED = 500_000  # of the first patient
PATIENTS, QUICK_PATIENTS = 6, 1  # phantom frames for each real one
GALLERY, APICAL, PHANTOM = "gallery", "one scanner, four chambers", "phantom"
TABLE = "Medians (and quartiles) over frames"
ACROSS = "speckle across the beam, {}, % of depth"
MIN_COARSENING = 1.3


def measure(*, quick: bool, gallery: Path = real_data.GALLERY, apical: Path = real_data.APICAL_FOUR) -> Measured:
    """All measures of the real frames and of phantom frames of the same families.

    Raises:
        ValueError: the folder is no gallery, or none of the images of its development half can be used.
    """
    shots = read_gallery(gallery, development=True).shots
    if not shots:
        raise ValueError(f"{gallery} has no usable image in the half that may guide development")
    families = [shot.family for shot in shots] * (QUICK_PATIENTS if quick else PATIENTS)
    found: dict[str, Sequence[Measures]] = {
        GALLERY: [statistics(shot.frame) for shot in shots],
        APICAL: [statistics(frame_of(image)) for image in apical_frames(apical)],
        PHANTOM: phantom_statistics(families),
    }
    return summarise({name: measures for name, measures in found.items() if measures})


def phantom_statistics(families: Sequence[str]) -> list[Measures]:
    """Of one phantom frame for each family named, every one of another patient."""
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        done = pool.map(_of_one, range(SEED, SEED + len(families)), families, chunksize=4)
        return list(track(done, total=len(families), what="phantom frames"))


@threadpool_limits.wrap(1)
def _of_one(seed: int, family: str) -> Measures:
    return statistics(frame_of(stored_frame(family, seed)))


def stored_frame(family: str, seed: int, size: tuple[int, int] = SIZE) -> NDArray[np.uint8]:
    """A frame as one of the cardiac machines stores it, with what it draws over it."""
    from shared_models.phantom.machines import MACHINES
    from shared_models.phantom.patients import draw_patient
    from shared_models.phantom.study import still

    random = np.random.default_rng([seed, 7])
    machines = [name for name, machine in MACHINES.items() if machine.geometry == "sector"]
    patient = draw_patient(seed, str(random.choice(["healthy", "dilated", "hypertrophic"], p=[0.5, 0.25, 0.25])))
    view, machine = str(random.choice(views_of_families()[family])), str(random.choice(machines))
    return still(patient, view, machine, phase=float(random.random()), seed=seed, size=size).image


def apical_frames(folder: Path) -> list[NDArray[np.uint8]]:
    """The input images of a folder of MetaImage files; none where it is not there."""
    return [read_metaimage(path) for path in sorted(folder.glob("*_layer0.mhd"))]


def read_metaimage(path: Path) -> NDArray[np.uint8]:
    """(H, W) of a two-dimensional 8-bit MetaImage: a text header beside a file of pixels, with zlib or without.

    Raises:
        ValueError: another kind of MetaImage.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    header = {key.strip(): value.strip() for key, _, value in (line.partition("=") for line in lines)}
    if header.get("ElementType") != "MET_UCHAR" or header.get("ElementNumberOfChannels", "1") != "1":
        raise ValueError(f"{path} is no 8-bit grey MetaImage")
    width, height, *frames = (int(number) for number in header["DimSize"].split())
    pixels = (path.parent / header["ElementDataFile"]).read_bytes()
    if header.get("CompressedData") == "True":
        pixels = zlib.decompress(pixels)
    if len(pixels) != width * height * int(np.prod(frames)) or int(np.prod(frames)) != 1:
        raise ValueError(f"{path} holds other than one frame of {width} x {height} bytes")
    return np.frombuffer(pixels, np.uint8).reshape(height, width)


def summarise(found: Mapping[str, Sequence[Measures]]) -> Measured:
    """One row a measure, one column a source."""
    names = list(found[PHANTOM][0])
    rows: list[Row] = [
        {"table": TABLE, "measure": name, **{source: _spread(name, measures) for source, measures in found.items()}}
        for name in names
    ]
    counts = ", ".join(f"{source} {len(measures)} frames" for source, measures in found.items())
    note = (
        f"{counts}. Lengths are percent of the image's depth. Of the gallery only the half that may guide development "
        "was measured. Measures know nothing of the machine: beams follow from the sector's edges, tissue is what is "
        "even and neither dark nor saturated."
    )
    return Measured(rows=tuple(rows), claims=tuple(_claims(found, names)), notes=(note,))


def _spread(name: str, measures: Sequence[Measures]) -> str:
    values = [one[name] for one in measures if np.isfinite(one[name])]
    if not values:
        return "–"
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return f"{middle:.3g} ({low:.3g} to {high:.3g})"


def _claims(found: Mapping[str, Sequence[Measures]], names: Sequence[str]) -> list[Claim]:
    claims = []
    near, far = (_median(ACROSS.format(place), found[PHANTOM]) for place in ("near", "far"))
    claims.append(at_least("phantom: speckle across the beam, far against near", far / near, "times", MIN_COARSENING))
    if GALLERY in found:
        near, far = (_median(ACROSS.format(place), found[GALLERY]) for place in ("near", "far"))
        claims.append(told("gallery: speckle across the beam, far against near", far / near, "times"))
        inside = [_inside(name, found) for name in names]
        share = 100 * sum(inside) / len(inside)
        claims.append(told("measures whose phantom median lies between the gallery's extremes", share, "%"))
    return claims


def _inside(name: str, found: Mapping[str, Sequence[Measures]]) -> bool:
    values = [one[name] for one in found[GALLERY] if np.isfinite(one[name])]
    return bool(values) and min(values) <= _median(name, found[PHANTOM]) <= max(values)


def _median(name: str, measures: Sequence[Measures]) -> float:
    values = [one[name] for one in measures if np.isfinite(one[name])]
    return float(np.median(values)) if values else float("nan")
