"""A machine before a scene: from tissue to a stored image."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft

from shared_models.phantom import acoustics, compression
from shared_models.phantom.geometry import BeamGrid, grids
from shared_models.phantom.machines import Machine, machine_named
from shared_models.phantom.scene import Points, Scene, Tissue

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]
Echo = NDArray[np.complex64]

SPECULAR = 5.0  # amplitude of the endocardium met square, against myocardium
ROUGHNESS = 0.15  # share of a boundary's echo that does not follow the mirror law
ANISOTROPY = 0.6  # of the amplitude that a wall along the beam loses
GAIN_DB, RANGE_SHARE = 3.0, 0.06  # deviations of gain and of the dynamic range by which operators differ
HAZE_DB = 6.0  # deviation of haze from patient to patient
SMALLEST = 32  # pixels


class PlaneLike(Protocol):
    """Where a plane lies: `origin` is the middle of the face, `right` and `down` are unit vectors."""

    @property
    def origin(self) -> NDArray[np.floating]: ...  # noqa: D102
    @property
    def right(self) -> NDArray[np.floating]: ...  # noqa: D102
    @property
    def down(self) -> NDArray[np.floating]: ...  # noqa: D102


def _checked(machine: Machine, size: tuple[int, int], start: float, depth: float) -> None:
    if min(size) < SMALLEST:
        raise ValueError(f"an image of {size[0]}x{size[1]} pixels is too small; each side needs {SMALLEST} or more")
    if max(size) > 4096:
        raise ValueError(f"an image of {size[0]}x{size[1]} pixels is too large; at most 4096 a side")
    if not 0 <= start < depth - 10:
        raise ValueError(f"machine '{machine.name}' cannot show {start:g} to {depth:g} mm: 10 mm or more are needed")
    if depth > 300:
        raise ValueError(f"a depth of {depth:g} mm is out of reach; at most 300 mm")


def contact(generator: np.random.Generator, machine: Machine, beams: BeamGrid) -> Floats:
    """(S, B) amplitude that poor contact and ribs beside the window leave of each beam.

    Over the beams a smooth random loss; in patches more or less; from the edges shadows that widen with depth.
    """
    samples, count = beams.x.shape
    across = np.linspace(-1, 1, count)
    loss = machine.dropout_db * np.maximum(acoustics.smooth_noise(generator, count, count / 12) - 0.5, 0)
    patches = acoustics.smooth_field(generator, (samples, count), (samples / 5, count / 6))
    loss = loss[None, :] + 0.6 * machine.dropout_db * patches + generator.normal(0, GAIN_DB)
    shadow = np.zeros((samples, count))
    for side in (-1, 1):
        reach = generator.uniform(-0.25, 0.4)
        slope = np.linspace(0, 1, samples)[:, None] * max(reach, 0) + min(reach, 0) * 0.2
        shadow += machine.dropout_db * 2 / (1 + np.exp(-((side * across)[None, :] - 1 + slope) / 0.05))
    return np.exp(-acoustics.DB * (loss + shadow)).astype(np.float32)


class Optics:
    """What depends on the machine and its grid alone: point-spread, gains, grey map."""

    def __init__(self, machine: Machine, beams: BeamGrid) -> None:
        self.machine, self.beams = machine, beams
        samples, count = beams.x.shape
        self.width = acoustics.lateral_width(beams.depth, machine.wavelength_mm, machine.active_mm, machine.focus_mm)
        self.pulse = machine.cycles * machine.wavelength_mm / 2
        self.taps = acoustics.pulse_taps(self.pulse, beams.step)
        spare = max(16, count // 8)
        self.transfer = acoustics.lateral_transfer(
            self.width / beams.pitch, fft.next_fast_len(count + spare), machine.side_lobe
        )
        self.levels = acoustics.voxel_levels(beams.pitch)
        voxel = np.zeros(samples, np.float32)
        for rows, edge, weight in self.levels:
            voxel[rows] += np.float32(edge) * weight * weight
        self.speckle_gain = acoustics.speckle_gain(self.width, self.pulse, beams.pitch, beams.step, voxel)
        self.path_mhz = 2 * machine.frequency_mhz
        self._noise = self._noise_amplitude()
        self._table = acoustics.grey_table(machine.reject, machine.gamma, machine.contrast, machine.black)

    def _noise_amplitude(self) -> Floats:
        """(S, 1) amplitude of the electronics' noise ahead of the axial filter."""
        grown = acoustics.time_gain(self.beams.depth, self.path_mhz, self.machine.tgc_db_cm_mhz)
        narrow = acoustics.speckle_gain(
            np.float32(0) * self.width, self.pulse, self.beams.pitch, self.beams.step, np.float32(0) * self.width
        )
        return (np.exp(acoustics.DB * (self.machine.noise_db + grown)) * narrow)[:, None].astype(np.float32)

    def attenuation(self, absorption: Floats) -> Floats:
        """(S, B) dB after time gain."""
        return acoustics.attenuation(
            absorption, self.beams.step, self.path_mhz, self.beams.depth, self.machine.tgc_db_cm_mhz
        )

    def received(self, echo: Echo, clutter: Echo, generator: np.random.Generator) -> Echo:
        """The echo through the point-spread, with clutter and noise."""
        blurred = acoustics.blur_across(echo, self.transfer)
        blurred += clutter
        blurred += acoustics.circular_noise(generator, echo.shape) * self._noise
        return acoustics.blur_along(blurred, self.taps)

    def greys(self, echo: Echo, range_db: float) -> Floats:
        """(S, B) 0 to 255 of what lies within a dynamic range."""
        levels = acoustics.level(acoustics.detected(echo, self.machine.smoothing))
        return acoustics.compressed(levels, self.machine.white_db, range_db, self._table)

    def clutter(self, generator: np.random.Generator) -> Echo:
        """(S, B) echoes that stay with the probe: haze of the first centimetres, repeated lines, weak haze below.

        exp(-r / 9 mm) in layers; lines at multiples k d, each 5 dB below the one before; exp(-r / 70 mm) in patches.
        """
        depth, (samples, count) = self.beams.depth, self.beams.x.shape
        layers = 1 + 0.6 * acoustics.smooth_noise(generator, samples, 1.2 / self.beams.step)
        near = _amplitude(self.machine.clutter_db) * np.exp(-depth / 9) * np.abs(layers)
        every = generator.uniform(5, 9)
        order = np.arange(1, 7)
        lines = np.exp(-0.5 * ((depth[:, None] - order * every) / 0.7) ** 2) @ _amplitude(
            self.machine.reverberation_db - 5 * (order - 1)
        )
        patches = np.exp(0.7 * acoustics.smooth_field(generator, (samples, count), (samples / 5, count / 5)))
        haze = _amplitude(self.machine.haze_db + min(generator.normal(0, HAZE_DB), 8)) * np.exp(-depth / 70)
        sides = 1 + 0.4 * acoustics.smooth_noise(generator, count, count / 14)
        amplitude = near[:, None] + lines[:, None] * np.abs(sides) + haze[:, None] * patches
        gain = acoustics.speckle_gain(self.width, self.pulse, self.beams.pitch, self.beams.step, 0 * depth)
        noise = acoustics.circular_noise(generator, (samples, count))
        return acoustics.blur_across(noise * (amplitude * gain[:, None]).astype(np.float32), self.transfer)


def _amplitude(level: float | NDArray[np.floating]) -> Any:
    return np.exp(acoustics.DB * level)


class Scanner:
    """One acquisition: a machine set to a depth, held to a plane, with its own noise.

    Attributes:
        machine: as set.
        depth_mm, start_mm: what is shown of the depth.
        beam_points: (S * B, 3) float32 mm, where the scene is asked.
        pixel_mm: (H, W, 2) mm in the plane, x to the right and y down from the face.
        sector: (H, W) whether a pixel's centre lies in the scanned region.
        spacing_mm: the edge of a pixel.
    """

    def __init__(
        self,
        machine: Machine | str,
        plane: PlaneLike,
        *,
        size: tuple[int, int] | None = None,
        depth_mm: float | None = None,
        start_mm: float | None = None,
        seed: int,
    ) -> None:
        self.machine = machine_named(machine) if isinstance(machine, str) else machine
        self.plane = plane
        self.seed = seed
        self.size = size or self.machine.image_size
        self.depth_mm = float(depth_mm if depth_mm is not None else self.machine.depth_mm)
        self.start_mm = float(start_mm if start_mm is not None else self.machine.start_mm)
        _checked(self.machine, self.size, self.start_mm, self.depth_mm)
        self.beams, self.image = grids(self.machine, self.start_mm, self.depth_mm, self.size)
        generator = np.random.default_rng([seed, 0])
        self._optics = Optics(self.machine, self.beams)
        self._rotation = acoustics.random_rotation(generator)
        self._shift = generator.uniform(0, acoustics.SIDE, 3).astype(np.float32)
        self._contact = contact(generator, self.machine, self.beams)
        self._clutter = self._optics.clutter(generator)
        self._range_db = self.machine.dynamic_range_db * float(np.exp(generator.normal(0, RANGE_SHARE)))

    @cached_property
    def beam_points(self) -> Points:
        """(S * B, 3) float32 mm of the samples, row by row."""
        return self._in_space(self.beams.x, self.beams.y)

    @property
    def pixel_mm(self) -> Floats:
        """(H, W, 2) mm of the pixels' centres in the plane."""
        return self.image.pixel_mm

    def pixel_points(self) -> Points:
        """(H * W, 3) float32 mm of the pixels' centres."""
        return self._in_space(self.pixel_mm[..., 0], self.pixel_mm[..., 1])

    @property
    def sector(self) -> NDArray[np.bool_]:
        """(H, W) whether a pixel's centre lies in the scanned region."""
        return self.image.sector

    @property
    def spacing_mm(self) -> float:
        """The edge of a pixel."""
        return self.image.spacing_mm

    def frame(self, scene: Scene, phase: float, *, contrast: bool = False) -> Bytes:
        """(H, W) the first frame at a phase."""
        return next(self.frames(scene, [phase], contrast=contrast))

    def frames(self, scene: Scene, phases: ArrayLike, *, contrast: bool = False) -> Iterator[Bytes]:
        """(H, W) frames in turn, averaged over time and compressed, with nothing drawn on them.

        Raises:
            ValueError: there is no phase, or one that is no finite number.
        """
        moments = np.asarray(phases, np.float64).ravel()
        if not len(moments) or not np.isfinite(moments).all():
            raise ValueError("a clip needs one or more phases, all finite numbers")
        return self._stored(self._seen(scene, moments, contrast))

    def _in_space(self, x: Floats, y: Floats) -> Points:
        across, down = (np.asarray(v, np.float32) for v in (self.plane.right, self.plane.down))
        points = np.multiply.outer(x.ravel(), across)
        points += np.multiply.outer(y.ravel(), down)
        points += np.asarray(self.plane.origin, np.float32)
        return points

    def _seen(self, scene: Scene, phases: Iterable[float], contrast: bool) -> Iterator[Floats]:
        """(S, B) greys averaged over time: (1 - p) * now + p * before."""
        before: Floats | None = None
        keep = np.float32(self.machine.persistence)
        for index, phase in enumerate(phases):
            tissue = scene.tissue(self.beam_points, float(phase) % 1, contrast=contrast)
            echo = self._echo(tissue, np.random.default_rng([self.seed, 1, index]))
            now = self._optics.greys(echo, self._range_db)
            before = now if before is None else now + keep * (before - now)
            yield before

    def _echo(self, tissue: Tissue, generator: np.random.Generator) -> Echo:
        """(S, B) what comes back in one frame, noise and all."""
        beams = self.beams.x.shape[1]
        optics = self._optics
        material = tissue.material + np.multiply.outer(
            tissue.blood.astype(np.float32), generator.uniform(-64, 64, 3).astype(np.float32)
        )
        noise = acoustics.scatterers(material, beams, optics.levels, self._rotation, self._shift)
        uneven, patchy = acoustics.texture(material, beams, self._rotation, self._shift)
        cosine, length = acoustics.incidence(tissue.normal, self._directions, beams)
        scatter = acoustics.anisotropic(tissue.scatter.reshape(-1, beams), cosine, length, ANISOTROPY)
        mirror = acoustics.specular(tissue.interface.reshape(-1, beams), cosine, ROUGHNESS)
        scatter *= uneven
        mirror *= patchy
        echo = noise * (scatter * optics.speckle_gain[:, None] + mirror * np.float32(0.5 * SPECULAR))
        echo += mirror * np.float32(0.75 * SPECULAR)
        echo *= np.exp(optics.attenuation(tissue.absorption.reshape(-1, beams)) * np.float32(acoustics.DB))
        echo *= self._contact
        return optics.received(echo, self._clutter, generator)

    @cached_property
    def _directions(self) -> Floats:
        """(B, 3) unit vectors along the beams."""
        axes = np.stack([self.plane.right, self.plane.down]).astype(np.float32)
        return self.beams.direction @ axes

    def _stored(self, seen: Iterable[Floats]) -> Iterator[Bytes]:
        """(H, W) images of greys on the beams, after compression."""
        code, before = self.machine.compression, None
        for greys in seen:
            image = self._converted(greys)
            if code is not None and code.video:
                image = before = compression.video(image, before, code.quality)
            elif code is not None:
                image = compression.jpeg(image, code.quality)
            yield image

    def _converted(self, greys: Floats) -> Bytes:
        """(H, W) scan conversion: each pixel of the sector from the four samples around it, black elsewhere."""
        image = np.zeros(self.size, np.uint8)
        image[self.sector] = compression.as_bytes(self.image.gather @ greys.ravel())
        return image
