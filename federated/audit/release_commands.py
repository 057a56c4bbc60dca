"""``consilium audit diff``, and ``weights`` of a bundle: releases over time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from federated.errors import ConsiliumError
from federated.influence_commands import print_comparison
from federated.tables import Json, named, number, print_json, print_tables, table

if TYPE_CHECKING:
    from rich.table import Table

    from federated.audit.bundle import Bundle
    from federated.audit.bundle_weights import Weight
    from federated.audit.difference import Difference, Side, SiteDifference
    from federated.comparison import Comparison
    from federated.decision import Decision
    from federated.keys import TrustFile
    from federated.vocabulary import Vocabulary

Trust = Annotated[Path | None, typer.Option(help="keys.toml: check signatures first.")]
SHORT = 16  # digits of a digest


def diff(
    bundle: Annotated[Path, typer.Argument(help="A bundle.")],
    before: Annotated[str, typer.Argument(help="A release: its number, or how its digest begins.")],
    after: Annotated[str, typer.Argument(help="Another one.")],
    on: Annotated[
        list[Path] | None,
        typer.Option(help="A fixed set: contributions of features, or predictions of both releases, once each."),
    ] = None,
    trust: Trust = None,
    as_json: Json = False,
) -> None:
    """Say what changed between two releases, that earlier experts did not, and how many answers on a fixed set did.

    Of each site class sums, sums of weights, Gram matrix and network are compared by digest. Ends with 1 where those of
    a site are others although it is made of the same contributions.
    """
    from federated.audit.bundle import open_bundle
    from federated.audit.difference import difference

    keys, record = _keys(trust), open_bundle(bundle)
    sides = _side(record, before, keys), _side(record, after, keys)
    found = difference(*sides, answers=_answers(record, sides, on or [], keys))
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        _print_difference(found, trust)
    if found.unexplained:
        raise typer.Exit(1)


def show_weights(
    path: Path,
    trust: Path | None,
    chosen: tuple[str | None, str | None, str | None],
    files: tuple[Path | None, Path | None],
    *,
    as_json: bool,
) -> None:
    """Weights of every expert, class and release of a bundle, of the newest release on the screen.

    Args:
        path: of the bundle.
        trust: keys.toml, where there is one.
        chosen: release, site and label, as far as only one is asked for.
        files: for all rows as CSV, and for a plot.
        as_json: print all rows for a program.
    """
    from federated.audit.bundle import open_bundle
    from federated.audit.bundle_weights import as_csv, heat_map_of, weights_of
    from federated.files import write_whole

    release, site, label = chosen
    record = open_bundle(path)
    rows = list(weights_of(record, _keys(trust), release=release, site=site, label=label))
    if not rows:
        raise ConsiliumError("holds no weights of these", where=str(path), cure="ask for fewer of --release, --site, …")
    for file, make in zip(files, (as_csv, heat_map_of), strict=True):
        if file is not None:
            write_whole(file, make(rows))
            typer.echo(f"wrote {file}", err=as_json)
    if as_json:
        print_json([row.model_dump(mode="json") for row in rows])
        return
    typer.echo(f"signatures {'checked' if trust else 'not checked: keys unverified'}")
    newest = max(row.release for row in rows)
    earlier = len({row.release for row in rows}) - 1
    more = f", and {earlier} before it (--csv has all)" if earlier else ""
    typer.echo(f"release {newest}{more}")
    vocabulary = record.release(str(newest)).manifest.vocabulary
    print_tables(*_weight_tables([row for row in rows if row.release == newest], vocabulary))


def _keys(trust: Path | None) -> TrustFile | None:
    from federated.keys import read_trust

    return read_trust(trust) if trust is not None else None


def _side(record: Bundle, which: str, keys: TrustFile | None) -> Side:
    """A release, with the plan that the log says it was made under."""
    from federated.audit.difference import side_of

    head = record.release(which)
    plan = next((entry.plan for entry in record.entries() if entry.subject == head.digest), None)
    tensors = record.opened(head.digest, keys).tensors if head.why is None else None
    return side_of(head.digest, head.manifest, tensors, plan)


def _answers(record: Bundle, sides: tuple[Side, Side], on: Sequence[Path], keys: TrustFile | None) -> Comparison | None:
    """To the images of features, or as two files of predictions give them; nothing where no set is given."""
    from federated.audit.difference import answers_on
    from federated.audit.opening import is_parcel, open_features
    from federated.fused_model import FusedModel
    from federated.labelled_images import labelled_images

    if not on:
        return None
    if not any(is_parcel(path) for path in on):
        return _of_predictions(sides, on)
    opened = [record.opened(side.digest, keys) for side in sides]
    models = [FusedModel.from_release(each.manifest, each.tensors) for each in opened]
    images = labelled_images([open_features(path, keys) for path in on], models[0].manifest.front_end.digest)
    return answers_on(models[0], models[1], images)


def _of_predictions(sides: tuple[Side, Side], on: Sequence[Path]) -> Comparison:
    from federated.audit.difference import require_of
    from federated.comparison import compare

    if len(on) != len(sides):
        what = f"{len(on)} files of predictions, one of each release is needed"
        raise ConsiliumError(what, where="--on", cure="give --on BEFORE.jsonl --on AFTER.jsonl, or features")
    decisions = [_decisions(path) for path in on]
    for path, side, some in zip(on, sides, decisions, strict=True):
        require_of(some, side.digest, str(path))
    return compare(*decisions)


def _decisions(path: Path) -> list[Decision]:
    from federated.audit.opening import read_predictions
    from federated.decision import parse_decision

    return [parse_decision(line, where=f"{path} line {number}") for number, line in read_predictions(path)]


def _print_difference(found: Difference, trust: Path | None) -> None:
    for which, release, digest, plan in zip(("from", "to  "), found.numbers, found.digests, found.plans, strict=True):
        under = f", under the change plan {plan.removeprefix('sha256:')[:SHORT]}" if plan else ""
        typer.echo(f"{which} release {release} {digest}{under}")
    typer.echo(f"signatures {'checked' if trust else 'not checked: keys unverified'}")
    typer.echo(f"changed: {', '.join(found.changes) or 'nothing'}")
    for what, labels in (("labels added", found.labels_added), ("labels removed", found.labels_removed)):
        if labels:
            typer.echo(f"{what}: {', '.join(labels)}")
    settings = [(name, *pair) for name, pair in found.settings.items()]
    print_tables(_site_table(found.sites), table("settings", ("name", "before", "after"), settings))
    typer.echo(_verdict(found))
    if found.answers is not None:
        print_comparison(found.answers)
    else:
        typer.echo("answers: no fixed set was given, with --on")


def _site_table(sites: Sequence[SiteDifference]) -> Table:
    columns = ("site", "what", "parcels added", "removed", "class sums", "weights", "Gram matrix", "network")
    rows = [
        (
            each.site,
            each.became,
            str(len(each.added)),
            str(len(each.removed)),
            *(_digests(each, part) for part in ("class_sums", "weights", "gram", "expert")),
        )
        for each in sites
    ]
    return table("sites, and their blocks by digest", columns, rows)


def _digests(site: SiteDifference, part: str) -> str:
    """The digest in both, or what it was and what it is."""
    said = [getattr(block, part, None) for block in (site.before, site.after) if block is not None]
    short = [each.removeprefix("sha256:")[:8] if each else "-" for each in said]
    return " > ".join(dict.fromkeys(short)) or "-"


def _verdict(found: Difference) -> str:
    """Whether the experts of before are what they were."""
    if found.unexplained:
        parts = "; ".join(f"{site.site}: {', '.join(site.parts)}" for site in found.sites if site.became == "changed")
        return f"WRONG: made of the same contributions, and not what it was: {parts}"
    same = [site.site for site in found.sites if site.became == "unchanged"]
    if not same:
        return "no site is made of the same contributions in both, with its block here"
    return f"proved unchanged, block by block: {', '.join(same)}"


def _weight_tables(rows: Sequence[Weight], vocabulary: Vocabulary) -> list[Table]:
    made = [
        (row.label, row.site, number(row.weight), "-" if row.patients is None else str(row.patients))
        for row in sorted(rows, key=lambda row: (row.label, row.site))
        if row.source == "release"
    ]
    answered = [
        (
            str(row.at),
            row.label,
            str(row.answers),
            row.site,
            *(number(value) for value in (row.weight, row.contribution, row.evidence)),
        )
        for row in rows
        if row.source == "answers"
    ]
    shares = ("label", "site", "share", "patients")
    columns = ("hospital", "label", "answers", "site", "weight", "contribution", "evidence")
    return [
        table("what it is made of: shares of the training weight", *named(shares, made, vocabulary)),
        table("what hospitals told of its answers: means", *named(columns, answered, vocabulary)),
    ]
