"""What a person should see of a training of contours: how it went, what it reaches, where it is worst.

Figures and pictures are of validation patients, by whom the epoch was chosen: the held-back patients are for
``consilium site evaluate``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from site_agent.contour.evaluation import Judged, figures, judge, tables
from site_agent.contour.tracer import Tracer
from site_agent.contour_truth import ContouredCase, find_contoured
from site_agent.overlay import overlay
from site_agent.segmentation.report import SHOWN
from site_agent.tasks.blocks import TRAIN
from site_agent.tasks.exchanged import CALIBRATION, VALIDATION, notes_on
from site_agent.training_report.page import Picture, Report

if TYPE_CHECKING:
    from site_agent.home import SiteHome
    from site_agent.local_experts import Trained


def report(home: SiteHome, done: Trained) -> Report:
    """The page on an expert."""
    from shared_models.contour_training import ERROR

    settings, site = home.config.contour, home.config.site
    fold = VALIDATION if _cases(home, VALIDATION) else TRAIN
    judged = judge(Tracer({site: done.expert}), _cases(home, fold))
    kept = min(done.history, key=lambda epoch: epoch.get(ERROR, -epoch["epoch"]))
    counts = {name: len(_cases(home, name)) for name in (TRAIN, VALIDATION, CALIBRATION)}
    return Report(
        title="Training of contours",
        facts=[*((f"{name} images", count) for name, count in counts.items()), *settings.model_dump().items()],
        history=done.history,
        tables=tables(home, figures({site: judged})),
        pictures=_pictures(judged),
        best=int(kept["epoch"]),
        about=[f"site {site}; figures and pictures are of the {fold} fold", "left: as it was drawn; right: as found"],
        notes=notes_on(find_contoured(home).left_out, [name for name, count in counts.items() if count]),
    )


def _cases(home: SiteHome, fold: str) -> list[ContouredCase]:
    return find_contoured(home, fold=fold).cases


def _pictures(judged: Sequence[Judged]) -> list[Picture]:
    """The worst, then those about the middle, by the landmarks."""
    order = sorted(judged, key=lambda each: -each.landmarks_percent)
    middle = max(0, (len(order) - SHOWN) // 2)
    groups = {"the worst": order[:SHOWN], "about the middle": order[middle : middle + SHOWN]}
    return [_picture(each, group) for group, chosen in groups.items() for each in chosen]


def _picture(each: Judged, group: str) -> Picture:
    pair = [overlay(each.truth.image, None, points) for points in (each.truth.points, each.traced.points)]
    return Picture(
        f"landmarks off by {each.landmarks_percent:.0f} % of the length", np.concatenate(pair, axis=1), group
    )
