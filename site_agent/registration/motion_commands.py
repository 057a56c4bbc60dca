"""The command that follows the left ventricle through a clip."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from federated.errors import ConsiliumError
from site_agent.options import HERE, Home, Json, print_model, words
from site_agent.registration.commands import BY
from site_agent.tables import print_table

if TYPE_CHECKING:
    from site_agent.registration.motion import Report

ENDINGS = {"--out": ".gif", "--strain": ".csv", "--plot": ".png"}
MASK = typer.Option(
    help="Label map of the end of diastole (PNG, NIfTI, MetaImage); else one beside the clip, else experts."
)
VALUES = typer.Option(
    help="Numbers of ventricle, myocardium and atrium in label maps, as in 1,2,3; one for the cavity alone."
)


def motion(
    clip: Annotated[Path, typer.Argument(help="Apical clip: DICOM, a video, NIfTI, MetaImage, a folder of frames.")],
    mask: Annotated[Path | None, MASK] = None,
    values: Annotated[str, VALUES] = "",
    end_diastole: Annotated[int | None, typer.Option(min=0, help="Number of that frame, from 0.")] = None,
    out: Annotated[Path | None, typer.Option(help="The motion picture, .gif.")] = None,
    strain: Annotated[Path | None, typer.Option(help="Strain, area and volume of every frame, .csv.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Curves of strain, .png.")] = None,
    two_chamber: Annotated[
        Path | None, typer.Option(help="A clip of the other apical view, for the biplane ejection fraction.")
    ] = None,
    two_chamber_mask: Annotated[Path | None, typer.Option(help="Its label map.")] = None,
    two_chamber_end_diastole: Annotated[int | None, typer.Option(min=0, help="Its end of diastole.")] = None,
    spacing_mm: Annotated[
        float | None, typer.Option(help="Side of a pixel of every clip that does not say it.")
    ] = None,
    rate_hz: Annotated[float | None, typer.Option(help="Frames a second, likewise.")] = None,
    similarity: Annotated[str, typer.Option(help="By which frames are compared.")] = "local_ncc",
    smoothness: Annotated[float | None, typer.Option(help="Weight of the motion's smoothness.")] = None,
    steps: Annotated[int, typer.Option(min=1, help="At most so many at each size, for a frame.")] = 60,
    by: Annotated[str, BY] = "descent",
    home: Home = HERE,
    as_json: Json = False,
) -> None:
    """Follow the left ventricle from the end of diastole: strain, areas, ejection fraction, a motion picture.

    Nothing leaves the machine. Research use only.
    """
    from site_agent.registration.motion import Reading, View, follow_views, report_of
    from site_agent.registration.one_pair import Settings

    _require_endings({"--out": out, "--strain": strain, "--plot": plot})
    for option, value in (("--spacing-mm", spacing_mm), ("--rate-hz", rate_hz)):
        if value is not None and not 0 < value < float("inf"):
            raise ConsiliumError(f"is {value}", where=option, cure="a number above 0")
    if two_chamber is None and (two_chamber_mask or two_chamber_end_diastole is not None):
        raise ConsiliumError("needs a clip", where="the two-chamber view", cure="name it with --two-chamber")
    reading = Reading(_values(values), spacing_mm, rate_hz, home)
    settings = Settings(similarity, smoothness, steps=steps, way=by)
    views = [View(clip, mask, end_diastole)]
    if two_chamber is not None:
        views.append(View(two_chamber, two_chamber_mask, two_chamber_end_diastole))
    report = report_of(follow_views(views, reading, settings), out, strain, plot)
    _tell(report, as_json=as_json)


def _tell(report: Report, *, as_json: bool) -> None:
    for figures in report.views:
        for doubt in figures.doubts:
            typer.echo(f"note: {figures.clip}: {doubt}", err=True)
    if as_json:
        print_model(report)
        return
    for figures in report.views:
        print_table(figures.clip, ("what", "found"), figures.rows())
    if report.biplane_ejection_fraction_percent is not None:
        typer.echo(f"ejection fraction by both planes: {report.biplane_ejection_fraction_percent:.1f} %")
    for path in report.files:
        typer.echo(f"wrote {path}")


def _require_endings(files: dict[str, Path | None]) -> None:
    for option, path in files.items():
        if path is None:
            continue
        if path.suffix.lower() != ENDINGS[option]:
            raise ConsiliumError("has another ending", where=f"{option} {path}", cure=f"name it {ENDINGS[option]}")
        if not path.absolute().parent.is_dir():
            raise ConsiliumError("lies in no folder that is there", where=f"{option} {path}", cure="make it")


def _values(text: str) -> tuple[int, ...] | None:
    parts = words(text)
    if not parts:
        return None
    if len(parts) > 3 or not all(part.isdecimal() and 0 < int(part) <= 255 for part in parts):
        raise ConsiliumError(
            f"is '{text}'", where="--values", cure="up to three whole numbers from 1 to 255, as in 1,2,3"
        )
    return tuple(int(part) for part in parts)
