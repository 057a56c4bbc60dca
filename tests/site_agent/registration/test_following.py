"""A contraction that is known, followed from any frame, both ways."""

from __future__ import annotations

import numpy as np
import pytest

from federated.errors import ConsiliumError
from shared_models.long_axis import spline
from shared_models.phantom.motion import END_SYSTOLE
from shared_models.phantom.patients import draw_patient
from shared_models.phantom.study import Acquisition
from shared_models.registration.cine import Followed
from site_agent.registration.following import ROOM, follow, window
from site_agent.registration.one_pair import Settings
from tests.site_agent.registration.clip_making import MIDDLE, SHARES, arch, frames

QUICK = Settings("mse", 0.001, steps=25)
FORCES = Settings("mse", way="forces")


@pytest.mark.parametrize("settings", [QUICK, FORCES], ids=lambda settings: settings.way)
@pytest.mark.parametrize("first", [0, 2])
def test_the_outline_goes_where_the_tissue_goes(first: int, settings: Settings) -> None:
    start = MIDDLE + SHARES[first] * (arch() - MIDDLE)
    found = follow(frames(), start, settings, end_diastole=first, spacing_mm=0.5)
    true = np.stack([MIDDLE + share * (arch() - MIDDLE) for share in SHARES])
    assert np.array_equal(found.contours[first], start)
    assert np.linalg.norm(found.contours - true, axis=2).mean(axis=1).max() < 0.4
    assert found.strain == pytest.approx([100 * (share / SHARES[first] - 1) for share in SHARES], abs=1.5)
    assert (found.end_diastole, found.spacing_mm) == (first, 0.5)


def test_what_was_found_of_one_frame_begins_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    from shared_models.registration import per_pair

    started, real = [], per_pair.register_by_patch

    def watched(*images: object, **how: object) -> object:
        started.append(how["start"])
        return real(*images, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(per_pair, "register_by_patch", watched)
    follow(frames(), arch(), Settings("mse", steps=1), end_diastole=1, spacing_mm=1)
    assert [start is None for start in started] == [True, False, True]  # frames 2 and 3, then frame 0


def test_a_phantom_contracts_nearly_as_much_as_it_does() -> None:
    held = Acquisition(draw_patient(3), "A4C", "albatross", seed=1, size=(96, 96), jitter=False)
    taken = list(held.frames(np.linspace(0, END_SYSTOLE, 4)))
    images = np.stack([frame.image * held.scanner.sector for frame in taken]).astype(np.uint8)
    true = Followed(np.stack([spline(frame.contour.astype(float), 121) for frame in taken]), 0, 1.0)
    found = follow(images, true.contours[0], Settings(steps=25), end_diastole=0, spacing_mm=1)
    assert found.strain[-1] == pytest.approx(true.strain[-1], abs=4)
    assert true.strain[-1] < -10
    away, still = (np.linalg.norm(each - true.contours[-1], axis=1).mean() for each in found.contours[::-3])
    assert away < still / 3


def test_what_lies_about_the_outline_is_registered() -> None:
    rows, columns = window(np.array([[30.2, 20.0], [50.0, 60.5]]), (200, 64))
    room = ROOM * 40.5
    assert (rows.start, rows.stop) == (int(20 - room), int(np.ceil(60.5 + room)) + 1)
    assert (columns.start, columns.stop) == (int(30.2 - room), 64)


def test_what_cannot_be_followed() -> None:
    with pytest.raises(ConsiliumError, match=r"the clip: an outline is \(M, 2\) with 3 points or more, not \(2, 2\)"):
        follow(frames(), arch()[:2], QUICK, end_diastole=0, spacing_mm=1)
