"""Tables and claims of the contest of reconstruction, from what was found and what it cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from benchmarks.claims import Claim, Row, at_least, at_most, told
from benchmarks.reconstruction_cells import Costs
from benchmarks.reconstruction_counts import idle_merger, kept_for_gradients, multiply_adds
from benchmarks.reconstruction_found import AT_A_HALF, Array, Found
from benchmarks.reconstruction_methods import DISCS, FUSED, LONGER, UNFUSED
from benchmarks.reconstruction_settings import PRESETS, STANDARD, VENTRICLE, VIEWS, WALLS, Setting

PEAK_IOU, VOLUME_ERROR, FEWER_PRODUCTS, LESS_MEMORY = 0.88, 5.0, -49.0, -56.0
COUNTED = 9  # views for which the source's savings are counted, at 64 voxels a side
GIGA, MEGA, GIB = 1e9, 1e6, 2**30


def rows(found: Sequence[Found], costs: Costs) -> list[Row]:
    """All tables."""
    found_rows = [row for one in found for row in _accuracy(one)]
    compared = [row for one in found if UNFUSED in one.scores for row in _fusing(one)]
    names: list[Row] = [
        {"table": "Views", "number": number, "names": ", ".join(each)} for number, each in VIEWS.items()
    ]
    return [*found_rows, *compared, *_costs(costs), *(_saved() if costs else ()), *names]


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


def _saved() -> Iterator[Row]:
    published = PRESETS["paper"]
    for views in VIEWS:
        products, kept = (_fused_and_apart(count, views) for count in (multiply_adds, kept_for_gradients))
        yield {
            "table": f"What fusing saves, networks as published, {published.edge} voxels a side",
            "views": views,
            "multiply-adds of a heart, fused, G": products[0] / GIGA,
            "unfused, G": products[1] / GIGA,
            "fewer, %": -_percent_more(*products),
            f"activations of {published.batch} hearts kept for gradients, fused, GiB": kept[0] / GIB,
            "unfused, GiB": kept[1] / GIB,
            "less, %": -_percent_more(*kept),
        }


def _fused_and_apart(count: Callable[[Setting, str, int], int], views: int) -> tuple[int, int]:
    return count(PRESETS["paper"], FUSED, views), count(PRESETS["paper"], UNFUSED, views)


def _percent_more(one: float, other: float) -> float:
    return 100 * (one / other - 1)


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
        yield from _counted()
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


def _counted() -> Iterator[Claim]:
    published = PRESETS["paper"]
    counted = (
        ("multiply-adds", multiply_adds, FEWER_PRODUCTS),
        ("activations kept for gradients", kept_for_gradients, LESS_MEMORY),
    )
    for (what, count, most), idle in zip(counted, idle_merger(published), strict=True):
        fused, apart = _fused_and_apart(count, COUNTED)
        name = f"reconstruction, {published.edge} voxels a side, {COUNTED} views: {what}, fused against unfused"
        yield at_most(name, _percent_more(fused, apart), "%", most)
        yield told(f"{name}, the idle merger kept as published", _percent_more(fused + idle, apart), "%")


def _memory(costs: Costs, edge: int) -> Iterator[Claim]:
    mine, other = (costs.get((method, COUNTED)) for method in (FUSED, UNFUSED))
    if mine is None or other is None or not mine.training_bytes or not other.training_bytes:
        return
    name = f"reconstruction, {edge} voxels a side, {COUNTED} views: memory of a training step, fused against unfused"
    yield told(name, _percent_more(mine.training_bytes, other.training_bytes), "%")
