"""What passes between a site and the coordinator: typed, frozen, versioned, with declared shapes and limits.

A manifest is canonical JSON (RFC 8785) beside one safetensors file; its digest covers both, because it names the digest
of the tensors. It holds no time and no signature, so equal content has an equal digest wherever it was made.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import rfc8785
from pydantic import Field, StringConstraints, TypeAdapter, ValidationError, model_validator

from federated.averaging import AverageManifest, UpdateManifest
from federated.contract import (
    DTYPES,
    MAX_FEATURES,
    MAX_LABELS,
    MAX_TENSORS_BYTES,
    Contribution,
    Count,
    Digest,
    Fold,
    FrontEndCard,
    Frozen,
    Label,
    Manifest,
    Name,
    Scalar,
    Tensors,
    TensorSpec,
    Unit,
    Version,
    is_empty,
    manifest_bytes,
    manifest_digest,
    pack_tensors,
    unpack_tensors,
)
from federated.decision import Decision
from federated.decision_record import Hash, Proof, Record
from federated.errors import ContractError
from federated.faults import first_fault
from federated.panel import ConsultationManifest, ExpertManifest, PanelCard, width_of
from federated.vocabulary import Vocabulary

__all__ = [  # of `contract`, for those who read manifests; what is defined here is public as well
    "DTYPES",
    "MAX_FEATURES",
    "MAX_LABELS",
    "MAX_TENSORS_BYTES",
    "AverageManifest",
    "ConsultationManifest",
    "Contribution",
    "Count",
    "Digest",
    "ExpertManifest",
    "Fold",
    "FrontEndCard",
    "Frozen",
    "Label",
    "Manifest",
    "Name",
    "Scalar",
    "TensorSpec",
    "Tensors",
    "Unit",
    "UpdateManifest",
    "Version",
    "manifest_bytes",
    "manifest_digest",
    "pack_tensors",
    "unpack_tensors",
]

MAX_MANIFEST_BYTES = 4 * 2**20
CELL = r"^[a-z_]{1,32}\.[A-Za-z0-9_.+-]{1,64}$"
RuleName = Literal[
    "closed-form",
    "joint-ridge",
    "masked-ridge",
    "nearest-mean",
    "discriminant",
    "scattered-discriminant",
    "max-logit",
    "max-softmax",
    "routing",
    "score-sum",
    "ungated",
    "gated",
    "gated-discrepancy",
    "gated-experts",
    "gated-experts-discrepancy",
]


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
    coarse: tuple[Label, ...] = Field(default=(), max_length=MAX_LABELS, exclude_if=is_empty)


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
    steps: tuple[Label, ...] = Field(default=(), max_length=MAX_LABELS, exclude_if=is_empty)


class SummaryManifest(Manifest):
    """Floored sums over the answers that a site gave to whole clips by one release, and how far its decision log goes.

    Tensors are those of `federated.decision_summary`. A cell behind which there are too few patients is zero, and named
    in `suppressed` (``answered.a4c``).

    Attributes:
        labels: the release's, then the concepts above them that an answer may stop at.
        sites: the release's.
        first, last: numbers of the records that are counted, both included.
        size, root: the tree that holds them.
        since, proof: a size before, and what proves that the tree goes on from there; 0 and nothing at first.
        decisions, patients: behind what is told.
    """

    kind: Literal["summary"] = "summary"
    site: Name
    release: Digest
    labels: tuple[Label, ...] = Field(min_length=1, max_length=MAX_LABELS)
    sites: tuple[Name, ...] = Field(min_length=1)
    first: Count
    last: Count
    size: Count
    root: Hash
    since: Count
    proof: Proof
    decisions: Count
    patients: Count
    suppressed: tuple[Annotated[str, StringConstraints(pattern=CELL)], ...]

    @model_validator(mode="after")
    def _its_numbers_fit(self) -> SummaryManifest:
        if not (self.first <= self.last < self.size and self.since <= self.size):
            raise ValueError("its records are not in the tree that it names")
        return self


class DecisionManifest(Manifest):
    """One record of a site's decision log, opened whole, with the proof that it is there.

    Tensors: of a decision ``features`` (n, M) float64, a patient's; of a flag none.

    Attributes:
        release: that answered.
        record: the leaf.
        decision: the answer that it names, image and clip under their keyed names; None of a flag.
        size, root, proof: the tree, and how the leaf hangs in it.
        draw: digest of the draw that this answers; None where nobody drew.
    """

    kind: Literal["decision"] = "decision"
    site: Name
    release: Digest
    record: Record
    decision: Decision | None
    size: Count
    root: Hash
    proof: Proof
    draw: Digest | None = None


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
    coarse: tuple[Label, ...] = Field(default=(), exclude_if=is_empty)
    versions: tuple[Version, ...] = Field(default=(1,), min_length=1, exclude_if=lambda versions: versions == (1,))


class Hyperparameters(Frozen):
    """Of the closed-form fusion (section 2 of the method page): ridge λ, scatter γ, outside weight ρ, volume N.

    Without a volume, a site's label counts by its patients.
    """

    ridge: Annotated[float, Field(gt=0)]
    scatter: Annotated[float, Field(ge=0)]
    outside: Annotated[float, Field(ge=0, le=1)]
    mode: Literal["shared", "isolated"] = "shared"
    volume: Annotated[float | None, Field(gt=1, exclude_if=lambda volume: volume is None)] = None


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
    silent: tuple[tuple[Name, Label], ...] = Field(default=(), exclude_if=is_empty)


class ReleaseManifest(Manifest):
    """The fused model, as a candidate (before the sites' reports) or as a release.

    `rule` says how scores come about; where it is not the closed form, `lacking` are the sites that have labels in the
    release and no part in its scores, because the rule needs more of them than they sent; `panel` are the networks
    that a rule of networks consults. Tensors are listed in `federated.release`.
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
    steps: tuple[Label, ...] = Field(default=(), exclude_if=is_empty)
    rule: RuleName = Field(default="closed-form", exclude_if=lambda rule: rule == "closed-form")
    lacking: tuple[Name, ...] = Field(default=(), exclude_if=is_empty)
    panel: PanelCard | None = Field(default=None, exclude_if=lambda panel: panel is None)

    @property
    def width(self) -> int:
        """Numbers of an image that the model reads: those of the front end, then what the panel says."""
        return self.front_end.features + (width_of(self.panel.experts) if self.panel else 0)


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
    | ConsultationManifest
    | ReportManifest
    | SummaryManifest
    | DecisionManifest
    | AdoptionManifest
    | UpdateManifest
    | WithdrawalManifest
    | ReleaseManifest
    | RecallManifest
    | AverageManifest
    | ExpertManifest,
    Field(discriminator="kind"),
]
MODEL_KINDS = ("statistics", "features", "weights", "synthetic", "consultation")
NUMBER_KINDS = ("report", "summary", "decision")
SITE_KINDS = (*MODEL_KINDS, *NUMBER_KINDS, "update", "adoption", "withdrawal")
COORDINATOR_KINDS = ("candidate", "release", "recall", "average", "expert")
_ADAPTER: TypeAdapter[Any] = TypeAdapter(AnyManifest)


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
