"""A change plan: what may change in the next release, and what must hold of it, said before it is made.

After the predetermined change control plan of the FDA (guidance of December 2024): what may change, how it is tested,
and which figures accept it. A plan is a TOML file and is named by the digest of its bytes, so that one that was edited
is another one.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import Field, ValidationError, model_validator

from federated.canonical import digest
from federated.contract import Digest, Frozen, Label, Name
from federated.errors import ConsiliumError, ContractError, cannot_read
from federated.faults import first_fault
from federated.manifest import ReleaseManifest
from federated.toml_text import toml_as_json

MAX_PLAN_BYTES = 2**16
MAX_CRITERIA = 64
Change = Literal[
    "sites-added",
    "sites-removed",
    "labels-added",
    "labels-removed",
    "contributions",
    "experts",
    "vocabulary",
    "front-end",
    "task",
    "rule",
    "settings",
    "hyperparameters",
]
Measure = Literal[
    "balanced-accuracy",
    "recall",
    "drop",
    "answered",
    "changed-sites",
    "reporting-sites",
    "calibrated-sites",
    "validation-patients",
]
Bound = Annotated[float, Field(ge=-1.0, le=1e9)]
OF_SITES: frozenset[str] = frozenset({"balanced-accuracy", "recall", "drop", "answered", "validation-patients"})
OF_LABELS: frozenset[str] = frozenset({"recall", "drop"})


class Criterion(Frozen):
    """One figure and what it must at least, or at most, be.

    Attributes:
        measure: what is counted; see `federated.assessment`.
        site: at this site alone; without it and without `each`, over the held-back patients of all.
        label: of this label alone.
        each: at every site, or of every label: the worst of them counts.
        at_least, at_most: one of them, or both.
    """

    measure: Measure
    site: Name | None = None
    label: Label | None = None
    each: Literal["site", "label"] | None = None
    at_least: Bound | None = None
    at_most: Bound | None = None

    @model_validator(mode="after")
    def _can_be_met(self) -> Criterion:
        if self.at_least is None and self.at_most is None:
            raise ValueError("says neither at_least nor at_most")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError("at_least is larger than at_most")
        if (self.site or self.each == "site") and self.measure not in OF_SITES:
            raise ValueError(f"'{self.measure}' is not counted at one site")
        if (self.label or self.each == "label") and self.measure not in OF_LABELS:
            raise ValueError(f"'{self.measure}' is not counted of one label")
        if (self.each == "site" and self.site) or (self.each == "label" and self.label):
            raise ValueError(f"names one {self.each} and each")
        if self.measure == "recall" and not (self.label or self.each == "label"):
            raise ValueError("'recall' needs a label, or each = \"label\"")
        return self

    @property
    def limit(self) -> str:
        """What it must be, in signs."""
        bounds = ((">=", self.at_least), ("<=", self.at_most))
        return ", ".join(f"{sign} {bound:g}" for sign, bound in bounds if bound is not None)

    @property
    def subject(self) -> str:
        """Where and of what it is counted, in words."""
        parts = [self.site or ("each site" if self.each == "site" else "")]
        parts.append(self.label or ("each label" if self.each == "label" else ""))
        return ", ".join(part for part in parts if part) or "all"

    def met(self, found: float | None) -> bool:
        """Whether a figure is within the limits; one that is not known is not."""
        if found is None:
            return False
        return (self.at_least is None or found >= self.at_least) and (self.at_most is None or found <= self.at_most)


class ChangePlan(Frozen):
    """What may change in a release against the one before it, and the criteria that accept it.

    Attributes:
        federation: for which it was made.
        name: of the plan.
        may_change: what may differ from the release before.
        criteria: all of them must be met.
    """

    version: Literal[1] = 1
    federation: Name
    name: Name
    may_change: tuple[Change, ...] = Field(default=(), max_length=len(get_args(Change)))
    criteria: tuple[Criterion, ...] = Field(min_length=1, max_length=MAX_CRITERIA)

    @model_validator(mode="after")
    def _says_nothing_twice(self) -> ChangePlan:
        if len(set(self.may_change)) < len(self.may_change) or len(set(self.criteria)) < len(self.criteria):
            raise ValueError("says something twice")
        return self


class Planned(Frozen):
    """A plan, with the digest of the bytes that it was read from."""

    plan: ChangePlan
    digest: Digest


def parse_plan(data: bytes, *, federation: str, where: str = "change plan") -> Planned:
    """A plan from TOML.

    Raises:
        ContractError: too long, no plan, or one of another federation.
    """
    if len(data) > MAX_PLAN_BYTES:
        raise ContractError(f"{len(data)} bytes, at most {MAX_PLAN_BYTES} are taken", where=where)
    try:
        plan = ChangePlan.model_validate_json(toml_as_json(data))  # from JSON a list may be a tuple
    except ValidationError as error:
        cure = "see 'A change plan' in docs/coordinator.md"
        raise ContractError(first_fault(error), where=where, cure=cure) from error
    except ValueError as error:
        raise ContractError(f"cannot be read as TOML ({error})", where=where) from error
    if plan.federation != federation:
        raise ContractError(f"is of federation '{plan.federation}', this is '{federation}'", where=where)
    return Planned(plan=plan, digest=digest(data))


def read_plan_bytes(path: Path) -> bytes:
    """The bytes of a plan's file, not more than a plan may have.

    Raises:
        ConsiliumError: the file cannot be read, or is too long.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_PLAN_BYTES + 1)
    except OSError as error:
        raise cannot_read(path, error) from error
    if len(data) > MAX_PLAN_BYTES:
        raise ConsiliumError(f"is longer than {MAX_PLAN_BYTES} bytes", where=str(path), cure="expected a change plan")
    return data


def changes(before: ReleaseManifest | None, after: ReleaseManifest) -> tuple[Change, ...]:
    """What differs between two releases; nothing where there was none before."""
    if before is None:
        return ()
    return tuple(name for name, differs in DIFFERENCES.items() if differs(before, after))


def contributions_of(manifest: ReleaseManifest) -> dict[str, frozenset[str]]:
    """Site -> digests of what a release was made of."""
    return {site.name: frozenset(site.contributions) for site in manifest.sites}


def changed_sites(before: ReleaseManifest, after: ReleaseManifest) -> list[str]:
    """Sites of the release before that are not made of the same contributions any more."""
    now = contributions_of(after)
    return sorted(name for name, made_of in contributions_of(before).items() if now.get(name) != made_of)


def _sites(manifest: ReleaseManifest) -> set[str]:
    return {site.name for site in manifest.sites}


def _contributions(before: ReleaseManifest, after: ReleaseManifest) -> bool:
    """Of sites that both have."""
    return bool(set(changed_sites(before, after)) & _sites(after))


def _experts(before: ReleaseManifest, after: ReleaseManifest) -> bool:
    consulted = [manifest.panel.consultations if manifest.panel else () for manifest in (before, after)]
    return set(before.experts) != set(after.experts) or set(consulted[0]) != set(consulted[1])


def _settings(before: ReleaseManifest, after: ReleaseManifest) -> bool:
    said = [(each.alpha, each.weighting, each.hyperparameters.mode) for each in (before, after)]
    return said[0] != said[1]


def _hyperparameters(before: ReleaseManifest, after: ReleaseManifest) -> bool:
    chosen = [each.hyperparameters.model_copy(update={"mode": "shared"}) for each in (before, after)]
    return chosen[0] != chosen[1]


DIFFERENCES: dict[Change, Callable[[ReleaseManifest, ReleaseManifest], bool]] = {
    "sites-added": lambda before, after: bool(_sites(after) - _sites(before)),
    "sites-removed": lambda before, after: bool(_sites(before) - _sites(after)),
    "labels-added": lambda before, after: bool(set(after.labels) - set(before.labels)),
    "labels-removed": lambda before, after: bool(set(before.labels) - set(after.labels)),
    "contributions": _contributions,
    "experts": _experts,
    "vocabulary": lambda before, after: before.vocabulary != after.vocabulary,
    "front-end": lambda before, after: before.front_end != after.front_end,
    "task": lambda before, after: before.task != after.task,
    "rule": lambda before, after: before.rule != after.rule,
    "settings": _settings,
    "hyperparameters": _hyperparameters,
}
"""What may change -> whether it did."""
