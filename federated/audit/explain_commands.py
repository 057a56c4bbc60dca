"""``consilium audit explain`` and ``replay``: one decision in plain language, and decided again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from federated.errors import ConsiliumError, one_line
from federated.tables import Json, number, print_json, print_tables, table

if TYPE_CHECKING:
    from rich.table import Table

    from federated.audit.explain import Explanation, Without
    from federated.audit.given import Decisions, Given
    from federated.audit.replay import Replay

Trust = Annotated[Path | None, typer.Option(help="keys.toml: check signatures first.")]
MARKS = {True: "ok   ", False: "WRONG", None: "-    "}


def explain(
    file: Annotated[Path, typer.Argument(help="Predictions (.jsonl), an opened decision, or a bundle.")],
    image: Annotated[str | None, typer.Option(help="The image, or clip, where there are several.")] = None,
    release: Annotated[Path | None, typer.Option(help="The release that answered; a bundle brings its own.")] = None,
    trust: Trust = None,
    as_json: Json = False,
) -> None:
    """Say in plain language what was answered to one image or clip, or why nothing was, and each site's part in it.

    What would be without a site is told by fusing again without it, which takes the release and, of an opened decision,
    the image's features. Shares and contributions say what a site put in, and nothing else.
    """
    from federated.audit.explain import Evidence
    from federated.audit.explain import explain as explain_decision

    decisions = _decisions(file, release, trust)
    given = decisions.choose(image)
    features = None if given.opened is None else given.opened.tensors["features"]
    at_hand = Evidence(decisions.model(given.decision), features, decisions.flags(given))
    found = explain_decision(given.decision, at_hand)
    _print_explanation(found, as_json)


def replay(
    file: Annotated[Path, typer.Argument(help="An opened decision, or a bundle with some.")],
    release: Annotated[Path | None, typer.Option(help="The release that answered; a bundle brings its own.")] = None,
    trust: Trust = None,
    as_json: Json = False,
) -> None:
    """Decide opened decisions again from their features and their release, and compare.

    In the same environment the answer is the same bit for bit; elsewhere label and refusal are the same, and numbers
    within 1e-9. Ends with 1 where an answer does not come out again, or cannot be decided again.
    """
    decisions = _decisions(file, release, trust)
    found = [_replayed(decisions, given) for given in decisions.opened()]
    if not found:
        cure = "a hospital opens some: consilium site decisions open"
        raise ConsiliumError("holds no opened decision", where=str(file), cure=cure)
    if as_json:
        print_json([{**each.model_dump(mode="json"), "ok": each.ok} for each in found])
    else:
        _print_replays(found)
    if not all(each.ok for each in found):
        raise typer.Exit(1)


def _decisions(file: Path, release: Path | None, trust: Path | None) -> Decisions:
    from federated.audit.given import Decisions
    from federated.keys import read_trust

    if trust is None:
        typer.echo("signatures were not checked: name the hospitals' file with --trust keys.toml", err=True)
    return Decisions(file, release, read_trust(trust).with_former() if trust is not None else None)


def _replayed(decisions: Decisions, given: Given) -> Replay:
    from federated.audit.replay import replay as decide_again

    model = decisions.model(given.decision)
    if model is None or given.opened is None:
        cure = "name it with --release"
        raise ConsiliumError(f"the release {given.decision.release} is not here", where=given.name, cure=cure)
    return decide_again(given.opened, model)


def _print_explanation(found: Explanation, as_json: bool) -> None:
    from federated.audit.wording import sentences

    lines = sentences(found)
    if as_json:
        print_json({**found.model_dump(mode="json"), "words": lines})
        return
    for line in lines:
        typer.echo(line)
    print_tables(_sites(found))


def _sites(found: Explanation) -> Table:
    told = found.not_removed is None
    columns = ("site", "p", "weight", "contribution", "evidence", *(("without", "label") if told else ()))
    rows: list[tuple[str, ...]] = []
    for each in found.sites:
        figures = map(number, (each.p, each.weight, each.contribution, each.evidence))
        rows.append((each.site, *figures, *(_without(each.without) if told else ())))
    rest = (("nobody (prior)", found.prior), ("sites disagree", found.disagreement), ("others", found.other))
    nothing = ("-", "-") if told else ()
    rows += [(name, "-", "-", "-", number(share), *nothing) for name, share in rest if share > 0]
    without = "; score and label without each site" if told else ""
    return table(f"parts in the score of {found.best}{without}", columns, rows)


def _without(without: Without | None) -> tuple[str, str]:
    if without is None:
        return "-", "-"
    return number(without.score), "(nothing)" if without.withheld else without.best or "(nothing)"


def _print_replays(found: list[Replay]) -> None:
    for each in found:
        typer.echo(f"decision {each.number} of {each.site}, release {each.release}")
        for check in each.checks:
            typer.echo(one_line(f"  {MARKS[check.ok]} {check.name}: {check.found}"))
    same = sum(each.ok for each in found)
    exact = sum(each.ok and each.equal == "bit for bit" for each in found)
    typer.echo(f"{same} of {len(found)} decisions came out again, {exact} of them bit for bit")
