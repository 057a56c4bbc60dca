"""Contours of images, written beside each other: a picture to look at, a line on each, and a table of all points."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from federated.files import write_whole
from site_agent.asked_experts import asked
from site_agent.contour.tracer import Traced, tracer_of
from site_agent.expert_predictions import Predictions, Written
from site_agent.overlay import overlay
from site_agent.predict import Shown
from site_agent.sources.index import Columns
from site_agent.training_report.page import png

if TYPE_CHECKING:
    from site_agent.home import SiteHome

FORMS = ("csv",)
TABLE = "points.csv"
POINTS = ("basal 1", "mid 1a", "mid 1b", "apex", "mid 2b", "mid 2a", "basal 2")
COLUMNS = ("image", "point", "x", "y", "x_mm", "y_mm")
DIGITS = 2


def predict(
    home: SiteHome,
    inputs: Sequence[Path],
    out: Path,
    form: str,  # noqa: ARG001
    columns: Columns | None = None,
    names: Sequence[str] = (),
) -> Written:
    """Writes where all experts that are here see the ventricle's border, into a folder; the table and lines come last.

    Args:
        home: the site's.
        inputs: indexes, folders of images, images, cine files.
        out: the folder, which is made where missing.
        form: of the table, of which there is one.
        columns: of the indexes.
        names: of the experts that are asked; where none is named all sites'.

    Raises:
        ConsiliumError: no expert is here, or none of a name, nothing can be used, or nothing can be written.
    """
    tracer = tracer_of(home)
    asked(tracer.experts, names)
    found = Predictions(inputs, out)
    for _, shown in found.images(columns, "contours"):
        for each, traced in zip(shown, tracer.trace([each.image for each in shown], names), strict=True):
            out.mkdir(parents=True, exist_ok=True)
            name = f"{found.stem(each.name)}-overlay.png"
            write_whole(out / name, png(overlay(each.image, None, traced.points)))
            found.said.append({"image": each.name} | each.lies() | {"overlay": name} | told(each, traced))
    if found.said:
        write_whole(out / TABLE, table(found.said).encode())
    return found.written()


def told(each: Shown, traced: Traced) -> dict[str, Any]:
    """The points in pixels of the overlay and in millimetres, and who had which share in them."""
    size = None if each.spacing_mm is None else np.array([each.spacing_mm[1], each.spacing_mm[0]])
    points = {
        name: {"x": _short(x), "y": _short(y)}
        | ({} if size is None else {"x_mm": _short(x * size[0]), "y_mm": _short(y * size[1])})
        for name, (x, y) in zip(POINTS, traced.points.tolist(), strict=True)
    }
    axis = traced.points[3] - (traced.points[0] + traced.points[6]) / 2
    return {
        "points": points,
        "length_mm": None if size is None else _short(float(np.linalg.norm(axis * size))),
        "experts_apart_pixels": _short(traced.apart),
        "experts": {name: {"p": traced.p[name], "share": traced.shares[name]} for name in traced.p},
    }


def _short(value: float) -> float:
    return round(value, DIGITS)


def table(lines: Sequence[Mapping[str, Any]]) -> str:
    """A row a point."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for line in lines:
        writer.writerows({"image": line["image"], "point": name} | at for name, at in line["points"].items())
    return text.getvalue()
