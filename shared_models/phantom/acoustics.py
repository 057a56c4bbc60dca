"""How an echo comes about, one step a function, on a grid of S samples (rows) along B beams (columns).

Amplitudes are linear and relative to the speckle of myocardium (root mean square 1); levels are in dB of the same.
The echo is kept at baseband: a complex number a sample, whose modulus is the envelope.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import gaussian_filter1d

Floats = NDArray[np.float32]
Echo = NDArray[np.complex64]

SIDE = 64  # voxels of the periodic volume of scatterers, a power of two
CHUNK = 8192  # points at a time, so that what is worked on stays in the cache
FINEST_MM = 0.5  # the smallest edge of a voxel
GRANULAR = 0.8  # deviation of the logarithm of scatterers' strength
RATIO = 1.6  # from one edge to the next
TEXTURES = ((6.0, 0.5, 0.7), (20.0, 0.65, 0.5))  # mm; unevenness of tissue and of boundaries, of log amplitude over 0.7
FWHM = 2.3548  # full width at half maximum of a Gaussian, in standard deviations
DB = float(np.log(10) / 20)  # amplitude = exp(DB * level)


@lru_cache(maxsize=1)
def volumes() -> tuple[Echo, Echo]:
    """Two (SIDE, SIDE, SIDE) volumes of complex noise of unit power, the same for everyone and for ever.

    The first is circular Gaussian; in the second each value has a log-normal strength as well: some scatterers stand
    out, which makes tissue granular. Patients differ by how they are turned and shifted, which costs nothing to draw.
    """
    generator = np.random.default_rng(20250101)
    noise = generator.standard_normal((SIDE, SIDE, SIDE, 2), dtype=np.float32).view(np.complex64)[..., 0]
    noise *= np.float32(np.sqrt(0.5))
    granular = noise * np.exp(np.float32(GRANULAR) * generator.standard_normal(noise.shape, dtype=np.float32))
    granular /= np.sqrt((np.abs(granular) ** 2).mean())
    return noise, granular


def random_rotation(generator: np.random.Generator) -> Floats:
    """(3, 3), evenly over all rotations: the volume's periods then lie in no image plane."""
    q, r = np.linalg.qr(generator.standard_normal((3, 3)))
    return np.asarray(q * np.sign(np.diag(r)), np.float32)


def in_voxels(material: Floats, edge: float, rotation: Floats, shift: Floats) -> Floats:
    """(3, N) places in a volume of voxels of an edge, turned and shifted, of (N, 3) positions in mm."""
    return np.asarray((rotation / edge).astype(np.float32) @ material.T + shift[:, None], np.float32)


def look_up(volume: Echo, coordinates: Floats) -> Echo:
    """(N,) values of a periodic volume at (3, N) positions in voxels, trilinear and of unit power everywhere.

    The mean of two independent values has less power than either: the sum is divided by the root of
    prod((1 - f)^2 + f^2) over the three fractions f.
    """
    values = volume.ravel()
    out = np.empty(coordinates.shape[1], np.complex64)
    for first in range(0, len(out), CHUNK):
        out[first : first + CHUNK] = _interpolated(values, coordinates[:, first : first + CHUNK])
    return out


def _interpolated(values: Echo, coordinates: Floats) -> Echo:
    floor = np.floor(coordinates)
    f = coordinates - floor
    g = 1 - f
    low = floor.astype(np.int32) & (SIDE - 1)
    high = (low + 1) & (SIDE - 1)
    scale = g * g + f * f
    norm = 1 / np.sqrt(scale[0] * scale[1] * scale[2])
    out = np.zeros(coordinates.shape[1], np.complex64)
    for x, wx in ((low[0] << 12, g[0] * norm), (high[0] << 12, f[0] * norm)):
        for y, wy in ((low[1] << 6, g[1]), (high[1] << 6, f[1])):
            xy, wxy = x + y, wx * wy
            out += values[xy + low[2]] * (wxy * g[2])
            out += values[xy + high[2]] * (wxy * f[2])
    return out


def voxel_levels(pitch: Floats) -> list[tuple[slice, float, Floats]]:
    """Which rows take their scatterers from voxels of which edge (mm), and with what weight.

    Voxels as large as beams are apart keep speckle from changing altogether when tissue moves by less. Where two sizes
    meet they are blended with weights w and sqrt(1 - w^2), which keeps the power.
    """
    level = np.clip(np.log(np.maximum(pitch, 1e-6) / FINEST_MM) / np.log(RATIO), 0, None)
    found = []
    for each in range(int(np.ceil(level.max())) + 1):
        angle = np.clip((np.abs(level - each) - 0.35) / 0.3, 0, 1) * np.float32(np.pi / 2)
        weight = np.where(angle < 1.5707, np.cos(angle), 0).astype(np.float32)
        rows = np.flatnonzero(weight)
        if len(rows):
            use = slice(int(rows[0]), int(rows[-1]) + 1)
            found.append((use, FINEST_MM * RATIO**each, weight[use]))
    return found


def scatterers(
    material: Floats, beams: int, levels: list[tuple[slice, float, Floats]], rotation: Floats, shift: Floats
) -> Echo:
    """(S, B) noise that moves with the tissue: the volume read at (S * B, 3) material positions."""
    volume = volumes()[1]
    samples = max(rows.stop for rows, _, _ in levels)
    out = np.zeros((samples, beams), np.complex64)
    for rows, edge, weight in levels:
        part = material[rows.start * beams : rows.stop * beams]
        found = look_up(volume, in_voxels(part, edge, rotation, shift)).reshape(-1, beams)
        out[rows] += found * weight[:, None]
    return out


def texture(material: Floats, beams: int, rotation: Floats, shift: Floats) -> tuple[Floats, Floats]:
    """(S, B) twice: log-normal unevenness of tissue and of its boundaries, over a few mm and over more, fixed to it."""
    tissue, boundary = np.zeros(len(material), np.float32), np.zeros(len(material), np.float32)
    for edge, of_tissue, of_boundary in TEXTURES:
        noise = look_up(volumes()[0], in_voxels(material, edge, rotation, shift))
        tissue += np.float32(of_tissue) * noise.real
        boundary += np.float32(of_boundary) * noise.imag
    return np.exp(tissue).reshape(-1, beams), np.exp(boundary).reshape(-1, beams)


def incidence(normal: Floats, direction: Floats, beams: int) -> tuple[Floats, Floats]:
    """(S, B) squared cosine of normal and beam, and squared length of the normal (0: no boundary)."""
    n = normal.reshape(-1, beams, 3)
    cosine = n[..., 0] * direction[:, 0] + n[..., 1] * direction[:, 1] + n[..., 2] * direction[:, 2]
    return cosine * cosine, np.einsum("sbk,sbk->sb", n, n)


def specular(interface: Floats, cosine_squared: Floats, roughness: float) -> Floats:
    """Mirror echo of a boundary: interface * ((1 - rough) * |n . beam|^6 + rough * |n . beam|)."""
    smooth = cosine_squared * cosine_squared * cosine_squared
    share = np.float32(1 - roughness) * smooth + np.float32(roughness) * np.sqrt(cosine_squared)
    return np.asarray(interface * share, np.float32)


def anisotropic(scatter: Floats, cosine_squared: Floats, length_squared: Floats, strength: float) -> Floats:
    """Less from walls along the beam: scatter * (1 - strength * (|n|^2 - |n . beam|^2)).

    Fibres run along the wall and scatter most when met square.
    """
    return scatter * (1 - np.float32(strength) * (length_squared - cosine_squared))


def attenuation(absorption: Floats, step_mm: float, path_mhz: float, depth: Floats, tgc: float) -> Floats:
    """(S, B) gain in dB that is left of the way there and back once time gain has been added.

    -path_mhz * integral (absorption - tgc) dr, in dB/cm/MHz and cm, where path_mhz is twice the frequency.
    """
    loss = np.cumsum(absorption, axis=0, dtype=np.float32)
    loss -= 0.5 * absorption
    loss *= np.float32(-path_mhz * step_mm / 10)
    loss += (np.float32(path_mhz * tgc / 10) * (depth - depth[0]))[:, None]
    return loss


def time_gain(depth: Floats, path_mhz: float, tgc: float) -> Floats:
    """(S,) dB by which noise of the electronics grows with depth."""
    return np.float32(path_mhz * tgc / 10) * depth


def lateral_width(depth: Floats, wavelength: float, active: float, focus: float) -> Floats:
    """(S,) full width at half maximum of the beam in mm.

    sqrt((wavelength * max(1.5, r / D))^2 + (0.35 * wavelength / D * (r - F))^2): diffraction of an aperture D, whose
    angle is constant in the far field, and what is out of the focus F.
    """
    limited = wavelength * np.maximum(1.5, depth / active)
    return np.hypot(limited, 0.35 * wavelength / active * (depth - focus)).astype(np.float32)


def lateral_transfer(width_in_beams: Floats, beams: int, side_lobe: float) -> Floats:
    """(S, B) transfer function over the beams: exp(-2 (pi s k)^2), with a share `side_lobe` six times as wide."""
    k = fft.fftfreq(beams).astype(np.float32)
    exponent = -2 * (np.pi * (width_in_beams / FWHM)[:, None] * k[None, :]) ** 2
    return ((1 - side_lobe) * np.exp(exponent) + side_lobe * np.exp(36 * exponent)).astype(np.float32)


def blur_across(echo: Echo, transfer: Floats) -> Echo:
    """The lateral point-spread, another at each depth; beyond the edges the image is mirrored."""
    beams = echo.shape[1]
    spare = transfer.shape[1] - beams
    left = spare // 2
    padded = np.empty(transfer.shape, np.complex64)
    padded[:, left : left + beams] = echo
    padded[:, :left] = echo[:, left:0:-1]
    padded[:, left + beams :] = echo[:, -2 : -2 - (spare - left) : -1]
    spectrum = fft.fft(padded, axis=1, overwrite_x=True)
    spectrum *= transfer
    return np.asarray(fft.ifft(spectrum, axis=1, overwrite_x=True)[:, left : left + beams], np.complex64)


def pulse_taps(length_mm: float, step_mm: float) -> Floats:
    """Axial pulse: a Gaussian of full width `length_mm`, of sum 1, sampled every `step_mm` to three deviations."""
    deviation = length_mm / FWHM / step_mm
    reach = max(1, int(np.ceil(3 * deviation)))
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    return (taps / taps.sum()).astype(np.float32)


def blur_along(echo: Echo, taps: Floats) -> Echo:
    """The axial point-spread; taps are symmetric, so that two rows share one product."""
    samples, reach = len(echo), len(taps) // 2
    out = echo * taps[reach]
    for k in range(1, reach + 1):
        weighted = echo * taps[reach + k]
        out[k:] += weighted[: samples - k]
        out[: samples - k] += weighted[k:]
    return out


def speckle_gain(width: Floats, pulse: float, pitch: Floats, step: float, voxel: Floats) -> Floats:
    """(S,) factor that keeps the power of speckle at 1 behind a point-spread whose sum is 1.

    A Gaussian of deviation s takes noise whose correlation is a Gaussian of deviation c to the power
    (1 + 2 s^2 / c^2)^(-1/2), in each direction; c = voxel / sqrt(3), or 0.4 steps where these are coarser.
    """
    c = voxel / np.sqrt(3)
    across = 1 + 2 * (width / FWHM / np.maximum(c, 0.4 * pitch)) ** 2
    along = 1 + 2 * (pulse / FWHM / np.maximum(c, 0.4 * step)) ** 2
    return ((across * along) ** 0.25).astype(np.float32)


def smooth_field(generator: np.random.Generator, shape: tuple[int, int], widths: tuple[float, float]) -> Floats:
    """(S, B) random, of unit deviation, smooth over `widths` samples and beams."""
    coarse = generator.standard_normal((8, 8))
    rows = np.linspace(0, 1, shape[0])[:, None] * shape[0] / widths[0]
    columns = np.linspace(0, 1, shape[1])[:, None] * shape[1] / widths[1]
    order = np.arange(8)
    along, across = (np.exp(-0.5 * (at - order) ** 2) for at in (rows % 8, columns % 8))
    field = along @ coarse @ across.T
    return np.asarray(field / np.sqrt((along**2).sum(1)[:, None] * (across**2).sum(1)[None, :]), np.float32)


def smooth_noise(generator: np.random.Generator, count: int, width: float) -> Floats:
    """(count,) random, of unit deviation, smooth over `width` samples."""
    spare = int(4 * width) + 1
    rough = gaussian_filter1d(generator.standard_normal(count + 2 * spare), width)[spare : spare + count]
    return (rough * np.sqrt(2 * np.sqrt(np.pi) * max(width, 0.3))).astype(np.float32)


def circular_noise(generator: np.random.Generator, shape: tuple[int, int]) -> Echo:
    """(S, B) complex Gaussian noise of unit power."""
    noise = generator.standard_normal((*shape, 2), dtype=np.float32)
    noise *= np.float32(np.sqrt(0.5))
    return noise.view(np.complex64)[..., 0]


def detected(echo: Echo, passes: int) -> Floats:
    """(S, B) power of the envelope, averaged `passes` times with its neighbours by 1, 2, 1 along and across the beams.

    Averaging power fills the gaps of speckle, as looks from several directions or frequencies do.
    """
    power = echo.real * echo.real + echo.imag * echo.imag
    for _ in range(passes):
        power[1:-1] = 0.5 * power[1:-1] + 0.25 * (power[:-2] + power[2:])
        power[:, 1:-1] = 0.5 * power[:, 1:-1] + 0.25 * (power[:, :-2] + power[:, 2:])
    return power


def level(power: Floats) -> Floats:
    """(S, B) dB of a power: 10 log10."""
    return np.log(power + np.float32(1e-12)) * np.float32(0.5 / DB)


def grey_table(reject: float, gamma: float, contrast: float, black: float, entries: int = 1024) -> Floats:
    """Grey (0 to 255) against the place u in the dynamic range: rejected below, then a power and an S, mixed."""
    u = np.clip((np.linspace(0, 1, entries) - reject) / (1 - reject), 0, 1)
    curve = (1 - contrast) * u**gamma + contrast * u * u * (3 - 2 * u)
    return (black + (255 - black) * curve).astype(np.float32)


def compressed(levels: Floats, white_db: float, range_db: float, table: Floats) -> Floats:
    """Log compression: `white_db` is white, `range_db` below it black; in between by the grey map."""
    last = len(table) - 1
    place = (levels - np.float32(white_db - range_db)) * np.float32(last / range_db)
    np.clip(place, 0, last, out=place)
    return table[place.astype(np.int32)]
