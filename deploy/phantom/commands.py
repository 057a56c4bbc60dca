"""``consilium phantom``: images of made-up hearts with their truth, in our own form or in those of public data sets."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from deploy.phantom.workplace import Plan

app = typer.Typer(no_args_is_help=True)

Patients = Annotated[int, typer.Option("--patients", help="How many patients; of each site, if there are many.")]
Seed = Annotated[int, typer.Option("--seed", help="All randomness comes from it: the same seed, the same bytes.")]
Frames = Annotated[int, typer.Option("--frames", help="Frames of a clip; 1 for stills.")]
Size = Annotated[int, typer.Option("--size", help="Side of an image in pixels.")]
Truth = Annotated[bool, typer.Option("--truth", help="Also label maps, sectors, contours and volumes.")]
Shortcut = Annotated[
    bool, typer.Option("--shortcut", help="Draw a mark that gives the label away, which no model should learn.")
]
Out = Annotated[Path, typer.Option("--out", help="The folder; the same command again goes on where it stopped.")]


@app.callback()
def phantom() -> None:
    """Images of a computed heart whose truth is known: no patient, for tests, demonstrations and teaching."""


@app.command()
def generate(
    site: Annotated[
        str, typer.Option(help="Its name; agate, beryl, citrine, diorite, onyx and quartz are ready-made hospitals.")
    ],
    out: Out,
    patients: Patients = 10,
    population: Annotated[
        str, typer.Option(help="Where patients come from: healthy, dilated, hypertrophic, or healthy=3,dilated=1.")
    ] = "",
    views: Annotated[str, typer.Option(help="Views with commas, as in A4C,PLAX,A2C+contrast; all by default.")] = "",
    contrast: Annotated[bool, typer.Option("--contrast", help="Each view a second time with contrast.")] = False,
    machine: Annotated[
        str,
        typer.Option(
            help="albatross, bittern, curlew, dunlin, eider, fulmar, godwit or hoopoe; or a mix, as in "
            "albatross=3,bittern=1."
        ),
    ] = "",
    ejection_fraction: Annotated[
        float | None, typer.Option(help="Of every patient, in percent; drawn from the population by default.")
    ] = None,
    wall: Annotated[
        float | None, typer.Option(help="Thickness of every patient's walls in mm; drawn by default.")
    ] = None,
    seed: Seed = 1,
    frames: Frames = 1,
    size: Size = 112,
    truth: Truth = False,
    shortcut: Shortcut = False,
) -> None:
    """Make one site's images, with an index.csv that a site can take in."""
    from deploy.phantom.orders import Pictures, site_order
    from deploy.phantom.site_images import site_plan

    pictures = Pictures(seed, frames, size, truth, shortcut)
    order = site_order(
        site,
        patients,
        population=population,
        views=views,
        contrast=contrast,
        machine=machine,
        ejection_fraction=ejection_fraction,
        wall_mm=wall,
    )
    given = {
        "site": site,
        "patients": str(patients),
        "population": population,
        "views": views,
        "contrast": "yes" if contrast else "",
        "machine": machine,
        "ejection-fraction": "" if ejection_fraction is None else f"{ejection_fraction:g}",
        "wall": "" if wall is None else f"{wall:g}",
        **pictures.given(),
    }
    _fill(out, site_plan("generate", [order], pictures, given))


@app.command()
def federation(
    out: Out,
    patients: Patients = 10,
    seed: Seed = 1,
    frames: Frames = 1,
    size: Size = 112,
    truth: Truth = False,
    shortcut: Shortcut = False,
) -> None:
    """Make the images of all ready-made hospitals, with one index.csv."""
    from deploy.phantom.hospitals import federation_orders
    from deploy.phantom.orders import Pictures
    from deploy.phantom.site_images import site_plan

    pictures = Pictures(seed, frames, size, truth, shortcut)
    given = {"patients": str(patients), **pictures.given()}
    _fill(out, site_plan("federation", federation_orders(patients), pictures, given))


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="The folder; the same command again goes on where it stopped.")],
    layout: Annotated[
        str,
        typer.Option(
            "--as",
            help="Whose layout: echonet-dynamic, echonet-pediatric, echonet-lvh, camus, camus-mhd, tmed2, "
            "unity, metaimage, dicom, muscle, hearts or views.",
        ),
    ],
    patients: Patients = 10,
    seed: Seed = 1,
    frames: Annotated[int, typer.Option("--frames", help="Frames of a clip, where the layout has clips.")] = 32,
    size: Annotated[int, typer.Option("--size", help="Side of an image in pixels; 0 for what the layout has.")] = 0,
) -> None:
    """Write the phantom in the layout of a public data set."""
    from deploy.phantom.export import export_plan

    _fill(folder, export_plan(layout, patients=patients, seed=seed, frames=frames, size=size))


@app.command()
def backbone(
    file: Annotated[Path, typer.Argument(help="FILE.safetensors; the same command again goes on where it stopped.")],
    architecture: Annotated[str, typer.Option(help="As timm names it.")] = "resnet10t",
    images: Annotated[int, typer.Option("--images", help="Phantom images; one patient in eight is held out.")] = 5000,
    epochs: Annotated[int, typer.Option("--epochs", help="How often every image is learnt from.")] = 10,
    size: Size = 112,
    seed: Seed = 1,
) -> None:
    """Train a network on phantom views alone, for the front end timm to start from; its record is FILE.json."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch is loaded: on a busy machine thrice as fast
    from deploy.phantom.backbone import BackboneOrder, train_backbone
    from federated.processes import ended_by_sigterm

    order = BackboneOrder(architecture, images, epochs, size, seed)
    try:
        with ended_by_sigterm():
            record = train_backbone(file, order, say=lambda line: typer.echo(line, err=True))
    except KeyboardInterrupt:
        typer.echo("interrupted; the same command again goes on after the last whole epoch", err=True)
        raise
    right = 100 * record.history[-1].views_right
    held_out = f"{record.patients_held_out} phantom patients held out"
    typer.echo(f"{file}: {right:.1f} % of views right in {held_out}; no patient")


@app.command()
def reconstructor(
    file: Annotated[Path, typer.Argument(help="FILE.safetensors; the same command again goes on where it stopped.")],
    views: Annotated[str, typer.Option(help="That it is built for, with commas; it bears that some are missing.")] = (
        "A4C,A2C"
    ),
    target: Annotated[str, typer.Option(help="walls, blood pools or left ventricle.")] = "walls",
    size: Annotated[int, typer.Option("--size", help="Voxels a side: 32, 64 or 128.")] = 32,
    patients: Annotated[int, typer.Option("--patients", help="Phantom patients; one in ten is held out.")] = 600,
    epochs: Annotated[int, typer.Option("--epochs", help="How often every heart is learnt from.")] = 4,
    seed: Seed = 1,
) -> None:
    """Train a small network on phantom hearts alone, for consilium site reconstruct."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from deploy.phantom.reconstructor import order_named, train_reconstructor
    from federated.processes import ended_by_sigterm

    order = order_named(views, target, size=size, patients=patients, epochs=epochs, seed=seed)
    try:
        with ended_by_sigterm():
            found = train_reconstructor(file, order, lambda line: typer.echo(line, err=True))
    except KeyboardInterrupt:
        typer.echo("interrupted; the same command again goes on", err=True)
        raise
    typer.echo(f"{file}: overlap {found:.3f} in phantom patients held out; no patient")


def _fill(folder: Path, plan: Plan) -> None:
    """Fills the folder; interrupted, says how to go on."""
    from deploy.phantom.workplace import fill
    from federated.processes import ended_by_sigterm

    try:
        with ended_by_sigterm():
            outcome = fill(folder, plan)
    except KeyboardInterrupt:
        typer.echo(f"interrupted; the same command again goes on: {plan.provenance.command}", err=True)
        raise
    patients = outcome.found + outcome.made
    before = f", {outcome.found} of them there before" if outcome.found else ""
    typer.echo(
        f"{folder}: {outcome.files} files of {patients} phantom patient{'s' * (patients != 1)}{before}; no patient"
    )
