"""The site's side of a model that is averaged in rounds: a global model comes, is verified, trained from, answered.

A global model is used only if the coordinator signed it for this site, it is a state of the network that it names, and
what it says of this site is what left here. The update that answers it goes to the gate like everything
else. The last global model of a run is kept for use.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from threadpoolctl import threadpool_limits

from federated.averaging import AverageManifest, Plan, UpdateManifest, check_average, check_values
from federated.contract import Tensors, pack_tensors
from federated.envelope import open_parcel, parse_parcel
from federated.errors import ContractError, DataError, cannot_read
from federated.files import write_whole
from federated.manifest import parse_manifest
from site_agent.drafts import Draft
from site_agent.egress import Gate
from site_agent.lessons import Lesson, lesson_of
from site_agent.mailbox import Outbox
from site_agent.policy import read_policy
from site_agent.standing import about
from site_agent.steps import Step
from site_agent.tasks.blocks import TRAIN, cells_of, facts_of

if TYPE_CHECKING:
    from federated.envelope import Opened
    from site_agent.catalogue import Case
    from site_agent.home import SiteHome


def answer(home: SiteHome, opened: Opened) -> Step:
    """Keeps the last global model of a run; trains from any other, and gives the update to the gate.

    Raises:
        ContractError: the global model is not what it should be.
        DisclosureError: the policy, its standing approval or a filter does not let the update out.
    """
    average: AverageManifest = opened.manifest
    require_sound(home, average, opened.tensors)
    if average.is_finished:
        _keep(home, opened)
        return Step(kind="average", subject=subject(average), state="kept", digest=opened.digest)
    lesson = lesson_of(home, average.plan, read_policy(home).update.limits)
    Gate(home).require(_draft(home, opened, lesson, opened.tensors))  # before the work: what it holds decides nothing
    submission = Gate(home).submit(draft_update(home, opened, lesson))
    return Step(kind="update", subject=subject(average), state=submission.state, digest=submission.digest)


def subject(average: AverageManifest) -> str:
    """Which it is, for a person."""
    return f"{average.plan.model}, run {average.run}, round {average.round} of {average.plan.rounds}"


def overtaken(waiting: Sequence[Opened]) -> set[str]:
    """Of the global models that wait, those that ask for an update and that a later one has overtaken."""
    averages = [opened for opened in waiting if opened.manifest.kind == "average"]
    return {opened.digest for opened in averages[:-1] if not opened.manifest.is_finished}


def require_sound(home: SiteHome, average: AverageManifest, tensors: Tensors) -> None:
    """Whether a global model, whose signature was checked, may be used here.

    Raises:
        ContractError: it is of another task, front end or network, or names an update that did not leave here.
    """
    from shared_models.averaged_models import averaged_model, start_of

    plan, config = average.plan, home.config
    if (plan.task, plan.front_end) != (config.task, config.front_end.digest):
        raise ContractError("is for another task or front end than this home's", where=subject(average))
    unknown = sorted(set(plan.labels) - set(home.vocabulary.codes))
    if unknown:
        raise ContractError(f"'{unknown[0]}' is not in the vocabulary here", where=subject(average))
    try:
        start = start_of(averaged_model(plan.model), plan.config, config.front_end.features, len(plan.labels))
    except ValueError as error:
        raise ContractError(str(error), where=subject(average), cure="install the coordinator's version") from error
    check_average(average, tensors, pack_tensors(start)[1])
    _require_own(home, average)


def _require_own(home: SiteHome, average: AverageManifest) -> None:
    """What a global model says of this site is what left here; a coordinator that made it up is found out."""
    for each in average.updates:
        if each.site == home.config.site:
            parcel = Outbox(home).sent(each.update)
            update = parse_manifest(parcel.manifest) if parcel is not None else None
            if not isinstance(update, UpdateManifest):
                raise ContractError("names an update of this site that never left here", where=subject(average))
            if (update.average, update.examples) != (average.previous, each.images):
                raise ContractError("says of this site's update what is not in it", where=subject(average))


def draft_update(home: SiteHome, opened: Opened, lesson: Lesson) -> Draft:
    """The update that answers a global model; equal bytes for equal cases, so that a repeated draft is the same.

    Args:
        home: the site's.
        opened: the global model, which was found sound.
        lesson: to train on.

    Raises:
        ContractError: the training went astray, to numbers that no training should give.
        DataError: there are not images enough to train on.
    """
    from shared_models.averaged_models import averaged_model
    from shared_models.timm_networks import first_line

    plan: Plan = opened.manifest.plan
    model = averaged_model(plan.model)
    with threadpool_limits(1):  # the last digits of a sum depend on the number of threads
        examples = lesson.examples(dict(plan.config))
        seed = int(opened.digest.removeprefix("sha256:")[:8], 16)  # of the round, so that a repeated draft is the same
        try:
            state = model.train(opened.tensors, plan.config, examples, plan.epochs, plan.proximal, seed)
        except (ValueError, RuntimeError, MemoryError) as error:  # the second is what torch says of memory
            raise DataError(f"cannot be trained from ({first_line(error)})", where=subject(opened.manifest)) from error
    check_values(state)
    return _draft(home, opened, lesson, state)


def _draft(home: SiteHome, opened: Opened, lesson: Lesson, state: Tensors) -> Draft:
    average: AverageManifest = opened.manifest
    plan = average.plan
    data, specs, tensors_digest = pack_tensors(state)
    manifest = UpdateManifest(
        federation=home.config.federation,
        tensors=specs,
        tensors_digest=tensors_digest,
        site=home.config.site,
        task=plan.task,
        front_end=plan.front_end,
        average=opened.digest,
        run=average.run,
        round=average.round + 1,
        model=plan.model,
        **_counts(lesson.cases, plan.labels),
    )
    facts = facts_of("update", {TRAIN: lesson.cases}, {TRAIN: lesson.weights}, size=len(data))
    return Draft(manifest, data, replace(facts, about=about(plan.task, plan.model)))


def _counts(cases: Sequence[Case], labels: Sequence[str]) -> dict[str, Any]:
    patients = {label: len(found) for (_, label), found in cells_of(cases).items()}
    present = tuple(label for label in labels if label in patients)
    return {
        "labels": present,
        "patients": {label: patients[label] for label in present},
        "images": {label: sum(case.label == label for case in cases) for label in present},
        "batch_patients": len({case.patient for case in cases}),
    }


def _keep(home: SiteHome, opened: Opened) -> None:
    """The parcel as it came, with its signature; again is no work."""
    path = average_path(home, opened.digest)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    if not path.exists():
        source = next(home.inbox.glob(f"*-{path.stem}.parcel"))
        write_whole(path, source.read_bytes())


def average_path(home: SiteHome, digest: str) -> Path:
    """Where the last global model of a run is kept."""
    return home.averages / f"{digest.removeprefix('sha256:')}.parcel"


def load_average(home: SiteHome, digest: str) -> tuple[AverageManifest, Tensors]:
    """A global model that was kept, its signature and contents checked once more, to be used.

    Raises:
        ConsiliumError: the file is missing or was changed, or is not a global model for this home.
    """
    path = average_path(home, digest)
    try:
        parcel = parse_parcel(path.read_bytes())
    except OSError as error:
        raise cannot_read(path, error) from error
    opened = open_parcel(parcel, home.trust(), recipient=home.config.site)
    if opened.digest != digest or not isinstance(opened.manifest, AverageManifest):
        raise ContractError("is another global model than its name says", where=str(path))
    require_sound(home, opened.manifest, opened.tensors)
    return opened.manifest, opened.tensors
