"""What a person should see of a training of registration: how it went, what it reaches, where it is worst.

Figures and pictures are of validation patients, by whom the epoch was chosen: the held-back patients are for
``consilium site evaluate``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from site_agent.frame_pairs import frame_pairs, shown_pairs
from site_agent.registration.evaluation import Judged, figures, judge, tables
from site_agent.registration.prediction import beside
from site_agent.registration.registrar import Registrar
from site_agent.segmentation.report import SHOWN
from site_agent.tasks.blocks import TRAIN
from site_agent.tasks.exchanged import CALIBRATION, VALIDATION, notes_on
from site_agent.training_report.page import Picture, Report
from site_agent.truth import clips_of

if TYPE_CHECKING:
    from site_agent.home import SiteHome
    from site_agent.local_experts import Trained


def report(home: SiteHome, done: Trained) -> Report:
    """The page on an expert."""
    from shared_models.registration.registration_training import SIMILARITY

    settings, site = home.config.registration, home.config.site
    folds = {fold: frame_pairs(home, clips_of(home.archive, fold=fold)) for fold in (TRAIN, VALIDATION, CALIBRATION)}
    fold = VALIDATION if folds[VALIDATION] else TRAIN
    registrar = Registrar({site: done.expert})
    judged = judge(home, registrar, folds[fold])
    kept = min(done.history, key=lambda epoch: epoch.get(SIMILARITY, -epoch["epoch"]))
    return Report(
        title="Training of registration",
        facts=[
            *((f"{name} pairs of frames", len(pairs)) for name, pairs in folds.items()),
            *settings.model_dump().items(),
        ],
        history=done.history,
        tables=[each for each in tables(home, figures({site: judged})) if each.rows],
        pictures=_pictures(home, registrar, judged),
        best=int(kept["epoch"]),
        about=[
            f"site {site}; figures and pictures are of the {fold} fold",
            "left: a frame; in the middle: the same, warped to end-diastole; right: end-diastole",
        ],
        notes=notes_on({}, [name for name, pairs in folds.items() if pairs]),
    )


def _pictures(home: SiteHome, registrar: Registrar, judged: Sequence[Judged]) -> list[Picture]:
    """The pairs least alike afterwards, then those about the middle."""
    order = sorted(judged, key=lambda each: each.after)
    middle = max(0, (len(order) - SHOWN) // 2)
    groups = {"the worst": order[:SHOWN], "about the middle": order[middle : middle + SHOWN]}
    return [_picture(home, registrar, each, group) for group, chosen in groups.items() for each in chosen]


def _picture(home: SiteHome, registrar: Registrar, each: Judged, group: str) -> Picture:
    (shown,) = shown_pairs(home, [each.pair], drawn=False)
    field = registrar.register(shown.moving, shown.fixed).field
    return Picture(
        f"likeness {each.before:.2f}, then {each.after:.2f}", beside(shown.moving, shown.fixed, field), group
    )
