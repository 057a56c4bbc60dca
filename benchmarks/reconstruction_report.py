"""Tables and claims of the contest of reconstruction, from what was found and what it cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from benchmarks.claims import Claim, Row, at_least, at_most, told
from benchmarks.reconstruction_cells import Costs
from benchmarks.reconstruction_cost import idle_merger, multiply_adds
from benchmarks.reconstruction_found import AT_A_HALF, Array, Found
from benchmarks.reconstruction_methods import DISCS, FUSED, LONGER, UNFUSED
from benchmarks.reconstruction_settings import PRESETS, STANDARD, VENTRICLE, VIEWS, WALLS

PEAK_IOU, VOLUME_ERROR, FEWER_PRODUCTS, LESS_MEMORY = 0.88, 5.0, -49.0, -56.0
COUNTED = 9  # views for which the source's savings are counted, at 64 voxels a side
GIGA, MEGA = 1e9, 1e6


def rows(found: Sequence[Found], costs: Costs) -> list[Row]:
    """All tables."""
    found_rows = [row for one in found for row in _accuracy(one)]
    compared = [row for one in found if UNFUSED in one.scores for row in _fusing(one)]
    names: list[Row] = [
        {"table": "Views", "number": number, "names": ", ".join(each)} for number, each in VIEWS.items()
    ]
    return [*found_rows, *compared, *_costs(costs), *names]


def _accuracy(found: Found) -> Iterator[Row]:
    for method in found.scores:
        row: Row = {
            "table": f"{found.target}, {found.views} {'view' if found.views == 1 else 'views'}: "
            f"{len(found.patients)} hearts of {len(set(found.patients))} patients",
            "method": method,
        }
        each = found.ious(method)
        if each is not None:
            peak = found.peak(method)
            row["IoU at 0.5"] = _with_interval(found, each[:, AT_A_HALF], 3)
            row["peak IoU"] = _with_interval(found, found.at_peak(method), 3)
            row["at"] = peak.threshold
        if (distance := found.values(method, lambda one: one.hausdorff_mm)) is not None:
            row["Hausdorff 95 %, mm"] = _with_interval(found, distance, 2)
        if found.target == VENTRICLE:
            row["volume error, %"] = _with_interval(found, found.volume_error(method), 1)
            signed = found.values(method, lambda one: one.error)
            row["with its sign, %"] = None if signed is None else float(signed.mean())
            summed = found.values(method, lambda one: one.summed_error)
            row["of summed probabilities, %"] = None if summed is None else float(np.abs(summed).mean())
            row["no outline, %"] = 100 * float(np.mean([one.guessed for one in found.scores[method]]))
        yield {**row, "learning, s": found.learnt_seconds[method]}


def _with_interval(found: Found, values: Array, digits: int) -> str:
    low, high = found.interval(values)
    return f"{values.mean():.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def _fusing(found: Found) -> Iterator[Row]:
    gain = found.at_peak(FUSED) - found.at_peak(UNFUSED)
    low, high = found.interval(gain)
    yield {
        "table": "Fused less unfused, peak IoU",
        "target": found.target,
        "views": found.views,
        "difference": float(gain.mean()),
        "95 % from": low,
        "to": high,
    }


def _costs(costs: Costs) -> Iterator[Row]:
    for (method, views), cost in costs.items():
        yield {
            "table": "What a heart costs",
            "method": method,
            "views": views,
            "seconds": cost.median,
            "training memory, MB": None if cost.training_bytes is None else cost.training_bytes / MEGA,
            "parameters": cost.parameters,
            "multiply-adds, G": None if cost.multiply_adds is None else cost.multiply_adds / GIGA,
        }


def claims(found: Sequence[Found], costs: Costs, edge: int) -> Iterator[Claim]:
    """What is asked for."""
    for one in found:
        if (one.target, one.views) == (WALLS, STANDARD):
            for method in _fused(one):
                name = f"reconstruction, walls, {' + '.join(VIEWS[STANDARD])}: peak IoU, {method}"
                yield at_least(name, one.peak(method).iou, "", PEAK_IOU)
    for one in found:
        if UNFUSED in one.scores:
            yield _as_good(one)
    for one in found:
        if (one.target, one.views) == (VENTRICLE, STANDARD):
            for method in _fused(one):
                yield from _volume(one, method)
            yield _of_voxels(one)
    if costs:
        yield from _products()
        yield from _memory(costs, edge)


def _as_good(found: Found) -> Claim:
    low, high = found.interval(found.at_peak(FUSED) - found.at_peak(UNFUSED))
    name = f"reconstruction, {found.target}, {found.views}: peak IoU, fused less unfused, upper end of 95 %"
    return at_least(f"{name} (lower {low:.3f})", high, "", 0.0)


def _fused(found: Found) -> list[str]:
    return [method for method in (FUSED, LONGER) if method in found.scores]


def _volume(found: Found, method: str) -> Iterator[Claim]:
    name = f"reconstruction, left ventricle's volume, {' + '.join(VIEWS[found.views])}: mean error, {method}"
    mine, discs = found.volume_error(method), found.volume_error(DISCS)
    yield at_most(name, float(mine.mean()), "%", VOLUME_ERROR)
    low, high = found.interval(mine - discs)
    less = f"{name}, less that of discs in true masks (95 %: {low:.1f} to {high:.1f})"
    yield at_most(less, float((mine - discs).mean()), "points", 0.0)


def _of_voxels(found: Found) -> Claim:
    voxels = found.values(FUSED, lambda one: one.voxels_error)
    assert voxels is not None
    name = f"reconstruction, left ventricle's volume, {' + '.join(VIEWS[found.views])}: mean error, the true voxels"
    return told(name, float(np.abs(voxels).mean()), "%")


def _products() -> Iterator[Claim]:
    published = PRESETS["paper"]
    fused, apart = (multiply_adds(published, method, COUNTED) for method in (FUSED, UNFUSED))
    name = f"reconstruction, {published.edge} voxels a side, {COUNTED} views: multiply-adds, fused against unfused"
    yield at_most(name, 100 * (fused / apart - 1), "%", FEWER_PRODUCTS)
    kept = 100 * ((fused + idle_merger(published)) / apart - 1)
    yield told(f"{name}, the idle merger kept as published", kept, "%")


def _memory(costs: Costs, edge: int) -> Iterator[Claim]:
    mine, other = (costs.get((method, COUNTED)) for method in (FUSED, UNFUSED))
    if mine is None or other is None or not mine.training_bytes or not other.training_bytes:
        return
    share = 100 * (mine.training_bytes / other.training_bytes - 1)
    name = f"reconstruction, {edge} voxels a side, {COUNTED} views: memory of a training step, fused against unfused"
    if edge == PRESETS["paper"].edge:
        yield at_most(name, share, "%", LESS_MEMORY)
    else:
        yield told(name, share, "%")
