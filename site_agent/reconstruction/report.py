"""What a person should see of a training of reconstruction: how it went, what it reaches, where it is worst.

Figures and pictures are of validation patients, by whom the epoch was chosen: the held-back patients are for
``consilium site evaluate``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from site_agent.hearts import Heart, hearts_of, shown
from site_agent.reconstruction.evaluation import Judged, figures, judge, tables
from site_agent.reconstruction.reconstructor import Reconstructor, views_of
from site_agent.reconstruction.shapes import looked_through
from site_agent.segmentation.report import SHOWN
from site_agent.tasks.blocks import TRAIN
from site_agent.tasks.exchanged import CALIBRATION, VALIDATION, notes_on
from site_agent.training_report.page import Picture, Report

if TYPE_CHECKING:
    from site_agent.home import SiteHome
    from site_agent.local_experts import Trained


def report(home: SiteHome, done: Trained) -> Report:
    """The page on an expert."""
    from shared_models.reconstruction.volume_metrics import IOU

    settings, site = home.config.reconstruction, home.config.site
    folds = {name: _hearts(home, done, name) for name in (TRAIN, VALIDATION, CALIBRATION)}
    fold = VALIDATION if folds[VALIDATION] else TRAIN
    judged = judge(Reconstructor({site: done.expert}), folds[fold])
    kept = max(done.history, key=lambda epoch: epoch.get(IOU, epoch["epoch"]))
    return Report(
        title="Training of reconstruction",
        facts=[*((f"{name} hearts", len(each)) for name, each in folds.items()), *settings.model_dump().items()],
        history=done.history,
        tables=[each for each in tables(home, figures({site: judged})) if each.rows],
        pictures=_pictures(judged),
        best=int(kept["epoch"]),
        about=[
            f"site {site}; figures and pictures are of the {fold} fold",
            "above: the volume looked through along its three axes; below: as found",
        ],
        notes=notes_on({}, [name for name, each in folds.items() if each]),
    )


def _hearts(home: SiteHome, done: Trained, fold: str) -> list[Heart]:
    """Those that the expert can be shown."""
    return shown(hearts_of(home, fold=fold), views_of(done.expert), int(done.expert.config["size"]))


def _pictures(judged: Sequence[Judged]) -> list[Picture]:
    """The worst, then those about the middle."""
    order = sorted(judged, key=lambda each: each.iou)
    middle = max(0, (len(order) - SHOWN) // 2)
    groups = {"the worst": order[:SHOWN], "about the middle": order[middle : middle + SHOWN]}
    return [_picture(each, group) for group, chosen in groups.items() for each in chosen]


def _picture(each: Judged, group: str) -> Picture:
    pair = [looked_through(volume) for volume in (each.truth.target, each.rebuilt.probabilities)]
    return Picture(f"IoU {each.iou:.2f}", np.concatenate(pair, axis=0), group)
