"""A clip from file to files: the ventricle outlined at end-diastole, followed, and told in numbers and pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from federated.errors import ConsiliumError, DataError
from federated.files import write_whole
from federated.manifest import Frozen
from site_agent.options import open_home
from site_agent.registration.clip_files import HeartClip, read_clip, read_mask
from site_agent.registration.drawn_ventricle import Ventricle, of_experts, of_labels, outlined
from site_agent.registration.following import follow
from site_agent.registration.motion_picture import motion_picture, strain_plot
from site_agent.registration.one_pair import Settings
from site_agent.registration.strain import SEGMENTS, Motion

Points = NDArray[np.float64]
LARGER = 1.05  # share of its area at end-diastole above which another frame is likelier
MOST_ML = 600  # at end-diastole; larger ventricles are hardly ever seen
NO_MASK = "name a label map of that frame with --mask, or run it at a site that has an expert of segmentation"


@dataclass(frozen=True)
class View:
    """A clip to be followed.

    Attributes:
        clip: its file or folder.
        mask: label map at end-diastole; None for one that lies beside the clip, or for what experts see.
        end_diastole: number of that frame in the file; None for what the file says, else the frame that is drawn,
            else the first.
    """

    clip: Path
    mask: Path | None = None
    end_diastole: int | None = None


@dataclass(frozen=True)
class Reading:
    """How files are read.

    Attributes:
        values: of ventricle, myocardium and atrium in label maps; None to tell by the map itself.
        spacing_mm: side of a pixel where the file does not say it.
        rate_hz: frames a second, likewise.
        home: folder of the site whose experts are asked where nothing is drawn; None for nobody's.
    """

    values: tuple[int, ...] | None = None
    spacing_mm: float | None = None
    rate_hz: float | None = None
    home: Path | None = None


@dataclass(frozen=True)
class Seen:
    """A clip that was followed, and whence its outline came."""

    clip: HeartClip
    motion: Motion
    drawn_by: str


class MotionFigures(Frozen):
    """Of one view.

    Attributes:
        clip: its file.
        drawn_by: whence the outline at end-diastole came.
        frames: of the clip.
        end_diastole, end_systole: numbers of frames; the latter is where the area is least.
        spacing_mm, rate_hz: None where they are unknown.
        strain_percent: global longitudinal strain at end-systole.
        peak_strain_percent: the least of all frames.
        segments_percent: at end-systole, by segment; side 1 is the left one in the image.
        area_change_percent: of the area at end-diastole, what is gone at end-systole.
        end_diastolic_ml, end_systolic_ml: by discs in one plane; None where the size of a pixel is unknown.
        ejection_fraction_percent: of these volumes.
        doubts: lines on what may be wrong with it.
    """

    clip: str
    drawn_by: str
    frames: int
    end_diastole: int
    end_systole: int
    spacing_mm: float | None
    rate_hz: float | None
    strain_percent: float
    peak_strain_percent: float
    segments_percent: dict[str, float]
    area_change_percent: float
    end_diastolic_ml: float | None
    end_systolic_ml: float | None
    ejection_fraction_percent: float
    doubts: tuple[str, ...]

    def rows(self) -> Iterator[tuple[str, str]]:
        """For a table."""
        size = "of unknown size" if self.spacing_mm is None else f"{self.spacing_mm:.3g} mm"
        yield "outline at end-diastole", f"{self.drawn_by}, frame {self.end_diastole} of {self.frames}, pixel {size}"
        yield "end-systole", f"frame {self.end_systole}"
        yield "longitudinal strain", f"{self.strain_percent:.1f} % there, {self.peak_strain_percent:.1f} % at its peak"
        yield "its segments", ", ".join(f"{name} {value:.1f}" for name, value in self.segments_percent.items())
        yield "area", f"{self.area_change_percent:.1f} % smaller"
        volumes = ""
        if self.end_diastolic_ml is not None and self.end_systolic_ml is not None:
            volumes = f", {self.end_diastolic_ml:.0f} to {self.end_systolic_ml:.0f} ml"
        yield "ejection fraction, one plane", f"{self.ejection_fraction_percent:.1f} %{volumes}"


class Report(Frozen):
    """Of all views.

    Attributes:
        views: one or two.
        biplane_ejection_fraction_percent: of two.
        files: that were written.
    """

    views: tuple[MotionFigures, ...]
    biplane_ejection_fraction_percent: float | None
    files: tuple[str, ...]


@dataclass(frozen=True)
class Outlined:
    """A clip whose ventricle is outlined at end-diastole: (M, 2) pixels of the frame at a place, and whence it came."""

    clip: HeartClip
    place: int
    outline: Points
    drawn_by: str


def follow_views(views: Sequence[View], reading: Reading, settings: Settings) -> list[Seen]:
    """Clips, followed once all of them are read and outlined.

    Raises:
        ConsiliumError: one cannot be read, nothing outlines the ventricle, or it cannot be followed; of two, one does
            not say the size of a pixel.
    """
    outlined_views = [_outlined(view, reading) for view in views]
    if len(views) > 1 and (unscaled := [each.clip.name for each in outlined_views if each.clip.spacing_mm is None]):
        cure = "say it with --spacing-mm"
        raise ConsiliumError("does not say the size of a pixel, which two views need", where=unscaled[0], cure=cure)
    return [_followed(each, settings) for each in outlined_views]


def _outlined(view: View, reading: Reading) -> Outlined:
    clip = read_clip(view.clip, reading.spacing_mm, reading.rate_hz)
    place = _end_diastole(clip, view)
    ventricle, drawn_by = _ventricle(clip, view, reading, place)
    return Outlined(clip, place, outlined(ventricle, str(view.mask or view.clip)), drawn_by)


def _followed(begun: Outlined, settings: Settings) -> Seen:
    clip, spacing = begun.clip, begun.clip.spacing_mm
    found = follow(clip.frames, begun.outline, settings, end_diastole=begun.place, spacing_mm=spacing or 1.0)
    seconds = None
    if clip.rate_hz:
        seconds = (np.array(clip.numbers, np.float64) - clip.numbers[0]) / clip.rate_hz
    return Seen(clip, Motion(found, clip.numbers, seconds, spacing is not None), begun.drawn_by)


def figures_of(seen: Seen) -> MotionFigures:
    """What a followed clip says.

    Raises:
        ConsiliumError: the ventricle has no volume.
    """
    motion, followed = seen.motion, seen.motion.followed
    first, last = followed.end_diastole, followed.end_systole
    areas, volumes = followed.areas_mm2, motion.volumes_ml if motion.scaled else None
    try:
        fraction = motion.ejection_fraction
    except ValueError as error:
        raise ConsiliumError(str(error), where=seen.clip.name, cure="name another label map") from error
    return MotionFigures(
        clip=seen.clip.name,
        drawn_by=seen.drawn_by,
        frames=len(seen.clip.frames),
        end_diastole=motion.numbers[first],
        end_systole=motion.numbers[last],
        spacing_mm=seen.clip.spacing_mm,
        rate_hz=seen.clip.rate_hz,
        strain_percent=float(motion.strain[last]),
        peak_strain_percent=float(motion.strain.min()),
        segments_percent=dict(zip(SEGMENTS, motion.segments[:, last].tolist(), strict=True)),
        area_change_percent=float(100 * (1 - areas[last] / areas[first])),
        end_diastolic_ml=None if volumes is None else float(volumes[first]),
        end_systolic_ml=None if volumes is None else float(volumes[last]),
        ejection_fraction_percent=fraction,
        doubts=tuple(_doubts(motion)),
    )


def _doubts(motion: Motion) -> Iterator[str]:
    held = float(motion.volumes_ml[motion.followed.end_diastole])
    if motion.scaled and held > MOST_ML:
        yield f"the ventricle would hold {held:.0f} ml: look whether --values and the size of a pixel are right"
    areas, first = motion.followed.areas_mm2, motion.followed.end_diastole
    largest = int(areas.argmax())
    if areas[largest] > LARGER * areas[first]:
        other, taken = motion.numbers[largest], motion.numbers[first]
        grown = f"the ventricle is larger in frame {other} than in frame {taken}, which is taken for end-diastole"
        yield f"{grown}: draw it there, and say --end-diastole {other}"


def report_of(views: Sequence[Seen], out: Path | None, strain: Path | None, plot: Path | None) -> Report:
    """Writes what was asked for of the first view, and tells the figures of all.

    Raises:
        ConsiliumError: something cannot be computed or written.
    """
    figures, biplane = tuple(figures_of(seen) for seen in views), _biplane(views)
    first, contents = views[0], dict[Path, bytes]()
    if out is not None:
        contents[out] = motion_picture(first.clip.frames, first.motion)
    if strain is not None:
        contents[strain] = first.motion.table().encode()
    if plot is not None:
        contents[plot] = strain_plot(first.motion, f"{first.clip.name}: followed from end-diastole")
    for path, data in contents.items():
        write_whole(path, data)
    return Report(views=figures, biplane_ejection_fraction_percent=biplane, files=tuple(map(str, contents)))


def _biplane(views: Sequence[Seen]) -> float | None:
    from shared_models.registration.cine import biplane_ejection_fraction

    if len(views) < 2:
        return None
    return biplane_ejection_fraction(views[0].motion.followed, views[1].motion.followed)


def _end_diastole(clip: HeartClip, view: View) -> int:
    """Its place among the working frames."""
    if view.end_diastole is not None:
        if view.end_diastole not in clip.numbers:
            what = f"is frame {view.end_diastole} of {len(clip.frames)}, which are numbered from {clip.numbers[0]}"
            raise DataError(what, where="--end-diastole", cure="name one of them")
        return clip.numbers.index(view.end_diastole)
    if clip.end_diastole is not None:
        return clip.end_diastole
    return min((place for _, place in clip.drawn), default=0) if view.mask is None else 0


def _ventricle(clip: HeartClip, view: View, reading: Reading, place: int) -> tuple[Ventricle, str]:
    """What outlines the ventricle at a place, and whence it came."""
    if view.mask is not None:
        labels = read_mask(view.mask, clip, place)
        return of_labels(labels, reading.values, str(view.mask)), view.mask.name
    for (name, at), labels in clip.drawn.items():
        if at == place:
            return of_labels(
                labels, reading.values or _known(name), f"{clip.name}, label map {name}"
            ), f"label map {name}"
    return _by_experts(clip, view, reading, place), "the site's experts"


def _known(name: str) -> tuple[int, ...] | None:
    """Values of ventricle, myocardium and atrium of a public data set."""
    from site_agent.truth import LA, LV, MYOCARDIUM, STRUCTURES

    values = {code: value for value, code in STRUCTURES.get(name, {}).items()}
    return tuple(values[code] for code in (LV, MYOCARDIUM, LA)) if values else None


def _by_experts(clip: HeartClip, view: View, reading: Reading, place: int) -> Ventricle:
    from site_agent.segmentation.segmenter import segmenter_of

    what = f"nothing is drawn in frame {clip.numbers[place]}"
    if reading.home is None or not reading.home.is_dir():
        raise ConsiliumError(what, where=str(view.clip), cure=NO_MASK)
    found = of_experts(segmenter_of(open_home(reading.home)).look([clip.frames[place]])[0])
    if not found.cavity.any():
        raise ConsiliumError("the site's experts see no left ventricle in it", where=str(view.clip), cure=NO_MASK)
    return found
