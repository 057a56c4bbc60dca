"""Unity Imaging: stills by the digest of their clip, with key points and curves in JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from deploy.phantom.acquisition import Shot
from deploy.phantom.exports.layout import ExportOrder, Layout, axis_of, part_of, patient_of, record
from deploy.phantom.pictures import png
from deploy.phantom.seeds import name_of, share_of
from deploy.phantom.tables import csv_file, json_file
from deploy.phantom.tracings import Points, walls
from deploy.phantom.workplace import File, Line, Lines

if TYPE_CHECKING:
    from deploy.phantom.acquisition import Recording

MACHINE = "bittern"
VIEWS = ("PLAX", "A4C", "A2C", "A3C")
ANTERIOR_LAST = {"A2C", "A3C"}  # where the anterior or anteroseptal wall is the image's right one
MEASURED_AT = 0.35  # of the long axis from the base
PLACES = {"mv-ant-hinge": 0, "lv-apex-endo": 3, "mv-post-hinge": -1}  # among the seven points of a contour
LISTS = {"train": "train", "val": "tune", "test": "ival"}
DEVELOPMENT, EXTERNAL = "01", "02"
FRAME_NUMBERS = 1000
CURVE_POINTS = 21
OFF = {"type": "off", "x": "", "y": ""}
LABELS, VIEW_INDEX = "labels", "view_index.csv"
ABOUT = f"""\
The layout of Unity Imaging: png-cache/<class>/<h1h2>/<h3h4>/<class>-<64 hex>-<frame>.png, labels/ and
{VIEW_INDEX}. Class {DEVELOPMENT} trains and tunes, class {EXTERNAL} is the external set. labels-all.json is
in the newer form, with a list for each name; the others in the older one, without. Coordinates are pixels,
x to the right and y down."""


def patient_files(order: ExportOrder, number: int) -> Iterator[File | Line]:
    """One still of every view with its points."""
    patient, part = patient_of(order, number), part_of(number)
    kind = EXTERNAL if part == "test" else DEVELOPMENT
    for view in VIEWS:
        phase = share_of(order.seed, number, view, "phase")
        clip = record(order, number, patient, Shot(view), MACHINE, frames=(phase,))
        code = hashlib.sha256(name_of(order.seed, number, view).encode()).hexdigest()
        name = f"{kind}-{code}-{int(phase * FRAME_NUMBERS):04d}.png"
        yield File(f"png-cache/{kind}/{code[:2]}/{code[2:4]}/{name}", png(clip.masked[0]))
        yield Line(VIEW_INDEX, (name, view.lower()))
        yield Line(LISTS[part], (name, json.dumps(labels_of(view, clip))))


def labels_of(view: str, clip: Recording) -> dict[str, dict[str, str]]:
    """Points and curves of a still; what the view does not show is ``off``."""
    take = clip.take
    contour = take.outline(float(take.phases[0]))
    found = dict.fromkeys((*PLACES, "curve-lv-endo"), OFF)
    if contour is not None:
        curve = _from_the_anterior_end(view, contour)
        found |= {name: _point(curve[place]) for name, place in PLACES.items() if take.in_sight(curve[place])}
        if all(take.in_sight(point) for point in curve):
            found["curve-lv-endo"] = _curve(smooth(curve))
    if view == "PLAX":
        found |= _wall_points(clip)
    return found


def smooth(curve: Points, count: int = CURVE_POINTS) -> Points:
    """A cubic spline through the points, at equal steps of their own parameter (chord length)."""
    from scipy.interpolate import CubicSpline

    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(curve, axis=0).T))])
    return CubicSpline(along, curve)(np.linspace(0.0, along[-1], count))


def _from_the_anterior_end(view: str, contour: Points) -> Points:
    last = view in ANTERIOR_LAST or (view == "PLAX" and contour[0, 1] > contour[-1, 1])
    return contour[::-1] if last else contour


def _wall_points(clip: Recording) -> dict[str, dict[str, str]]:
    parts = walls(clip.labels[0], axis_of(clip, 0), MEASURED_AT)
    points = {}
    for wall, part in (("lv-ivs", "upper"), ("lv-pw", "lower")):
        ends = parts.get(part)
        points[f"{wall}-top"] = _point(np.array(ends[:2])) if ends else OFF
        points[f"{wall}-bottom"] = _point(np.array(ends[2:])) if ends else OFF
    return points


def _point(point: Points) -> dict[str, str]:
    return {"type": "point", "x": f"{point[0]:.1f}", "y": f"{point[1]:.1f}"}


def _curve(points: Points) -> dict[str, str]:
    return {"type": "curve", "x": _numbers(points[:, 0]), "y": _numbers(points[:, 1])}


def _numbers(values: Points) -> str:
    return " ".join(f"{value:.1f}" for value in values)


def tables(_order: ExportOrder, lines: Lines) -> Iterator[File]:
    """Labels by part and of all, and the view of every image."""
    everything: dict[str, Any] = {}
    for part in LISTS.values():
        found = {name: json.loads(text) for name, text in lines(part)}
        yield json_file(f"{LABELS}/labels-{part}.json", {name: {"labels": each} for name, each in found.items()})
        everything |= {name: {"labels": {key: [value] for key, value in each.items()}} for name, each in found.items()}
    yield json_file(f"{LABELS}/labels-all.json", everything)
    yield csv_file(VIEW_INDEX, ("file", "view"), lines(VIEW_INDEX))


LAYOUT = Layout(ABOUT, patient_files, tables)
