"""What a parcel's content must be, kind by kind, before it may enter the registry; its shapes were checked before.

The statistics' own consistency carries most of the weight. With sample weights w_i >= 0, one label an image and a
constant 1 as last feature M, the sums of `federated.statistics` have G_{M,j} = sum_c B_{j,c} and B_{M,c} = n_c, and by
Cauchy-Schwarz in each class the scatter within classes, G - sum_c B_c B_c^T / n_c, is positive semi-definite, which is
stronger than the same of G. Where some labels have a Gram matrix of their own, the same holds of each of them and of
what they leave over of G, so that none is larger than the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from federated.averaging import AverageManifest, UpdateManifest, check_update, check_values
from federated.decision_checks import check_growth, check_shown, check_tree
from federated.decision_summary import check_summary
from federated.errors import ContractError
from federated.fusion.targets import coarse_labels
from federated.manifest import (
    AdoptionManifest,
    ConsultationManifest,
    Contribution,
    DecisionManifest,
    FeaturesManifest,
    FrontEndCard,
    ReleaseManifest,
    ReportManifest,
    StatisticsManifest,
    SummaryManifest,
    SyntheticManifest,
    Tensors,
    WeightsManifest,
    WithdrawalManifest,
)
from federated.panel import Asked
from federated.report import check_report
from federated.statistics import Statistics
from federated.vocabulary import Vocabulary
from server.contributions import Blocks, blocks_of, reproduces
from server.spectrum import MAX_MEAN_SQUARE, Spectrum, check_spectrum

ROUNDING = 1e-9  # of the trace: rounding of float64 sums over a million rows stays below it
MAX_SIDE = 1024  # pixels
OTHER_KIND = {"statistics": "features", "features": "statistics"}


@dataclass(frozen=True)
class Expectations:
    """What the coordinator knows that a parcel's content is held against.

    Attributes:
        task, front_end, vocabulary: of the epoch.
        spectra: of each other site's statistics.
        counterpart: statistics that this site's current contribution of a batch and kind gives, or None.
        contributions: digests of this site's contributions that have not been withdrawn.
        candidate: digest and manifest of the candidate that reports are awaited on.
        release: the release of a digest, or None.
        average: digest and manifest of the global model that updates are awaited to.
        expert: what the expert network of a contribution says of an image, or None where none was taken in.
        summaries: this site's, newest first.
    """

    task: str
    front_end: FrontEndCard
    vocabulary: Vocabulary
    spectra: Mapping[str, Spectrum]
    counterpart: Callable[[str, str], Blocks | None]
    contributions: frozenset[str]
    candidate: tuple[str, ReleaseManifest] | None
    release: Callable[[str], ReleaseManifest | None]
    average: tuple[str, AverageManifest] | None
    expert: Callable[[str], Asked | None]
    summaries: Callable[[], Iterator[SummaryManifest]]


def check_content(manifest: Any, tensors: Tensors, expectations: Expectations) -> None:
    """Whether a site's parcel may enter the registry.

    Raises:
        ContractError: what is wrong with it.
    """
    for name, array in sorted(tensors.items()):
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ContractError("holds NaN or infinity", where=name, cure="recompute the contribution")
    if isinstance(manifest, Contribution):
        _check_contribution(manifest, expectations)
    CHECKS[manifest.kind](manifest, tensors, expectations)


def _check_contribution(manifest: Contribution, expectations: Expectations) -> None:
    if manifest.task != expectations.task:
        raise ContractError(f"is for task '{manifest.task}', this is '{expectations.task}'", where="task")
    if manifest.front_end != expectations.front_end.digest:
        raise ContractError(
            f"was made with another front end than this epoch's '{expectations.front_end.name}'",
            where="front_end",
            cure="use the front end of the kit and compute it again",
        )
    unknown = sorted(set(manifest.labels) - set(expectations.vocabulary.codes))
    if unknown:
        raise ContractError(f"'{unknown[0]}' is not in the vocabulary", where="labels", cure="map it or ask to add it")
    _check_counts(manifest)


def _check_counts(manifest: Contribution) -> None:
    if set(manifest.patients) != set(manifest.images):
        raise ContractError("patients and images are counted for different labels", where="patients")
    for label, patients in manifest.patients.items():
        if not patients <= manifest.images[label] or patients > manifest.batch_patients:
            raise ContractError(
                f"{patients} patients with {manifest.images[label]} images in a batch of {manifest.batch_patients}",
                where=f"label {label}",
            )


def _check_features_number(found: int, expectations: Expectations) -> None:
    if found != expectations.front_end.features:
        raise ContractError(f"{found} features, the front end has {expectations.front_end.features}", where="features")


def _check_statistics(manifest: StatisticsManifest, tensors: Tensors, expectations: Expectations) -> None:
    _check_features_number(manifest.features, expectations)
    if manifest.level_to_sites > manifest.level:
        raise ContractError("lets sites have more than the coordinator gets", where="level_to_sites")
    silent = coarse_labels(expectations.vocabulary, manifest.coarse)
    if silent != manifest.coarse:
        alone = next(label for label in manifest.coarse if label not in silent)
        raise ContractError(
            f"'{alone}' has a Gram matrix of its own and nothing below it", where="coarse", cure="leave that out"
        )
    _check_blocks(manifest, blocks_of(manifest, tensors, expectations.vocabulary), expectations)


def _check_features(manifest: FeaturesManifest, tensors: Tensors, expectations: Expectations) -> None:
    _check_features_number(manifest.features, expectations)
    for fold in manifest.folds:
        _check_rows(manifest, tensors, fold)
        _check_vectors(manifest, tensors[f"{fold}.features"], fold)
    _check_blocks(manifest, blocks_of(manifest, tensors, expectations.vocabulary), expectations)


def _check_rows(manifest: FeaturesManifest | ConsultationManifest, tensors: Tensors, fold: str, times: int = 1) -> None:
    """Labels, patients and weights of rows, of which an image has so many at most."""
    label, patient = tensors[f"{fold}.label"], tensors[f"{fold}.patient"]
    if not label.size:
        raise ContractError("has no rows", where=fold)
    if label.min() < 0 or label.max() >= len(manifest.labels):
        raise ContractError("points outside the labels declared", where=f"{fold}.label")
    numbers = np.unique(patient)
    if numbers[-1] >= manifest.batch_patients or not np.array_equal(numbers, np.arange(numbers.size)):
        raise ContractError("are not numbered from 0 within the batch", where=f"{fold}.patient")
    if fold == "train":
        _check_row_counts(manifest, label, patient, times)
    if (tensors[f"{fold}.weight"] < 0).any():
        raise ContractError("a weight is negative", where=f"{fold}.weight")


def _check_vectors(manifest: FeaturesManifest, features: NDArray[np.float64], fold: str) -> None:
    if (features[:, -1] != 1).any():
        raise ContractError("the last feature is not the constant 1", where=f"{fold}.features")
    if (np.square(features).sum(axis=1) > MAX_MEAN_SQUARE * manifest.features).any():
        raise ContractError("a feature vector is far too long", where=f"{fold}.features")


def _check_row_counts(
    manifest: FeaturesManifest | ConsultationManifest,
    label: NDArray[np.int64],
    patient: NDArray[np.int64],
    times: int,
) -> None:
    """Training rows are no more images and patients than the manifest counts."""
    for index, name in enumerate(manifest.labels):
        images, patients = int((label == index).sum()), len(np.unique(patient[label == index]))
        if images > times * manifest.images.get(name, 0) or patients > manifest.patients.get(name, 0):
            raise ContractError(f"{images} rows of {patients} patients, more than declared", where=f"label {name}")


def _check_consultation(manifest: ConsultationManifest, tensors: Tensors, expectations: Expectations) -> None:
    for each in manifest.panel:
        known = expectations.expert(each.contribution)
        if known is None:
            raise ContractError("is no expert network that was taken in", where=f"expert {each.contribution[:23]}")
        if each not in (known, known.model_copy(update={"means": 0})):
            raise ContractError("says something of another size", where=f"expert {each.contribution[:23]}")
    for fold in manifest.folds:
        times = 1 + (manifest.copies if fold == "train" else 0)
        _check_rows(manifest, tensors, fold, times)
        _check_total(manifest, fold, float(tensors[f"{fold}.weight"].sum()) / times)
    check_values(tensors)


def _check_blocks(manifest: StatisticsManifest | FeaturesManifest, blocks: Blocks, expectations: Expectations) -> None:
    images = sum(manifest.images.values())  # of the training fold
    for fold, block in blocks.items():
        _check_weight(manifest, fold, block)
        _check_sums(block, fold)
        _check_grams(block, fold)
        check_spectrum(block, fold, images if fold == "train" else None, expectations.spectra.values())
    other = expectations.counterpart(manifest.batch, OTHER_KIND[manifest.kind])
    if other is not None and not reproduces(other, blocks):
        raise ContractError(
            f"does not agree with the {OTHER_KIND[manifest.kind]} sent for the same batch",
            where=f"batch {manifest.batch}",
            cure="withdraw the other one first",
        )


def _check_weight(manifest: Contribution, fold: str, block: Statistics) -> None:
    """A training fold weighs at most one for each patient and label.

    A validation fold is balanced by the training fold's counts, so that one patient may weigh as much as all of them.
    """
    if (block.weights < 0).any():
        raise ContractError("is negative or nothing at all", where=f"{fold}.weights")
    _check_total(manifest, fold, float(block.weights.sum()))


def _check_total(manifest: Contribution, fold: str, total: float) -> None:
    patients = sum(manifest.patients.values())
    if total <= 0:
        raise ContractError("is negative or nothing at all", where=f"{fold}.weights")
    limit = patients if fold == "train" else patients * manifest.batch_patients
    if total > limit * (1 + 1e-6):
        raise ContractError(f"sums to {total:.6g}, at most {limit} fit the patients declared", where=f"{fold}.weights")


def _check_sums(block: Statistics, fold: str) -> None:
    """The constant feature's class sums are the weights; a class without weight has no sums."""
    if not np.allclose(block.class_sums[-1], block.weights, rtol=ROUNDING, atol=0):
        raise ContractError("the constant feature does not sum to the weights", where=f"{fold}.class_sums")
    if block.class_sums[:, block.weights == 0].any():
        raise ContractError("holds sums of a class that has no weight", where=f"{fold}.class_sums")


def _check_grams(block: Statistics, fold: str) -> None:
    """The whole, then each label's own, then what these leave over of the whole."""
    if block.gram is None:
        return
    _check_gram(block.gram, block, fold)
    for label, own in block.own_grams.items():
        _check_gram(own, block.known((label,)), f"label {label} in {fold}", block)
    if block.own_grams:
        left = block.gram_without(tuple(block.own_grams))
        assert left is not None
        rest = block.known(tuple(label for label in block.labels if label not in block.own_grams))
        _check_gram(left, rest, f"other labels in {fold}", block)


def _check_gram(gram: NDArray[np.float64], block: Statistics, fold: str, whole: Statistics | None = None) -> None:
    """Of the images of these classes; `whole` is what it is a part of, by which rounding is measured."""
    trace = float(np.trace(gram if whole is None or whole.gram is None else whole.gram))
    weight = float((block if whole is None else whole).weights.sum())
    slack = 10 * ROUNDING * np.sqrt(max(trace, 0.0) * weight)
    if not block.weights.any() and np.abs(gram).max() > ROUNDING * trace:
        raise ContractError("holds images of no label", where=f"{fold}.gram")
    if not np.abs(gram[-1] - block.class_sums.sum(axis=1)).max() <= slack:
        raise ContractError("its constant feature does not agree with the class sums", where=f"{fold}.gram")
    held = block.weights > 0
    sums = block.class_sums[:, held]
    within = gram - (sums / block.weights[held]) @ sums.T
    if not _is_positive(within, ROUNDING * trace):
        raise ContractError(
            "is not a Gram matrix of these class sums (not positive semi-definite)", where=f"{fold}.gram"
        )


def _is_positive(matrix: NDArray[np.float64], slack: float) -> bool:
    try:
        np.linalg.cholesky(matrix + slack * np.eye(matrix.shape[0]))
    except np.linalg.LinAlgError:
        return False
    return True


def _check_weights(manifest: WeightsManifest, tensors: Tensors, expectations: Expectations) -> None:
    """The tensors are the state of the declared network, which is built without memory to read off their shapes."""
    from shared_models.registry import labels_of, state_form

    try:
        expected = state_form(manifest.architecture, **manifest.config)
        labels = labels_of(manifest.architecture, manifest.config)
    except (TypeError, ValueError, KeyError, RuntimeError) as error:
        raise ContractError(f"cannot be built ({error})", where=f"architecture {manifest.architecture}") from error
    if manifest.config.get("features", expectations.front_end.features) != expectations.front_end.features:
        raise ContractError("does not fit the features of this epoch's front end", where="config")
    found = {name: (str(array.dtype), array.shape) for name, array in tensors.items()}
    for name in sorted(set(expected) | set(found)):
        if found.get(name) != expected.get(name):
            raise ContractError(f"is {found.get(name)}, the network has {expected.get(name)}", where=f"tensor {name}")
    if labels not in (None, len(manifest.labels)):
        raise ContractError(f"speaks of {labels} labels, the manifest of {len(manifest.labels)}", where="config")
    check_values(tensors)


def _check_update(manifest: UpdateManifest, tensors: Tensors, expectations: Expectations) -> None:
    if expectations.average is None:
        raise ContractError("answers a global model, and none asks for updates now", where=f"round {manifest.round}")
    check_update(manifest, tensors, *expectations.average)


def _check_synthetic(manifest: SyntheticManifest, tensors: Tensors, _: Expectations) -> None:
    images, label = tensors["images"], tensors["label"]
    if not images.size or max(images.shape[1:]) > MAX_SIDE:
        raise ContractError(f"are {images.shape}, at most {MAX_SIDE} pixels a side are taken", where="images")
    if label.min() < 0 or label.max() >= len(manifest.labels):
        raise ContractError("points outside the labels declared", where="label")


def _check_report(manifest: ReportManifest, tensors: Tensors, expectations: Expectations) -> None:
    if expectations.candidate is None or manifest.candidate != expectations.candidate[0]:
        raise ContractError(
            "is about another candidate than the current one", where="candidate", cure="report on the newest candidate"
        )
    if manifest.site not in {site.name for site in expectations.candidate[1].sites}:
        raise ContractError("the site has no part in the candidate", where=manifest.site)
    check_report(manifest, tensors, expectations.candidate[1])


def _known_release(digest: str, expectations: Expectations) -> ReleaseManifest:
    release = expectations.release(digest)
    if release is None:
        raise ContractError("names a release that was never made", where="release")
    return release


def _check_summary(manifest: SummaryManifest, tensors: Tensors, expectations: Expectations) -> None:
    check_summary(manifest, tensors, _known_release(manifest.release, expectations))
    check_growth(manifest, next(expectations.summaries(), None))


def _check_decision(manifest: DecisionManifest, tensors: Tensors, expectations: Expectations) -> None:
    check_shown(manifest, tensors, _known_release(manifest.release, expectations))
    check_tree(manifest, expectations.summaries())


def _check_adoption(manifest: AdoptionManifest, _: Tensors, expectations: Expectations) -> None:
    _known_release(manifest.release, expectations)


def _check_withdrawal(manifest: WithdrawalManifest, _: Tensors, expectations: Expectations) -> None:
    unknown = sorted(set(manifest.contributions) - expectations.contributions)
    if unknown:
        raise ContractError("is no contribution of this site, or was withdrawn before", where=unknown[0])


CHECKS: dict[str, Callable[[Any, Tensors, Expectations], None]] = {
    "statistics": _check_statistics,
    "features": _check_features,
    "weights": _check_weights,
    "update": _check_update,
    "synthetic": _check_synthetic,
    "consultation": _check_consultation,
    "report": _check_report,
    "summary": _check_summary,
    "decision": _check_decision,
    "adoption": _check_adoption,
    "withdrawal": _check_withdrawal,
}
