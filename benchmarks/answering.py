"""How fast a site answers: the fixed front end, then the fused model with every site's part in the answer."""

from __future__ import annotations

import numpy as np

from benchmarks.claims import Measured, Row, at_least, at_most, told
from benchmarks.federation import LABELS, SEED, SITES, Site, order, seconds, simulate
from federated.fused_model import FusedModel
from federated.local_fold import LocalFold
from federated.manifest import FrontEndCard, Hyperparameters, manifest_digest, unpack_tensors
from federated.release import Built, SiteInput, build_candidate, build_release
from federated.report import compute_report
from federated.vocabulary import plain_vocabulary

FRAME = (480, 640)
FRONT_END = "texture"
FEW_SITES = 4
TRAINED, CHECKED = 150, 50


def measure_answering(*, quick: bool) -> Measured:
    """Images a second through front end and fusion, one core, from a release just loaded.

    Images are new ones of the sites' own labels, so that sites are silenced in many ways and many systems are solved; a
    federation of four sites has the claim, one of twenty is told.
    """
    from shared_models.front_ends import create_front_end

    count = 10 if quick else 200
    front_end = create_front_end(FRONT_END)
    frames = np.random.default_rng(SEED).integers(0, 256, (count, *FRAME), dtype=np.uint8)
    extracting = seconds(lambda: [front_end(frame) for frame in frames], 3) / count
    sizes = (2, 3) if quick else (FEW_SITES, SITES)
    few, many = (_answering(sites, count, front_end.features) for sites in sizes)
    rows = tuple(
        _row(sites, front_end.features, extracting, time) for sites, time in zip(sizes, (few, many), strict=True)
    )
    claims = (
        at_most("fixed front end, one image, one core", 1000 * extracting, "ms", 15.0),
        at_least(f"front end and fusion, {sizes[0]} sites, one core", 1 / (extracting + few), "images/s", 50.0),
        told(f"the same, {sizes[1]} sites that label 8 of {LABELS} each", 1 / (extracting + many), "images/s"),
    )
    return Measured(rows=rows, claims=claims)


def _answering(sites: int, count: int, features: int) -> float:
    """Seconds an image in a model that has solved nothing yet."""
    drawn = simulate(TRAINED + CHECKED + count, features)[:sites]
    trained = [Site(site.features[:TRAINED], site.labels[:TRAINED]) for site in drawn]
    rest = slice(TRAINED, TRAINED + CHECKED)
    checked = [Site(site.features[rest], site.labels[rest]) for site in drawn]
    new = np.stack([drawn[number % sites].features[TRAINED + CHECKED + number] for number in range(count)])
    release = released(trained, checked, features)
    names = [f"image{number:03d}" for number in range(count)]
    models = iter([_loaded(release) for _ in range(3)])
    return seconds(lambda: next(models).decide(new, names, names), 3) / count


def _row(sites: int, features: int, extracting: float, answering: float) -> Row:
    return {
        "table": f"One image of {FRAME[1]} × {FRAME[0]}, answered as an image and as a clip",
        "front end": FRONT_END,
        "features": features,
        "sites": sites,
        "labels": LABELS,
        "front end, ms": 1000 * extracting,
        "fusion, ms": 1000 * answering,
    }


def released(trained: list[Site], checked: list[Site], features: int) -> Built:
    """A release of simulated sites that have all reported, with other images than those they trained on."""
    candidate = _candidate(trained, features)
    model, reports = _loaded(candidate), {}
    for number, (site, other) in enumerate(zip(trained, checked, strict=True)):
        fold = _fold(other)
        manifest, data = compute_report(model, _name(number), train=_fold(site), validation=fold, calibration=fold)
        reports[_name(number)] = (manifest_digest(manifest), manifest, unpack_tensors(data, manifest))
    return build_release(candidate.manifest, unpack_tensors(candidate.tensors, candidate.manifest), reports)


def _candidate(sites: list[Site], features: int) -> Built:
    return build_candidate(
        federation="spine",
        task="views",
        front_end=FrontEndCard(name=FRONT_END, config={}, digest="sha256:" + "0" * 64, features=features),
        vocabulary=plain_vocabulary("labels", list(order())),
        sites=[_input(number, site) for number, site in enumerate(sites)],
        experts=(),
        number=1,
        previous=None,
        hyperparameters=Hyperparameters(ridge=10.0, scatter=1.0, outside=0.5),
    )


def _input(number: int, site: Site) -> SiteInput:
    block = site.statistics()
    patients = {label: int(weight) for label, weight in zip(block.labels, block.weights, strict=True)}
    return SiteInput(_name(number), (f"sha256:{number:064x}",), block, None, patients, gram_to_sites=True)


def _fold(site: Site) -> LocalFold:
    names = tuple(f"patient{number:04d}" for number in range(len(site.labels)))
    labels = tuple(order()[label] for label in site.labels)
    return LocalFold(site.features, labels, names, names, np.ones(len(names)))


def _name(number: int) -> str:
    return f"site{number:02d}"


def _loaded(built: Built) -> FusedModel:
    return FusedModel.from_release(built.manifest, unpack_tensors(built.tensors, built.manifest))
