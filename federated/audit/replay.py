"""An opened decision, decided again from its features and its release alone.

In the same environment the answer comes out bit for bit; elsewhere sums are ordered otherwise, and what counts is the
same label, the same refusal, and numbers within 1e-9 (method page, section 7). What a replay cannot show is that the
features are those of an image: images stay at the hospital.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import numpy as np

from federated.audit.explain import UNSOLVABLE
from federated.audit.outcome import Check, outcome
from federated.deciding import decide_alone
from federated.decision import TOLERANCE, Decision
from federated.decision_record import check_included, check_names, check_opened
from federated.envelope import Opened
from federated.errors import ContractError
from federated.fused_model import FusedModel
from federated.fusion.rules import RULES
from federated.manifest import DecisionManifest, Digest, Frozen
from federated.statistics import Array

Equality = Literal["bit for bit", "within 1e-9"]
NOT_SHOWN = "that the features are those of the image only the hospital can show: the image stays there"


class Replay(Frozen):
    """What became of one opened decision.

    Attributes:
        number: in the hospital's decision log.
        equal: how far the answer is the one that comes out; None where it is another, or was not decided again.
        difference: the largest of any number, between what is told and what comes out; None as above.
    """

    site: str
    number: int
    release: Digest
    checks: tuple[Check, ...]
    equal: Equality | None
    difference: float | None

    @property
    def ok(self) -> bool:
        """Whether the answer came out again, and nothing else was found wrong."""
        return self.equal is not None and all(check.ok is not False for check in self.checks)


def replay(opened: Opened, model: FusedModel) -> Replay:
    """Decides again, and holds what comes out against what the hospital told.

    Args:
        opened: the parcel of a decision.
        model: the release that it names.

    Raises:
        ContractError: it is something else, or a flag was opened, which answers nothing.
    """
    manifest = opened_manifest(opened)
    decision, features = opened_answer(opened), opened.tensors["features"]
    checks = [
        outcome("record", lambda: _is_recorded(manifest, features)),
        outcome("tree", lambda: _is_in_the_tree(manifest)),
        outcome("release", lambda: _is_the_release(manifest, model)),
    ]
    if checks[-1].ok:
        found, difference = decided_again(model, decision, features)
    else:
        found, difference = Check(name="answer", ok=None, found="not decided again: the release is another"), None
    equal: Equality | None = None
    if difference is not None:
        equal = "bit for bit" if difference == 0 else "within 1e-9"
    last = Check(name="image", ok=None, found=NOT_SHOWN)
    return Replay(
        site=manifest.site,
        number=manifest.record.number,
        release=manifest.release,
        checks=(*checks, found, last),
        equal=equal,
        difference=difference,
    )


def opened_manifest(opened: Opened) -> DecisionManifest:
    """What a parcel says of the decision that it opens.

    Raises:
        ContractError: it is something else.
    """
    manifest: Any = opened.manifest
    if not isinstance(manifest, DecisionManifest):
        raise ContractError(f"is a '{manifest.kind}', not an opened decision", where=opened.digest)
    return manifest


def opened_answer(opened: Opened) -> Decision:
    """The answer that a parcel opens.

    Raises:
        ContractError: it is something else, or a flag.
    """
    decision = opened_manifest(opened).decision
    if decision is None:
        raise ContractError("is a flag, which answers nothing", where=opened.digest, cure="open the record it is about")
    return decision


def _is_recorded(manifest: DecisionManifest, features: Array) -> str:
    check_opened(manifest.record, manifest.decision, features)
    return f"number {manifest.record.number} of {manifest.site}, with the answer and the features that it names"


def _is_in_the_tree(manifest: DecisionManifest) -> str:
    check_included(manifest.record, manifest.size, manifest.root, manifest.proof)
    return f"in the tree of {manifest.size} records with the root {manifest.root[:16]}"


def _is_the_release(manifest: DecisionManifest, model: FusedModel) -> str:
    others = sorted({manifest.release, manifest.record.release} - {model.digest})
    if others:
        raise ContractError(f"{others[0]} answered, the release given is {model.digest}")
    return f"number {model.manifest.number}, {model.digest}"


def decided_again(model: FusedModel, told: Decision, features: Array) -> tuple[Check, float | None]:
    """What came out, in words, and the largest difference of any number where the answer is the same.

    Args:
        model: the release that answered.
        told: the answer.
        features: (n, `manifest.width`), as they were shown with it.
    """
    why_not = not_replayable(model, features)
    if why_not is not None:
        return Check(name="answer", ok=None, found=f"not decided again: {why_not}"), None
    try:
        difference = compare(told, again(model, told, features))
    except ContractError as error:
        return Check(name="answer", ok=False, found=str(error)), None
    words = "bit for bit the same" if difference == 0 else _elsewhere(difference)
    panel = RULES[model.manifest.rule].networks
    taken = "; what the networks said of the image is taken as recorded" if panel else ""
    return Check(name="answer", ok=True, found=words + taken), difference


def _elsewhere(difference: float) -> str:
    return f"the same label and refusal, numbers within {difference:.1e}: decided in another environment"


def not_replayable(model: FusedModel, features: Array) -> str | None:
    """Why a release cannot decide again from these features; None where it can."""
    manifest = model.manifest
    if RULES[manifest.rule].networks and features.shape[1] == manifest.front_end.features != manifest.width:
        return f"the rule '{manifest.rule}' asks networks, and what they said of the image is not in the record"
    return None


def again(model: FusedModel, told: Decision, features: Array) -> Decision:
    """The decision on these features, under the names that were told.

    Raises:
        ContractError: the features are not those of one image or clip before this release, or it cannot decide.
    """
    wrong = features.ndim != 2 or features.shape[1] != model.manifest.width or not len(features)
    if wrong or (told.image is not None and len(features) != 1):
        raise ContractError(f"features are {features.shape}, which is not what the release reads of it")
    if not np.isfinite(features).all():
        raise ContractError("features are no finite numbers")
    check_names(told, model.labels, model.sites)
    try:
        return decide_alone(model, features, told.image, told.clip)
    except UNSOLVABLE as error:
        raise ContractError(f"the release cannot decide on it ({error})") from error


def compare(told: Decision, found: Decision) -> float:
    """The largest difference of any number; 0 where both are the same to the last bit.

    Raises:
        ContractError: label, refusal or words differ, or a number by more than 1e-9; it names the first.
    """
    differences = [_difference(told, found, name) for name in Decision.model_fields]
    return max(differences)


def _difference(told: Decision, found: Decision, name: str) -> float:
    one, other = (dict(_flat(name, getattr(each, name))) for each in (told, found))
    if set(one) != set(other):
        raise ContractError(f"{min(set(one) ^ set(other))}: only in one of what is told and what comes out")
    largest = 0.0
    for place, value in one.items():
        if isinstance(value, float) and isinstance(other[place], float):
            largest = max(largest, abs(value - other[place]))
        elif value != other[place]:
            raise ContractError(f"{place}: {value} is told, {other[place]} comes out")
        if largest > TOLERANCE:
            raise ContractError(f"{place}: {value:.12g} is told, {other[place]:.12g} comes out")
    return largest


def _flat(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Every number and word below a field, under its name."""
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from _flat(f"{name} of {key}", part)
    elif isinstance(value, tuple):
        for place, part in enumerate(value):
            yield from _flat(f"{name} {place + 1}", dict(part))
    else:
        yield name, value
