"""What was looked at, and what was found."""

from __future__ import annotations

from collections.abc import Callable

from federated.errors import ConsiliumError, ContractError
from federated.manifest import Frozen


class Check(Frozen):
    """One thing that was looked at, and what was found; `ok` is None where the files given do not allow to look."""

    name: str
    ok: bool | None
    found: str


class Audit(Frozen):
    """What became of one file, or of one part of a bundle; `by` is whose word it is."""

    file: str
    kind: str
    digest: str | None
    checks: tuple[Check, ...]
    by: str = ""

    @property
    def ok(self) -> bool:
        """Whether nothing was found wrong with it."""
        return all(check.ok is not False for check in self.checks)


def outcome(name: str, recompute: Callable[[], str]) -> Check:
    """What computing something again came to: its words, or the contract's objection."""
    try:
        return Check(name=name, ok=True, found=recompute())
    except ContractError as error:
        return failed(name, error)


def failed(name: str, error: ConsiliumError) -> Check:
    """What is wrong; where the error is about just what the check is called after, that is said once."""
    return Check(name=name, ok=False, found=str(error).removeprefix(f"{name}: "))
