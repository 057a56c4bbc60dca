from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from federated.errors import ConsiliumError
from federated.label_map import LabelMap
from federated.manifest import FrontEndCard
from shared_models.front_ends import create_front_end
from site_agent import features as module
from site_agent.catalogue import Case
from site_agent.features import FeatureCache, erase_vectors, features_of
from site_agent.frame_cache import FrameCache
from site_agent.home import SiteHome
from site_agent.intake.ingest import ingest
from tests.site_agent.intake_making import VOCABULARY, archive_in

PIXELS = create_front_end("pixels")
CARD = FrontEndCard(name="pixels", config={}, digest=PIXELS.digest, features=PIXELS.features)


@dataclass
class Config:
    """What `features_of` asks of a site's configuration."""

    front_end: FrontEndCard = CARD
    backbone_weights: str = ""


@dataclass
class Home:
    """What `features_of` asks of a home."""

    features_path: Path
    frames_path: Path
    config: Config = field(default_factory=Config)


@pytest.fixture
def home(tmp_path: Path) -> SiteHome:
    return cast(SiteHome, Home(tmp_path / "features", tmp_path / "frames"))


PICTURES = np.random.default_rng(0).integers(0, 255, (11, 16, 16), dtype=np.uint8)


@pytest.fixture
def cases(tmp_path: Path) -> list[Case]:
    """Four frames of a cine file and seven stills, as they are taken in; the hospital's files are gone."""
    folder = tmp_path / "data" / "covid"
    folder.mkdir(parents=True)
    for number in range(7):
        Image.fromarray(PICTURES[number]).save(folder / f"{number}.png")
    frames = [Image.fromarray(frame) for frame in PICTURES[7:]]
    frames[0].save(folder / "a.gif", save_all=True, append_images=frames[1:], duration=40)
    archive = archive_in(tmp_path)
    ingest(archive, VOCABULARY, LabelMap(), tmp_path / "data")
    shutil.rmtree(tmp_path / "data")
    return archive.catalogue.cases()


def stills(cases: list[Case]) -> list[Case]:
    """They come in the order of their names."""
    clips = Counter(case.key for case in cases)
    return [case for case in cases if clips[case.key] == 1]


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[NDArray[np.uint8]]:
    """Every image the front end is shown from here on."""
    seen: list[NDArray[np.uint8]] = []

    def front_end(image: NDArray[np.uint8]) -> NDArray[np.float64]:
        seen.append(image)
        return PIXELS(image)

    monkeypatch.setattr(module, "require_front_end", lambda *_: front_end)
    return seen


def test_features_are_the_front_ends_in_the_cases_order(home: SiteHome, cases: list[Case]) -> None:
    features = features_of(home, cases)
    assert features.shape == (11, PIXELS.features)
    assert np.array_equal(features_of(home, stills(cases)), np.stack([PIXELS(image) for image in PICTURES[:7]]))
    assert np.array_equal(features_of(home, cases[::-1]), features[::-1])


def test_each_frame_of_a_cine_file_has_its_own_features(home: SiteHome, cases: list[Case]) -> None:
    frames = [case for case in cases if case not in stills(cases)]
    features = features_of(home, frames)
    assert [case.frame for case in frames] == [0, 1, 2, 3]
    assert np.unique(features, axis=0).shape[0] == 4


def test_an_image_is_looked_at_once(home: SiteHome, cases: list[Case], looked_at: list[NDArray[np.uint8]]) -> None:
    first = features_of(home, cases[:5])
    assert len(looked_at) == 5
    again = features_of(home, cases)
    assert len(looked_at) == 11
    assert np.array_equal(again[:5], first)


def test_with_everything_known_neither_front_end_nor_images_are_needed(
    home: SiteHome, cases: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    features = features_of(home, cases)
    monkeypatch.setattr(module, "require_front_end", None)
    shutil.rmtree(home.frames_path)
    assert np.array_equal(features_of(home, cases), features)


def test_another_front_end_has_another_cache(home: SiteHome, cases: list[Case]) -> None:
    features_of(home, cases)
    texture = create_front_end("texture")
    card = FrontEndCard(name="texture", config={}, digest=texture.digest, features=texture.features)
    other = cast(SiteHome, Home(home.features_path, home.frames_path, Config(card)))
    assert features_of(other, cases).shape == (11, texture.features)
    assert len(list(home.features_path.iterdir())) == 2


def test_no_cases_give_no_rows(home: SiteHome) -> None:
    assert features_of(home, []).shape == (0, PIXELS.features)


@pytest.mark.parametrize("stop_after", [1, 2, 5])
def test_stopped_half_way_it_goes_on_from_there(
    home: SiteHome,
    cases: list[Case],
    looked_at: list[NDArray[np.uint8]],
    monkeypatch: pytest.MonkeyPatch,
    stop_after: int,
) -> None:
    seven = stills(cases)
    monkeypatch.setattr(module, "CLIPS_A_COMMIT", 2)
    real = module._vectors
    calls: list[object] = []

    def interrupted(*arguments: object) -> object:
        if len(calls) == stop_after:
            raise KeyboardInterrupt
        calls.append(arguments)
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "_vectors", interrupted)
    with pytest.raises(KeyboardInterrupt):
        features_of(home, seven)
    monkeypatch.setattr(module, "_vectors", real)
    features = features_of(home, seven)
    assert len(looked_at) == len(seven)
    assert np.array_equal(features, np.stack([PIXELS(image) for image in PICTURES[:7]]))


def test_a_working_image_that_is_gone_is_told(home: SiteHome, cases: list[Case]) -> None:
    FrameCache(home.frames_path).remove(cases[0].key)
    with pytest.raises(ConsiliumError, match="a working image is missing or damaged; take the images in again"):
        features_of(home, cases)


def test_another_version_of_the_front_end_is_told(home: SiteHome, cases: list[Case]) -> None:
    card = FrontEndCard(name="pixels", config={}, digest="sha256:" + "0" * 64, features=PIXELS.features)
    other = cast(SiteHome, Home(home.features_path, home.frames_path, Config(card)))
    with pytest.raises(ConsiliumError, match=r"front end pixels: made here it has the digest"):
        features_of(other, cases)


def test_a_damaged_cache_is_told_with_the_cure(home: SiteHome, cases: list[Case]) -> None:
    features_of(home, cases)
    (file,) = home.features_path.iterdir()
    file.write_bytes(b"something else, long enough to be looked at" * 50)
    with pytest.raises(ConsiliumError, match="delete the file, it is made anew"):
        features_of(home, cases)


def test_vectors_of_another_length_are_told(home: SiteHome) -> None:
    cache = FeatureCache(home.features_path, CARD)
    cache.add({"ab": np.ones(3)})
    with pytest.raises(ConsiliumError, match="vectors of other lengths than 500"):
        cache.read(["ab"])


def test_more_images_than_one_question_holds(home: SiteHome) -> None:
    cache = FeatureCache(home.features_path, CARD)
    vectors = {str(number): np.full(PIXELS.features, float(number)) for number in range(1201)}
    cache.add(vectors)
    found = cache.read(vectors)
    assert found.keys() == vectors.keys()
    assert found["1200"][0] == 1200.0


def test_other_users_cannot_read_the_cache(home: SiteHome) -> None:
    FeatureCache(home.features_path, CARD)
    assert home.features_path.stat().st_mode & 0o077 == 0


def test_vectors_are_erased_from_every_cache_and_their_bytes_from_the_files(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    vectors = {f"{number:064x}": rng.normal(size=PIXELS.features) for number in range(30)}
    caches = [FeatureCache(tmp_path, replace_digest(CARD, letter)) for letter in "ab"]
    for cache in caches:
        cache.add(vectors)
    gone = list(vectors)[3:5]
    begun = [vectors[name].astype("<f8").tobytes()[:200] for name in gone]
    assert all(part in cache.path.read_bytes() for cache in caches for part in begun)
    assert erase_vectors(tmp_path, gone) == 4
    for cache in caches:
        assert set(cache.read(vectors)) == set(vectors) - set(gone)
        assert not any(part in cache.path.read_bytes() for part in (*begun, *(name.encode() for name in gone)))
    assert erase_vectors(tmp_path, gone) == 0
    caches[0].path.write_bytes(b"no cache")
    with pytest.raises(ConsiliumError, match="the feature cache cannot be used"):
        erase_vectors(tmp_path, gone)


def replace_digest(card: FrontEndCard, letter: str) -> FrontEndCard:
    """A card of another front end."""
    return card.model_copy(update={"digest": "sha256:" + letter * 64})
