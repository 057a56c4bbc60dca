"""``consilium audit dossier``: the folder that somebody who has to allow a federation asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def dossier(
    bundle: Annotated[Path, typer.Argument(help="The federation's bundle.")],
    out: Annotated[Path, typer.Option(help="A folder: dossier.md, dossier.html and sbom.cdx.json.")],
    release: Annotated[str | None, typer.Option(help="Number or digest; the newest by default.")] = None,
    statements: Annotated[
        Path | None, typer.Option(help="TOML with what no manifest says: intended_use, ethics, funding …")
    ] = None,
    trust: Annotated[Path | None, typer.Option(help="keys.toml: check signatures first.")] = None,
) -> None:
    """Write model card, intended use and limits, data of each hospital, change history, risks, tests and materials.

    Every line says from where it is known and which items of TRIPOD+AI, CONSORT-AI or FUTURE-AI ask for it; a fact
    that nobody stated is printed as not stated. The HTML file stands alone and prints well.
    """
    from federated.audit.bundle import open_bundle
    from federated.audit.dossier.assembly import assemble
    from federated.audit.dossier.markdown import markdown
    from federated.audit.dossier.materials import bill, installed
    from federated.audit.dossier.page import page
    from federated.audit.dossier.stated import Stated, read_stated
    from federated.audit.given import newest
    from federated.files import write_whole
    from federated.keys import read_trust

    stated = read_stated(statements) if statements is not None else Stated()
    keys = read_trust(trust) if trust is not None else None
    opened = open_bundle(bundle)
    head = newest(opened) if release is None else opened.release(release)
    materials = installed()
    made = assemble(opened, head, stated, materials, keys)
    files = {
        "dossier.md": markdown(made).encode(),
        "dossier.html": page(made, head.manifest).encode(),
        "sbom.cdx.json": bill(materials),
    }
    _make_folder(out)
    for name, data in files.items():
        write_whole(out / name, data)
    typer.echo(f"release {made.release} of {made.federation}: {made.signatures}")
    for each in made.left_out:
        typer.echo(f"left out: {each}", err=True)
    typer.echo(f"{len(made.missing)} topics are not stated: {', '.join(made.missing) or 'none'}")
    typer.echo(f"wrote {', '.join(files)} in {out}")


def _make_folder(path: Path) -> None:
    from federated.files import cannot_write

    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from error
