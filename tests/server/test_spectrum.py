from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from federated.errors import ContractError
from federated.statistics import Array, Statistics, from_features
from server.spectrum import Spectrum, check_spectrum, largest_share, mean_square, spectrum
from shared_models.front_ends import create_front_end
from shared_models.phantom.hospitals import HOSPITALS, parted
from shared_models.phantom.patients import draw_patient
from shared_models.phantom.study import still

RNG_SEED = 3
IMAGES = 40
SIZE = 64


def _block(features: Array) -> Statistics:
    return from_features(features, ["a"] * len(features), np.ones(len(features)), ("a",))


def _with_constant(rows: Array) -> Array:
    return np.concatenate([rows, np.ones((len(rows), 1))], axis=1)


def _noise_numbers(like: Array) -> Array:
    """Numbers that have the squared norm of the others, on average, and point everywhere alike."""
    rng = np.random.default_rng(RNG_SEED)
    room = np.square(like[:, :-1]).sum(axis=1).mean() / (like.shape[1] - 1)
    return _with_constant(np.sqrt(room) * np.abs(rng.normal(size=(IMAGES, like.shape[1] - 1))))


def _noise_images() -> Array:
    return np.random.default_rng(RNG_SEED).integers(0, 256, (IMAGES, SIZE, SIZE)).astype(np.uint8)


def _one_image() -> Array:
    return np.repeat(_noise_images()[:1], IMAGES, axis=0)


def test_what_the_numbers_are_of_features_that_are_known() -> None:
    """Two directions of variance 9 and 1 about the mean (2, 0): R = [[13, 0, 2], [0, 1, 0], [2, 0, 1]]."""
    corners = np.array([[5.0, 1], [5, -1], [-1, 1], [-1, -1]])
    block = _block(_with_constant(np.tile(corners, (10, 1))))
    found = spectrum(block, 40)
    assert found.mean_square == pytest.approx(mean_square(block)) == pytest.approx(15)
    assert found.share == pytest.approx((7 + np.sqrt(40)) / 15)
    assert found.concentration == pytest.approx((81 + 1) / 100 - 1 / 39)


def test_few_images_say_nothing_but_their_norm() -> None:
    rng = np.random.default_rng(RNG_SEED)
    assert spectrum(_block(_with_constant(rng.normal(size=(19, 5)))), 19) == Spectrum(
        pytest.approx(6, rel=0.5),  # type: ignore[arg-type]
        None,
        None,
    )


def test_one_image_passes_and_the_same_many_times_does_not() -> None:
    one = _with_constant(np.ones((1, 5)))
    check_spectrum(_block(one), "train", 1, ())
    with pytest.raises(ContractError, match="the same image 8 times is not plausible"):
        check_spectrum(_block(np.repeat(one, 8, axis=0)), "train", 8, ())
    check_spectrum(_block(np.repeat(one, 8, axis=0)), "validation", None, ())  # nothing says how many they are


def test_the_share_is_a_share_and_the_concentration_never_nothing() -> None:
    assert largest_share(np.eye(4)) == pytest.approx(0.25)
    assert largest_share(np.diag([1.0, 0, 0])) == 1
    noise = _with_constant(np.random.default_rng(RNG_SEED).normal(size=(20, 200)))
    assert spectrum(_block(noise), 20).concentration == pytest.approx(1 / 201, rel=2)


def test_the_mean_square_of_class_sums_is_a_lower_bound() -> None:
    block = _block(_with_constant(np.random.default_rng(RNG_SEED).normal(size=(30, 5))))
    assert 0 < mean_square(block.without_gram()) <= mean_square(block)
    one = Statistics(("a",), None, np.array([[6.0], [2.0]]), np.array([2.0]))
    assert mean_square(one) == pytest.approx(10.0)  # the mean is (3, 1)


@pytest.fixture(scope="module", params=["texture", "pixels"])
def front_end(request: pytest.FixtureRequest) -> Callable[[Array], Array]:
    made = create_front_end(request.param)
    return lambda images: np.stack([made(image) for image in images])


def _digits(*wanted: int) -> Array:
    images, labels = load_digits(return_X_y=True)
    return (15 * images[np.isin(labels, wanted)][:IMAGES].reshape(-1, 8, 8)).astype(np.uint8)


def _seen_at(name: str) -> Array:
    """Phantom images of a hospital, two a patient: its labels, machines and populations in turn."""
    hospital, first = HOSPITALS[name], IMAGES * list(HOSPITALS).index(name)
    labels, machines, populations = hospital.labels, [*hospital.machines], [*hospital.populations]
    images = []
    for number in range(IMAGES):
        view, contrast = parted(labels[number % len(labels)])
        patient = draw_patient(first + number // 2, populations[number // 2 % len(populations)])
        machine = machines[number // 2 % len(machines)]
        images.append(still(patient, view, machine, contrast=contrast, seed=number, size=(SIZE, SIZE)).image)
    return np.stack(images)


def _refuse_everything_strange(front_end: Callable[[Array], Array], others: list[Spectrum], like: Array) -> None:
    for rows in (front_end(_noise_images()), front_end(_one_image()), _noise_numbers(like)):
        with pytest.raises(ContractError, match="not plausible"):
            check_spectrum(_block(rows), "train", len(rows), others)
    block = _block(like)
    assert block.gram is not None
    loud = Statistics(block.labels, 100 * block.gram, 100 * block.class_sums, block.weights)
    with pytest.raises(ContractError, match=r"a mean squared feature norm of .* is not plausible, other sites have"):
        check_spectrum(loud, "train", len(like), others)


def test_digits_pass_and_what_is_no_picture_of_them_does_not(front_end: Callable[[Array], Array]) -> None:
    sites = [front_end(_digits(*wanted)) for wanted in ((0, 1, 2), (1, 2, 3), (5,), (7, 9))]
    _each_passes_beside_the_others(front_end, sites)


def test_phantom_hospitals_pass_and_what_is_no_picture_of_theirs_does_not() -> None:
    """Many views or two, with contrast or without, from machines of one make or two."""
    made = create_front_end("texture")

    def front_end(images: Array) -> Array:
        return np.stack([made(image) for image in images])

    _each_passes_beside_the_others(front_end, [front_end(_seen_at(name)) for name in HOSPITALS])


def _each_passes_beside_the_others(front_end: Callable[[Array], Array], sites: list[Array]) -> None:
    found = [spectrum(_block(rows), len(rows)) for rows in sites]
    for number, rows in enumerate(sites):
        check_spectrum(_block(rows), "train", len(rows), found[:number] + found[number + 1 :])
        check_spectrum(_block(rows[:6]), "train", 6, found)
    _refuse_everything_strange(front_end, found, sites[0])


def test_real_lung_ultrasound_passes_and_what_is_none_does_not(shared_data: Path) -> None:
    """Every source beside every other one alone, and beside all others."""
    made = create_front_end("texture")
    folder = shared_data / "pocus_lung_multisite"
    by_site: dict[str, list[Array]] = {}
    with (folder / "index.csv").open(encoding="utf-8") as file:
        for line in list(csv.DictReader(file))[::4]:
            image = np.asarray(Image.open(folder / line["path"]).convert("L"))
            by_site.setdefault(line["site_group"], []).append(made(image))
    sites = {name: np.stack(rows) for name, rows in by_site.items()}
    found = {name: spectrum(_block(rows), len(rows)) for name, rows in sites.items()}
    assert len(found) == 4
    for name, rows in sites.items():
        others = [each for other, each in found.items() if other != name]
        for beside in (others, *([each] for each in others)):
            check_spectrum(_block(rows), "train", len(rows), beside)
    _refuse_everything_strange(
        lambda images: np.stack([made(image) for image in images]), list(found.values()), sites["neuruppin"]
    )
