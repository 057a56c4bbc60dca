"""What a person should see of a training of segmentation: how it went, what it reaches, where it is worst.

Figures and pictures are of validation patients, by whom the epoch was chosen: the held-back patients are for
``consilium site evaluate``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from site_agent.overlay import colour_of, overlay
from site_agent.segmentation.evaluation import Judged, figures, judge, tables
from site_agent.segmentation.segmenter import Segmenter
from site_agent.tasks.blocks import TRAIN
from site_agent.tasks.exchanged import CALIBRATION, VALIDATION, notes_on
from site_agent.tasks.segmentation import meanings_of, structures_of
from site_agent.training_report.page import Picture, Report
from site_agent.truth import find_masked

if TYPE_CHECKING:
    from site_agent.home import SiteHome
    from site_agent.local_experts import Trained
    from site_agent.truth import MaskedCase

SHOWN = 6  # of the worst, and of those about the middle


def report(home: SiteHome, done: Trained) -> Report:
    """The page on an expert."""
    from shared_models.segmentation import DICE

    settings, structures = home.config.segmentation, structures_of(home)
    name, site = _shown_fold(home), home.config.site
    cases = _cases(home, name)
    judged = judge(Segmenter({site: done.expert}), cases)
    found = figures(home, {site: judged})
    kept = max(done.history, key=lambda epoch: epoch.get(DICE, epoch["epoch"]))
    counts = {fold: len(_cases(home, fold)) for fold in (TRAIN, VALIDATION, CALIBRATION)}
    meanings = meanings_of(home)
    return Report(
        title="Training of segmentation",
        facts=[*((f"{fold} images", count) for fold, count in counts.items()), *settings.model_dump().items()],
        history=done.history,
        tables=[each for each in tables(home, found) if each.rows],
        pictures=_pictures(judged, structures),
        key=[(meanings[code], colour_of(value)) for value, code in enumerate(structures, start=1)],
        best=int(kept["epoch"]),
        about=[f"site {site}; figures and pictures are of the {name} fold", "left: as it was drawn; right: as found"],
        notes=notes_on(find_masked(home, structures).left_out, [fold for fold, count in counts.items() if count]),
    )


def _shown_fold(home: SiteHome) -> str:
    return VALIDATION if _cases(home, VALIDATION) else TRAIN


def _cases(home: SiteHome, fold: str) -> list[MaskedCase]:
    return find_masked(home, structures_of(home), fold=fold).cases


def _pictures(judged: Sequence[Judged], structures: Sequence[str]) -> list[Picture]:
    """The worst, then those about the middle, by the Dice of all structures as one."""
    order = sorted(judged, key=lambda each: each.dice)
    middle = max(0, (len(order) - SHOWN) // 2)
    groups = {"the worst": order[:SHOWN], "about the middle": order[middle : middle + SHOWN]}
    return [_picture(each, group, structures) for group, chosen in groups.items() for each in chosen]


def _picture(each: Judged, group: str, structures: Sequence[str]) -> Picture:
    found = np.zeros_like(each.truth.mask)
    for value, code in enumerate(structures, start=1):
        found[each.seen.mask(code)] = value
    pair = [overlay(each.truth.image, labels, None) for labels in (each.truth.mask, found)]
    return Picture(f"Dice {each.dice:.2f}", np.concatenate(pair, axis=1), group)
