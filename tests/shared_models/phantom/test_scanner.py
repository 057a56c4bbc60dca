from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from shared_models.phantom import acoustics
from shared_models.phantom.machines import MACHINES, machine_named
from shared_models.phantom.scanner import Optics, Scanner
from shared_models.phantom.scene import Tissue

PLANE = SimpleNamespace(origin=np.array([5.0, -3, 2]), right=np.array([0, 1.0, 0]), down=np.array([0, 0, 1.0]))


def quiet(name, **changes):
    """A machine that adds nothing of its own."""
    silent = {"noise_db": -120.0, "clutter_db": -120.0, "haze_db": -120.0, "reverberation_db": -120.0}
    plain = {
        "dropout_db": 0.0,
        "persistence": 0.0,
        "compression": None,
        "smoothing": 0,
        "reject": 0.0,
        "tgc_db_cm_mhz": 0.0,
    }
    return replace(machine_named(name), **(silent | plain | changes))


class Even:
    """Tissue that moves as a whole by `speed` (mm a cycle), without boundaries."""

    def __init__(self, scatter=1.0, absorption=0.0, speed=(0.0, 0.0, 0.0), blood=False):
        self.scatter, self.absorption, self.blood = scatter, absorption, blood
        self.speed = np.array(speed, np.float32)

    def tissue(self, points, phase, *, contrast):
        n = len(points)
        level = np.full(n, self.scatter * (3 if contrast else 1), np.float32)
        material = (points - np.float32(phase) * self.speed).astype(np.float32)
        zeros = np.zeros((n, 3), np.float32)
        loss = np.broadcast_to(np.asarray(self.absorption, np.float32), (n,)).copy()
        return Tissue(level, np.zeros(n, np.float32), zeros, loss, material, np.full(n, self.blood))

    def labels(self, points, phase):  # noqa: ARG002
        return np.ones(len(points), np.uint8)


class Chamber(Even):
    """A bright wall about a dark ellipsoid that shrinks until mid-cycle."""

    def tissue(self, points, phase, *, contrast):  # noqa: ARG002
        size = np.float32(1 - 0.2 * np.sin(np.pi * phase) ** 2)
        offset = (points - np.array([5, -3, 80], np.float32)) / (np.array([30, 30, 45], np.float32) * size)
        distance = np.linalg.norm(offset, axis=1)
        cavity, wall = distance < 1, distance < 1.3
        scatter = np.where(cavity, 0.02, np.where(wall, 1, 0.4)).astype(np.float32)
        normal = np.where(wall[:, None], offset / np.maximum(distance, 1e-3)[:, None], 0).astype(np.float32)
        interface = np.exp(-0.5 * ((distance - 1) * 30) ** 2).astype(np.float32)
        loss = np.where(cavity, 0.1, 0.4).astype(np.float32)
        return Tissue(scatter, interface, normal, loss, offset * np.array([30, 30, 45], np.float32), cavity)


def echo(scanner, scene, phase=0.0, index=0):
    tissue = scene.tissue(scanner.beam_points, phase, contrast=False)
    return scanner._echo(tissue, np.random.default_rng([scanner.seed, 1, index]))


def alike(one, other):
    """Correlation of two complex images."""
    return float(np.abs(np.vdot(one, other)) / np.sqrt(np.vdot(one, one).real * np.vdot(other, other).real))


def clip_digest(seed=11):
    scanner = Scanner("godwit", PLANE, seed=seed)
    frames = list(scanner.frames(Chamber(), [0.0, 0.2, 0.4]))
    return hashlib.sha256(np.stack(frames).tobytes()).hexdigest()


def test_another_process_makes_the_same_clip_bit_for_bit_and_another_seed_another():
    program = (
        f"import sys; sys.path[:0] = {sys.path!r}\nimport runpy\nprint(runpy.run_path({__file__!r})['clip_digest']())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == clip_digest()
    assert clip_digest(12) != clip_digest()


@pytest.mark.parametrize("name", [name for name in MACHINES if name != "sanderling"])
def test_every_machine_for_the_heart_shows_a_dark_cavity_within_its_wall_and_nothing_outside_the_sector(name):
    scanner = Scanner(replace(machine_named(name), compression=None), PLANE, size=(120, 140), depth_mm=150, seed=2)
    image = scanner.frame(Chamber(), 0.0)
    assert image.shape == (120, 140)
    assert image.dtype == np.uint8
    assert not image[~scanner.sector].any()
    x, y = np.moveaxis(scanner.pixel_mm, -1, 0)
    cavity = scanner.sector & (np.hypot(x / 15, (y - 78) / 30) < 1)
    wall = scanner.sector & (np.abs(np.hypot(x / 30, (y - 78) / 45) - 1.15) < 0.1) & (np.abs(x) < 20)
    assert image[cavity].mean() < 0.55 * image[wall].mean()


def test_points_lie_in_the_plane_at_their_depth():
    scanner = Scanner("bittern", PLANE, size=(90, 120), seed=1)
    assert scanner.beam_points.dtype == np.float32
    assert np.allclose(scanner.beam_points[:, 0], 5)
    pixels = scanner.pixel_points().reshape(90, 120, 3)
    assert np.allclose(pixels[..., 1], scanner.pixel_mm[..., 0] - 3, atol=1e-4)
    assert np.allclose(pixels[..., 2], scanner.pixel_mm[..., 1] + 2, atol=1e-4)


def test_speckle_is_as_wide_as_the_beam_and_so_grows_with_depth():
    scanner = Scanner(quiet("bittern", side_lobe=0.0, beams=256), PLANE, depth_mm=160, seed=3)
    looks = [echo(Scanner(scanner.machine, PLANE, depth_mm=160, seed=seed), Even()) for seed in range(6)]
    widths = {}
    for depth in (60, 90, 150):
        rows = np.abs(scanner.beams.depth - depth) < 8
        parts = np.concatenate([look[rows] for look in looks])
        lag = np.array([np.vdot(parts[:, : 200 - k], parts[:, k:200]).real for k in range(40)])
        half = np.argmax(lag < 0.5 * lag[0])
        place = half - (0.5 * lag[0] - lag[half]) / (lag[half - 1] - lag[half])
        widths[depth] = 2 * place * scanner.beams.pitch[rows].mean()
        expected = np.sqrt(2) * scanner._optics.width[rows].mean()  # the correlation of a Gaussian is wider by sqrt(2)
        assert widths[depth] == pytest.approx(expected, rel=0.15)
    assert widths[60] < widths[90] < widths[150]


def test_speckle_of_tissue_has_the_same_power_at_every_depth(monkeypatch):
    monkeypatch.setattr(acoustics, "TEXTURES", ())
    scanners = [Scanner(quiet("bittern", side_lobe=0.0), PLANE, seed=seed) for seed in range(8)]
    found = np.mean([np.abs(echo(scanner, Even()) / scanner._contact) ** 2 for scanner in scanners], axis=0)
    bands = [band.mean() for band in np.array_split(found[15:-15], 5)]
    assert np.allclose(bands, 1, atol=0.2)


def test_speckle_moves_with_the_tissue():
    machine = quiet("sanderling", clutter_db=-120.0)
    scanner = Scanner(machine, PLANE, size=(256, 256), seed=5)
    shift = 6 * scanner.beams.step
    scene = Even(speed=(0, 0, shift))
    before, after = echo(scanner, scene, 0.0), echo(scanner, scene, 1.0)
    assert alike(before[20:-26], after[26:-20]) > 0.9
    assert alike(before, after) < 0.3


def test_tissue_that_moves_by_less_than_a_beam_changes_little():
    scanner = Scanner(quiet("bittern"), PLANE, size=(112, 112), seed=5)
    scene = Even(speed=(0, 0.4, 0))
    assert alike(echo(scanner, scene, 0.0), echo(scanner, scene, 1.0)) > 0.85


def test_speckle_of_blood_does_not_last_from_frame_to_frame():
    scanner = Scanner(quiet("bittern"), PLANE, size=(112, 112), seed=5)
    for blood, low, high in ((False, 0.999, 1.001), (True, 0.0, 0.15)):
        scene = Even(blood=blood)
        assert low <= alike(echo(scanner, scene, index=0), echo(scanner, scene, index=1)) <= high


def test_levels_fall_with_depth_by_the_law_of_attenuation():
    machine = quiet("bittern", side_lobe=0.0)
    ratio = np.zeros(2)
    for seed in range(8):
        scanner = Scanner(machine, PLANE, size=(200, 200), seed=seed)
        lossy, free = (np.abs(echo(scanner, Even(absorption=a))) ** 2 for a in (0.3, 0.0))
        rows = [np.abs(scanner.beams.depth - depth) < 10 for depth in (40, 140)]
        ratio += [10 * np.log10(lossy[r].mean() / free[r].mean()) / 8 for r in rows]
    assert ratio[1] - ratio[0] == pytest.approx(-2 * 1.6 * 0.3 * 10, rel=0.03)


def test_bone_casts_a_shadow():
    scanner = Scanner(quiet("bittern"), PLANE, size=(200, 200), seed=4)
    x, _, z = (scanner.beam_points - PLANE.origin.astype(np.float32))[:, [1, 0, 2]].T
    bone = np.where((np.abs(x) < 8) & (np.abs(z - 50) < 5), 30, 0.0)
    shadowed, clear = (np.abs(echo(scanner, Even(absorption=a))) for a in (bone, 0.0))
    middle = scanner.beams.x.shape[1] // 2
    behind = scanner.beams.depth > 70
    assert shadowed[behind, middle].mean() < 0.03 * clear[behind, middle].mean()
    assert np.allclose(shadowed[:, 2], clear[:, 2], rtol=0.02)


def test_noise_of_the_electronics_grows_with_depth_and_is_new_in_each_frame():
    scanner = Scanner(quiet("curlew", noise_db=-40.0, tgc_db_cm_mhz=0.3), PLANE, seed=4)
    one, other = (echo(scanner, Even(scatter=0.0), index=index) for index in (0, 1))
    assert alike(one, other) < 0.05
    near, far = (10 * np.log10((np.abs(one[rows]) ** 2).mean()) for rows in (slice(20, 60), slice(-60, -20)))
    apart = scanner.beams.step * (len(one) - 80)
    assert far - near == pytest.approx(2 * 1.9 * 0.3 * apart / 10, abs=0.7)
    middle = scanner.beams.depth[40] * 2 * 1.9 * 0.3 / 10
    assert near == pytest.approx(-40 + middle, abs=0.7)


def test_persistence_is_a_running_mean_over_frames():
    scanner = Scanner(quiet("bittern", persistence=0.75), PLANE, size=(112, 112), seed=4)
    fresh = Scanner(quiet("bittern"), PLANE, size=(112, 112), seed=4)
    scene = Even(blood=True)
    kept, single = (np.stack(list(s.frames(scene, [0.0] * 3))).astype(float) for s in (scanner, fresh))
    expected = 0.75 * (0.75 * single[0] + 0.25 * single[1]) + 0.25 * single[2]
    assert np.abs(kept[2] - expected).max() <= 1.5


def test_contrast_is_asked_of_the_scene():
    scanner = Scanner(quiet("bittern"), PLANE, size=(112, 112), seed=4)
    plain, filled = (scanner.frame(Even(scatter=0.1), 0.0, contrast=c)[scanner.sector].mean() for c in (False, True))
    assert filled > plain + 20


def test_clutter_lies_near_the_face_and_stays_with_the_probe():
    loud = quiet("bittern", clutter_db=0.0)
    scanner = Scanner(loud, PLANE, size=(112, 112), seed=4)
    one, other = (echo(scanner, Even(scatter=0.0, speed=(9, 9, 9)), phase) for phase in (0.0, 0.5))
    assert alike(one, other) > 0.999
    strength = (np.abs(one) ** 2).mean(1)
    assert strength[scanner.beams.depth < 10].mean() > 100 * strength[scanner.beams.depth > 60].mean()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": (31, 112)}, "31x112 pixels is too small"),
        ({"size": (112, 5000)}, "too large"),
        ({"depth_mm": 30, "start_mm": 25}, "cannot show 25 to 30 mm"),
        ({"depth_mm": 900}, "900 mm is out of reach"),
        ({"start_mm": -2}, "cannot show -2 to"),
        ({"depth_mm": float("nan")}, "cannot show 1 to nan mm"),
    ],
)
def test_settings_that_make_no_sense_are_refused_in_one_line(changes, message):
    with pytest.raises(ValueError, match=message) as error:
        Scanner("bittern", PLANE, seed=1, **changes)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("phases", [[], [0.1, float("nan")]])
def test_a_clip_needs_phases(phases):
    with pytest.raises(ValueError, match="one or more phases"):
        Scanner("godwit", PLANE, seed=1).frames(Chamber(), phases)


def test_an_unknown_machine_is_refused():
    with pytest.raises(ValueError, match="no machine 'dodo'"):
        Scanner("dodo", PLANE, seed=1)


def test_the_optics_of_a_linear_array_keep_their_width():
    scanner = Scanner("sanderling", PLANE, seed=1)
    optics = Optics(scanner.machine, scanner.beams)
    assert optics.width.max() / optics.width.min() < 4
    assert np.ptp(scanner.beams.pitch) == 0
