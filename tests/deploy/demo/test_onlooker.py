"""Who sees everything: rows after each arrival, metrics over all of them, every site's part."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.lung_data import ORDER, split
from benchmarks.lung_methods import released
from deploy.demo.baselines import SiteFolds
from deploy.demo.evaluation import Answers, HeldBack
from deploy.demo.onlooker import Onlooker, as_deep_as
from federated.vocabulary import Concept, Vocabulary
from tests.benchmarks.test_lung_data import HELD, synthetic


@pytest.fixture(scope="module")
def sites() -> list[SiteFolds]:
    images = synthetic(patients=20)
    return [replace(site, test_images=site.test.clips) for site in split(images, images.shots, 0)]


@pytest.fixture(scope="module")
def onlooker(sites: list[SiteFolds]) -> Onlooker:
    """After two of four arrivals."""
    watcher = Onlooker(sites)
    for number in (1, 2):
        (model,) = released(sites[:number])
        watcher.judge(model, sites[number - 1].name)
    return watcher


def test_what_was_taught_is_what_the_arrived_sites_trained_on(onlooker: Onlooker) -> None:
    assert onlooker.taught == {name: HELD[name] for name in ORDER[:2]}


def test_decisions_cover_every_held_back_image_and_clip(onlooker: Onlooker, sites: list[SiteFolds]) -> None:
    images = sum(len(site.test.clips) for site in sites)
    clips = [one for one in onlooker.decisions if one.image is None]
    assert len(clips) == len(onlooker.held)
    assert len(onlooker.decisions) == images + len(clips)
    assert [one.clip.partition("/")[0] for one in clips] == list(onlooker.held.sites)


def test_metrics_over_arrivals(onlooker: Onlooker) -> None:
    found = {row.method: row for row in onlooker.over_arrivals()}
    assert set(found) == {"fused experts", "most frequent", "site alone", "sequential", "joint (pooled)"}
    assert found["most frequent"].average == pytest.approx((1.0 + (1.0 + 0.5) / 2) / 2)
    assert found["most frequent"].forgetting == 0.0
    assert found["fused experts"].last is not None
    assert found["fused experts"].last > 0.7


def test_a_site_that_only_tests_is_answered_and_never_taught(sites: list[SiteFolds]) -> None:
    watcher = Onlooker(sites[:1], sites[1:])
    rows, _ = watcher.judge(released(sites[:1])[0], sites[0].name)
    assert set(watcher.taught) == {sites[0].name}
    fused, frequent, *_ = rows
    assert fused.testing.clips == sum(label == "healthy" for label in watcher.held.labels) - fused.seen.clips
    assert fused.testing.value == 1.0  # one label is all it knows
    assert frequent.testing.clips == 0  # no answer without training images
    assert set(fused.site_refused) == set(ORDER)


def test_one_arrival_forgets_nothing_yet(sites: list[SiteFolds]) -> None:
    watcher = Onlooker(sites)
    rows, gain = watcher.judge(released(sites[:1])[0], sites[0].name)
    assert [row.forgetting for row in watcher.over_arrivals()] == [None] * len(rows)
    assert gain.value == 0.0  # one site, one label: everybody answers it


def test_every_site_has_a_part_in_every_label(onlooker: Onlooker) -> None:
    parts = {(part.site, part.label): part for part in onlooker.parts()}
    assert set(parts) == {(site, label) for site in ORDER[:2] for label in ("healthy", "pneumonia")}
    assert parts["neuruppin", "pneumonia"].contribution == 0.0  # it labels healthy only
    assert all(part.weight is not None and 0 <= part.weight <= 1 for part in parts.values())


def test_a_coarse_label_is_met_by_an_answer_below_it() -> None:
    concepts = (("view", ()), ("level", ("view",)), ("other", ()))
    vocabulary = Vocabulary(
        name="v", concepts=tuple(Concept(code=code, scheme="s", meaning="m", parents=up) for code, up in concepts)
    )
    held = HeldBack(("a",) * 5, tuple("12345"), tuple("12345"), ("view", "level", "view", "other", "view"))
    given = Answers("m", ("level", "view", "other", None, "view"), (False,) * 5)
    assert as_deep_as(given, held, vocabulary).labels == ("view", "view", "other", None, "view")
