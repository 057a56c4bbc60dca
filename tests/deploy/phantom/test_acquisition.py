"""The door to the phantom: takes, their moments, and what is told when it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from deploy.phantom.acquisition import Shot, Take, check_wall, draw, shot_named
from federated.errors import ConsiliumError
from shared_models.phantom.labels import LV, OUTSIDE
from shared_models.phantom.patients import Patient

SIZE = (96, 96)


@pytest.fixture(scope="module")
def patient() -> Patient:
    return draw(11, "healthy", ejection_fraction=60.0)


def test_a_shot_has_a_name_and_a_label() -> None:
    assert shot_named("A4C+contrast") == Shot("A4C", contrast=True)
    assert Shot("A4C", contrast=True).label == "399214001+contrast"
    assert Shot("PLAX").name == "PLAX"
    with pytest.raises(ConsiliumError, match="--views: there is no view 'A4D'"):
        shot_named("A4D")


def test_walls_and_ejection_fraction_can_be_prescribed() -> None:
    thick, drawn = draw(3, "healthy", ejection_fraction=55.0, wall_mm=14.0), draw(3, "healthy", ejection_fraction=55.0)
    assert (thick.parameters.septal_wall, thick.parameters.lateral_wall) == (14.0, 14.0)
    assert thick.parameters.ejection_fraction == drawn.parameters.ejection_fraction == 55.0
    assert thick.parameters.lv_radius == drawn.parameters.lv_radius
    assert drawn.parameters.septal_wall != 14.0
    check_wall(14.0, "healthy")
    with pytest.raises(ConsiliumError, match=r"^--wall: septal_wall of 45 mm is thicker than the heart"):
        check_wall(45.0, "healthy")


def test_a_recording_has_the_truth_of_the_patient(patient: Patient) -> None:
    clip = Take(patient, Shot("A4C"), "godwit", frames=12, seed=1, size=SIZE, marks=False).record()
    take = clip.take
    assert clip.images.shape == clip.labels.shape == (12, *SIZE)
    assert clip.ejection_fraction == 60.0
    diastolic, systolic = clip.volumes_ml[take.end_diastole], clip.volumes_ml[take.end_systole]
    assert 100 * (1 - systolic / diastolic) == pytest.approx(60, abs=3), "the frame nearest to end-systole"
    assert ((clip.labels == OUTSIDE) == ~take.sector).all()
    assert (clip.masked[:, ~take.sector] == 0).all()
    assert take.rate_hz == pytest.approx(1 / np.diff(take.times_s).mean(), abs=0.01)


def test_phases_that_were_asked_for_are_taken_in_order(patient: Patient) -> None:
    take = Take(patient, Shot("A4C"), "godwit", frames=(0.4, 0.7, 0.0), seed=1, size=SIZE)
    np.testing.assert_array_equal(take.phases, (0.4, 0.7, 0.0))
    beat = 60 / patient.parameters.heart_rate
    np.testing.assert_allclose(take.times_s, np.array([0, 0.3, 0.6]) * beat)
    assert (take.end_diastole, take.end_systole) == (2, 0)


def test_the_axis_is_that_of_the_contour(patient: Patient) -> None:
    take = Take(patient, Shot("A4C"), "godwit", frames=(0.0,), seed=3, size=(224, 224))
    contour = take.record().contours[0]
    assert np.isfinite(contour).all()
    apex, base = take.axis(0.0)
    assert np.hypot(*(apex - contour[3])) * take.spacing_mm < 5
    assert np.hypot(*(base - (contour[0] + contour[-1]) / 2)) * take.spacing_mm < 5
    outline = take.outline(0.0)
    assert outline is not None
    np.testing.assert_allclose(outline, contour, atol=1e-3)
    assert take.in_sight(contour[3])
    assert not take.in_sight(np.array([0.0, 0.0]))
    assert not take.in_sight(np.array([-50.0, 500.0]))


def test_the_same_take_gives_the_same_frames(patient: Patient) -> None:
    takes = [Take(patient, Shot("PSAX-PM"), "curlew", frames=3, seed=seed, size=SIZE).record() for seed in (1, 1, 2)]
    np.testing.assert_array_equal(takes[0].images, takes[1].images)
    assert (takes[0].images != takes[2].images).any()


def test_a_shortcut_is_drawn_over_the_image_and_differs_by_label(patient: Patient) -> None:
    def image(view: str, *, shortcut: bool) -> np.ndarray:
        return (
            Take(patient, Shot(view), "fulmar", frames=(0.0,), seed=1, size=SIZE, shortcut=shortcut).record().images[0]
        )

    plain, marked = image("A4C", shortcut=False), image("A4C", shortcut=True)
    place = plain != marked
    assert 0 < place.sum() < 0.1 * place.size
    other = image("A2C", shortcut=False) != image("A2C", shortcut=True)
    assert (place != other).any()


def test_contrast_fills_the_ventricle(patient: Patient) -> None:
    greys: dict[bool, list[float]] = {False: [], True: []}
    for contrast, found in greys.items():
        for seed in range(6):  # operators differ in gain
            clip = Take(patient, Shot("A4C", contrast), "bittern", frames=(0.0,), seed=seed, size=SIZE).record()
            found.append(float(clip.images[clip.labels == LV].mean()))
    assert np.mean(greys[True]) > 2 * np.mean(greys[False])


def test_what_the_phantom_refuses_is_one_line(patient: Patient) -> None:
    with pytest.raises(ConsiliumError, match=r"^phantom: ejection.fraction of 95 % is none of a beating heart"):
        draw(1, "healthy", ejection_fraction=95.0)
    with pytest.raises(ConsiliumError, match=r"^phantom: there is no machine 'acme'"):
        Take(patient, Shot("A4C"), "acme", frames=3, seed=1, size=SIZE)
    with pytest.raises(ConsiliumError, match=r"^phantom: a clip of 0 frames"):
        Take(patient, Shot("A4C"), "godwit", frames=0, seed=1, size=SIZE)
