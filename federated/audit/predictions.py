"""Whether predictions add up, and could come from the release that they name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from federated.audit.opening import read_predictions
from federated.audit.outcome import Audit, Check
from federated.decision import Decision, check_decision, parse_decision
from federated.envelope import Opened
from federated.errors import ContractError

SHOWN_PROBLEMS = 5
NOT_ANSWERED_AGAIN = "not recomputed: the images and their features stay with whoever asked"


def verify_predictions(path: Path, release: Opened | None) -> Audit:
    """Whether every line adds up, and could come from the release where one is given.

    Raises:
        ConsiliumError: the file cannot be read, or is empty.
    """
    return verify_lines(str(path), read_predictions(path), release)


def verify_lines(file: str, lines: Iterable[tuple[int, str]], release: Opened | None) -> Audit:
    """The same of numbered lines.

    Args:
        file: where they come from, in words.
        lines: numbered from 1.
        release: that they should come from; None where any may.
    """
    problems: list[str] = []
    releases: set[str] = set()
    count = 0
    for number, line in lines:
        count += 1
        try:
            decision = parse_decision(line, where=f"line {number}")
            releases.add(decision.release)
            _check_line(decision, number, release)
        except ContractError as error:
            problems.append(str(error))
    checks = [_sums(count, problems), Check(name="answers", ok=None, found=NOT_ANSWERED_AGAIN)]
    if release is not None or len(releases) > 1:
        checks.append(_release_check(releases, release))
    digest = min(releases) if len(releases) == 1 else None
    return Audit(file=file, kind="predictions", digest=digest, checks=tuple(checks))


def _check_line(decision: Decision, number: int, release: Opened | None) -> None:
    try:
        check_decision(decision)
        if release is not None and set(decision.scores) == set(release.manifest.labels):
            _check_way(decision, release)
    except (ContractError, KeyError, ValueError) as error:
        what = error.what if isinstance(error, ContractError) else f"lacks {error}"
        raise ContractError(what, where=f"line {number} ({decision.image or decision.clip})") from error
    if release is not None and set(decision.scores) != set(release.manifest.labels):
        raise ContractError("has other labels than the release", where=f"line {number}")
    if release is not None and set(decision.weights) != {site.name for site in release.manifest.sites}:
        raise ContractError("has other sites than the release", where=f"line {number}")


def _check_way(decision: Decision, release: Opened) -> None:
    from federated.deciding import check_way

    check_way(decision, release.manifest, release.tensors)


def _sums(count: int, problems: Sequence[str]) -> Check:
    if not problems:
        return Check(name="sums", ok=True, found=f"{count} lines: contributions, evidence and weights add up")
    more = f", and {len(problems) - SHOWN_PROBLEMS} more" if len(problems) > SHOWN_PROBLEMS else ""
    return Check(name="sums", ok=False, found="; ".join(problems[:SHOWN_PROBLEMS]) + more)


def _release_check(releases: set[str], release: Opened | None) -> Check:
    wanted = release.digest if release is not None else None
    others = sorted(releases - {wanted}) if wanted else sorted(releases)
    if wanted is None:
        return Check(name="release", ok=False, found=f"lines come from {len(others)} releases")
    if others:
        return Check(name="release", ok=False, found=f"lines come from {others[0]}, the release given is {wanted}")
    return Check(name="release", ok=True, found=f"every line comes from {wanted}")
