"""What of a site's own images is most like others, written for each of them: a sheet to look at, and a line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from federated.errors import DataError
from federated.files import write_whole
from site_agent.expert_predictions import Predictions, Written
from site_agent.predict import Shown, rows_of, shown_in
from site_agent.retrieval.contact_sheet import contact_sheet
from site_agent.retrieval.similar import Gray, Hit, Similar, encoders_of, images_of, similar, told
from site_agent.sources.index import Columns, Row
from site_agent.training_report.page import png

if TYPE_CHECKING:
    from site_agent.home import SiteHome

FORMS = ("png",)
COUNT = 8


def predict(
    home: SiteHome,
    inputs: Sequence[Path],
    out: Path,
    form: str,  # noqa: ARG001
    columns: Columns | None = None,
    names: Sequence[str] = (),
) -> Written:
    """Writes for every file which clips and stills of the site are most like it; the lines come last.

    Args:
        home: the site's.
        inputs: indexes, folders of images, images, cine files.
        out: the folder, which is made where missing.
        form: of the sheets, of which there is one.
        columns: of the indexes.
        names: of the experts that are asked; where none is named all sites'.

    Raises:
        ConsiliumError: no encoder is here, nothing can be used, or nothing can be written.
    """
    encoders = encoders_of(home, names)
    found = Predictions(inputs, out)
    for image, shown in found.images(columns, "looking for what is alike"):
        frames = [each.image for each in shown]
        hits = similar(home, frames, COUNT, names)
        name = f"{found.stem(image)}-similar.png"
        write_sheet(home, out / name, shown[len(shown) // 2].image, hits)
        found.said.append(
            {
                "image": image,
                "sheet": name,
                "similar": [each.model_dump() for each in told(home, hits)],
                "experts": encoders.told(frames, names),
            }
        )
    return found.written()


def write_sheet(home: SiteHome, path: Path, asked: Gray, hits: Sequence[Hit]) -> None:
    """What was asked for, then what is most like it.

    Raises:
        ConsiliumError: it cannot be written, or a working image is gone.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["asked for", *(f"{hit.similarity:.2f} {hit.case.label or '-'}" for hit in hits)]
    write_whole(path, png(contact_sheet([asked, *images_of(home, hits)], lines)))


def find(home: SiteHome, path: Path, count: int, names: Sequence[str] = ()) -> tuple[Gray, list[Hit], list[Similar]]:
    """What is most like an image or a clip: its middle frame, the hits, and the same for a person.

    Raises:
        DataError: the file cannot be used, or the site has no images.
        ConsiliumError: there is no encoder of a name.
    """
    try:
        shown: list[Shown] = list(shown_in(path, [_row(path)]))
    except DataError as error:
        raise DataError(error.what, where=str(path), cure=error.cure) from error
    hits = similar(home, [each.image for each in shown], count, names)
    return shown[len(shown) // 2].image, hits, told(home, hits)


def _row(path: Path) -> Row:
    return rows_of([path])[0]
