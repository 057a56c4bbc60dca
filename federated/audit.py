"""What an auditor verifies from files and public keys alone: parcels, their numbers, releases, predictions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from federated.averaging import recompute_average
from federated.decision import Decision, check_decision, parse_decision
from federated.envelope import (
    MAGIC,
    MAX_PARCEL_BYTES,
    Opened,
    Parcel,
    check_envelope,
    open_contents,
    parse_parcel,
    read_passage,
)
from federated.errors import ConsiliumError, ContractError, cannot_read
from federated.keys import TrustFile
from federated.manifest import (
    MODEL_KINDS,
    SITE_KINDS,
    AverageManifest,
    FeaturesManifest,
    Frozen,
    ReleaseManifest,
    ReleaseSite,
    StatisticsManifest,
    UpdateManifest,
)

if TYPE_CHECKING:
    from federated.fused_model import FusedModel
    from federated.log.entries import Entry

SHOWN_PROBLEMS = 5
Index = dict[tuple[str, str, str], tuple[int, "Entry"]]
"""What a log tells of: (kind, sender or nobody, digest) -> number and entry."""
LOGGED = {*SITE_KINDS, "candidate", "release", "recall", "average"}
NOT_ANSWERED_AGAIN = "not recomputed: the images and their features stay with whoever asked"


class Check(Frozen):
    """One thing that was looked at, and what was found; `ok` is None where the files given do not allow to look."""

    name: str
    ok: bool | None
    found: str


class Audit(Frozen):
    """What became of one file."""

    file: str
    kind: str
    digest: str | None
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing was found wrong with it."""
        return all(check.ok is not False for check in self.checks)


def verify(
    paths: Sequence[Path],
    trust: TrustFile,
    release: Path | None = None,
    logged: Index | None = None,
    witnessed: int = 0,
) -> list[Audit]:
    """Everything that can be verified of parcels, releases and predictions, each alone and beside the others.

    Args:
        paths: files of parcels (a release is one) or of predictions (``.jsonl``).
        trust: whose signatures count.
        release: the release that predictions should come from.
        logged: what a log that was verified tells of; None where there is none.
        witnessed: how many of its entries witnesses signed.

    Raises:
        ConsiliumError: a file cannot be read, or `release` is not a release that these keys vouch for.
    """
    model = open_release(release, trust) if release is not None else None
    opened, audits = {}, {}
    for path in paths:
        if _is_parcel(path):
            audits[path], opened[path] = _verify_parcel(path, trust)
        else:
            audits[path] = _verify_predictions(path, model)
    known = [each for each in opened.values() if each is not None]
    for path, each in opened.items():
        if each is not None:
            more = (
                *_number_checks(each, known),
                *_logged_checks(each, logged, witnessed),
                *_lineage_checks(each, known),
                *_recomputed(each, known),
            )
            audits[path] = audits[path].model_copy(update={"checks": (*audits[path].checks, *more)})
    return list(audits.values())


def open_release(path: Path, trust: TrustFile | None) -> Opened:
    """A release's parcel; without keys, its signature stays unchecked.

    Raises:
        ConsiliumError: it cannot be read, is something else, or is not signed by whom the keys name.
    """
    opened = _open(path, trust)
    if not isinstance(opened.manifest, ReleaseManifest):
        raise ContractError(f"is a '{opened.manifest.kind}', not a release", where=str(path))
    return opened


def open_features(path: Path, trust: TrustFile | None) -> Opened:
    """The parcel of a contribution of features; without keys, its signature stays unchecked.

    Raises:
        ConsiliumError: it cannot be read, is something else, or is not signed by whom the keys name.
    """
    opened = _open(path, trust)
    if not isinstance(opened.manifest, FeaturesManifest):
        cure = "give contributions of features"
        raise ContractError(f"is a '{opened.manifest.kind}', not features", where=str(path), cure=cure)
    return opened


def _open(path: Path, trust: TrustFile | None) -> Opened:
    try:
        parcel = parse_parcel(_read(path))
        passage = read_passage(parcel)
        signers: frozenset[str] = frozenset()
        if trust is not None:
            passage, signers = check_envelope(parcel, trust, recipient=passage.recipient)
        return open_contents(parcel, passage, signers)
    except ContractError as error:
        raise ContractError(str(error), where=str(path)) from error


def require_readable(paths: Sequence[Path]) -> None:
    """Whether every file is there, before anything is verified.

    Raises:
        ConsiliumError: one cannot be read.
    """
    for path in paths:
        _is_parcel(path)


def is_predictions(path: Path) -> bool:
    """Whether a file holds predictions, not a parcel.

    Raises:
        ConsiliumError: it cannot be read.
    """
    return not _is_parcel(path)


def read_predictions(path: Path) -> Iterable[tuple[int, str]]:
    """Numbered lines of a file of predictions.

    Raises:
        ConsiliumError: it cannot be read, or is empty.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise cannot_read(path, error) from error
    if not lines:
        raise ContractError("is neither a parcel nor predictions: it is empty", where=str(path))
    return enumerate(lines, 1)


def _is_parcel(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError as error:
        raise cannot_read(path, error) from error


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_PARCEL_BYTES + 1)
    except OSError as error:
        raise cannot_read(path, error) from error


def _verify_parcel(path: Path, trust: TrustFile) -> tuple[Audit, Opened | None]:
    checks: list[Check] = []
    kind, digest, opened = "parcel", None, None
    try:
        parcel = parse_parcel(_read(path))
        digest = parcel.digest
        kind = read_passage(parcel).kind
        opened = _open_in_steps(parcel, trust, checks)
    except ConsiliumError as error:
        checks.append(Check(name=_step_after(checks), ok=False, found=str(error)))
    return Audit(file=str(path), kind=kind, digest=digest, checks=tuple(checks)), opened


def _open_in_steps(parcel: Parcel, trust: TrustFile, checks: list[Check]) -> Opened:
    """Signature, then contents, then the model; what is fine so far is in `checks`."""
    passage, signers = check_envelope(parcel, trust, recipient=read_passage(parcel).recipient)
    by = ", ".join(sorted(signer[:16] for signer in signers))
    checks.append(Check(name="signature", ok=True, found=f"by '{passage.sender}' with {by}"))
    opened = open_contents(parcel, passage, signers)
    found = f"{len(opened.tensors)} tensors as declared, {len(parcel.to_bytes())} bytes"
    checks.append(Check(name="contents", ok=True, found=found))
    if isinstance(opened.manifest, ReleaseManifest):
        from federated.fused_model import FusedModel

        model = FusedModel.from_release(opened.manifest, opened.tensors)
        found = f"{len(model.labels)} labels of {len(model.sites)} sites, {len(opened.manifest.systems)} systems"
        checks.append(Check(name="model", ok=True, found=found))
    return opened


def _step_after(checks: Sequence[Check]) -> str:
    return ("signature", "contents", "model")[len(checks)]


def _number_checks(opened: Opened, known: Sequence[Opened]) -> list[Check]:
    """Whether its number is used once, and it names its predecessor, as far as the files given tell."""
    passage = opened.passage
    stream = [
        each for each in known if (each.passage.sender, each.passage.recipient) == (passage.sender, passage.recipient)
    ]
    twins = {each.digest for each in stream if each.passage.sequence == passage.sequence}
    before = {each.digest for each in stream if each.passage.sequence == passage.sequence - 1}
    place = f"number {passage.sequence} from '{passage.sender}' to '{passage.recipient}'"
    if len(twins) > 1:
        return [Check(name="number", ok=False, found=f"{place} was used for {len(twins)} different parcels")]
    if (passage.previous is None) != (passage.sequence == 1) or (before and passage.previous not in before):
        return [Check(name="number", ok=False, found=f"{place} names another predecessor")]
    told = "its predecessor is right" if before else "its predecessor is not among the files"
    return [Check(name="number", ok=True, found=place if passage.sequence == 1 else f"{place}, {told}")]


def _logged_checks(opened: Opened, logged: Index | None, witnessed: int) -> list[Check]:
    """Whether the log tells of it, and nothing else of it; of what is only passed on it tells nothing."""
    manifest, passage = opened.manifest, opened.passage
    if logged is None or manifest.kind not in LOGGED:
        return []
    sender = passage.sender if manifest.kind in SITE_KINDS else ""
    number, entry = logged.get((manifest.kind, sender, opened.digest), (-1, None))
    if entry is None:
        return [Check(name="log", ok=False, found="the log does not tell that it was taken in")]
    said = {"choice": entry.choice, "concerns": entry.concerns} if manifest.kind == "adoption" else {}
    if said and said != {"choice": manifest.choice, "concerns": manifest.release}:
        return [Check(name="log", ok=False, found=f"entry {number} says something else than it")]
    if number >= witnessed:
        return [Check(name="log", ok=None, found=f"entry {number}, which nobody has witnessed yet")]
    return [Check(name="log", ok=True, found=f"entry {number}")]


def _lineage_checks(opened: Opened, known: Sequence[Opened]) -> list[Check]:
    """What a release names, held against the files given."""
    manifest = opened.manifest
    if not isinstance(manifest, ReleaseManifest):
        return []
    given = {each.digest: each.manifest for each in known}
    named = {name: site.name for site in manifest.sites for name in site.contributions}
    if len(named) < sum(len(site.contributions) for site in manifest.sites):
        return [Check(name="lineage", ok=False, found="a contribution is counted twice")]
    asked = dict.fromkeys(manifest.panel.consultations if manifest.panel else (), "consultation")
    asked |= {card.contribution: "weights" for card in manifest.experts}
    wrong = [name for name, site in named.items() if name in given and not _is_part(given[name], site, manifest)]
    wrong += [name for name, kind in asked.items() if name in given and given[name].kind != kind]
    wrong += [name for name in _ancestors(manifest) if name in given and not _is_ancestor(given[name], manifest)]
    if wrong:
        return [Check(name="lineage", ok=False, found=f"{wrong[0]} is not what the release says it is")]
    there = sum(name in given for name in named)
    return [Check(name="lineage", ok=True, found=f"{there} of {len(named)} contributions among the files")]


def _recomputed(opened: Opened, known: Sequence[Opened]) -> list[Check]:
    """A release's sums, one line a site, and its solutions, or an average's mean, as far as the files given allow."""
    manifest = opened.manifest
    if isinstance(manifest, AverageManifest):
        return _mean(opened, known) if manifest.updates else []
    if not isinstance(manifest, ReleaseManifest):
        return []
    from federated.fused_model import FusedModel

    model = FusedModel.from_release(manifest, opened.tensors)
    given = {each.digest: each for each in known if _is_part_of_sums(each.manifest)}
    return [*(_sums_of(model, site, given) for site in manifest.sites), _solutions(model)]


def _mean(opened: Opened, known: Sequence[Opened]) -> list[Check]:
    manifest: AverageManifest = opened.manifest
    named = {each.update for each in manifest.updates}
    given = {each.digest: (each.manifest, each.tensors) for each in known if isinstance(each.manifest, UpdateManifest)}
    missing = len(named - set(given))
    if missing:
        found = f"not recomputed: {missing} of its {len(named)} updates are not among the files"
        return [Check(name="mean", ok=None, found=found)]
    return [_outcome("mean", lambda: recompute_average(manifest, opened.tensors, given))]


def _is_part_of_sums(part: Any) -> bool:
    return isinstance(part, StatisticsManifest | FeaturesManifest)


def _sums_of(model: FusedModel, site: ReleaseSite, given: Mapping[str, Opened]) -> Check:
    from federated.recomputation import recompute_sums

    parts = [given[name] for name in site.contributions if name in given]
    missing = len(site.contributions) - len(parts)
    if missing or not parts:
        found = f"not recomputed: {missing} of its {len(site.contributions)} contributions are not among the files"
        return Check(name=f"site {site.name}", ok=None, found=found)
    return _outcome(f"site {site.name}", lambda: recompute_sums(model, site, parts))


def _solutions(model: FusedModel) -> Check:
    from federated.recomputation import recompute_solutions

    kept = [name for name, block in model.blocks.items() if block.gram is None]
    if kept:
        found = f"not recomputed: the release carries no Gram matrix of {', '.join(kept)}"
        return Check(name="solutions", ok=None, found=found)
    return _outcome("solutions", lambda: recompute_solutions(model))


def _outcome(name: str, recompute: Callable[[], str]) -> Check:
    try:
        return Check(name=name, ok=True, found=recompute())
    except ContractError as error:
        return Check(name=name, ok=False, found=str(error))


def _ancestors(manifest: ReleaseManifest) -> list[str]:
    return [name for name in (manifest.previous, manifest.candidate) if name is not None]


def _is_part(part: Any, site: str, manifest: ReleaseManifest) -> bool:
    return part.kind in MODEL_KINDS and part.site == site and part.front_end == manifest.front_end.digest


def _is_ancestor(ancestor: Any, manifest: ReleaseManifest) -> bool:
    return (
        isinstance(ancestor, ReleaseManifest)
        and ancestor.federation == manifest.federation
        and ancestor.number <= manifest.number
    )


def _verify_predictions(path: Path, release: Opened | None) -> Audit:
    problems: list[str] = []
    releases: set[str] = set()
    count = 0
    for number, line in read_predictions(path):
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
    return Audit(file=str(path), kind="predictions", digest=digest, checks=tuple(checks))


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
