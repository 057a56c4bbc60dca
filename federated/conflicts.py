"""Labels that sites use differently: a site's mean image of a label that looks like another label's elsewhere.

From the means, weights and within-class covariance that a release carries. Site k's mean of label c is held against
each other site j that has the label: with x its coordinates, in which images of a label at a site have covariance one
(leading directions of the release's subspace), a those of j's mean of c, and d_kj the mean difference between the two
sites over the *other* labels that both hold (two machines shift all labels alike), the label is in conflict where
x - d_kj lies nearer to j's mean of some label that excludes c than to a, by more than chance.

Chance is drawn, not derived. 999 times every mean gets the noise that its patients leave (covariance I / n_kc) and a
random mixture of what sites are seen to differ in (from labels that are not suspected), around places that are the same
for all sites and as far apart as the observed ones are beyond noise. The largest excess over all labels and pairs of
sites is what an observed one is compared with, so that the whole record is tested at 5 %.

A coarse label may be any mixture of what lies below it: a is then the nearest mixture of j's means of those. A label
whose only counterpart is coarser is not judged, nor one of a site pair that has no other label in common. A conflict
says that two sites differ, not who is right, and not why: machines that move labels by more than the labels differ, and
each label otherwise, look the same in the means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

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
SUM_TO_ONE = 1e4
_Cell = tuple[str, str]  # site and label


class Claim(Frozen):
    """One site's label held against another site.

    Attributes:
        own, other: distances of the site's mean image, the difference between the two sites taken away, to the other
            site's mean of the same label and of the nearest label that excludes it, in standard deviations of images.
        nearest: that label.
        coarse: the other site has finer labels instead; `own` is the distance to their nearest mixture.
        p: the chance of such an excess anywhere in the record if all sites meant the same.
        conflict: whether `other` is the smaller and `p` at most 5 %.
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
        rest: labels that both sites hold, but for this one: their mean difference is that of the sites.
        mixture: shares of the other site's labels in its nearest counterpart.
        rivals: labels of the other site that exclude this one.
        difference: (q,) from the counterpart to the site's mean, without the difference of the sites.
        ways: (rivals, q) from the counterpart to the rivals' means.
    """

    site: str
    against: str
    label: str
    rest: tuple[str, ...]
    mixture: Mapping[str, float]
    rivals: tuple[str, ...]
    difference: Array
    ways: Array


def label_conflicts(model: FusedModel, *, draws: int = DRAWS, seed: int = SEED) -> Conflicts:
    """Every label of every site held against every other site of a release.

    Args:
        model: the release; class sums and weights suffice.
        draws: of what chance does.
        seed: of the draws.
    """
    sites = _held(model)
    pairs = [(one, other) for one in sites for other in sites if one.name != other.name]
    vocabulary = model.manifest.vocabulary
    related = [(one, other, label) for one, other in pairs for label in _related(vocabulary, one, other)]
    tried = [_judge(vocabulary, one, other, label) for one, other, label in related]
    judged = [each for each in tried if each is not None]
    chance = _largest_by_chance(sites, judged, draws, seed)
    unjudged = [
        (one.name, label, other.name) for (one, other, label), each in zip(related, tried, strict=True) if each is None
    ]
    return Conflicts(claims=tuple(_claim(each, chance) for each in judged), unjudged=tuple(unjudged))


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
    same = [name for name in other.means if target(vocabulary, name, label) == 1]
    rivals = tuple(name for name in other.means if target(vocabulary, name, label) == 0)
    rest = tuple(name for name in one.means if name in other.means and name != label)
    if not (same and rivals and rest):
        return None
    shift = np.mean([one.means[name] - other.means[name] for name in rest], axis=0)
    place = one.means[label] - shift
    mixture = _nearest_mixture(place, np.stack([other.means[name] for name in same]))
    counterpart = mixture @ np.stack([other.means[name] for name in same])
    ways = np.stack([other.means[name] for name in rivals]) - counterpart
    shares = dict(zip(same, mixture.tolist(), strict=True))
    return _Judged(one.name, other.name, label, rest, shares, rivals, place - counterpart, ways)


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


def _largest_by_chance(sites: Sequence[_Held], judged: Sequence[_Judged], draws: int, seed: int) -> Array:
    """(draws,) largest excess where every label means the same to all sites."""
    seen = _seen_differences(sites, judged)
    rng = np.random.default_rng(seed)
    noise = {
        (site.name, label): rng.normal(size=(draws, len(mean))) / np.sqrt(site.patients[label])
        + rng.normal(size=(draws, len(seen))) @ seen
        for site in sites
        for label, mean in site.means.items()
    }
    variances = {
        (site.name, label): len(mean) / site.patients[label] + float((seen**2).sum())
        for site in sites
        for label, mean in site.means.items()
    }
    largest = np.full(draws, -np.inf)
    for each in judged:
        np.maximum(largest, _by_chance(each, variances, noise), out=largest)
    return largest


def _by_chance(judged: _Judged, variances: Mapping[_Cell, float], noise: Mapping[_Cell, Array]) -> Array:
    """(draws,) excesses of one label whose counterpart and rivals are as far apart as beyond noise.

    `variances` are summed over directions, `noise` is (draws, q).
    """
    one, other = judged.site, judged.against
    shift = np.mean([noise[one, name] - noise[other, name] for name in judged.rest], axis=0)
    counterpart = np.sum([share * noise[other, name] for name, share in judged.mixture.items()], axis=0)
    own = sum(share**2 * variances[other, name] for name, share in judged.mixture.items())
    by_noise = np.array([own + variances[other, name] for name in judged.rivals])
    squared = np.maximum((judged.ways**2).sum(axis=1), CLOSEST**2)
    shrunk = judged.ways * np.sqrt(np.maximum(1 - by_noise / squared, 0.0))[:, None]
    rivals = np.stack([noise[other, name] for name in judged.rivals], axis=1)
    return _excess(noise[one, judged.label] - shift - counterpart, shrunk + rivals - counterpart[:, None])


def _seen_differences(sites: Sequence[_Held], judged: Sequence[_Judged]) -> Array:
    """(N, q) R, such that R^T R is the covariance by which a site's mean of a label strays beyond sampling.

    Not of suspected labels, whose difference is what is asked about.
    """
    suspected = {
        (frozenset((each.site, each.against)), each.label) for each in judged if _excess(each.difference, each.ways) > 0
    }
    rows = [
        row
        for one, other in combinations(sites, 2)
        for label, row in _beyond_sampling(one, other).items()
        if (frozenset((one.name, other.name)), label) not in suspected
    ]
    size = len(next(iter(sites[0].means.values())))
    stacked = np.array(rows, dtype=np.float64).reshape(len(rows), size)
    return np.asarray(stacked / np.sqrt(2 * max(len(rows), 1)))


def _beyond_sampling(one: _Held, other: _Held) -> dict[str, Array]:
    """(q,) by which two sites' means of each label that both hold differ, less the mean difference.

    Shortened by the length that sampling alone gives it.
    """
    shared = [label for label in one.means if label in other.means]
    if len(shared) < 2:
        return {}
    differences = np.stack([one.means[label] - other.means[label] for label in shared])
    left = (differences - differences.mean(axis=0)) * np.sqrt(len(shared) / (len(shared) - 1))
    squared = np.maximum((left**2).sum(axis=1), CLOSEST**2)
    sampling = left.shape[1] * np.array([1 / one.patients[label] + 1 / other.patients[label] for label in shared])
    kept = left * np.sqrt(np.maximum(1 - sampling / squared, 0.0))[:, None]
    return dict(zip(shared, kept, strict=True))


def _claim(judged: _Judged, chance: Array) -> Claim:
    excess = float(_excess(judged.difference, judged.ways))
    distances = np.linalg.norm(judged.difference - judged.ways, axis=1)
    p = float((1 + (chance >= excess).sum()) / (1 + len(chance)))
    return Claim(
        site=judged.site,
        label=judged.label,
        against=judged.against,
        nearest=judged.rivals[int(distances.argmin())],
        own=float(np.linalg.norm(judged.difference)),
        other=float(distances.min()),
        coarse=set(judged.mixture) != {judged.label},
        p=p,
        conflict=excess > 0 and p <= ALPHA,
    )
