"""What would leave, to whom, under which rules, and in plain words what could be inferred from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isqrt
from typing import Any

from federated.disclosure import Check, Facts, behind_matrix, gram_patients
from federated.manifest import ConsultationManifest, WeightsManifest, manifest_bytes
from federated.panel import width_of
from federated.tasks import TASKS
from site_agent.drafts import STEPS, Draft
from site_agent.expert_settings import HEAD

BYTES = {"F64": 8, "F32": 4, "I64": 8, "U8": 1}
ANOTHER_UPLOAD = "two uploads that differ by one patient reveal that patient's features"


@dataclass(frozen=True)
class TensorLine:
    """One tensor that would leave."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    bytes: int


@dataclass(frozen=True)
class Preview:
    """A draft as its readers would get it, with the gate's verdict.

    Attributes:
        manifest: the canonical JSON that would leave beside the tensors, whole.
        bytes: of manifest and tensors.
        audience: one line for each who would get something.
        approval: what has to be approved, and by whom; or why nothing may leave.
        allowed: whether the policy and every filter let it out.
    """

    kind: str
    digest: str
    manifest: str
    tensors: tuple[TensorLine, ...]
    bytes: int
    level: int | None
    level_to_sites: int | None
    recipient: str
    audience: tuple[str, ...]
    approval: str
    checks: tuple[Check, ...]
    inferences: tuple[str, ...]
    allowed: bool

    def lines(self) -> list[str]:
        """For a person to read."""
        return [
            f"{self.kind} {self.digest}: {self.bytes} bytes to '{self.recipient}'",
            *(f"  {t.name}: {t.dtype}{list(t.shape)}, {t.bytes} bytes" for t in self.tensors),
            f"  manifest: {self.manifest}",
            *(f"to whom: {line}" for line in self.audience),
            *(_check_line(check) for check in self.checks),
            *(f"could be inferred: {line}" for line in self.inferences),
            f"approval: {self.approval}",
            "may leave" if self.allowed else "stays here",
        ]


def _check_line(check: Check) -> str:
    verdict = "passes" if check.passed else "REFUSES"
    cure = f"; {check.cure}" if check.cure else ""
    return f"filter {check.name} {verdict}: {check.bound} {check.limit}, found {check.found}{cure}"


def preview_of(draft: Draft, *, recipient: str, checks: tuple[Check, ...], approval: str, allowed: bool) -> Preview:
    """A preview with the gate's verdict filled in."""
    manifest = draft.manifest
    body = manifest_bytes(manifest)
    level_to_sites = getattr(manifest, "level_to_sites", None)
    return Preview(
        kind=draft.facts.kind,
        digest=draft.digest,
        manifest=body.decode(),
        tensors=tuple(_tensor_line(name, spec.dtype, spec.shape) for name, spec in sorted(manifest.tensors.items())),
        bytes=len(body) + len(draft.tensors),
        level=draft.facts.level,
        level_to_sites=level_to_sites,
        recipient=recipient,
        audience=(*_audience(draft.facts, recipient, level_to_sites), *_networks_audience(manifest)),
        approval=approval,
        checks=checks,
        inferences=(*_numbers(manifest, draft.facts), *inferences(draft.facts)),
        allowed=allowed,
    )


def _tensor_line(name: str, dtype: str, shape: tuple[int, ...]) -> TensorLine:
    size = BYTES[dtype]
    for length in shape:
        size *= length
    return TensorLine(name, dtype, shape, size)


def _audience(facts: Facts, recipient: str, level_to_sites: int | None) -> tuple[str, ...]:
    level = "" if facts.level is None else f", level {facts.level}"
    lines = [f"the coordinator '{recipient}' gets all of it{level}"]
    if facts.kind == "statistics":
        passed_on = "class sums and Gram matrices" if level_to_sites == 2 else "class sums"
        lines.append(f"every site and auditor gets the {passed_on} through releases, level {level_to_sites}")
        whole = level_to_sites == facts.level
        lines.append(f"an auditor gets {'this parcel itself' if whole else 'its manifest, and no more of it'}, as well")
    if facts.kind == "features":
        lines.append("every site and auditor gets the class sums derived from it through releases")
    if facts.kind == "update":
        lines.append("every site gets the averages that it enters; of two sites, each can work out the other's update")
    if facts.kind == "consultation":
        lines.append("every site and auditor gets the gate and cross heads learnt from it through releases")
    if facts.kind in ("weights", "report"):
        lines.append("every site and auditor gets what a release carries of it")
    if facts.kind in ("summary", "decision"):
        lines.append("an auditor gets all of it, in a bundle that the coordinator makes")
    if facts.kind == "report":
        lines.append("an auditor gets all of it where Gram matrices may go on to other sites, else its manifest")
    return tuple(lines)


def _networks_audience(manifest: Any) -> tuple[str, ...]:
    if isinstance(manifest, WeightsManifest) and manifest.architecture != HEAD:
        if manifest.task in TASKS and TASKS[manifest.task].exchanged:
            return ("every other site gets the whole network, and keeps it",)
        return ("every other site gets the whole network where the federation consults experts, and keeps it",)
    return ()


def _numbers(manifest: Any, facts: Facts) -> tuple[str, ...]:
    """How much of every image leaves, in words that need no knowledge of networks."""
    if not isinstance(manifest, ConsultationManifest):
        return ()
    width, patients = width_of(manifest.panel), len(frozenset().union(*facts.folds.values()))
    rows = sum(spec.shape[0] for name, spec in manifest.tensors.items() if name.endswith(".said"))
    side = isqrt(width)
    much = f"{width} numbers of every image of {patients} patients ({rows} rows in all), as many as a picture of"
    return (f"{much} {side} x {side} pixels has: where the images are no larger, more than the images themselves",)


def inferences(facts: Facts) -> tuple[str, ...]:
    """What a reader could infer about patients, in plain words."""
    return tuple(INFERENCES[facts.kind](facts))


def _statistics(facts: Facts) -> list[str]:
    grams = [_gram(name, len(patients), facts.features or 0) for name, patients in sorted(gram_patients(facts).items())]
    return [*(grams if facts.level == 2 else []), _means(facts), ANOTHER_UPLOAD]


def _gram(where: str, patients: int, features: int) -> str:
    if patients < features:
        few = f"{where}: with {patients} patients and {features} features"
        return f"{few} the Gram matrix fixes the features up to a rotation"
    ratio = f"{patients / features:.3g} patients a feature"
    return f"{where}: with {ratio} the Gram matrix shows how features vary together, not whose they are"


def _means(facts: Facts) -> str:
    smallest = min((len(patients) for patients in facts.cells.values() if patients), default=0)
    shown = "class sums show the mean features of each label"
    return f"{shown}, over {smallest} patients at least" if smallest != 1 else f"{shown}, one of a single patient"


def _features(_: Facts) -> list[str]:
    return [
        "every image's features can be read, and which images are of one patient",
        "from features a coarse image can be rebuilt, and an image be recognised again",
    ]


def _report(facts: Facts) -> list[str]:
    lines = ["two reports that differ by one patient reveal that patient's score and whether the answer was right"]
    if STEPS in facts.folds:
        lines.append("counts of steps down show how often labels that lie beside each other were mistaken")
    if facts.features is not None:
        behind = behind_matrix(facts)
        if behind < facts.features:
            few = f"with {behind} patients and {facts.features} directions"
            lines.append(f"{few} a class covariance fixes the features there up to a rotation")
    return lines


def _say(*lines: str) -> Callable[[Facts], list[str]]:
    return lambda _: list(lines)


INFERENCES: Mapping[str, Callable[[Facts], list[str]]] = {
    "statistics": _statistics,
    "features": _features,
    "consultation": _features,
    "weights": _say("whether a known image was among the training images can be guessed better than by chance"),
    "update": _say(
        "whether a known image was among the training images can be guessed better than by chance",
        "the updates of several rounds together tell more than one of them",
    ),
    "synthetic": _say("a sample close to a training image may look like that patient's"),
    "report": _report,
    "summary": _say(
        "how often each label was answered here, and how often none, and whose experts counted how much in it",
        "how many records the decision log has, and where fewer patients than the limit had an answer",
    ),
    "decision": _say(
        "this patient's features, from which a coarse image can be rebuilt, and what was answered",
        "when it was answered, and which other opened records are of the same patient",
    ),
    "adoption": _say("nothing about patients: which release this site uses, and the reason as written"),
    "withdrawal": _say("nothing about patients: which contributions this site takes back"),
}
