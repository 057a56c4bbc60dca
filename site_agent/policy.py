"""A hospital's policy: per kind, whether it may leave, at which level, within which limits, and with whose approval.

It is a TOML file that a person writes and an approver signs. Without the file, without the signature, or for a kind
that it does not name, nothing leaves.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Annotated, Literal, Self

import tomli_w
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import Field, StringConstraints, ValidationError, field_validator, model_validator

from federated.averaging import MAX_ROUNDS
from federated.canonical import digest
from federated.disclosure import Limits
from federated.errors import ConsiliumError, ContractError, DisclosureError, SignatureError
from federated.files import write_whole
from federated.keys import fingerprint, public_hex
from federated.manifest import MAX_LABELS, MAX_TENSORS_BYTES, MODEL_KINDS, NUMBER_KINDS, Frozen, Name
from federated.signing import read_document, sign_document, verified_by
from federated.toml_text import toml_as_json

if TYPE_CHECKING:
    from pathlib import Path

    from site_agent.home import SiteHome

POLICY_TYPE = "application/vnd.consilium.policy+toml"
GOVERNED_KINDS = (*MODEL_KINDS, "update", *NUMBER_KINDS)
"""Kinds a policy speaks of. An adoption or withdrawal holds nothing of a patient, and a hospital can always say no."""

SIGNED_EACH_TIME = ("decision", "update")
"""Kinds that an approver signs each time, unless, for updates, a standing approval says how many."""

Level = Annotated[int, Field(ge=0, le=2)]


class Rule(Frozen):
    """What a policy says of one kind; what is not said is not allowed.

    `approval` is "each" where an approver signs every single parcel, "standing" where the signature under the policy is
    enough.
    """

    allowed: bool = False
    approval: Literal["each", "standing"] = "each"
    limits: Limits = Limits()


class StatisticsRule(Rule):
    """Statistics have a level for each audience: 0 nothing, 1 class sums, 2 Gram matrices as well."""

    level_to_coordinator: Level = 0
    level_to_sites: Level = 0


class StandingApproval(Frozen):
    """An approver's word on the updates of one model that is averaged in rounds, with an end to it.

    Attributes:
        task, model: what is trained.
        rounds: updates that may leave, counted over all that ever left.
        until: the last day (UTC) on which one may leave, YYYY-MM-DD.
        bytes: of tensors, all updates that ever left together.
    """

    task: Name
    model: Name
    rounds: Annotated[int, Field(ge=1, le=MAX_ROUNDS)]
    until: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\d$")]
    bytes: Annotated[int, Field(ge=1)]

    @field_validator("until")
    @classmethod
    def _is_a_day(cls, until: str) -> str:
        date.fromisoformat(until)
        return until


class UpdateRule(Rule):
    """Updates of models that are averaged in rounds: without a standing approval for the model, an approver each time.

    Where `approval` is "standing", what is not named in `averaging` does not leave.
    """

    averaging: tuple[StandingApproval, ...] = ()

    @model_validator(mode="after")
    def _one_word_on_each(self) -> Self:
        named = [(each.task, each.model) for each in self.averaging]
        if len(set(named)) != len(named):
            raise ValueError("two standing approvals are about the same task and model")
        return self


class Policy(Frozen):
    """``policy.toml``: one table a kind."""

    version: Literal[1] = 1
    federation: Name
    site: Name
    statistics: StatisticsRule = StatisticsRule()
    features: Rule = Rule()
    weights: Rule = Rule()
    synthetic: Rule = Rule()
    consultation: Rule = Rule()
    update: UpdateRule = UpdateRule()
    report: Rule = Rule()
    summary: Rule = Rule()
    decision: Rule = Rule()

    @field_validator("decision")
    @classmethod
    def _a_decision_is_approved_each_time(cls, rule: Rule) -> Rule:
        if rule.approval != "each":
            raise ValueError("a decision holds a patient's features: its approval is 'each'")
        return rule

    def rule(self, kind: str) -> Rule:
        """What it says of a kind."""
        rule = getattr(self, kind)
        assert isinstance(rule, Rule)
        return rule


@dataclass(frozen=True)
class SignedPolicy:
    """A policy, the digest of its file, and the key id of the approver who signed it."""

    policy: Policy
    digest: str
    approver: str


def default_policy(federation: str, site: str) -> Policy:
    """The published limits and levels, with every kind switched off: where a hospital starts from."""
    return Policy(federation=federation, site=site, statistics=StatisticsRule(level_to_coordinator=2, level_to_sites=1))


def permissive_policy(federation: str, site: str, kinds: Iterable[str] = GOVERNED_KINDS) -> Policy:
    """Everything of these kinds leaves without questions: for demonstrations on public data only."""
    limits = Limits(
        cell=1,
        batch=1,
        difference=1,
        gram_share=1e9,
        dominance=1.0,
        levels=MAX_LABELS,
        max_bytes=MAX_TENSORS_BYTES,
    )
    rules: dict[str, Rule] = {}
    for kind in kinds:
        approval: Literal["each", "standing"] = "each" if kind in SIGNED_EACH_TIME else "standing"
        rule = UpdateRule if kind == "update" else Rule
        rules[kind] = rule(allowed=True, approval=approval, limits=limits)
    if "statistics" in rules:
        rules["statistics"] = StatisticsRule(
            allowed=True, approval="standing", limits=limits, level_to_coordinator=2, level_to_sites=2
        )
    return Policy(federation=federation, site=site).model_copy(update=rules)


def write_policy(home: SiteHome, policy: Policy) -> None:
    """The policy file; it counts once an approver has signed it."""
    said = policy.model_dump(mode="json")
    if not policy.update.averaging:
        del said["update"]["averaging"]  # beside an empty list nobody can add [[update.averaging]]
    write_whole(home.policy_path, tomli_w.dumps(said).encode())


def start_policy(home: SiteHome, policy: Policy, *, replace: bool) -> Path | None:
    """A policy file to start from; one that is there stays beside it, named by its digest as receipts name it.

    Args:
        home: the home.
        policy: to start from.
        replace: whether one that is there may give way.

    Returns:
        Where the old one lies now, its signature with it; None where there was none.

    Raises:
        ConsiliumError: there is one already, and nobody said that it may give way.
    """
    kept = None
    if home.policy_path.exists():
        if not replace:
            cure = "edit it and sign it again, or say --replace, which keeps this one beside the new one"
            raise ConsiliumError("there is a policy already", where=str(home.policy_path), cure=cure)
        kept = _set_aside(home)
    write_policy(home, policy)
    return kept


def sign_policy(home: SiteHome, key: Ed25519PrivateKey) -> None:
    """An approver's signature under the policy file as it is.

    Raises:
        DisclosureError: there is no policy, or it is not one for this site.
        SignatureError: the key is not an approver's of this site.
    """
    data = _read_file(home)
    _parse(home, data)
    require_approver(home, key)
    write_whole(signature_path(home), sign_document(data, POLICY_TYPE, [key]))


def require_approver(home: SiteHome, key: Ed25519PrivateKey) -> str:
    """The key id of an approver's key.

    Raises:
        SignatureError: the key is not an approver's of this site.
    """
    key_id = fingerprint(bytes.fromhex(public_hex(key)))
    approvers = home.trust().find(role="approver", site=home.config.site)
    if key_id not in {party.key_id for party in approvers}:
        raise SignatureError(
            "this key is not an approver's of this site", where=key_id[:16], cure="use the key named when joining"
        )
    return key_id


def signature_path(home: SiteHome) -> Path:
    """Where the signature of the policy lies."""
    return _signature_of(home.policy_path)


def read_policy(home: SiteHome) -> Policy:
    """The signed policy.

    Raises:
        DisclosureError: missing, wrong, not signed, or changed since: nothing leaves.
    """
    return read_signed_policy(home).policy


def read_signed_policy(home: SiteHome) -> SignedPolicy:
    """The policy with the digest and the approver that receipts name.

    Raises:
        DisclosureError: missing, wrong, not signed, or changed since: nothing leaves.
    """
    data = _read_file(home)
    approver = _approver_of(home, data)
    return SignedPolicy(_parse(home, data), digest(data), approver)


def _signature_of(policy: Path) -> Path:
    return policy.with_name(f"{policy.name}.sig")


def _set_aside(home: SiteHome) -> Path:
    """Killed in between, the policy is there without a signature, and nothing leaves."""
    data = _read_file(home)
    kept = home.policy_path.with_name(f"policy-{digest(data).removeprefix('sha256:')[:12]}.toml")
    write_whole(kept, data)
    if signature_path(home).exists():
        signature_path(home).replace(_signature_of(kept))
    return kept


def _read_file(home: SiteHome) -> bytes:
    try:
        return home.policy_path.read_bytes()
    except FileNotFoundError as error:
        raise _refused(
            home, "there is no policy, so nothing may leave", "write one and have an approver sign it"
        ) from error
    except OSError as error:
        raise _refused(home, f"cannot be read ({error.strerror})", "") from error


def _approver_of(home: SiteHome, data: bytes) -> str:
    cure = "have an approver look at it and sign it"
    if not signature_path(home).exists():
        raise _refused(home, "no approver has signed it", cure)
    try:
        envelope = read_document(signature_path(home), POLICY_TYPE)
    except ContractError as error:
        raise _refused(home, f"its signature {error.what}", cure) from error
    approvers = home.trust().find(role="approver", site=home.config.site)
    signers = verified_by(envelope, [party.verifier() for party in approvers])
    if not signers:
        raise _refused(home, "its signature is not by an approver of this site", cure)
    if envelope.payload != data:
        raise _refused(home, "was changed after an approver signed it", cure)
    return min(signers)


def _parse(home: SiteHome, data: bytes) -> Policy:
    try:
        policy = Policy.model_validate_json(toml_as_json(data))
    except ValidationError as error:
        first = error.errors()[0]
        raise _refused(home, f"{'.'.join(map(str, first['loc']))}: {first['msg']}", "mend it, then sign it") from error
    except ValueError as error:
        raise _refused(home, f"is not TOML ({error})", "mend it, then sign it") from error
    if (policy.federation, policy.site) != (home.config.federation, home.config.site):
        raise _refused(
            home, f"is for site '{policy.site}' of federation '{policy.federation}'", "write one for this site"
        )
    return policy


def _refused(home: SiteHome, what: str, cure: str) -> ConsiliumError:
    return DisclosureError(what, filter_name="policy", where=str(home.policy_path), cure=cure)
