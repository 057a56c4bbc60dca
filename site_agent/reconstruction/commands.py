"""The command that makes a heart in 3D of pictures of named views."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from site_agent.options import HERE, Home, Json, open_home, print_model, words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from site_agent.reconstruction.heart import Figures, Heart
    from site_agent.reconstruction.pictures import Picture
    from site_agent.reconstruction.view_names import Named

FILES = typer.Argument(help="A picture a view, named by it, as in A4C.png, or as in A4C=FILE.")
LEAST, MOST = 0.01, 0.99


def reconstruct(
    files: Annotated[list[str], FILES],
    out: Annotated[list[Path], typer.Option(help="A mesh (.stl, .ply), or the volume (.nii.gz); may be repeated.")],
    preview: Annotated[
        list[Path] | None, typer.Option(help="A picture of it from all sides (.png), or turning (.gif).")
    ] = None,
    views: Annotated[str, typer.Option(help="Views of the files, in their order, as in A4C,A2C.")] = "",
    weights: Annotated[
        Path | None, typer.Option(help="A file with a network; without one, the experts that are here.")
    ] = None,
    segment: Annotated[
        bool, typer.Option("--segment", help="The files are ultrasound: the site's experts find the walls first.")
    ] = False,
    pixel_mm: Annotated[
        float | None, typer.Option(min=0.01, max=10.0, help="Edge of the files' pixels; else the size is assumed.")
    ] = None,
    threshold: Annotated[float, typer.Option(min=LEAST, max=MOST, help="From which probability on tissue is.")] = 0.5,
    home: Home = HERE,
    as_json: Json = False,
) -> None:
    """Make a heart in 3D of a few named views, as a closed mesh in millimetres.

    Nothing of it leaves the hospital. Research use only.
    """
    from site_agent.reconstruction.heart import figures_of
    from site_agent.reconstruction.heart_files import check_forms, write_heart
    from site_agent.reconstruction.preview import check_preview, write_preview
    from site_agent.reconstruction.view_names import named_views

    check_forms(out)
    for path in preview or ():
        check_preview(path)
    heart = _heart(named_views(files, words(views)), weights, home, pixel_mm, threshold, segment=segment)
    for path in out:
        write_heart(path, heart)
    for path in preview or ():
        write_preview(path, heart)
    told = figures_of(heart, [str(path) for path in (*out, *(preview or ()))])
    if as_json:
        print_model(told)
    else:
        _print(told)


def _heart(
    named: Sequence[Named], weights: Path | None, home: Path, pixel_mm: float | None, threshold: float, *, segment: bool
) -> Heart:
    from site_agent.reconstruction.chosen_network import of_file, of_home
    from site_agent.reconstruction.heart import reconstruct as made_of

    chosen = of_home(open_home(home)) if weights is None else of_file(weights)
    pictures = _pictures(named, home, pixel_mm, segment=segment)
    return made_of(
        chosen.reconstructor, pictures, target=chosen.target, usual_cube_mm=chosen.cube_mm, threshold=threshold
    )


def _pictures(named: Sequence[Named], home: Path, pixel_mm: float | None, *, segment: bool) -> list[Picture]:
    from site_agent.progress import track
    from site_agent.reconstruction.echo_views import segmented_view
    from site_agent.reconstruction.pictures import read_walls

    if not segment:
        return [read_walls(each, pixel_mm) for each in named]
    from site_agent.segmentation.segmenter import segmenter_of

    segmenter = segmenter_of(open_home(home))
    return [segmented_view(each, segmenter, pixel_mm) for each in track(named, total=len(named), what="segmenting")]


def _print(told: Figures) -> None:
    for doubt in told.doubts:
        typer.echo(doubt, err=True)
    if not told.size_told:
        typer.echo("no picture tells its size, so that an average one is assumed: --pixel-mm", err=True)
    volume = f"{told.target} of {told.volume_ml:.1f} ml from {', '.join(told.views)}"
    surface = f"closed surface of {told.faces} triangles in {told.pieces} piece{'s' * (told.pieces != 1)}"
    typer.echo(f"{volume}: {surface}, {told.edge} voxels a side of {told.voxel_mm:.2f} mm")
    typer.echo("axes: to the lateral wall, to the anterior wall, to the apex; millimetres")
    for file in told.files:
        typer.echo(f"wrote {file}")
