"""Images that change are told from images that do not; the tests keep their level by simulation and closed forms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import comb
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.stats import binomtest

from federated.errors import ConsiliumError
from federated.in_distribution import BINS, histogram, p_values
from site_agent.adopt import choose, evaluate, read_shelf
from site_agent.drift import DRIFTING, FEWEST, IN_LINE, Drift, Group, drift, holm, too_many_refused, too_small
from site_agent.home import SiteHome
from site_agent.intake.ingest import Order, ingest

if TYPE_CHECKING:
    from tests.site_agent.conftest import Federation

Change = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
CALIBRATED = {"dark": 72, "striped": 72}
CHANGES: dict[str, Change] = {
    "same": lambda image: image,
    "inverted": lambda image: 255 - image,
    "blurred": lambda image: np.asarray(gaussian_filter(image, 1.5)),
}


@pytest.fixture
def ada(federation: Federation) -> SiteHome:
    home = federation.join("ada")
    federation.allow(home)
    federation.take_in(home, CALIBRATED, each=1)
    federation.event(home, adopting=True)
    return home


def _take_in(federation: Federation, home: SiteHome, change: str, patients: int, first: int) -> None:
    folder = federation.images("ada", {"dark": patients, "striped": patients}, each=1, first=first)
    for path in sorted(Path(folder).glob("*.png")):
        Image.fromarray(CHANGES[change](np.asarray(Image.open(path)))).save(path)
    ingest(home.archive, home.vocabulary, home.label_map, folder, replace(Order(), machine=f"{change} scanner"))


def _by(found: Drift, kind: str) -> dict[str, Group]:
    return {group.name: group for group in found.groups if group.kind == kind}


def test_what_changes_is_caught_and_what_does_not_is_not(federation: Federation, ada: SiteHome) -> None:
    for number, change in enumerate(CHANGES, 1):
        _take_in(federation, ada, change, 20, 1000 * number)
    found = drift(ada)
    assert (found.release, found.calibration, found.strangers) == (1, "own", 0)
    assert found.calibration_patients >= 19
    machines = _by(found, "machine")
    verdicts = {name: group.verdict for name, group in machines.items()}
    assert verdicts == {
        "not said": IN_LINE,  # the test fold of what the release was made of
        "same scanner": IN_LINE,
        "inverted scanner": DRIFTING,
        "blurred scanner": DRIFTING,
    }
    assert machines["inverted scanner"].refused == machines["inverted scanner"].patients == 40
    tested = {case.patient for case in ada.archive.catalogue.cases(fold="test", batch="b0001")}
    assert machines["not said"].patients == len(tested)
    batches = _by(found, "batch")
    assert [batches[name].p_share for name in sorted(batches)] == [
        machines[name].p_share for name in ("not said", "same scanner", "inverted scanner", "blurred scanner")
    ]
    (day,) = _by(found, "day").values()
    (whole,) = _by(found, "all").values()
    assert day.patients == whole.patients == sum(group.patients for group in machines.values())


def test_too_few_patients_say_nothing(federation: Federation, ada: SiteHome) -> None:
    _take_in(federation, ada, "inverted", FEWEST // 2, 1000)
    machine = _by(drift(ada), "machine")["inverted scanner"]
    assert machine.verdict == f"too few patients to say ({machine.patients})"
    assert (machine.p_share, machine.p_all, machine.adjusted) == (None, None, None)
    assert machine.share == 1.0


def test_patients_who_trained_or_calibrated_are_left_out_when_they_come_again(
    federation: Federation, ada: SiteHome
) -> None:
    before = drift(ada)
    folder = federation.images("ada again", CALIBRATED, each=1)
    for path in sorted(folder.glob("*.png")):
        Image.fromarray(255 - np.asarray(Image.open(path))).save(path)
    ingest(ada.archive, ada.vocabulary, ada.label_map, folder)
    after = drift(ada)
    assert _by(after, "batch")["b0001"] == _by(before, "batch")["b0001"].model_copy(
        update={"adjusted": _by(after, "batch")["b0001"].adjusted}
    )
    assert _by(after, "batch")["b0002"].patients == _by(before, "batch")["b0001"].patients  # the test fold's only


def test_labels_that_the_release_does_not_know_are_counted_apart(federation: Federation, ada: SiteHome) -> None:
    federation.take_in(ada, {"light": 6}, each=1, first=1000)
    found = drift(ada)
    assert found.strangers == 6
    assert set(_by(found, "batch")) == {"b0001"}


def test_without_a_release_or_calibration_it_is_one_line(federation: Federation) -> None:
    home = federation.hospital("ada", {"dark": 8})
    federation.allow(home, "statistics")
    with pytest.raises(ConsiliumError, match="no release answers here, so there is nothing to hold images against"):
        drift(home)
    federation.event(home)
    digest = read_shelf(home).releases[0].digest
    evaluate(home, digest)
    choose(home, digest, "adopted")
    with pytest.raises(ConsiliumError, match="release 1: is not calibrated"):
        drift(home)


def test_the_share_is_judged_by_the_law_of_exchangeable_patients() -> None:
    """With 19 calibration patients and alpha 1/20, one new patient is refused with probability 1/20."""
    assert too_many_refused(1, 1, 19, 0.05) == pytest.approx(1 / 20)
    assert too_many_refused(0, 7, 19, 0.05) == 1.0
    assert too_many_refused(3, 3, 19, 0.05) == pytest.approx(1 / comb(22, 3))  # all three under the least of 19
    assert too_many_refused(2, 2, 18, 0.05) is None  # no p-value can be so small


def test_the_tests_keep_their_level_and_a_binomial_would_not() -> None:
    rng = np.random.default_rng(3)
    found = []
    for _ in range(400):
        calibration, new = 4 * rng.normal(size=39), 4 * rng.normal(size=300)  # over many bins
        counts = histogram(calibration)
        p = p_values(new, counts)
        refused = int((p <= 0.05).sum())
        plain = binomtest(refused, 300, 0.05, alternative="greater").pvalue
        found.append((too_many_refused(refused, 300, 39, 0.05), too_small(p, counts), plain))
    share, order, binomial = (np.array(found) < 0.05).mean(axis=0)
    chance = 2 * np.sqrt(0.05 * 0.95 / 400)
    assert max(share, order) <= 0.05 + chance
    assert binomial > 2 * (0.05 + chance)


def test_smaller_values_are_found_by_their_order() -> None:
    counts = histogram(np.linspace(-2, 2, 40))
    assert too_small(p_values(np.full(10, BINS[0]), counts), counts) < 1e-6
    assert too_small(p_values(np.linspace(-2, 2, 40), counts), counts) > 0.9
    assert too_small(p_values(np.full(10, 9.0), counts), counts) > 0.9  # more typical than any is no drift


def test_holm_multiplies_by_how_many_are_left() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5]) == [0.5]
    assert holm([]) == []
