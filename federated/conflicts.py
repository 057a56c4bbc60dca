"""Labels that sites use differently: a site's mean image of a label that looks like another label's elsewhere.

From the means, weights and within-class covariance that a release carries. Site k's mean of label c is held against
each other site j that has the label: with x its coordinates, in which images of a label at a site have covariance one
(leading directions of the release's subspace), a those of j's mean of c, and d_kj the mean difference between the two
sites over the labels that both have (two machines shift all labels alike), the label is in conflict where x - d_kj lies
clearly nearer to j's mean of some label that excludes c than to a: at two thirds of the distance at most, and by more
than chance.

Chance is drawn, not derived. 999 times every mean gets the noise that its patients leave (covariance I / n_kc) and a
random mixture of what the two sites are seen to differ in (over labels that are not suspected), around places that are
the same for all sites and as far apart as the observed ones are beyond noise. What lies beyond the middle between a and
the other label, in standard deviations of these draws, is compared with the largest of any label and pair of sites, so
that the whole record is tested at 5 %.

A coarse label may be any mixture of what lies below it: a is then the nearest mixture of j's means of those. A label
whose only counterpart is coarser is not judged, nor one of two sites that have no other label in common. A conflict
says that two sites differ, not who is right, and not why: machines that move each label otherwise, and by more than
labels differ, look the same in the means, and hide a swap where all that two sites share differs as much.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations

import numpy as np
from scipy.optimize import nnls

from federated.fused_model import FusedModel
from federated.hierarchy import target
from federated.in_distribution import QUADRATIC
from federated.manifest import Frozen
from federated.statistics import Array
from federated.vocabulary import Vocabulary

DRAWS = 999
ALPHA = 0.05
SEED = 0
CLOSEST = 1e-9  # between the means of two labels
FEWEST_SHARED = 2  # labels of two sites; the difference between their machines is the mean over them
CLEARLY = 2 / 3  # of the distance to its own label
SUM_TO_ONE = 1e4
_Pair = frozenset[str]


class Claim(Frozen):
    """One site's label held against another site.

    Attributes:
        own, other: distances of the site's mean image, the difference between the two sites taken away, to the other
            site's mean of the same label and of the nearest label that excludes it, in standard deviations of images.
        nearest: that label.
        coarse: the other site has finer labels instead; `own` is the distance to their nearest mixture.
        p: the chance of such an excess anywhere in the record if all sites meant the same.
        conflict: whether `other` is at most two thirds of `own`, and `p` at most 5 %.
    """

    site: str
    label: str
    against: str
    nearest: str
    own: float
    other: float
    coarse: bool
    p: float
    conflict: bool


class Conflicts(Frozen):
    """All claims that could be judged, and the labels of pairs of sites (site, label, against) that could not."""

    claims: tuple[Claim, ...]
    unjudged: tuple[tuple[str, str, str], ...]

    @property
    def found(self) -> tuple[Claim, ...]:
        """The claims in conflict."""
        return tuple(claim for claim in self.claims if claim.conflict)


@dataclass(frozen=True)
class _Held:
    """One site's (q,) mean coordinates and number of patients by label."""

    name: str
    means: Mapping[str, Array]
    patients: Mapping[str, int]


@dataclass(frozen=True)
class _Judged:
    """A label of one site held against another, before its p-value.

    Attributes:
        shared: by each label with a counterpart at the other site, the shares of the other's labels in it: the mean of
            these differences is that of the sites.
        mixture: shares of the other site's labels in its nearest counterpart.
        rivals: labels of the other site that exclude this one.
        difference: (q,) from the counterpart to the site's mean, without the difference of the sites.
        ways: (rivals, q) from the counterpart to the rivals' means.
    """

    site: str
    against: str
    label: str
    shared: Mapping[str, Mapping[str, float]]
    mixture: Mapping[str, float]
    rivals: tuple[str, ...]
    difference: Array
    ways: Array

    @property
    def own(self) -> float:
        """Distance to the counterpart."""
        return float(np.linalg.norm(self.difference))

    @property
    def distances(self) -> Array:
        """(rivals,) distances to the rivals' means."""
        return np.asarray(np.linalg.norm(self.difference - self.ways, axis=1))

    @property
    def clear(self) -> bool:
        """Whether a rival is not just nearer."""
        return bool(self.distances.min() <= CLEARLY * self.own)


def label_conflicts(model: FusedModel, *, draws: int = DRAWS, seed: int = SEED) -> Conflicts:
    """Every label of every site held against every other site of a release.

    Args:
        model: the release; class sums and weights suffice.
        draws: of what chance does.
        seed: of the draws.
    """
    sites = _held(model)
    vocabulary = model.manifest.vocabulary
    related = [
        (one, other, label) for one, other in permutations(sites, 2) for label in _related(vocabulary, one, other)
    ]
    tried = [_judge(vocabulary, one, other, label) for one, other, label in related]
    judged = [each for each in tried if each is not None]
    scales, largest = _by_chance(vocabulary, sites, judged, draws, seed)
    unjudged = [
        (one.name, label, other.name) for (one, other, label), each in zip(related, tried, strict=True) if each is None
    ]
    return Conflicts(
        claims=tuple(_claim(each, scale, largest) for each, scale in zip(judged, scales, strict=True)),
        unjudged=tuple(unjudged),
    )


def _held(model: FusedModel) -> list[_Held]:
    size = min(QUADRATIC, model.space.size)
    factor = np.linalg.cholesky(model.space.within[:size, :size])
    return [
        _Held(
            site.name,
            dict(zip(site.labels, np.linalg.solve(factor, model.means[site.name][:, :size].T).T, strict=True)),
            {label: max(site.patients.get(label, 1), 1) for label in site.labels},
        )
        for site in model.manifest.sites
    ]


def _related(vocabulary: Vocabulary, one: _Held, other: _Held) -> list[str]:
    """Labels of the one site that do not exclude all that the other one holds."""
    return [label for label in one.means if any(target(vocabulary, name, label) != 0 for name in other.means)]


def _judge(vocabulary: Vocabulary, one: _Held, other: _Held, label: str) -> _Judged | None:
    """None where the other site has nothing to hold the label against."""
    shared = _shared(vocabulary, one, other)
    rivals = tuple(name for name in other.means if target(vocabulary, name, label) == 0)
    if label not in shared or len(shared) < FEWEST_SHARED or not rivals:
        return None
    place = one.means[label] - np.mean(list(_differences(one, other, shared).values()), axis=0)
    same = np.stack([other.means[name] for name in shared[label]])
    mixture = _nearest_mixture(place, same)
    counterpart = mixture @ same
    ways = np.stack([other.means[name] for name in rivals]) - counterpart
    shares = dict(zip(shared[label], mixture.tolist(), strict=True))
    return _Judged(one.name, other.name, label, shared, shares, rivals, place - counterpart, ways)


def _shared(vocabulary: Vocabulary, one: _Held, other: _Held) -> dict[str, dict[str, float]]:
    """Of each label that the other site has too, or has finer ones of: their shares of the patients there."""
    found = {}
    for label in one.means:
        same = [name for name in other.means if target(vocabulary, name, label) == 1]
        patients = sum(other.patients[name] for name in same)
        if same:
            found[label] = {name: other.patients[name] / patients for name in same}
    return found


def _differences(one: _Held, other: _Held, shared: Mapping[str, Mapping[str, float]]) -> dict[str, Array]:
    """(q,) the one site's mean of each label less the other's."""
    return {
        label: one.means[label] - np.sum([share * other.means[name] for name, share in shares.items()], axis=0)
        for label, shares in shared.items()
    }


def _nearest_mixture(place: Array, means: Array) -> Array:
    """(m,) shares of (m, q) means whose mixture is nearest to a place: not negative, and one in all."""
    if len(means) == 1:
        return np.ones(1)
    shares, _ = nnls(np.vstack([means.T, np.full(len(means), SUM_TO_ONE)]), np.append(place, SUM_TO_ONE))
    return np.asarray(shares / shares.sum())


def _excess(difference: Array, ways: Array) -> Array:
    """How far beyond the middle of the way to the nearest rival a mean lies: (..., q) and (..., rivals, q) to (...)."""
    lengths = np.maximum(np.linalg.norm(ways, axis=-1), CLOSEST)
    beyond = np.einsum("...q,...rq->...r", difference, ways) / lengths - lengths / 2
    nearest = (beyond * lengths).argmax(axis=-1)  # the distance to a rival falls as this rises
    return np.asarray(np.take_along_axis(beyond, nearest[..., None], axis=-1)[..., 0])


def _by_chance(
    vocabulary: Vocabulary, sites: Sequence[_Held], judged: Sequence[_Judged], draws: int, seed: int
) -> tuple[list[tuple[float, float]], Array]:
    """Mean and standard deviation of each excess where every label means the same to all sites; (draws,) the largest.

    The largest is counted in standard deviations above the mean, since sites differ more from some than from others.
    """
    held = {site.name: site for site in sites}
    seen = _seen_differences(vocabulary, sites, judged)
    rng = np.random.default_rng(seed)
    largest, scales = np.full(draws, -np.inf), []
    for each in judged:
        excess = _drawn(each, held, seen[frozenset((each.site, each.against))], draws, rng)
        scales.append((float(excess.mean()), max(float(excess.std()), CLOSEST)))
        np.maximum(largest, (excess - scales[-1][0]) / scales[-1][1], out=largest)
    return scales, largest


def _drawn(judged: _Judged, held: Mapping[str, _Held], seen: Array, draws: int, rng: np.random.Generator) -> Array:
    """(draws,) excesses of one label whose counterpart and rivals are as far apart as beyond noise."""
    one, other = (
        {label: _noise(count, seen, draws, rng) for label, count in held[name].patients.items()}
        for name in (judged.site, judged.against)
    )
    shift = np.mean([one[label] - _mixed(other, shares) for label, shares in judged.shared.items()], axis=0)
    counterpart = _mixed(other, judged.mixture)
    rivals = np.stack([other[name] for name in judged.rivals], axis=1)
    by_noise = ((rivals - counterpart[:, None]) ** 2).sum(axis=2).mean(axis=0)
    squared = np.maximum((judged.ways**2).sum(axis=1), CLOSEST**2)
    shrunk = judged.ways * np.sqrt(np.maximum(1 - by_noise / squared, 0.0))[:, None]
    return _excess(one[judged.label] - shift - counterpart, shrunk + rivals - counterpart[:, None])


def _noise(patients: int, seen: Array, draws: int, rng: np.random.Generator) -> Array:
    """(draws, q): what few patients leave to chance, and what the sites are seen to differ in."""
    sampled = rng.normal(size=(draws, seen.shape[1])) / np.sqrt(patients)
    return np.asarray(sampled + rng.normal(size=(draws, len(seen))) @ seen)


def _mixed(values: Mapping[str, Array], shares: Mapping[str, float]) -> Array:
    return np.asarray(np.sum([share * values[name] for name, share in shares.items()], axis=0))


def _seen_differences(vocabulary: Vocabulary, sites: Sequence[_Held], judged: Sequence[_Judged]) -> dict[_Pair, Array]:
    """By pair of sites (N, q) R, such that R^T R is the covariance by which a mean of a label strays beyond sampling.

    Not of suspected labels, whose difference is what is asked about. Of a pair with no other, that of all pairs.
    """
    suspected = {(each.site, each.label, each.against) for each in judged if each.clear}
    size = len(next(iter(sites[0].means.values())))
    rows: dict[_Pair, list[Array]] = {}
    for pair in combinations(sites, 2):
        one, other = max((pair, pair[::-1]), key=lambda ordered: len(_shared(vocabulary, *ordered)))
        rows[frozenset((one.name, other.name))] = [
            row
            for label, row in _beyond_sampling(vocabulary, one, other).items()
            if (one.name, label, other.name) not in suspected
        ]
    everybody = [row for found in rows.values() for row in found]
    return {pair: _spread(found or everybody, size) for pair, found in rows.items()}


def _spread(rows: Sequence[Array], size: int) -> Array:
    """A difference of two sites has twice the covariance of one."""
    stacked = np.array(rows, dtype=np.float64).reshape(len(rows), size)
    return np.asarray(stacked / np.sqrt(2 * max(len(rows), 1)))


def _beyond_sampling(vocabulary: Vocabulary, one: _Held, other: _Held) -> dict[str, Array]:
    """(q,) by which the one site's mean of each label differs from the other's, less the mean difference.

    Shortened by the length that sampling alone gives it.
    """
    shared = _shared(vocabulary, one, other)
    if len(shared) < FEWEST_SHARED:
        return {}
    differences = np.stack(list(_differences(one, other, shared).values()))
    left = (differences - differences.mean(axis=0)) * np.sqrt(len(shared) / (len(shared) - 1))
    squared = np.maximum((left**2).sum(axis=1), CLOSEST**2)
    fewest = [min(other.patients[name] for name in shares) for shares in shared.values()]
    variances = [1 / one.patients[label] + 1 / patients for label, patients in zip(shared, fewest, strict=True)]
    kept = left * np.sqrt(np.maximum(1 - left.shape[1] * np.array(variances) / squared, 0.0))[:, None]
    return dict(zip(shared, kept, strict=True))


def _claim(judged: _Judged, scale: tuple[float, float], largest: Array) -> Claim:
    excess = (float(_excess(judged.difference, judged.ways)) - scale[0]) / scale[1]
    p = float((1 + (largest >= excess).sum()) / (1 + len(largest)))
    return Claim(
        site=judged.site,
        label=judged.label,
        against=judged.against,
        nearest=judged.rivals[int(judged.distances.argmin())],
        own=judged.own,
        other=float(judged.distances.min()),
        coarse=set(judged.mixture) != {judged.label},
        p=p,
        conflict=judged.clear and p <= ALPHA,
    )
