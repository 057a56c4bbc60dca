"""The commands that register: one image to another, and a clip to its end of diastole."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from site_agent.options import Json, print_model
from site_agent.tables import print_table

SIMILARITY = typer.Option(help="By which images are compared: mse, local_ncc, self_similarity or band_limited_mse.")
SMOOTHNESS = typer.Option(
    help="Weight of the field's smoothness, the similarity's own by default; of forces a Gaussian's voxels, 0.8."
)
BY = typer.Option(help="How, without a network: descent, slow and exact, or forces, in a fraction of the time.")
VELOCITY = typer.Option(
    "--diffeomorphic/--displacement",
    help="Whether a velocity is sought, so that nothing folds: yes by default; of released weights, what they give.",
)
WEIGHTS = typer.Option(
    help="A network to ask: an expert's .safetensors file, or the authors' released weights; none by default."
)
ALIGN = typer.Option(
    help="Bring the moving image onto the fixed one as a whole before: translation, rigid or affine; on whatever grids."
)
REFINE = typer.Option(min=0, help="Steps by which the network is then brought nearer to this pair.")


def register(
    moving: Annotated[Path, typer.Argument(help="The image that is moved: NIfTI, MetaImage, PNG, JPEG, DICOM.")],
    fixed: Annotated[Path, typer.Argument(help="The image that stays, onto which it is brought.")],
    out: Annotated[Path, typer.Option(help="The displacement field, as NIfTI for ITK and ANTs (mm, LPS).")] = Path(
        "field.nii.gz"
    ),
    warped: Annotated[Path | None, typer.Option(help="The moving image on the fixed one: NIfTI, or PNG in 2D.")] = None,
    labels: Annotated[Path | None, typer.Option(help="A label map of the moving image, to be moved too.")] = None,
    warped_labels: Annotated[Path | None, typer.Option(help="Where it is written once moved.")] = None,
    fixed_labels: Annotated[Path | None, typer.Option(help="A label map of the fixed image, for the Dice.")] = None,
    similarity: Annotated[str, SIMILARITY] = "local_ncc",
    smoothness: Annotated[float | None, SMOOTHNESS] = None,
    diffeomorphic: Annotated[bool | None, VELOCITY] = None,
    steps: Annotated[int, typer.Option(min=1, help="At most so many at each size, without a network.")] = 100,
    weights: Annotated[Path | None, WEIGHTS] = None,
    refine: Annotated[int, REFINE] = 0,
    by: Annotated[str, BY] = "descent",
    resample: Annotated[
        bool, typer.Option("--resample", help="Place the moving image by the headers onto the fixed one's grid.")
    ] = False,
    align: Annotated[str | None, ALIGN] = None,
    spacing_mm: Annotated[float | None, typer.Option(help="Side of a pixel, where pictures do not say it.")] = None,
    as_json: Json = False,
) -> None:
    """Find where each point of a fixed image lies in a moving one, and bring that onto it.

    Needs no home and no training set; nothing leaves the machine.
    """
    from site_agent.registration.one_pair import Settings
    from site_agent.registration.pair_files import Files, register_files

    files = Files(moving, fixed, out, warped, labels, warped_labels, fixed_labels, weights, spacing_mm, resample, align)
    settings = Settings(similarity, smoothness, diffeomorphic, steps, refine, by)
    figures = register_files(files, settings)
    if as_json:
        print_model(figures)
        return
    print_table(f"{moving.name} onto {fixed.name}", ("what", "found"), figures.rows())
    for written in figures.files:
        typer.echo(f"wrote {written}")
