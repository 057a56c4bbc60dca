"""Releases at a site: kept, measured on its own held-back patients, then adopted, pinned or refused; recalls fall back.

The state is one file, `releases/state.json`, replaced in one step. What the coordinator has not been told of it yet is
marked there, so that a command killed before telling is made good by the next.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, ValidationError

from federated.disclosure import Facts
from federated.envelope import open_parcel, parse_parcel
from federated.errors import ConsiliumError, ContractError, cannot_read
from federated.files import write_whole
from federated.hierarchy import ancestors
from federated.manifest import (
    AdoptionManifest,
    Digest,
    Frozen,
    RecallManifest,
    ReleaseManifest,
    Tensors,
    pack_tensors,
)
from site_agent.evaluation import Answered, Evaluation
from site_agent.evaluation import evaluate as measure

if TYPE_CHECKING:
    from federated.envelope import Opened
    from federated.fused_model import FusedModel
    from site_agent.drafts import Draft
    from site_agent.home import SiteHome

State = Literal["waiting", "adopted", "pinned", "refused", "recalled"]
CHOICES = ("adopted", "pinned", "refused")
REASON_LENGTH = 200


class Held(Frozen):
    """One release at this site.

    Attributes:
        state: waiting for a person, or what became of it.
        reason: a person's, or the recall's.
        told: whether the coordinator knows of this state.
        changes: how often a choice was made; a later one is another message than an earlier one.
    """

    digest: Digest
    number: int
    state: State = "waiting"
    reason: str = ""
    told: bool = True
    changes: int = 0
    evaluation: Evaluation | None = None


class Standing(Frozen):
    """A hospital's word that newer releases are adopted without asking, above a floor.

    Attributes:
        floor: least balanced accuracy on the site's own held-back patients; that of guessing among the release's
            labels where none is said.
    """

    floor: Annotated[float, Field(ge=0, le=1)] | None = None


class Shelf(Frozen):
    """All releases by number, and those adopted, oldest first: the last of them answers.

    `standing` says whether newer ones are adopted without asking.
    """

    version: Literal[1] = 1
    releases: tuple[Held, ...] = ()
    adopted: tuple[Digest, ...] = ()
    standing: Standing | None = None

    @property
    def current(self) -> Held | None:
        """The release that answers here."""
        return self.find(self.adopted[-1]) if self.adopted else None

    def find(self, digest: str) -> Held:
        """A release by its digest."""
        return next(held for held in self.releases if held.digest == digest)

    def named(self, name: str) -> Held:
        """A release by its number or the beginning of its digest.

        Raises:
            ConsiliumError: none, or several.
        """
        plain = name.removeprefix("sha256:")
        hexadecimal = [held for held in self.releases if len(plain) >= 6 and held.digest[7:].startswith(plain)]
        found = [held for held in self.releases if str(held.number) == name] or hexadecimal
        if len(found) != 1:
            there = ", ".join(str(held.number) for held in self.releases) or "none"
            raise ConsiliumError(
                "there is no such release" if not found else "several releases are named so",
                where=name,
                cure=f"releases here: {there}",
            )
        return found[0]

    def newest(self, *states: State) -> Held | None:
        """The release with the largest number, of some states."""
        return max((held for held in self.releases if held.state in states), key=lambda held: held.number, default=None)

    def replace(self, held: Held) -> Shelf:
        """With another account of one release."""
        others = [other for other in self.releases if other.digest != held.digest]
        return self.model_copy(update={"releases": tuple(sorted([*others, held], key=lambda each: each.number))})


def read_shelf(home: SiteHome) -> Shelf:
    """What is here, and what became of it.

    Raises:
        ConsiliumError: the file cannot be read.
    """
    path = _shelf_path(home)
    try:
        return Shelf.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Shelf()
    except OSError as error:
        raise cannot_read(path, error) from error
    except ValidationError as error:
        raise ConsiliumError("was changed by hand or damaged", where=str(path), cure="restore the file") from error


def _write_shelf(home: SiteHome, shelf: Shelf) -> None:
    write_whole(_shelf_path(home), shelf.model_dump_json(indent=1).encode())


def _shelf_path(home: SiteHome) -> Path:
    return home.releases / "state.json"


def set_standing(home: SiteHome, standing: Standing | None) -> None:
    """From now on newer releases are adopted without asking, or a person decides."""
    _write_shelf(home, read_shelf(home).model_copy(update={"standing": standing}))


def release_path(home: SiteHome, digest: str) -> Path:
    """The parcel of a release."""
    return home.releases / f"{digest.removeprefix('sha256:')}.parcel"


def keep(home: SiteHome, opened: Opened) -> Held:
    """Puts a release from the inbox on the shelf, and takes its new labels over; again is no work."""
    home.follow_vocabulary(opened.manifest.vocabulary)
    shelf = read_shelf(home)
    name = opened.digest.removeprefix("sha256:")
    if not release_path(home, opened.digest).exists():
        source = next(home.inbox.glob(f"*-{name}.parcel"))
        write_whole(release_path(home, opened.digest), source.read_bytes())
    if opened.digest not in {held.digest for held in shelf.releases}:
        shelf = shelf.replace(Held(digest=opened.digest, number=opened.manifest.number))
        _write_shelf(home, shelf)
    return shelf.find(opened.digest)


def load(home: SiteHome, digest: str) -> tuple[ReleaseManifest, Tensors]:
    """A release from the shelf, its signature checked once more.

    Raises:
        ConsiliumError: the file is missing or was changed.
    """
    path = release_path(home, digest)
    try:
        parcel = parse_parcel(path.read_bytes())
    except OSError as error:
        raise cannot_read(path, error) from error
    opened = open_parcel(parcel, home.trust(), recipient=home.config.site)
    return opened.manifest, opened.tensors


def require_front_end(home: SiteHome, manifest: ReleaseManifest) -> None:
    """Whether a candidate or release is of this home's epoch.

    Raises:
        ContractError: it was made with other features.
    """
    if manifest.front_end.digest != home.config.front_end.digest:
        raise ContractError(
            f"was made with the front end '{manifest.front_end.name}', not with this home's",
            where=f"{manifest.kind} {manifest.number}",
            cure="join anew, under a new name and in a new folder, with a kit of today's: consilium site join KIT",
        )


def evaluate(home: SiteHome, digest: str) -> Evaluation:
    """Measures a release on the site's test fold, beside the one that answers now, and writes the figures down.

    Raises:
        ConsiliumError: the release is not here.
    """
    shelf = read_shelf(home)
    held, current = shelf.find(digest), shelf.current
    before = None
    if current is not None and current.digest != digest:
        before = (current.digest, _answered(home, current.digest))
    evaluation = measure(digest, _answered(home, digest), before)
    _write_shelf(home, shelf.replace(held.model_copy(update={"evaluation": evaluation})))
    return evaluation


def _answered(home: SiteHome, digest: str) -> Answered:
    """Decisions on the clips of the test fold."""
    from site_agent.asking import read_of
    from site_agent.catalogue import Catalogue

    cases = Catalogue(home.catalogue_path).cases(fold="test")
    clips = [f"{case.patient}/{case.clip}" for case in cases]
    first = dict(zip(reversed(clips), reversed(cases), strict=True))
    model = model_of(home, digest)
    decisions = model.decide(read_of(home, model.manifest, cases), [case.sha256 for case in cases], clips)
    by_clip = [decision for decision in decisions if decision.image is None]
    chosen = [first[decision.clip] for decision in by_clip]
    labels, patients = (tuple(getattr(case, name) for case in chosen) for name in ("label", "patient"))
    vocabulary = model.manifest.vocabulary
    above = {code: found for code in vocabulary.codes if (found := ancestors(vocabulary, code))}
    return Answered(labels, patients, tuple(by_clip), above)


def model_of(home: SiteHome, digest: str) -> FusedModel:
    """A release of the shelf in memory."""
    from federated.fused_model import FusedModel

    manifest, tensors = load(home, digest)
    require_front_end(home, manifest)
    return FusedModel.from_release(manifest, tensors)


def choose(home: SiteHome, digest: str, choice: Literal["adopted", "pinned", "refused"], reason: str = "") -> Held:
    """Adopts, pins or refuses a release. A pinned one is not replaced unless a person says so.

    Raises:
        ConsiliumError: it was recalled, or was not evaluated here first.
    """
    shelf = read_shelf(home)
    held = shelf.find(digest)
    if held.state == "recalled" and choice != "refused":
        raise ConsiliumError(f"was recalled ({held.reason})", where=f"release {held.number}", cure="adopt another one")
    if held.evaluation is None and choice != "refused":
        raise ConsiliumError(
            "was not evaluated on your own patients yet",
            where=f"release {held.number}",
            cure=f"consilium site evaluate {held.number}",
        )
    if (held.state, held.reason) == (choice, reason) and (choice == "refused" or shelf.current == held):
        return held
    chosen = _changed(held, choice, reason)
    others = tuple(name for name in shelf.adopted if name != digest)
    adopted = others if choice == "refused" else (*others, digest)
    shelf = _unpinned(shelf, digest) if choice != "refused" else shelf
    _write_shelf(home, shelf.replace(chosen).model_copy(update={"adopted": adopted}))
    return chosen


def _changed(held: Held, state: State, reason: str) -> Held:
    update = {"state": state, "reason": reason[:REASON_LENGTH], "told": False, "changes": held.changes + 1}
    return held.model_copy(update=update)


def _unpinned(shelf: Shelf, but: str) -> Shelf:
    """A pinned release that is replaced is one adopted earlier; the coordinator hears of its successor."""
    for held in shelf.releases:
        if held.state == "pinned" and held.digest != but:
            shelf = shelf.replace(held.model_copy(update={"state": "adopted"}))
    return shelf


def recall(home: SiteHome, manifest: RecallManifest) -> Held | None:
    """Takes a release out of use; the site falls back to one that it has adopted itself before, or to none.

    Returns:
        The release that answers from now on; None where none does.
    """
    shelf = read_shelf(home)
    if manifest.release not in {held.digest for held in shelf.releases}:
        return shelf.current
    was_current = bool(shelf.adopted) and shelf.adopted[-1] == manifest.release
    gone = shelf.find(manifest.release).model_copy(
        update={"state": "recalled", "reason": manifest.reason, "told": True}
    )
    adopted = [name for name in shelf.adopted if name != manifest.release]
    if was_current and manifest.fallback in adopted:
        adopted = [*(name for name in adopted if name != manifest.fallback), manifest.fallback]
    shelf = shelf.replace(gone).model_copy(update={"adopted": tuple(adopted)})
    if was_current and shelf.current is not None:
        shelf = shelf.replace(_changed(shelf.current, "adopted", f"fell back when release {gone.number} was recalled"))
    _write_shelf(home, shelf)
    return shelf.current


def untold(home: SiteHome) -> list[Held]:
    """Choices that the coordinator does not know of yet."""
    return [held for held in read_shelf(home).releases if not held.told and held.state in CHOICES]


def mark_told(home: SiteHome, digest: str) -> None:
    """The coordinator will know: its message is on the way."""
    shelf = read_shelf(home)
    _write_shelf(home, shelf.replace(shelf.find(digest).model_copy(update={"told": True})))


def adoption_draft(home: SiteHome, held: Held) -> Draft:
    """The message about a choice. It holds nothing of a patient."""
    from site_agent.drafts import Draft

    data, specs, tensors_digest = pack_tensors({})
    again = f" (choice {held.changes})" if held.changes > 1 else ""
    manifest = AdoptionManifest(
        federation=home.config.federation,
        tensors=specs,
        tensors_digest=tensors_digest,
        site=home.config.site,
        release=held.digest,
        choice=held.state,  # type: ignore[arg-type]  # one of CHOICES
        reason=held.reason[: REASON_LENGTH - len(again)] + again,
    )
    facts = Facts("adoption", None, None, {}, 0.0, len(data))
    return Draft(manifest, data, facts)
