from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from shared_models.phantom import overlays
from shared_models.phantom.machines import MACHINES, machine_named, without_marks
from shared_models.phantom.scanner import Scanner

PLANE = SimpleNamespace(origin=np.zeros(3), right=np.array([1.0, 0, 0]), down=np.array([0, 0, 1.0]))
PHASES = [0.0, 0.25, 0.5, 0.75]


def scanner_of(name, size=(240, 320)):
    return Scanner(name, PLANE, size=size, seed=4)


def blank(scanner, count=4):
    return np.full((count, *scanner.size), 60, np.uint8)


def test_the_r_peak_falls_on_end_diastole_and_the_t_wave_within_systole():
    phase = np.arange(-0.5, 0.5, 0.001)
    voltage = overlays.electrocardiogram(phase, 0.35)
    assert phase[voltage.argmax()] == pytest.approx(0, abs=0.003)
    assert voltage.max() == pytest.approx(1, abs=0.03)
    late = (phase > 0.1) & (phase < 0.45)
    assert 0.2 < phase[late][voltage[late].argmax()] < 0.35
    assert np.allclose(voltage, overlays.electrocardiogram(phase + 3, 0.35), atol=1e-6)


def test_the_trace_peaks_where_beats_begin():
    width = 480
    mask = overlays.trace(4.79, 0.35, (60, width))
    assert mask.any(0).mean() > 0.9
    top = np.flatnonzero(mask[:4].any(0)) * overlays._BEATS_SHOWN / width + overlays._BEATS_SHOWN
    assert np.allclose(np.abs(top - np.rint(top)), 0, atol=0.03)
    assert set(np.rint(top)) == {3, 4}


def test_the_cursor_goes_on_with_the_phase():
    places = [np.flatnonzero(overlays.trace(now, 0.35, (60, 240))[-1]).mean() for now in (0.3, 0.8, 1.3)]
    assert np.allclose(np.diff(places), 0.5 / overlays._BEATS_SHOWN * 240, atol=1.5)


@pytest.mark.parametrize("name", list(MACHINES))
def test_a_machine_without_marks_leaves_every_pixel_as_it_was(name):
    scanner = Scanner(without_marks(machine_named(name)), PLANE, size=(112, 112), seed=1)
    images = blank(scanner)
    drawn = overlays.draw(images, scanner, PHASES)
    assert np.array_equal(drawn, images)
    assert drawn is not images


@pytest.mark.parametrize("name", list(MACHINES))
def test_marks_change_copies_and_neither_the_images_nor_the_sector(name):
    scanner = scanner_of(name)
    images, sector = blank(scanner), scanner.sector.copy()
    drawn = overlays.draw(images, scanner, PHASES)
    assert (drawn != 60).any((1, 2)).all()
    assert (images == 60).all()
    assert np.array_equal(sector, scanner.sector)
    assert (drawn != 60).mean() < 0.08


def test_a_trace_moves_from_frame_to_frame_and_the_rest_stands_still():
    scanner = scanner_of("fulmar")
    drawn = overlays.draw(blank(scanner), scanner, PHASES)
    moved = (drawn != drawn[0]).any(0)
    assert moved.any()
    assert not moved[: round(0.85 * scanner.size[0])].any()


def test_each_key_has_a_mark_of_its_own():
    scanner = scanner_of("godwit")
    drawn = {overlays.draw(blank(scanner, 1), scanner, [0.0], overlay_key=key).tobytes() for key in range(40)}
    assert len(drawn) == 40
    again = overlays.draw(blank(scanner, 1), scanner, [0.0], overlay_key=3)
    assert again.tobytes() in drawn


def test_a_key_is_drawn_even_where_a_machine_has_no_marks():
    scanner = Scanner(without_marks(machine_named("bittern")), PLANE, size=(112, 112), seed=1)
    assert (overlays.draw(blank(scanner, 1), scanner, [0.0], overlay_key=0) != 60).any()


def test_ticks_stand_a_centimetre_apart():
    scanner = scanner_of("hoopoe", (480, 640))
    column = overlays.draw(np.zeros((1, 480, 640), np.uint8), scanner, [0.0])[0][:, round(0.97 * 640)]
    rows = np.flatnonzero(np.diff((column > 0).astype(int)) == 1)
    assert len(rows) == 18
    assert np.diff(rows).mean() == pytest.approx(10 / scanner.spacing_mm, rel=0.01)


def test_letters_are_drawn_in_dots_of_whole_pixels():
    one = overlays.lettering("i", 5)
    assert one[:5, :3].tolist() == [[1, 1, 1], [0, 1, 0], [0, 1, 0], [0, 1, 0], [1, 1, 1]]
    assert overlays.lettering("AB\nC", 15.4).shape == (42, 24)
    assert not overlays.lettering("~", 5).any()


def test_text_too_small_to_read_is_a_blur_of_its_size():
    small = overlays.lettering("DEPTH", 2.5)
    assert small.shape == (4, 10)
    assert 0.1 < small.mean() < 0.6


def test_letters_differ():
    assert len({overlays.lettering(letter, 5).tobytes() for letter in overlays._FONT}) == len(overlays._FONT)


def test_frames_and_phases_must_be_as_many():
    scanner = scanner_of("bittern")
    with pytest.raises(ValueError, match=r"\(3, 240, 320\) was expected"):
        overlays.draw(blank(scanner), scanner, [0.0, 0.1, 0.2])
