"""What a person should see of a training of retrieval: how it went, what it reaches, what it takes for alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from site_agent.retrieval.contact_sheet import contact_sheet
from site_agent.retrieval.evaluation import codes_of, judged, tables
from site_agent.retrieval.similar import Encoders, cosines
from site_agent.tasks.blocks import TRAIN
from site_agent.tasks.exchanged import CALIBRATION, VALIDATION, notes_on
from site_agent.tasks.retrieval import Pair, pairs_of
from site_agent.training_report.page import Picture, Report
from site_agent.truth import clips_of

if TYPE_CHECKING:
    from site_agent.home import SiteHome
    from site_agent.local_experts import Trained

SHOWN, NEAREST = 6, 4  # frames that are asked for; what is most like each, of other clips


def report(home: SiteHome, done: Trained) -> Report:
    """The page on an encoder."""
    settings, site = home.config.retrieval, home.config.site
    counts = {fold: pairs_of(home, clips_of(home.archive, fold=fold)) for fold in (TRAIN, VALIDATION, CALIBRATION)}
    fold = VALIDATION if counts[VALIDATION] else TRAIN
    encoders = Encoders({site: done.expert})
    return Report(
        title="Training of retrieval",
        facts=[
            *((f"{name} pairs of frames", len(pairs)) for name, pairs in counts.items()),
            *settings.model_dump().items(),
        ],
        history=done.history,
        tables=tables(home, judged(home, encoders, counts[fold])),
        pictures=_pictures(home, encoders, site, counts[fold]),
        best=int(done.history[-1]["epoch"]),
        about=[f"site {site}; figures and pictures are of the {fold} fold", "left: a frame; then what is most like it"],
        notes=notes_on({}, [name for name, pairs in counts.items() if pairs]),
    )


def _pictures(home: SiteHome, encoders: Encoders, name: str, pairs: Sequence[Pair]) -> list[Picture]:
    """A frame of some clips, and the nearest frames of others, one a clip."""
    first = {pair.clip.id: row for row, pair in enumerate(pairs)}  # the last pair of each clip
    rows = list(first.values())
    said = codes_of(home, encoders, [pairs[row] for row in rows], 0)[name]
    alike = cosines(said, said)
    found = []
    for place in np.linspace(0, len(rows) - 1, min(SHOWN, len(rows))).round().astype(int):
        order = [other for other in np.argsort(-alike[place]) if other != place][:NEAREST]
        sheet = [pairs[rows[each]] for each in (place, *order)]
        images = [home.archive.cache.frames(each.clip.key, [each.places[0]])[0] for each in sheet]
        lines = [pairs[rows[place]].clip.label or "-", *(f"{alike[place, each]:.2f}" for each in order)]
        found.append(Picture(sheet[0].clip.label or "no label", contact_sheet(images, lines), "most like each other"))
    return found
