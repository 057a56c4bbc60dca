from __future__ import annotations

import numpy as np
import pytest

from shared_models.phantom import acoustics


@pytest.fixture
def generator():
    return np.random.default_rng(7)


def power(echo, axis=None):
    return (np.abs(echo) ** 2).mean(axis)


@pytest.mark.parametrize("fraction", [0.0, 0.3, 0.5])
@pytest.mark.parametrize("which", [0, 1])
def test_scatterers_have_unit_power_between_voxels_as_on_them(which, fraction, generator):
    whole = generator.integers(-200, 200, (3, 80000))
    found = acoustics.look_up(acoustics.volumes()[which], (whole + fraction).astype(np.float32))
    assert power(found) == pytest.approx(1, abs=0.04)


def test_scatterers_repeat_with_the_volume_and_are_those_of_its_voxels():
    at = np.array([[3, 3.25], [5, 5.5], [7, 7.75]], np.float32)
    volume = acoustics.volumes()[0]
    here = acoustics.look_up(volume, at)
    assert np.allclose(here, acoustics.look_up(volume, at - acoustics.SIDE), atol=1e-6)
    assert here[0] == volume[3, 5, 7]


def test_some_scatterers_stand_out_in_granular_tissue():
    even, granular = (np.abs(volume) ** 4 for volume in acoustics.volumes())
    assert even.mean() == pytest.approx(2, rel=0.02)  # of a circular Gaussian of unit power
    assert granular.mean() > 4


def test_a_random_rotation_is_orthogonal(generator):
    rotation = acoustics.random_rotation(generator)
    assert np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-6)


def test_voxels_of_two_sizes_are_blended_at_equal_power():
    pitch = np.linspace(0.1, 3, 200, dtype=np.float32)
    total = np.zeros(200)
    for rows, edge, weight in acoustics.voxel_levels(pitch):
        total[rows] += weight**2
        assert edge <= 3 * acoustics.RATIO
    assert np.allclose(total, 1, atol=1e-5)


def test_a_mirror_echo_is_whole_when_met_square_and_gone_along_the_beam():
    normal = np.array([[0, 0, 1], [1, 0, 0], [0.6, 0, 0.8]], np.float32)
    cosine, length = acoustics.incidence(normal, np.array([[0, 0, 1]] * 3, np.float32), 3)
    assert np.allclose(length, 1)
    assert np.allclose(acoustics.specular(np.full((1, 3), 2, np.float32), cosine, 0.0), [[2, 0, 2 * 0.8**6]])
    rough = acoustics.specular(np.ones((1, 3), np.float32), cosine, 0.25)
    assert np.allclose(rough, [[1, 0, 0.75 * 0.8**6 + 0.25 * 0.8]])


def test_walls_along_the_beam_scatter_less_and_what_has_no_direction_does_not_care():
    normal = np.array([[0, 0, 1], [1, 0, 0], [0, 0, 0]], np.float32)
    cosine, length = acoustics.incidence(normal, np.array([[0, 0, 1]] * 3, np.float32), 3)
    assert np.allclose(acoustics.anisotropic(np.ones((1, 3), np.float32), cosine, length, 0.6), [[1, 0.4, 1]])


def test_loss_follows_the_law_of_attenuation_and_time_gain_undoes_it():
    depth = np.linspace(0, 150, 301, dtype=np.float32)
    absorption = np.full((301, 2), 0.5, np.float32)
    left = acoustics.attenuation(absorption, 0.5, path_mhz=4.0, depth=depth, tgc=0.0)
    assert np.allclose(left[:, 0], -4.0 * 0.5 * (depth + 0.25) / 10, atol=0.01)
    made_up = acoustics.attenuation(absorption, 0.5, path_mhz=4.0, depth=depth, tgc=0.5)
    assert np.abs(made_up).max() < 0.06


def test_the_beam_is_as_wide_as_diffraction_has_it_and_widens_in_proportion_beyond_the_focus():
    depth = np.array([90, 2000, 4000], np.float32)
    width = acoustics.lateral_width(depth, wavelength=0.5, active=15, focus=90)
    assert width[0] == pytest.approx(0.5 * 90 / 15)
    assert width[2] / width[1] == pytest.approx(2, rel=0.01)
    assert acoustics.lateral_width(np.array([10.0], np.float32), 0.5, 15, 90)[0] > 0.5 * 1.5


def test_the_lateral_spread_keeps_what_is_even_and_makes_a_point_as_wide_as_told():
    transfer = acoustics.lateral_transfer(np.full(2, 6.0, np.float32), 160, 0.0)
    even = acoustics.blur_across(np.full((2, 128), 3 + 1j, np.complex64), transfer)
    assert np.allclose(even, 3 + 1j, atol=1e-4)
    point = np.zeros((2, 128), np.complex64)
    point[:, 64] = 1
    spread = acoustics.blur_across(point, transfer)[0].real
    assert spread.sum() == pytest.approx(1, abs=1e-4)
    assert spread[61] / spread[64] == pytest.approx(0.5, abs=0.01)
    assert spread[67] == pytest.approx(spread[61], abs=1e-6)


def test_side_lobes_reach_far_beyond_the_beam():
    point = np.zeros((1, 128), np.complex64)
    point[:, 64] = 1
    clean, leaky = (
        np.abs(acoustics.blur_across(point, acoustics.lateral_transfer(np.full(1, 4, np.float32), 160, share))[0])
        for share in (0.0, 0.05)
    )
    assert clean[76] < 1e-5
    assert leaky[76] > 5e-4


def test_the_pulse_is_symmetric_and_of_the_length_told():
    taps = acoustics.pulse_taps(2.0, 0.25)
    assert taps.sum() == pytest.approx(1)
    middle = len(taps) // 2
    assert taps[middle + 4] / taps[middle] == pytest.approx(0.5, abs=1e-3)
    point = np.zeros((61, 1), np.complex64)
    point[30] = 1
    spread = acoustics.blur_along(point, taps)[:, 0]
    assert np.allclose(spread[30 - middle : 31 + middle], taps)


def test_speckle_keeps_its_power_behind_the_point_spread(generator):
    pitch, step, width, pulse = 0.8, 0.4, 4.0, 1.2
    rows = np.ones(400, np.float32)
    gain = acoustics.speckle_gain(width * rows, pulse, pitch * rows, step, 0 * rows)
    noise = acoustics.circular_noise(generator, (400, 256)) * gain[:, None]
    transfer = acoustics.lateral_transfer(width / pitch * rows, 288, 0.0)
    seen = acoustics.blur_along(acoustics.blur_across(noise, transfer), acoustics.pulse_taps(pulse, step))
    assert power(seen[20:-20]) == pytest.approx(1, abs=0.06)


@pytest.mark.parametrize("width", [3.0, 20.0])
def test_smooth_noise_is_of_unit_deviation(width, generator):
    drawn = np.stack([acoustics.smooth_noise(generator, 100, width) for _ in range(300)])
    assert drawn.std() == pytest.approx(1, abs=0.08)
    assert np.abs(np.diff(drawn)).mean() < 2 / width


def test_a_smooth_field_is_of_unit_deviation(generator):
    drawn = np.stack([acoustics.smooth_field(generator, (60, 50), (12, 10)) for _ in range(200)])
    assert drawn.std() == pytest.approx(1, abs=0.08)


def test_unevenness_is_fixed_to_the_tissue(generator):
    material = generator.uniform(-50, 50, (600, 3)).astype(np.float32)
    rotation, shift = acoustics.random_rotation(generator), np.zeros(3, np.float32)
    once = acoustics.texture(material, 20, rotation, shift)
    again = acoustics.texture(material[::-1].copy(), 20, rotation, shift)
    for one, other in zip(once, again, strict=True):
        assert np.allclose(one.ravel(), other.ravel()[::-1], rtol=1e-5)
        assert one.min() > 0


def test_averaging_power_fills_the_gaps_of_speckle_and_keeps_the_mean(generator):
    echo = acoustics.circular_noise(generator, (200, 200))
    sharp, smooth = (acoustics.detected(echo, passes) for passes in (0, 2))
    assert smooth.mean() == pytest.approx(sharp.mean(), rel=0.01)
    assert acoustics.level(smooth).std() < 0.6 * acoustics.level(sharp).std()


def test_levels_of_fully_developed_speckle_vary_by_the_known_deviation(generator):
    levels = acoustics.level(acoustics.detected(acoustics.circular_noise(generator, (300, 300)), 0))
    assert levels.std() == pytest.approx(np.pi / np.sqrt(6) * 10 / np.log(10), rel=0.02)  # of a log-exponential


def test_log_compression_is_monotone_from_black_to_white():
    table = acoustics.grey_table(reject=0.1, gamma=1.3, contrast=0.3, black=5)
    levels = np.linspace(-80, 40, 500, dtype=np.float32)
    grey = acoustics.compressed(levels, white_db=20, range_db=60, table=table)
    assert (np.diff(grey) >= 0).all()
    assert grey[0] == 5
    assert grey[-1] == 255
    assert grey[np.searchsorted(levels, -35)] == 5
    assert grey[np.searchsorted(levels, -30)] > 5
