"""``consilium audit influence``, ``compare`` and ``conflicts``: what sites change, and what changed since."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from federated.errors import ConsiliumError
from federated.tables import Json, number, print_json, print_tables, table

if TYPE_CHECKING:
    from rich.table import Table

    from federated.comparison import ChangedAnswer, Comparison
    from federated.conflicts import Conflicts
    from federated.decision import Decision
    from federated.faithfulness import Correlation
    from federated.fused_model import FusedModel
    from federated.influence_report import InfluenceReport
    from federated.keys import TrustFile
    from federated.labelled_images import LabelledImages

Release = Annotated[Path, typer.Argument(help="A release, or a bundle.")]
Which = Annotated[str | None, typer.Option("--release", help="Of a bundle: number or digest; the newest by default.")]
Trust = Annotated[Path | None, typer.Option(help="keys.toml: check signatures first.")]
WITHHELD = "(withheld)"
SHOWN = 40  # changed answers


def influence(
    release: Release,
    features: Annotated[
        list[Path] | None, typer.Argument(help="Contributions of features, whose images are answered.")
    ] = None,
    which: Which = None,
    trust: Trust = None,
    as_json: Json = False,
) -> None:
    """Show what would change without each site, by fusing again without it, beside what is displayed of it.

    Influence is score without the site minus score with it. Shapley values are over every coalition of up to ten sites,
    each solved anew. It takes a release that carries every site's Gram matrix, and contributions of features:
    validation images where they have some. A bundle brings its own features, or else the decisions that were opened,
    of which nobody says what they show: then there is no accuracy.
    """
    from federated.influence_report import influence_report

    paths = features or []
    _require_files(release, paths)
    keys = _keys(trust)
    model = _model(release, keys, which)
    report = influence_report(model, _images(release, paths, model, keys))
    if as_json:
        print_json(report.model_dump(mode="json"))
    else:
        _print_report(report)


def compare(
    before: Annotated[Path, typer.Argument(help="Predictions (.jsonl) of one release.")],
    after: Annotated[Path, typer.Argument(help="Predictions of another one, of the same images.")],
    as_json: Json = False,
) -> None:
    """Show which answers to the same images changed between two releases, and whose share in them moved most."""
    from federated.comparison import compare as compare_decisions

    found = compare_decisions(_decisions(before), _decisions(after))
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        print_comparison(found)


def conflicts(release: Release, which: Which = None, trust: Trust = None, as_json: Json = False) -> None:
    """Find labels that two sites use for different images, from the class means that a release carries.

    A conflict says that two sites differ by more than chance, not which of them is right.
    """
    from federated.conflicts import label_conflicts

    found = label_conflicts(_model(release, _keys(trust), which))
    if as_json:
        print_json({**found.model_dump(mode="json"), "conflicts": len(found.found)})
    else:
        _print_conflicts(found)


def _keys(trust: Path | None) -> TrustFile | None:
    from federated.keys import read_trust

    if trust is not None:
        return read_trust(trust).with_former()
    typer.echo("signatures were not checked: name the hospitals' file with --trust keys.toml", err=True)
    return None


def _require_files(release: Path, features: list[Path]) -> None:
    """Whether all are there, before anything is computed."""
    from federated.audit.bundle import is_bundle
    from federated.audit.opening import require_readable

    require_readable([path for path in (release, *features) if not is_bundle(path)])


def _model(release: Path, keys: TrustFile | None, which: str | None) -> FusedModel:
    from federated.audit.bundle import is_bundle, open_bundle
    from federated.audit.given import whole_release
    from federated.audit.opening import open_release
    from federated.fused_model import FusedModel

    if is_bundle(release):
        opened = whole_release(open_bundle(release), which, keys)
    elif which is not None:
        raise ConsiliumError("is no bundle, of which a release could be chosen", where=str(release))
    else:
        opened = open_release(release, keys)
    return FusedModel.from_release(opened.manifest, opened.tensors)


def _images(release: Path, features: list[Path], model: FusedModel, keys: TrustFile | None) -> LabelledImages:
    """Of the features that are given, else of the bundle's, else of decisions that were opened."""
    from federated.audit.bundle import is_bundle, open_bundle
    from federated.audit.opening import open_features
    from federated.labelled_images import decided_images, labelled_images

    front_end = model.manifest.front_end.digest
    if features:
        return labelled_images([open_features(path, keys) for path in features], front_end)
    if not is_bundle(release):
        raise ConsiliumError(
            "whose images are answered is not said", where=str(release), cure="add parcels of features"
        )
    bundle = open_bundle(release)
    there = [head.digest for head in bundle.heads("features") if head.why is None]
    if there:
        return labelled_images([bundle.opened(digest, keys) for digest in there], front_end)
    opened = (head.digest for head in bundle.heads("decision") if head.why is None)
    return decided_images([bundle.opened(digest, keys) for digest in opened], model.digest, model.manifest.width)


def _decisions(path: Path) -> list[Decision]:
    from federated.audit.opening import read_predictions
    from federated.decision import parse_decision

    return [parse_decision(line, where=f"{path} line {place}") for place, line in read_predictions(path)]


def _print_report(report: InfluenceReport) -> None:
    typer.echo(f"release {report.release}, weighting {report.weighting}")
    typer.echo(f"{report.images} {report.unit}s of {report.patients} patients")
    if not report.sites:
        typer.echo("what they show is not told, so that there is no accuracy")
    if report.trained_on:
        typer.echo(f"of {', '.join(report.trained_on)} these are training images: effects are larger than on new ones")
    print_tables(_answers(report), _sites(report), _withdrawn(report), _faithful(report))


def _answers(report: InfluenceReport) -> Table:
    columns = ("label", "answers", "site", "contribution", "evidence", "removal", "shapley", "changed")
    rows = [
        (
            row.label,
            str(row.answers),
            row.site,
            *map(number, (row.contribution, row.evidence, row.removal, row.shapley)),
            str(row.changed),
        )
        for row in report.answers
    ]
    return table("means by answer: what is displayed, and what changes", columns, rows)


def _sites(report: InfluenceReport) -> Table:
    rows = [
        (row.site, *map(number, (row.accuracy_with, row.accuracy_without, row.shapley)), str(row.changed))
        for row in report.sites
    ]
    return table("each site withdrawn: accuracy", ("site", "with it", "without it", "shapley", "changed"), rows)


def _withdrawn(report: InfluenceReport) -> Table:
    columns = ("site", "images of", "label", "images", "with it", "without it", "changed")
    rows = [
        (
            row.site,
            row.images_of,
            row.label,
            str(row.images),
            *map(number, (row.accuracy_before, row.accuracy_after)),
            str(row.changed),
        )
        for row in report.withdrawals
        if row.changed
    ]
    return table("each site withdrawn: accuracy where answers change", columns, rows)


def _faithful(report: InfluenceReport) -> Table:
    columns = ("displayed", "against", "within images", "over all", "images", "patients")
    rows = [
        (
            row.displayed,
            row.against,
            _interval(row.faithfulness.per_image),
            _interval(row.faithfulness.pooled),
            str(row.faithfulness.images),
            str(row.faithfulness.patients),
        )
        for row in report.faithful
    ]
    return table("rank correlation of the display with removal", columns, rows)


def _interval(found: Correlation) -> str:
    if found.low is None or found.high is None:
        return number(found.value)
    return f"{number(found.value)} [{found.low:.2f}, {found.high:.2f}]"


def print_comparison(found: Comparison) -> None:
    """How many answers are others, counted and one by one."""
    typer.echo(f"before: {', '.join(found.releases_before)}")
    typer.echo(f"after: {', '.join(found.releases_after)}")
    for unit, answers in found.answers.items():
        changed = sum(each.unit == unit for each in found.changed)
        typer.echo(f"{changed} of {answers} {unit}s are answered otherwise")
    if found.only_before or found.only_after:
        typer.echo(f"left out: {found.only_before} answers only before, {found.only_after} only after")
    print_tables(_change_counts(found), _changes(found))


def _change_counts(found: Comparison) -> Table:
    columns = ("unit", "before", "after", "share", "answers")
    rows = [
        (each.unit, each.before or WITHHELD, each.after or WITHHELD, each.share, str(each.answers))
        for each in found.counts
    ]
    return table("changed answers, counted", columns, rows)


def _changes(found: Comparison) -> Table:
    columns = ("unit", "name", "before", "after", "p before", "p after", "share", "was", "is")
    first = "" if len(found.changed) <= SHOWN else f", the first {SHOWN} of {len(found.changed)} (--json has all)"
    return table(f"changed answers{first}", columns, [_change(each) for each in found.changed[:SHOWN]])


def _change(each: ChangedAnswer) -> tuple[str, ...]:
    answers = (each.before or WITHHELD, each.after or WITHHELD)
    figures = (number(each.p_before), number(each.p_after))
    shares = (each.share, number(each.share_before), number(each.share_after))
    return (each.unit, each.image or each.clip, *answers, *figures, *shares)


def _print_conflicts(found: Conflicts) -> None:
    judged, left = len(found.claims), len(found.unjudged)
    typer.echo(f"{judged} labels held against another site, {len(found.found)} in conflict")
    if left:
        typer.echo(f"{left} not judged: too little in common with the other site (--json names them)")
    print_tables(_claims(found))


def _claims(found: Conflicts) -> Table:
    columns = ("site", "label", "against", "own", "nearest", "other", "p")
    rows = [
        (each.site, each.label, each.against, f"{each.own:.1f}", each.nearest, f"{each.other:.1f}", number(each.p))
        for each in found.found
    ]
    return table("labels in conflict", columns, rows)
