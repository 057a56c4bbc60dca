"""One answer with every site's part in it: a line of predictions.jsonl."""

from __future__ import annotations

from itertools import pairwise

from federated.canonical import canonical
from federated.contract import Digest, Frozen
from federated.errors import ContractError
from federated.faults import first_fault

TOLERANCE = 1e-9


class Step(Frozen):
    """One concept on the way down to the best label.

    Attributes:
        probability: of the concept; never more than that of the one before.
        margin: by how much its best score exceeds that of its siblings with nobody silenced; None at the top, and
            where the release is not calibrated for the step.
        doubt: the conformal p-value of the step being wrong; None where there are too few calibration patients for one.
    """

    concept: str
    probability: float
    margin: float | None = None
    doubt: float | None = None


class Decision(Frozen):
    """An answer for one image (`image` set) or for the frames of one clip together (`image` null).

    Attributes:
        label: the deepest concept on the path that is sure, or null where nobody is qualified.
        why: why nothing was answered.
        caption: a warning to show beside the answer, for example that the evidence is foreign.
        scores: f_c; `contributions[c]` adds up to `scores[c]`.
        probabilities: softmax of the scores at the release's temperature, among siblings; a label that lies within
            another has a part of its probability.
        path: from the top of the vocabulary down to the best label; of a label that nothing lies above, that alone.
        weights: a_k of each site for this image, 0 (foreign) to 1.
        evidence: shares of the best label's score: sites, ``prior``, ``disagreement``, ``other``; they add up to one.
        qualified: conformal p-value of each site.
        release: digest of the release that answered.
    """

    image: str | None
    clip: str
    label: str | None
    abstained: bool
    why: str | None
    caption: str | None
    scores: dict[str, float]
    probabilities: dict[str, float]
    weights: dict[str, float]
    contributions: dict[str, dict[str, float]]
    evidence: dict[str, float]
    qualified: dict[str, float]
    release: Digest
    path: tuple[Step, ...] = ()

    @property
    def best(self) -> str:
        """The label with the largest score among its siblings at every step, also where the answer is withheld."""
        if self.path:
            return self.path[-1].concept
        return max(self.scores, key=lambda label: self.scores[label])

    def json_line(self) -> str:
        """Canonical JSON with a line end."""
        return canonical(self.model_dump(mode="json")).decode() + "\n"


def check_decision(decision: Decision) -> None:
    """Recomputes what adds up.

    Raises:
        ContractError: contributions, evidence or weights are not what they say.
    """
    where = decision.image or decision.clip
    for label, score in decision.scores.items():
        if abs(sum(decision.contributions[label].values()) - score) > TOLERANCE:
            raise ContractError(f"contributions to '{label}' do not add up to its score", where=where)
    if abs(sum(decision.evidence.values()) - 1.0) > TOLERANCE:
        raise ContractError("evidence shares do not add up to one", where=where)
    if not all(0.0 <= value <= 1.0 for value in (*decision.weights.values(), *decision.qualified.values())):
        raise ContractError("a weight or p-value lies outside 0 to 1", where=where)
    _check_path(decision, where)


def _check_path(decision: Decision, where: str) -> None:
    """As far as a line alone tells: which labels lie within which is known to the release."""
    path = [step.concept for step in decision.path] or [decision.best]
    if decision.label is not None and (decision.abstained or decision.label not in path):
        raise ContractError("the label is not the one with the largest score, nor above it", where=where)
    if path[-1] not in decision.scores or _outscored(decision, path[-1]):
        raise ContractError("the path does not lead to the label with the largest score", where=where)
    steps = [step.probability for step in decision.path]
    if any(after > before + TOLERANCE for before, after in pairwise(steps)):
        raise ContractError("a step down the path is likelier than the one before", where=where)


def _outscored(decision: Decision, best: str) -> bool:
    """Whether another label should have been the best; one that lies within an unlikely one may score what it likes."""
    if abs(sum(decision.probabilities.values()) - 1.0) > TOLERANCE:
        return False  # labels lie within others
    likely = (label for label, probability in decision.probabilities.items() if probability > 2 * TOLERANCE)
    return any(decision.scores[label] > decision.scores[best] for label in likely)


def parse_decision(line: str, *, where: str) -> Decision:
    """A decision from a line of predictions.jsonl.

    Raises:
        ContractError: the line is not one.
    """
    from pydantic import ValidationError

    try:
        return Decision.model_validate_json(line)
    except ValidationError as error:
        raise ContractError(first_fault(error), where=where) from error
