"""Segmentation at the phantom's hospitals: alone, averaged, pooled, and experts' maps fused image by image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.claims import Measured
from benchmarks.segmentation_data import (
    CALIBRATION,
    EXTERNAL,
    LABELLED,
    SITES,
    STRUCTURES,
    TEST,
    TRAIN,
    Patients,
    Picture,
    masked,
    pictures,
)
from benchmarks.segmentation_fusion import (
    ALPHA,
    CHOSEN,
    WEIGHTINGS,
    Expert,
    Qualities,
    expert,
    fused,
    label_maps,
    qualities,
    spoken,
)
from benchmarks.segmentation_methods import Setting, alone, averaged, joint
from benchmarks.segmentation_report import (
    ELSEWHERE,
    FEDAVG,
    FEDPROX,
    HOME,
    JOINT,
    UNIFORM,
    WEIGHTED,
    Contest,
    claims,
    tables,
)
from benchmarks.segmentation_scores import Scores, ejections, mean_over, scored, true_ejections
from federated.in_distribution import qualified
from shared_models.segmentation import Segmented, segmented

if TYPE_CHECKING:
    import torch

    from federated.fusion.probability_maps import FusedMap

Array = NDArray[np.float64]

SEEDS = (1, 2, 3)  # others than those by which the recipe and the weights were chosen
PROXIMITY = 0.001  # the smallest of those there are to choose from: 0.01 already holds the network back
QUICK = Setting(side=32, width=4, levels=3, alone=2, joint=1, rounds=1, local=1, patients=Patients(2, 3, 1))
NOTE = """Means over patients, then over structures; intervals by drawing patients again within their hospitals, and
over seeds by Student's t. Simulated images; patients, first weights and the order of images are drawn anew by seed. Of
the three hospitals that learn, agate and citrine label all five structures and beryl the left ventricle and its wall;
beryl teaches no A3C. RV and RA are judged in A4C. "Alone" is a mean over hospitals' networks, of those that label the
structure; distances leave out images in which a method does not find the structure at all. Every method has the same
network and recipe and keeps its last weights; the pooled network, whose pass is three times as long, has half the
passes of the others."""


def measure(*, quick: bool) -> Measured:
    """All seeds; quick is one with hardly any patients, and small networks."""
    setting, seeds = (QUICK, SEEDS[:1]) if quick else (Setting(), SEEDS)
    contest = together([play(seed, setting) for seed in seeds])
    return Measured(rows=tuple(tables(contest)), claims=tuple(claims(contest)), notes=(" ".join(NOTE.split()),))


def play(seed: int, setting: Setting) -> Contest:
    """One seed."""
    held = {
        (site, fold): pictures(site, fold, seed, setting.patients) for site in SITES for fold in (TRAIN, CALIBRATION)
    }
    shown = [one for site in (*SITES, *EXTERNAL) for one in pictures(site, TEST, seed, setting.patients)]
    taught = {site: masked(held[site, TRAIN], setting.side, LABELLED[site]) for site in SITES}
    images = masked(shown, setting.side, None).images
    experts = {
        site: expert(
            alone(given, setting, seed), held[site, TRAIN], held[site, CALIBRATION], setting.side, LABELLED[site]
        )
        for site, given in taught.items()
    }
    said = {site: segmented(one.network, images) for site, one in experts.items()}
    seen = qualities(list(experts.values()), list(said.values()))
    maps = {name: fused(experts, said, rule(seen)) for name, rule in WEIGHTINGS.items()}
    own = {site: _alone(one, said[site], shown) for site, one in experts.items()}
    by_rule = {name: _of_maps(each, shown) for name, each in maps.items()}
    networks = {
        FEDAVG: averaged(taught, setting, seed),
        FEDPROX: averaged(taught, setting, seed, PROXIMITY),
        JOINT: joint(taught, setting, seed),
    }
    others = {UNIFORM: by_rule["uniform"], WEIGHTED: by_rule[CHOSEN]} | {
        name: _of_network(network, images, shown) for name, network in networks.items()
    }
    return _contest(shown, own, others, by_rule, maps[CHOSEN], seen)


def _alone(one: Expert, said: Segmented, shown: Sequence[Picture]) -> Scores:
    heard = [spoken(each, one.labelled) for each in said.probabilities]
    return scored(shown, label_maps(heard, shown, one.labelled), one.structures)


def _of_maps(maps: Sequence[FusedMap], shown: Sequence[Picture]) -> Scores:
    """Structures come in the order in which experts name them, which is that of their values: the first knows all."""
    return scored(shown, label_maps([each.probabilities for each in maps], shown, None))


def _of_network(network: torch.nn.Module, images: NDArray[np.uint8], shown: Sequence[Picture]) -> Scores:
    return scored(shown, label_maps(list(segmented(network, images).probabilities), shown, None))


def _contest(
    shown: Sequence[Picture],
    own: Mapping[str, Scores],
    others: Mapping[str, Scores],
    by_rule: Mapping[str, Scores],
    maps: Sequence[FusedMap],
    seen: Qualities,
) -> Contest:
    home = np.array([[picture.site == site for picture in shown] for site in own])
    fits = np.stack([each.fits for each in own.values()])
    apart = {
        name: mean_over(np.where(where[:, :, None, None, None], fits, np.nan))
        for name, where in ((HOME, home), (ELSEWHERE, ~home))
    }
    ejection = {name: {who: np.array([value]) for who, value in each.ejection.items()} for name, each in others.items()}
    return Contest(
        shown=shown,
        fits=apart | {name: each.fits for name, each in others.items()},
        ejection=_ejection_alone(own) | ejection,
        truth=true_ejections(shown),
        drawn=ejections(shown, [picture.mask for picture in shown]),
        shares=np.array([[_shares(each, name) for name in STRUCTURES] for each in maps]),
        foreign=np.asarray(~qualified(seen.p, ALPHA), dtype=np.float64),
        weightings={name: each.fits for name, each in by_rule.items()},
    )


def _shares(fused_map: FusedMap, structure: str) -> list[float]:
    """Of the sites; none where nobody sees the structure."""
    its = fused_map.shares[structure]
    return [its.get(site, 0.0) if its else float("nan") for site in SITES]


def _ejection_alone(own: Mapping[str, Scores]) -> dict[str, dict[str, Array]]:
    """Each patient's by the hospital's own expert, and by those of the others."""
    found: dict[str, dict[str, Array]] = {HOME: {}, ELSEWHERE: {}}
    for patient in next(iter(own.values())).ejection:
        site = patient.partition("-")[0]
        found[ELSEWHERE][patient] = np.array([each.ejection[patient] for name, each in own.items() if name != site])
        if site in own:
            found[HOME][patient] = np.array([own[site].ejection[patient]])
    return found


def together(played: Sequence[Contest]) -> Contest:
    """Seeds as one; patients of several seeds are several."""

    def stacked(name: str) -> dict[str, Array]:
        parts = [getattr(each, name) for each in played]
        return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}

    def joined(parts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
        return {patient: value for part in parts for patient, value in part.items()}

    first = played[0]
    return replace(
        first,
        shown=[picture for each in played for picture in each.shown],
        fits=stacked("fits"),
        ejection={name: joined(each.ejection[name] for each in played) for name in first.ejection},
        truth=joined(each.truth for each in played),
        drawn=joined(each.drawn for each in played),
        shares=np.concatenate([each.shares for each in played]),
        foreign=np.concatenate([each.foreign for each in played]),
        weightings=stacked("weightings"),
    )
