"""What the panel says of this site's images, each asked once and cached, and what a release reads of an image."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from federated.canonical import canonical, digest
from federated.errors import ConsiliumError, ContractError
from federated.files import write_whole
from federated.manifest import ReleaseManifest
from federated.panel import Asked
from federated.statistics import Array
from site_agent.catalogue import Catalogue
from site_agent.features import features_of, require_front_end, vectors_of
from site_agent.frame_cache import FrameCache
from site_agent.panel import Expert, panel_of

if TYPE_CHECKING:
    from site_agent.catalogue import Case
    from site_agent.home import SiteHome

Gray = NDArray[np.uint8]
LEVELS = "grey-levels.json"


@dataclass(frozen=True)
class View:
    """How an expert looks at an image of this site: as it is (copy 0), or at an augmented copy of it.

    A copy is drawn from the image itself and its number, so that every expert sees the same ones.
    """

    expert: Expert
    mean: float
    deviation: float
    copy: int = 0

    @property
    def digest(self) -> str:
        """Of everything that the numbers depend on but the image."""
        return digest(canonical([self.expert.contribution, self.mean, self.deviation, self.copy]))

    @property
    def features(self) -> int:
        """Their number."""
        return self.expert.asked.width

    def __call__(self, image: Gray) -> NDArray[np.float32]:
        """(D + C + N,) of a working image of any size."""
        network = self.expert.network
        seed = int(digest(image.tobytes() + bytes([self.copy]))[-12:], 16) if self.copy else None
        seen = network.look(image[None], self.mean, self.deviation, augmentation_seed=seed)
        apart = network.discrepancy(seen)
        parts = [seen.features, seen.logits, *([] if apart is None else [apart])]
        return np.concatenate(parts, axis=1)[0]


def grey_levels_of(home: SiteHome) -> tuple[float, float]:
    """Mean and deviation of grey levels over 255 at this site, by which every expert sees its images.

    They are those of the training images at the first time of asking, and stay: an expert answers the same for ever.

    Raises:
        ConsiliumError: there is no image yet, or the file was changed.
    """
    from shared_models.views import grey_levels

    path = home.experts / LEVELS
    if path.exists():
        try:
            said = json.loads(path.read_bytes())
            return float(said["mean"]), float(said["deviation"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConsiliumError("was changed by hand or damaged", where=str(path), cure="restore the file") from error
    catalogue = Catalogue(home.catalogue_path)
    cases = catalogue.cases(fold="train") or catalogue.cases()
    if not cases:
        raise ConsiliumError(
            "the panel sees images by this site's own grey levels, and there is no image yet",
            where=str(home.path),
            cure="consilium site ingest",
        )
    mean, deviation = grey_levels(images_of(home, cases, home.config.expert.side))
    if not deviation:
        raise ConsiliumError("all images of this site are of one grey, which tells an expert nothing", where=LEVELS)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    write_whole(path, json.dumps({"mean": mean, "deviation": deviation}).encode())
    return mean, deviation


def images_of(home: SiteHome, cases: Sequence[Case], side: int) -> Gray:
    """(n, side, side) working images."""
    from shared_models.scaling import resized

    frames = FrameCache(home.frames_path)
    return np.stack([resized(frames.frames(case.key, [case.place])[0], side) for case in cases])


def said_of(
    home: SiteHome, cases: Sequence[Case], panel: Sequence[Expert], asked: Sequence[Asked], copy: int = 0
) -> Array:
    """(n, B) what experts say of images, each asked once and cached.

    Args:
        home: the site's.
        cases: in their order.
        panel: the experts, among which are those asked.
        asked: who is to say what, in order; discrepancies only where `means` is above 0.
        copy: which augmented copy they see; 0 for the image itself.

    Raises:
        ContractError: an expert does not say what is asked.
    """
    views = _views(home, panel, asked, copy)
    return np.concatenate([_numbers(home, cases, view)[:, :width] for view, width in views], axis=1)


def _views(home: SiteHome, panel: Sequence[Expert], asked: Sequence[Asked], copy: int = 0) -> list[tuple[View, int]]:
    """A view for each who is asked, with how many of its numbers are wanted."""
    by_name, levels = {expert.contribution: expert for expert in panel}, grey_levels_of(home)
    found = []
    for each in asked:
        expert = by_name[each.contribution]
        if each not in (expert.asked, expert.asked.model_copy(update={"means": 0})):
            raise ContractError("does not say what is asked of it", where=f"expert of {expert.site}")
        found.append((View(expert, *levels, copy), each.width))
    return found


def _numbers(home: SiteHome, cases: Sequence[Case], view: View) -> Array:
    return vectors_of(home, cases, view, lambda: view, f"asking the expert of {view.expert.site}")


def read_of(home: SiteHome, manifest: ReleaseManifest, cases: Sequence[Case]) -> Array:
    """(n, width) what a candidate or release reads of images: features, then what its panel says.

    Raises:
        ConsiliumError: an expert of the panel is not here.
    """
    features = features_of(home, cases)
    if manifest.panel is None:
        return features
    said = said_of(home, cases, require_panel(home, manifest), manifest.panel.experts)
    return np.concatenate([features, said], axis=1)


class Reader:
    """What a release reads of an image that is not in the catalogue; `features` is how many numbers."""

    def __init__(self, home: SiteHome, manifest: ReleaseManifest) -> None:
        """For one release.

        Raises:
            ConsiliumError: the front end cannot be made here, or an expert of the panel is not here.
        """
        weights = home.config.backbone_weights
        self._front_end = require_front_end(home.config.front_end, Path(weights) if weights else None)
        self._views: list[tuple[View, int]] = []
        if manifest.panel is not None:
            self._views = _views(home, require_panel(home, manifest), manifest.panel.experts)
        self.features = manifest.width

    def __call__(self, image: Gray) -> Array:
        """(width,) of a working image."""
        said = [view(image)[:width].astype(np.float64) for view, width in self._views]
        return np.concatenate([self._front_end(image), *said])


def require_panel(home: SiteHome, manifest: ReleaseManifest) -> list[Expert]:
    """The experts that this site can ask, if all of a release's panel are among them.

    Raises:
        ConsiliumError: one is not here.
    """
    panel = panel_of(home)
    here, sites = {expert.contribution for expert in panel}, {card.contribution: card.site for card in manifest.experts}
    asked = manifest.panel.experts if manifest.panel else ()
    missing = [sites[each.contribution] for each in asked if each.contribution not in here]
    if missing:
        raise ConsiliumError(
            f"its panel asks the expert of {', '.join(missing)}, which is not here",
            where=f"{manifest.kind} {manifest.number}",
            cure="have the coordinator send it, then: consilium site work",
        )
    return panel
