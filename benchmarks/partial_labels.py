"""Two hospitals that label the short axis coarsely beside two that name its levels: what that does to the levels."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.claims import Claim, Measured, Row, at_least, told
from benchmarks.partial_images import LEVELS, MACHINES, VIEWS, Images, hospitals
from federated.deciding import sure_of
from federated.fused_model import FusedModel
from federated.fusion.targets import coarse_labels
from federated.hierarchy import ancestors
from federated.local_fold import LocalFold
from federated.manifest import FrontEndCard, manifest_digest, unpack_tensors
from federated.release import Built, SiteInput, build_candidate, build_release
from federated.report import compute_report
from federated.statistics import Array, Statistics, from_features
from federated.vocabulary import Vocabulary, builtin_vocabulary, plain_vocabulary
from shared_models.phantom.hospitals import label_of

SEEDS = (11, 12, 13, 14)
TRAINED, CHECKED, TESTED = 20, 6, 12  # patients a hospital
COARSE = ("south", "west")
ABOVE = "399306005"  # parasternal short axis, no level named
ASKED = ("the two hospitals that name levels", "the two others")
DRAWS = 4000
FULL, PARTIAL, LEFT_OUT, NAIVE = (
    "all four by level",
    "two by level, two coarse: partial labels",
    "two by level, two without short axis",
    "two by level, two coarse: a class of its own",
)
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Labelled:
    """What a hospital's words make of the images: a code for each, empty where an image is left out."""

    name: str
    vocabulary: Vocabulary
    codes: NDArray[np.str_]


@dataclass(frozen=True)
class Tested:
    """Answers to test images: which are right, in their level where there is one and in their view."""

    right: Mask
    view_right: Mask
    level: Mask
    coarse_site: Mask
    patients: NDArray[np.str_]


def measure(*, quick: bool) -> Measured:
    """Accuracy on levels of four ways to label, over patients of several seeds."""
    with threadpool_limits(1):
        return _measured(SEEDS[:1] if quick else SEEDS, (8, 3, 4) if quick else (TRAINED, CHECKED, TESTED))


def _measured(seeds: Sequence[int], counts: tuple[int, int, int]) -> Measured:
    found: dict[str, list[Tested]] = {name: [] for name in (FULL, PARTIAL, LEFT_OUT, NAIVE)}
    stops: list[tuple[Row, Row]] = []
    for seed in seeds:
        images = hospitals(sum(counts), seed=seed, processes=len(os.sched_getaffinity(0)))
        folds = np.searchsorted(np.cumsum(counts), images.patients, side="right")
        for one in ways_to_label(images):
            model = _fused(images, folds, one)
            found[one.name].append(_tested(model, images.rows(folds == 2), seed))
            if one.name == PARTIAL:
                stops.append(_stops(images, folds, one, model))
    joined = {name: _joined(parts) for name, parts in found.items()}
    rows = [_row(name, tested) for name, tested in joined.items()]
    differences = [_difference(joined, other) for other in (LEFT_OUT, NAIVE, FULL)]
    stopped = (_pooled(name, one) for name, one in zip(ASKED, zip(*stops, strict=True), strict=True))
    return Measured(rows=(*rows, *differences, *stopped), claims=_claims(joined), notes=(NOTE,))


NOTE = (
    "Images are of a phantom. Test patients are of all four hospitals, also of those that do not name levels, and are "
    "judged by the level that the phantom drew. Intervals are over patients, drawn within hospitals and seeds."
)


def ways_to_label(images: Images) -> list[Labelled]:
    """The same images in four ways; nobody else's labels ever change."""
    heart = builtin_vocabulary("heart")
    exact = np.array([label_of(view) for view in images.views])
    unnamed = np.isin(images.sites, COARSE) & np.isin(images.views, LEVELS)
    coarse = np.where(unnamed, ABOVE, exact)
    flat = plain_vocabulary("flat", [*(label_of(view) for view in VIEWS), ABOVE])
    return [
        Labelled(FULL, heart, exact),
        Labelled(PARTIAL, heart, coarse),
        Labelled(LEFT_OUT, heart, np.where(unnamed, "", exact)),
        Labelled(NAIVE, flat, coarse),
    ]


def _fused(images: Images, folds: NDArray[np.int64], one: Labelled) -> Built:
    inputs = [_input(images, folds, one, site) for site in MACHINES]
    card = FrontEndCard(name="features", config={}, digest="sha256:" + "0" * 64, features=images.features.shape[1])
    return build_candidate(
        federation="partial",
        task="classification",
        front_end=card,
        vocabulary=one.vocabulary,
        sites=inputs,
        experts=(),
        number=1,
        previous=None,
    )


def _input(images: Images, folds: NDArray[np.int64], one: Labelled, site: str) -> SiteInput:
    here = (images.sites == site) & (one.codes != "")
    train, checked = (_sums(images, one, here & (folds == fold)) for fold in (0, 1))
    counts = {label: int(weight) for label, weight in zip(train.labels, train.weights, strict=True)}
    digest = f"sha256:{list(MACHINES).index(site):064x}"
    return SiteInput(site, (digest,), train, checked, counts, gram_to_sites=True)


def _sums(images: Images, one: Labelled, chosen: Mask) -> Statistics:
    codes = one.codes[chosen].tolist()
    held = tuple(code for code in one.vocabulary.codes if code in set(codes))
    own = coarse_labels(one.vocabulary, held)
    return from_features(images.features[chosen], codes, np.ones(len(codes)), held, own)


def _model(built: Built) -> FusedModel:
    return FusedModel.from_release(built.manifest, unpack_tensors(built.tensors, built.manifest))


def _tested(built: Built, images: Images, seed: int) -> Tested:
    model = _model(built)
    answers = [model.labels[column] for column in model.tree.best(model.full_scores(images.features))]
    truth = [label_of(view) for view in images.views]
    return Tested(
        right=np.array([answer == true for answer, true in zip(answers, truth, strict=True)]),
        view_right=np.array([_family(answer) == _family(true) for answer, true in zip(answers, truth, strict=True)]),
        level=np.isin(images.views, LEVELS),
        coarse_site=np.isin(images.sites, COARSE),
        patients=np.array([f"{seed} {s} {p}" for s, p in zip(images.sites, images.patients, strict=True)]),
    )


def _family(code: str) -> str:
    heart = builtin_vocabulary("heart")
    return ABOVE if ABOVE in ancestors(heart, code) else code


def _joined(parts: Sequence[Tested]) -> Tested:
    return Tested(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("right", "view_right", "level", "coarse_site", "patients")
        )
    )


def _row(name: str, tested: Tested) -> Row:
    everywhere = tested.level
    return {
        "table": "Accuracy on levels, % (95 % interval over patients)",
        "labels": name,
        "all hospitals": _shown(tested, lambda one: one.right, everywhere),
        "the two that always name levels": _shown(tested, lambda one: one.right, everywhere & ~tested.coarse_site),
        "the two others": _shown(tested, lambda one: one.right, everywhere & tested.coarse_site),
        "short axis or not, all images": _shown(tested, lambda one: one.view_right, np.ones_like(everywhere)),
    }


def _shown(tested: Tested, hits: Callable[[Tested], Mask], among: Mask) -> str:
    value, low, high = interval(tested.patients, hits(tested).astype(float), among)
    return f"{100 * value:.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def _difference(found: Mapping[str, Tested], other: str) -> Row:
    value, low, high = _gain(found, other)
    return {
        "table": "Partial labels minus another way, points on levels, the same patients",
        "minus": other,
        "difference": f"{value:+.1f} [{low:+.1f}, {high:+.1f}]",
    }


def _gain(found: Mapping[str, Tested], other: str) -> tuple[float, float, float]:
    one, two = found[PARTIAL], found[other]
    gain = one.right.astype(float) - two.right.astype(float)
    value, low, high = (100 * number for number in interval(one.patients, gain, one.level))
    return value, low, high


def interval(patients: NDArray[np.str_], values: Array, among: Mask) -> tuple[float, float, float]:
    """Mean of the chosen values with its 95 % percentile interval over draws of patients within hospitals and seeds."""
    names, number = np.unique(patients, return_inverse=True)
    totals, sums = np.zeros(names.size), np.zeros(names.size)
    np.add.at(totals, number[among], 1.0)
    np.add.at(sums, number[among], values[among])
    strata = np.array([name.rpartition(" ")[0] for name in names])
    rng = np.random.default_rng(0)
    times = np.zeros((DRAWS, names.size))
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        times[:, members] = rng.multinomial(members.size, np.full(members.size, 1 / members.size), size=DRAWS)
    drawn = (times @ sums) / (times @ totals)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(sums.sum() / totals.sum()), float(low), float(high)


def _stops(images: Images, folds: NDArray[np.int64], one: Labelled, built: Built) -> tuple[Row, Row]:
    """How answers to test images of levels go down once all have reported: where levels are named, and elsewhere."""
    model, reports = _model(built), {}
    for site in MACHINES:
        train, checked = (_fold(images, one, (images.sites == site) & (folds == fold)) for fold in (0, 1))
        manifest, data = compute_report(model, site, train=train, validation=checked, calibration=_nobody(images))
        reports[site] = (manifest_digest(manifest), manifest, unpack_tensors(data, manifest))
    released = _model(build_release(built.manifest, unpack_tensors(built.tensors, built.manifest), reports))
    test = images.rows((folds == 2) & np.isin(images.views, LEVELS))
    lines = released.decide(test.features, test.views.tolist(), [str(row) for row in range(len(test.views))])
    elsewhere = np.isin(test.sites, COARSE)
    asked = [
        (sure_of(line.path, released.manifest.alpha), line.best, label_of(view), site)
        for line, view, site in zip(lines[: len(elsewhere)], test.views, elsewhere, strict=True)
        if _family(line.best) == ABOVE
    ]
    here, there = ([one[:3] for one in asked if one[3] == site] for site in (False, True))
    return _counted(here), _counted(there)


def _counted(pairs: Sequence[tuple[str, str, str]]) -> Row:
    """Of (answer, best level, true level)."""
    down = [(best, true) for label, best, true in pairs if label == best]
    return {
        "images": len(pairs),
        "down": len(down),
        "wrong": sum(best != true for best, true in down),
        "wrong if always": sum(best != true for _, best, true in pairs),
    }


def _nobody(images: Images) -> LocalFold:
    return LocalFold(np.zeros((0, images.features.shape[1])), (), (), (), np.zeros(0))


def _fold(images: Images, one: Labelled, chosen: Mask) -> LocalFold:
    patients = tuple(f"{s} {p}" for s, p in zip(images.sites[chosen], images.patients[chosen], strict=True))
    clips = tuple(f"{p} {view}" for p, view in zip(patients, images.views[chosen], strict=True))
    return LocalFold(images.features[chosen], tuple(one.codes[chosen].tolist()), patients, clips, np.ones(len(clips)))


def _pooled(where: str, stops: Sequence[Row]) -> Row:
    total = {key: sum(int(row[key] or 0) for row in stops) for key in stops[0]}
    return {
        "table": "Where answers to short-axis images stop, alpha 5 %",
        "images of": where,
        "answered as short axis": total["images"],
        "answered with a level": total["down"],
        "of these wrong": total["wrong"],
        "wrong if every answer named a level": total["wrong if always"],
    }


def _claims(found: Mapping[str, Tested]) -> tuple[Claim, ...]:
    value, low, _ = _gain(found, LEFT_OUT)
    return (
        at_least("levels: partial labels minus leaving the coarse images out", value, "points", 0.0),
        told("the lower end of its 95 % interval", low, "points"),
        told("levels: partial labels minus the coarse label as a class of its own", _gain(found, NAIVE)[0], "points"),
        told("levels: partial labels minus all four by level", _gain(found, FULL)[0], "points"),
    )
