"""Which tensors each kind may hold, and their shapes: a manifest that declares others is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from federated.decision_summary import shapes_of
from federated.errors import ContractError
from federated.manifest import (
    ConsultationManifest,
    Contribution,
    DecisionManifest,
    FeaturesManifest,
    Manifest,
    ReportManifest,
    StatisticsManifest,
    SyntheticManifest,
    TensorSpec,
    own_gram_name,
)
from federated.panel import width_of

Shapes = dict[str, tuple[str, tuple[int | None, ...]]]
"""Type and shape by name; None stands for any length."""

REPORT_TENSORS: Shapes = {
    "covariance": ("F64", (None, None)),
    "standard.image": ("F64", (3, 2)),
    "standard.clip": ("F64", (3, 2)),
    "calibration.image": ("I64", (None,)),
    "calibration.clip": ("I64", (None,)),
    "nll": ("F64", (None,)),
    "nll_count": ("F64", (1,)),
    "score_correct": ("I64", (2, None)),
    "confusion": ("I64", (None, None)),
}


def _statistics(manifest: StatisticsManifest) -> Shapes:
    size, labels = manifest.features, len(manifest.labels)
    shapes: Shapes = {}
    for fold in manifest.folds:
        shapes |= {f"{fold}.class_sums": ("F64", (size, labels)), f"{fold}.weights": ("F64", (labels,))}
        if manifest.level == 2:
            names = (f"{fold}.gram", *(own_gram_name(fold, index) for index in range(len(manifest.coarse))))
            shapes |= dict.fromkeys(names, ("F64", (size * (size + 1) // 2,)))
    return shapes


def _features(manifest: FeaturesManifest) -> Shapes:
    shapes: Shapes = {}
    for fold in manifest.folds:
        rows = _rows(manifest.tensors.get(f"{fold}.label"))
        shapes |= {f"{fold}.features": ("F64", (rows, manifest.features)), f"{fold}.weight": ("F64", (rows,))}
        shapes |= {f"{fold}.label": ("I64", (rows,)), f"{fold}.patient": ("I64", (rows,))}
    return shapes


def _consultation(manifest: ConsultationManifest) -> Shapes:
    shapes: Shapes = {}
    for fold in manifest.folds:
        rows = _rows(manifest.tensors.get(f"{fold}.label"))
        shapes |= {f"{fold}.said": ("F32", (rows, width_of(manifest.panel))), f"{fold}.weight": ("F64", (rows,))}
        shapes |= {f"{fold}.label": ("I64", (rows,)), f"{fold}.patient": ("I64", (rows,))}
    return shapes


def _synthetic(manifest: SyntheticManifest) -> Shapes:
    rows = _rows(manifest.tensors.get("label"))
    return {"images": ("U8", (rows, None, None)), "label": ("I64", (rows,))}


def _report(manifest: ReportManifest) -> Shapes:
    rows = len(manifest.steps)
    return REPORT_TENSORS | ({f"steps.{unit}": ("I64", (rows, None)) for unit in ("image", "clip")} if rows else {})


def _decision(manifest: DecisionManifest) -> Shapes:
    rows = manifest.record.rows
    return {"features": ("F64", (rows, None))} if rows is not None else {}


def _none(_: Manifest) -> Shapes:
    return {}


EXPECTED: dict[str, Callable[[Any], Shapes]] = {
    "statistics": _statistics,
    "features": _features,
    "consultation": _consultation,
    "synthetic": _synthetic,
    "report": _report,
    "summary": shapes_of,
    "decision": _decision,
    "adoption": _none,
    "withdrawal": _none,
    "recall": _none,
}
CHECKED_BY_RECEIVER = ("weights", "update", "average", "expert", "candidate", "release")
"""A network's tensors are known to those who can build it, a release's to `federated.fused_model`."""


def check_shapes(manifest: Any) -> None:
    """Whether a manifest declares the tensors of its kind, and counts of no label but its own.

    Raises:
        ContractError: a tensor is missing, superfluous, or of another type or shape.
    """
    if isinstance(manifest, Contribution):
        _check_counts(manifest)
    if isinstance(manifest, StatisticsManifest):
        _check_coarse(manifest)
    if manifest.kind in EXPECTED:
        _compare(manifest.tensors, EXPECTED[manifest.kind](manifest), manifest.kind)


def _check_counts(manifest: Contribution) -> None:
    if len(set(manifest.labels)) != len(manifest.labels):
        raise ContractError("a label occurs twice", where="labels")
    unknown = (set(manifest.patients) | set(manifest.images)) - set(manifest.labels)
    if unknown:
        raise ContractError(f"counts for labels it does not have: {', '.join(sorted(unknown))}", where="counts")


def _check_coarse(manifest: StatisticsManifest) -> None:
    if manifest.coarse and manifest.level != 2:
        raise ContractError("has Gram matrices of single labels at level 1", where="coarse")
    if len(set(manifest.coarse)) != len(manifest.coarse) or not set(manifest.coarse) <= set(manifest.labels):
        raise ContractError("names a label twice, or one that is not in it", where="coarse")


def _compare(declared: Mapping[str, TensorSpec], expected: Shapes, kind: str) -> None:
    if set(declared) != set(expected):
        names = ", ".join(sorted(set(declared) ^ set(expected)))
        raise ContractError(f"a '{kind}' of this level and these folds has other tensors", where=names)
    for name, (dtype, shape) in expected.items():
        spec = declared[name]
        if spec.dtype != dtype or not _fits(spec.shape, shape):
            raise ContractError(f"is {spec.dtype}{spec.shape}, a '{kind}' has {dtype}{_shown(shape)}", where=name)


def _fits(shape: tuple[int, ...], expected: tuple[int | None, ...]) -> bool:
    return len(shape) == len(expected) and all(
        wanted is None or size == wanted for size, wanted in zip(shape, expected, strict=True)
    )


def _shown(shape: tuple[int | None, ...]) -> str:
    return f"({', '.join('any' if size is None else str(size) for size in shape)})"


def _rows(spec: TensorSpec | None) -> int | None:
    return spec.shape[0] if spec is not None and spec.shape else None
