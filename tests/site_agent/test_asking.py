"""What a panel says of a site's own images: cached, the same copies for every expert, by grey levels that stay."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from federated.errors import ConsiliumError, ContractError
from shared_models.views import ExpertNetwork, grey_levels
from site_agent import asking
from site_agent.agent import work
from site_agent.asking import Reader, View, grey_levels_of, images_of, read_of, said_of
from site_agent.catalogue import Catalogue
from site_agent.features import erase_vectors, features_of
from site_agent.home import SiteHome
from site_agent.panel import Expert, panel_of
from tests.site_agent.test_panel import CONFIG, LABELS, Post, expert_of, state_of

if TYPE_CHECKING:
    from tests.site_agent.conftest import Federation


@pytest.fixture
def ada(federation: Federation) -> SiteHome:
    return federation.hospital("ada", {"dark": 3, "light": 3})


def _expert(place: int) -> Expert:
    name = f"sha256:{place:064x}"
    return Expert(name, "ben", place, "small_resnet18", dict(CONFIG), LABELS, state_of(place))


def _release(*experts: Expert) -> Any:
    """What is read of a release: its panel, and whose experts they are."""
    cards = [SimpleNamespace(contribution=expert.contribution, site=expert.site) for expert in experts]
    panel = SimpleNamespace(experts=[expert.asked for expert in experts])
    width = 500 + sum(expert.asked.width for expert in experts)
    return SimpleNamespace(panel=panel, experts=cards, kind="release", number=4, width=width)


def test_each_image_is_asked_about_once(ada: SiteHome, monkeypatch: pytest.MonkeyPatch) -> None:
    cases, experts = Catalogue(ada.catalogue_path).cases(), [_expert(1), _expert(2)]
    asked = [expert.asked for expert in experts]
    said = said_of(ada, cases, experts, asked)
    assert said.shape == (12, 2 * (32 + 2 + 244))
    monkeypatch.setattr(ExpertNetwork, "look", None)  # would not be called
    np.testing.assert_array_equal(said_of(ada, cases[::-1], experts, asked), said[::-1])
    with_means, other = said[:, :278], [asked[1], asked[0].model_copy(update={"means": 0})]
    np.testing.assert_array_equal(said_of(ada, cases, experts, other)[:, 278:], with_means[:, :34])


def test_every_expert_sees_the_same_copies_and_each_copy_is_another(
    ada: SiteHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = Catalogue(ada.catalogue_path).cases()[:2]
    seeds: dict[str, list[int | None]] = {}
    looks = ExpertNetwork.look

    def seen(self: ExpertNetwork, *arguments: Any, augmentation_seed: int | None) -> Any:
        seeds.setdefault(self.digest, []).append(augmentation_seed)
        return looks(self, *arguments, augmentation_seed=augmentation_seed)

    monkeypatch.setattr(ExpertNetwork, "look", seen)
    experts = [_expert(1), _expert(2)]
    for copy in range(3):
        said_of(ada, cases, experts, [expert.asked for expert in experts], copy)
    one, other = seeds.values()
    assert one == other
    assert one[:2] == [None, None]
    assert len(set(one[2:])) == 4


def test_grey_levels_are_those_of_the_first_training_images_and_stay(federation: Federation, ada: SiteHome) -> None:
    train = Catalogue(ada.catalogue_path).cases(fold="train")
    levels = grey_levels_of(ada)
    assert levels == pytest.approx(grey_levels(images_of(ada, train, 112)))
    federation.take_in(ada, {"striped": 4}, first=10)
    assert grey_levels_of(ada) == levels
    (ada.experts / asking.LEVELS).write_text("{}")
    with pytest.raises(ConsiliumError, match="was changed by hand or damaged; restore the file"):
        grey_levels_of(ada)


def test_without_an_image_there_are_no_grey_levels(federation: Federation) -> None:
    with pytest.raises(ConsiliumError, match="there is no image yet; consilium site ingest"):
        grey_levels_of(federation.join("ben"))


def test_a_release_reads_features_then_its_panel(federation: Federation, ada: SiteHome) -> None:
    post = Post(federation, ada)
    for place in (1, 2):
        post.send(*expert_of("ben", place))
    work(ada)
    cases, (one, two) = Catalogue(ada.catalogue_path).cases()[:3], panel_of(ada)
    release = _release(two, one)
    read = read_of(ada, release, cases)
    np.testing.assert_array_equal(read[:, :500], features_of(ada, cases))
    np.testing.assert_array_equal(read[:, 500:778], said_of(ada, cases, [two], [two.asked]))
    image = asking.FrameCache(ada.frames_path).frames(cases[0].key, [cases[0].place])[0]
    reader = Reader(ada, release)
    np.testing.assert_allclose(reader(image), read[0], atol=1e-5)
    assert reader.features == release.width == read.shape[1]


def test_an_expert_that_is_not_here_costs_one_line(ada: SiteHome) -> None:
    with pytest.raises(ConsiliumError, match=r"release 4: its panel asks the expert of ben, which is not here; have"):
        read_of(ada, _release(_expert(1)), Catalogue(ada.catalogue_path).cases())


def test_an_expert_is_not_asked_for_what_it_does_not_say(ada: SiteHome) -> None:
    expert = _expert(1)
    wrong = expert.asked.model_copy(update={"features": 31})
    with pytest.raises(ContractError, match="expert of ben: does not say what is asked of it"):
        said_of(ada, Catalogue(ada.catalogue_path).cases(), [expert], [wrong])


def test_numbers_of_other_levels_or_copies_are_kept_apart() -> None:
    expert = _expert(1)
    views = [View(expert, 0.1, 0.2), View(expert, 0.2, 0.2), View(expert, 0.1, 0.2, 1), View(_expert(2), 0.1, 0.2)]
    assert len({view.digest for view in views}) == len(views)


def test_what_experts_said_of_an_image_goes_with_the_image(ada: SiteHome) -> None:
    cases, expert = Catalogue(ada.catalogue_path).cases(), _expert(1)
    for copy in (0, 1):
        said_of(ada, cases, [expert], [expert.asked], copy)
    assert erase_vectors(ada.features_path, [cases[0].sha256]) == 2
