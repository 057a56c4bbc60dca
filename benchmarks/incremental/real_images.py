"""Real ultrasound of several sources: lungs of four, and breasts of two, of which one is small."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.incremental.cases import Cases, split_site
from benchmarks.incremental.suite import Preset, Suite
from benchmarks.lung_data import COLUMNS, ORDER, STRANGE_PROBE, load_images
from benchmarks.real_data import BREAST, LUNG
from federated.manifest import FrontEndCard
from federated.vocabulary import plain_vocabulary
from shared_models.front_ends import create_front_end
from shared_models.scaling import resized
from site_agent.sources.images import decode_still, luma
from site_agent.sources.index import parse_columns, read_index

LUNG_ORDERS = (ORDER, ORDER[::-1], (ORDER[1], ORDER[0], ORDER[2], ORDER[3]), (ORDER[2], ORDER[3], ORDER[0], ORDER[1]))
BREAST_COLUMNS = "patient=split_group"
BREAST_ORDER = ("busi_cairo", "busbra_rio")


def lung(seed: int, preset: Preset) -> Suite:
    """Clips of the probe that sites use, up to eight frames each.

    Raises:
        DataError: the data are not there.
    """
    images = load_images()
    rows = read_index(LUNG, parse_columns(COLUMNS))
    shots = [shot for shot in images.shots if shot.probe != STRANGE_PROBE]
    sites = []
    for name in ORDER:
        own = [shot for shot in shots if shot.site == name]
        small = np.stack([resized(luma(decode_still(rows[shot.row].path)), preset.setting.side) for shot in own])
        labels, patients, clips = (tuple(getattr(shot, part) for shot in own) for part in ("label", "patient", "clip"))
        sites.append(Cases(name, small, images.features[[shot.row for shot in own]], labels, patients, clips))
    return _suite("lung", sites, seed, LUNG_ORDERS)


def breast(seed: int, preset: Preset) -> Suite:
    """Stills; those that look alike are taken for one patient's.

    Raises:
        DataError: the data are not there.
    """
    rows = read_index(BREAST, parse_columns(BREAST_COLUMNS))
    front_end = create_front_end("texture")
    sites = []
    for name in BREAST_ORDER:
        own = [row for row in rows if row.site == name]
        images = [luma(decode_still(row.path)) for row in own]
        sites.append(
            Cases(
                name,
                np.stack([resized(image, preset.setting.side) for image in images]),
                np.stack([front_end(image) for image in images]),
                tuple(row.label for row in own),
                tuple(row.patient for row in own),
                tuple(row.path.name for row in own),
            )
        )
    return _suite("breast", sites, seed, (BREAST_ORDER, BREAST_ORDER[::-1]))


def _suite(name: str, sites: Sequence[Cases], seed: int, orders: tuple[tuple[str, ...], ...]) -> Suite:
    labels = sorted({label for cases in sites for label in cases.labels})
    front_end = create_front_end("texture")
    return Suite(
        vocabulary=plain_vocabulary(name, labels),
        front_end=FrontEndCard(
            name=front_end.name, config=dict(front_end.config), digest=front_end.digest, features=front_end.features
        ),
        sites=tuple(split_site(cases, seed, set(cases.labels)) for cases in sites),
        external=(),
        orders=orders,
    )
