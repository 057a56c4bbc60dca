"""``consilium coordinator average``: a model averaged in rounds with the sites that are online."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from federated.errors import ConsiliumError
from server.options import HERE, Home

if TYPE_CHECKING:
    from federated.averaging import Plan
    from server.averaging import AveragingSummary, Round
    from server.coordinator import Coordinator
    from server.home import CoordinatorHome


def average(
    task: Annotated[str, typer.Option(help="What is learnt; the federation's task by default.")] = "",
    model: Annotated[str, typer.Option(help="The network that is trained in rounds; by default the task's.")] = "",
    model_config: Annotated[list[str] | None, typer.Option(help="A setting of the network, as in width=32.")] = None,
    strategy: Annotated[str, typer.Option(help="How updates are averaged: fedavg or fedprox.")] = "fedavg",
    rounds: Annotated[int, typer.Option(help="How many rounds the run has.")] = 10,
    epochs: Annotated[int, typer.Option(help="Passes over a site's training images in a round.")] = 1,
    proximal: Annotated[float, typer.Option(help="μ of fedprox: how strongly a site holds to the global model.")] = 0.0,
    least: Annotated[int, typer.Option(help="Updates without which a round is not averaged.")] = 2,
    stop: Annotated[bool, typer.Option("--stop", help="End the run that waits for updates, and begin none.")] = False,
    wait: Annotated[float, typer.Option(help="Seconds to wait for sites that are not online yet.")] = 30.0,
    seconds: Annotated[float, typer.Option(help="How long one round of messages may take.")] = 600.0,
    listen: Annotated[
        str | None, typer.Option(help="host:port of the SuperLink, where a gate stands before it.")
    ] = None,
    home: Home = HERE,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a program.")] = False,
) -> None:
    """Average a model in rounds over Flower; a run that was stopped or killed goes on from its last round."""
    coordinator = _open(home)
    if stop:
        typer.echo(f"run {coordinator.stop_average()} is ended; its global models stay in the artefacts")
        return
    settings: dict[str, str | int | float] = {
        "strategy": strategy,
        "rounds": rounds,
        "epochs": epochs,
        "proximal": proximal,
        "least": least,
    }
    plan = _plan(coordinator.home, task, model, model_config or [], settings)
    coordinator.begin_average(plan)
    summary = _run(coordinator.home, plan.rounds, listen, wait=wait, seconds=seconds)
    if as_json:
        typer.echo(json.dumps(summary.model_dump(mode="json"), indent=1))
    else:
        typer.echo("\n".join(lines(summary)))
    if summary.trouble:
        raise ConsiliumError(summary.trouble, where=f"run {summary.run}")


def lines(summary: AveragingSummary) -> list[str]:
    """What a run did, for a person."""
    ended = f"the global model is {summary.finished}" if summary.finished else "the run waits for updates"
    told = [line for each in summary.rounds for line in _round_lines(each)]
    return [f"run {summary.run}: {summary.model} by {summary.strategy}, {summary.seconds:.1f} s", *told, ended]


def _round_lines(each: Round) -> list[str]:
    entered = ", ".join(f"{site} ({images} images)" for site, images in sorted(each.entered.items())) or "nobody"
    wrong = [f"  quarantined: {found.site}, {found.reason}" for found in each.accepted if not found.harmless]
    silent = [f"  did not answer: {answer.site} ({answer.unreached})" for answer in each.asked if answer.unreached]
    return [f"round {each.round}: {entered}", *wrong, *silent]


def _open(home: Path) -> Coordinator:
    from server.coordinator import Coordinator
    from server.home import CoordinatorHome

    return Coordinator(CoordinatorHome(home))


def _plan(
    home: CoordinatorHome, task: str, model: str, options: list[str], settings: dict[str, str | int | float]
) -> Plan:
    """The run that is asked for, with the network that the federation's features and labels need.

    Raises:
        ConsiliumError: another task than the federation's, no such network, or a setting that cannot be.
    """
    from federated.averaging import Plan
    from server.home import validated
    from shared_models.averaged_models import averaged_model, config_of

    config, labels = home.config, home.vocabulary().codes
    if task not in ("", config.task):
        raise ConsiliumError(f"this federation learns '{config.task}'", where=f"--task {task}")
    name = _model(config.task, model)
    try:
        chosen = dict(_option(each) for each in options)
        built = config_of(averaged_model(name), config.front_end.features, len(labels), chosen)
    except ValueError as error:
        raise ConsiliumError(str(error), where=f"--model {name}") from error
    fixed = {"task": config.task, "front_end": config.front_end.digest, "labels": labels, "model": name}
    return validated(Plan, {**fixed, "config": built, **settings}, where="average")


def _model(task: str, name: str) -> str:
    """The network that is asked for, or the task's usual one.

    Raises:
        ConsiliumError: federations of the task train no such network.
    """
    from shared_models.averaged_models import models_of

    known = models_of(task)
    if name in known or (known and not name):
        return name or known[0]
    there = f"there are {', '.join(known)}" if known else "there is none"
    raise ConsiliumError(f"no model '{name}' of {task} is trained in rounds, {there}", where=f"--model {name}")


def _option(text: str) -> tuple[str, int | str]:
    """``key=value``, the value a whole number or words."""
    key, _, value = text.partition("=")
    if not key or not value:
        raise ValueError(f"--model-config {text} is not key=value")
    return key, int(value) if value.isdecimal() else value


def _run(home: CoordinatorHome, rounds: int, listen: str | None, *, wait: float, seconds: float) -> AveragingSummary:
    from federated.processes import ended_by_sigterm
    from server.superlink import SuperLink

    with ended_by_sigterm(), SuperLink(home, listen) as link:
        typer.echo(f"SuperLink ready at {link.listen}, waiting for sites; Ctrl-C stops", err=True)
        link.wait_for_all(wait)
        return link.run_average(rounds, seconds)
