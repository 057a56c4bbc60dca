"""What passes between a site and the coordinator: typed, frozen, versioned, with declared shapes and limits.

A manifest is canonical JSON (RFC 8785) beside one safetensors file; its digest covers both, because it names the digest
of the tensors. It holds no time and no signature, so equal content has an equal digest wherever it was made.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
import rfc8785
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load as load_safetensors
from safetensors.numpy import save as save_safetensors

from federated.canonical import digest
from federated.errors import ContractError, DamagedError
from federated.faults import DIGEST, LABEL, NAME, first_fault
from federated.vocabulary import Vocabulary

Digest = Annotated[str, StringConstraints(pattern=DIGEST)]
Name = Annotated[str, StringConstraints(pattern=NAME)]
Label = Annotated[str, StringConstraints(pattern=LABEL)]
Count = Annotated[int, Field(ge=0, le=10**9)]
Version = Annotated[int, Field(ge=1, le=10**6)]
Fold = Literal["train", "validation"]
Unit = Literal["image", "clip"]
Scalar = bool | int | float | str
RuleName = Literal[
    "closed-form",
    "joint-ridge",
    "nearest-mean",
    "discriminant",
    "max-logit",
    "max-softmax",
    "routing",
    "score-sum",
    "gated",
    "gated-discrepancy",
]
Tensors = dict[str, NDArray[Any]]

MAX_MANIFEST_BYTES = 4 * 2**20
MAX_TENSORS_BYTES = 512 * 2**20
MAX_FEATURES = 4096
MAX_LABELS = 256
DTYPES: dict[Literal["F64", "F32", "I64", "U8"], type[np.generic]] = {
    "F64": np.float64,
    "F32": np.float32,
    "I64": np.int64,
    "U8": np.uint8,
}


def _is_empty(names: tuple[object, ...]) -> bool:
    """Left out of the canonical bytes: what has no partial labels reads as it did before there were any."""
    return not names


class Frozen(BaseModel):
    """Base of everything that is written down: strict types, no unknown fields, immutable."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class TensorSpec(Frozen):
    """Declared type and shape of one tensor of the safetensors file."""

    dtype: Literal["F64", "F32", "I64", "U8"]
    shape: tuple[Annotated[int, Field(ge=0, le=2**31)], ...] = Field(max_length=6)


class Manifest(Frozen):
    """Common part of every kind."""

    version: Literal[1] = 1
    federation: Name
    tensors: dict[str, TensorSpec]
    tensors_digest: Digest


class FrontEndCard(Frozen):
    """Which frozen front end made the features: statistics of different front ends never mix."""

    name: Name
    config: dict[str, Scalar]
    digest: Digest
    features: Annotated[int, Field(ge=1, le=MAX_FEATURES)]


class Contribution(Manifest):
    """Common part of the four kinds that carry a model.

    `expert` is the version of the site's expert that the batch is of: another machine is another version, which stands
    beside those before it. The first version is not written, so that manifests from before there were others read the
    same.
    """

    site: Name
    task: Name
    front_end: Digest
    batch: Name
    labels: tuple[Label, ...] = Field(min_length=1, max_length=MAX_LABELS)
    patients: dict[Label, Count]
    images: dict[Label, Count]
    batch_patients: Count
    expert: Version = Field(default=1, exclude_if=lambda version: version == 1)


class StatisticsManifest(Contribution):
    """Sufficient statistics of frozen features, one block a fold.

    Tensors, for each fold: ``{fold}.gram`` (M(M+1)/2,) packed upper triangle, level 2 only; ``{fold}.class_sums`` (M,
    C); ``{fold}.weights`` (C,) sums of sample weights; all float64. `level` is what the coordinator gets,
    `level_to_sites` what its releases may carry on to other sites and to auditors. `coarse` are labels that say nothing
    of concepts below them: ``{fold}.gram.{i}``, packed, is of the images of the i-th alone.
    """

    kind: Literal["statistics"] = "statistics"
    level: Literal[1, 2]
    level_to_sites: Literal[1, 2]
    features: Annotated[int, Field(ge=1, le=MAX_FEATURES)]
    folds: tuple[Fold, ...] = Field(min_length=1, max_length=2)
    coarse: tuple[Label, ...] = Field(default=(), max_length=MAX_LABELS, exclude_if=_is_empty)


def own_gram_name(fold: str, index: int) -> str:
    """The tensor of the Gram matrix of the images of one coarse label."""
    return f"{fold}.gram.{index:03d}"


class FeaturesManifest(Contribution):
    """Feature vectors, one row an image, from which a coordinator derives the statistics itself.

    Tensors, for each fold: ``{fold}.features`` (n, M) float64, ``{fold}.label`` (n,) int64 index into labels,
    ``{fold}.weight`` (n,) float64, ``{fold}.patient`` (n,) int64, numbered from 0 in an order that says nothing.
    """

    kind: Literal["features"] = "features"
    features: Annotated[int, Field(ge=1, le=MAX_FEATURES)]
    folds: tuple[Fold, ...] = Field(min_length=1, max_length=2)


class WeightsManifest(Contribution):
    """A trained network: its name in the registry of models, its configuration, and its state."""

    kind: Literal["weights"] = "weights"
    architecture: Name
    config: dict[str, Scalar]


class SyntheticManifest(Contribution):
    """Generated samples with labels, after a privacy filter.

    Tensors: ``images`` (n, H, W) uint8, ``label`` (n,) int64 index into labels.
    """

    kind: Literal["synthetic"] = "synthetic"
    generator: Name
    privacy_filter: Name
    threshold: float


class ReportManifest(Manifest):
    """Counts that a site computed on a candidate release with its own validation and calibration patients.

    Tensors: ``covariance`` (C_k, q(q+1)/2) packed, float64, of `labels` in the candidate's leading directions;
    ``standard.image`` and ``standard.clip`` (3, 2) mean and standard deviation of the three in-distribution scores over
    validation patients; ``calibration.image`` and ``calibration.clip`` (bins,) int64 histograms of the refusal score,
    one item a patient; ``nll`` (T,) sums of the negative log-likelihood on the temperature grid and ``nll_count`` (1,),
    float64; ``score_correct`` (2, 20) int64 histogram of the top probability, wrong and right; ``confusion`` (C, C)
    int64 validation clips by (true, answered) over the candidate's labels. Where `steps` names concepts that answers go
    down from, ``steps.image`` and ``steps.clip`` (len(steps), 1 + bins) int64 count patients: first those whose step
    down was right, then the margins of the wrong ones.
    """

    kind: Literal["report"] = "report"
    site: Name
    candidate: Digest
    labels: tuple[Label, ...]
    validation_patients: Count
    calibration_patients: Count
    cross_fitted_patients: Count = 0
    steps: tuple[Label, ...] = Field(default=(), max_length=MAX_LABELS, exclude_if=_is_empty)


class SummaryManifest(Manifest):
    """Floored aggregates of a site's decisions. Tensors: ``answered`` (C,) int64, ``abstained`` (1,) int64."""

    kind: Literal["summary"] = "summary"
    site: Name
    release: Digest
    labels: tuple[Label, ...]
    decisions: Count
    patients: Count


class DecisionManifest(Manifest):
    """One decision exported for replay: it holds a patient's features. Tensors: ``features`` (n, M) float64."""

    kind: Literal["decision"] = "decision"
    site: Name
    release: Digest
    decision: dict[str, Any]


class AdoptionManifest(Manifest):
    """What a site did with a release after evaluating it on its own patients. No tensors."""

    kind: Literal["adoption"] = "adoption"
    site: Name
    release: Digest
    choice: Literal["adopted", "pinned", "refused"]
    reason: Annotated[str, StringConstraints(max_length=200)] = ""


class WithdrawalManifest(Manifest):
    """A site takes contributions back. No tensors."""

    kind: Literal["withdrawal"] = "withdrawal"
    site: Name
    contributions: tuple[Digest, ...] = Field(min_length=1)


class ReleaseSite(Frozen):
    """What a release holds of one site.

    `versions` of its expert are those of the contributions, in order; where there is only the first, it is not written.
    `coarse` are labels whose own Gram matrices are carried beside the whole one.
    """

    name: Name
    labels: tuple[Label, ...]
    contributions: tuple[Digest, ...]
    patients: dict[Label, Count]
    gram: Literal["released", "kept", "imputed"]
    report: Digest | None
    calibration: Literal["own", "cross-fitted", "pooled", "none"]
    calibration_patients: Count
    coarse: tuple[Label, ...] = Field(default=(), exclude_if=_is_empty)
    versions: tuple[Version, ...] = Field(default=(1,), min_length=1, exclude_if=lambda versions: versions == (1,))


class Hyperparameters(Frozen):
    """Of the closed-form fusion (section 2 of the method page): ridge λ, scatter γ, outside weight ρ."""

    ridge: Annotated[float, Field(gt=0)]
    scatter: Annotated[float, Field(ge=0)]
    outside: Annotated[float, Field(ge=0, le=1)]
    mode: Literal["shared", "isolated"] = "shared"


class ExpertCard(Frozen):
    """A weights contribution that a release names."""

    site: Name
    contribution: Digest
    architecture: Name
    labels: tuple[Label, ...]


class System(Frozen):
    """One solved system that a release carries, with nobody silenced: the labels that the same sites hold.

    `inside` are those sites, `outside` the others (weighted by ρ); `silent` are the (site, label) whose images are left
    out; `inverse` says whether the system's inverse is carried too, from which evidence shares are computed where Gram
    matrices are kept back.
    """

    inside: tuple[Name, ...]
    outside: tuple[Name, ...]
    labels: tuple[Label, ...]
    inverse: bool
    silent: tuple[tuple[Name, Label], ...] = Field(default=(), exclude_if=_is_empty)


class ReleaseManifest(Manifest):
    """The fused model, as a candidate (before the sites' reports) or as a release.

    `rule` says how scores come about; where it is not the closed form, `lacking` are the sites that have labels in the
    release and no part in its scores, because the rule needs more of them than they sent. Tensors are listed in
    `federated.release`.
    """

    kind: Literal["candidate", "release"]
    number: Annotated[int, Field(ge=1)]
    previous: Digest | None
    candidate: Digest | None
    task: Name
    front_end: FrontEndCard
    vocabulary: Vocabulary
    labels: tuple[Label, ...]
    sites: tuple[ReleaseSite, ...]
    experts: tuple[ExpertCard, ...]
    hyperparameters: Hyperparameters
    weighting: Literal["refit", "graded", "scaled", "none"]
    alpha: Annotated[float, Field(gt=0, lt=1)]
    temperature: Annotated[float, Field(gt=0)]
    systems: tuple[System, ...]
    steps: tuple[Label, ...] = Field(default=(), exclude_if=_is_empty)
    rule: RuleName = Field(default="closed-form", exclude_if=lambda rule: rule == "closed-form")
    lacking: tuple[Name, ...] = Field(default=(), exclude_if=_is_empty)


class RecallManifest(Manifest):
    """The coordinator takes a release back; sites fall back to `fallback`, or to none. No tensors."""

    kind: Literal["recall"] = "recall"
    release: Digest
    fallback: Digest | None
    reason: Annotated[str, StringConstraints(max_length=200)] = ""


AnyManifest = Annotated[
    StatisticsManifest
    | FeaturesManifest
    | WeightsManifest
    | SyntheticManifest
    | ReportManifest
    | SummaryManifest
    | DecisionManifest
    | AdoptionManifest
    | WithdrawalManifest
    | ReleaseManifest
    | RecallManifest,
    Field(discriminator="kind"),
]
MODEL_KINDS = ("statistics", "features", "weights", "synthetic")
NUMBER_KINDS = ("report", "summary", "decision")
SITE_KINDS = (*MODEL_KINDS, *NUMBER_KINDS, "adoption", "withdrawal")
COORDINATOR_KINDS = ("candidate", "release", "recall")
_ADAPTER: TypeAdapter[Any] = TypeAdapter(AnyManifest)


def pack_tensors(tensors: Tensors) -> tuple[bytes, dict[str, TensorSpec], str]:
    """Tensors as safetensors bytes, with the specification and digest a manifest declares."""
    arrays = {name: np.asarray(array, order="C") for name, array in sorted(tensors.items())}
    specs = {name: TensorSpec(dtype=_dtype_name(array, name), shape=array.shape) for name, array in arrays.items()}
    data = save_safetensors(arrays)
    return data, specs, digest(data)


def _dtype_name(array: NDArray[Any], where: str) -> Literal["F64", "F32", "I64", "U8"]:
    for name, dtype in DTYPES.items():
        if array.dtype == dtype:
            return name
    raise ContractError(f"is {array.dtype}, only float64, float32, int64 and uint8 are taken", where=where)


def unpack_tensors(data: bytes, manifest: Manifest) -> Tensors:
    """Tensors of a manifest.

    Raises:
        ContractError: the bytes have another digest, are not what `pack_tensors` writes (which leaves no room for
            anything beside the tensors), or hold other names, types or shapes than declared.
    """
    if len(data) > MAX_TENSORS_BYTES:
        raise ContractError(f"{len(data)} bytes of tensors, at most {MAX_TENSORS_BYTES} are taken", where="tensors")
    if digest(data) != manifest.tensors_digest:
        raise DamagedError(
            "the tensors are not the ones the manifest names", where="tensors", cure="ask for them again"
        )
    try:
        tensors = load_safetensors(data)
    except (SafetensorError, ValueError, KeyError, OverflowError) as error:
        raise ContractError(f"not a safetensors file ({error})", where="tensors") from error
    if set(tensors) != set(manifest.tensors):
        raise ContractError(
            "other tensors than declared", where=", ".join(sorted(set(tensors) ^ set(manifest.tensors)))
        )
    for name, spec in manifest.tensors.items():
        if tensors[name].dtype != DTYPES[spec.dtype] or tensors[name].shape != spec.shape:
            raise ContractError(
                f"is {tensors[name].dtype}{tensors[name].shape}, declared {spec.dtype}{spec.shape}", where=name
            )
    if pack_tensors(tensors)[2] != manifest.tensors_digest:
        raise ContractError("hold more than the declared tensors", where="tensors")
    return tensors


def manifest_bytes(manifest: Manifest) -> bytes:
    """Canonical bytes; their digest identifies the manifest and its tensors."""
    return rfc8785.dumps(manifest.model_dump(mode="json"))


def manifest_digest(manifest: Manifest) -> str:
    """``sha256:…`` of the canonical bytes."""
    return digest(manifest_bytes(manifest))


def parse_manifest(data: bytes) -> Any:
    """The manifest in canonical bytes, as the class of its kind.

    Raises:
        ContractError: too long, not JSON, not canonical, or not of a known kind and version.
    """
    if len(data) > MAX_MANIFEST_BYTES:
        raise ContractError(f"{len(data)} bytes, at most {MAX_MANIFEST_BYTES} are taken", where="manifest")
    try:
        manifest = _ADAPTER.validate_json(data)
    except ValidationError as error:
        raise ContractError(first_fault(error), where="manifest") from error
    try:
        same = manifest_bytes(manifest) == data
    except rfc8785.CanonicalizationError as error:
        raise ContractError(str(error), where="manifest") from error
    if not same:
        raise ContractError("is not in canonical form (RFC 8785)", where="manifest")
    return manifest
