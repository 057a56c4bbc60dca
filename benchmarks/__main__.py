"""``python -m benchmarks NAME [--quick] --json FILE``: measure, print a table, write the result.

``python -m benchmarks incremental --suite SUITE --preset cpu|paper --seeds N --json FILE`` plays the contest.
"""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks import real_data
from benchmarks.claims import Measured, Result, Row, write_result
from benchmarks.results import shown, tables, verdict
from federated.errors import ConsiliumError


def _spine(quick: bool) -> Measured:
    from benchmarks.spine import measure

    return measure(quick=quick)


def _lung(quick: bool) -> Measured:
    from benchmarks.lung import measure

    return measure(quick=quick)


def _front_ends(quick: bool) -> Measured:
    from benchmarks.front_ends import measure

    return measure(quick=quick)


def _leakage(quick: bool) -> Measured:
    from benchmarks.leakage import measure

    return measure(quick=quick)


def _phantom(quick: bool) -> Measured:
    from benchmarks.phantom import measure

    return measure(quick=quick)


def _phantom_transfer(quick: bool, gallery: Path = real_data.GALLERY) -> Measured:
    from benchmarks.phantom_transfer import measure

    return measure(quick=quick, gallery=gallery)


def _phantom_realism(quick: bool, gallery: Path = real_data.GALLERY) -> Measured:
    from benchmarks.phantom_realism import measure

    return measure(quick=quick, gallery=gallery)


def _start_backbone(quick: bool) -> Measured:
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command does, before torch is loaded
    from benchmarks.start_backbone import measure

    return measure(quick=quick)


def _burnt_in(quick: bool) -> Measured:
    from benchmarks.burnt_in import measure

    return measure(quick=quick)


def _ingest(quick: bool) -> Measured:
    from benchmarks.ingest import measure

    return measure(quick=quick)


def _intake_real(quick: bool) -> Measured:
    from benchmarks.intake_real import measure

    return measure(quick=quick)


def _sector(quick: bool, gallery: Path = real_data.GALLERY) -> Measured:
    from benchmarks.sector import measure

    return measure(quick=quick, gallery=gallery)


def _partial_labels(quick: bool) -> Measured:
    from benchmarks.partial_labels import measure

    return measure(quick=quick)


def _refusal(quick: bool) -> Measured:
    from benchmarks.refusal import measure

    return measure(quick=quick)


def _retrieval(quick: bool) -> Measured:
    from benchmarks.retrieval import measure

    return measure(quick=quick)


def _arrivals(quick: bool) -> Measured:
    from benchmarks.arrivals import measure

    return measure(quick=quick)


def _throughput(quick: bool) -> Measured:
    from benchmarks.throughput import measure

    return measure(quick=quick)


def _backmix(quick: bool) -> Measured:
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from benchmarks.backmix import measure

    return measure(quick=quick)


def _contour(quick: bool) -> Measured:
    from benchmarks.contour import measure

    return measure(quick=quick)


def _segmentation(quick: bool) -> Measured:
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from benchmarks.segmentation import measure

    return measure(quick=quick)


def _trust(quick: bool) -> Measured:
    from benchmarks.trust import measure

    return measure(quick=quick)


def _pair_speed(quick: bool) -> Measured:
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from benchmarks.pair_speed import measure

    return measure(quick=quick)


def _pair_similarities(quick: bool) -> Measured:
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS", "1")
    from benchmarks.pair_similarities import measure

    return measure(quick=quick)


def _registration(quick: bool, seeds: int, file: Path) -> Measured:
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS", "1")
    from benchmarks.registration import measure

    return measure(quick=quick, seeds=seeds, file=file)


def _reconstruction(quick: bool, preset: str, seeds: int, file: Path) -> Measured:
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from benchmarks.reconstruction import measure

    return measure(quick=quick, preset=preset, seeds=seeds, file=file)


def _federated_geometry(quick: bool, seeds: int, file: Path) -> Measured:
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from benchmarks.federated_geometry import measure

    return measure(quick=quick, seeds=seeds, file=file)


def _incremental(quick: bool, suite: str, preset: str, seeds: int, file: Path) -> Measured:
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from benchmarks.incremental.run import measure

    return measure(quick=quick, suite=suite, preset=preset, seeds=seeds, file=file)


BENCHMARKS: dict[str, Callable[..., Measured]] = {
    "spine": _spine,
    "lung": _lung,
    "front_ends": _front_ends,
    "leakage": _leakage,
    "phantom": _phantom,
    "phantom_realism": _phantom_realism,
    "phantom_transfer": _phantom_transfer,
    "start_backbone": _start_backbone,
    "ingest": _ingest,
    "intake_real": _intake_real,
    "burnt_in": _burnt_in,
    "sector": _sector,
    "partial_labels": _partial_labels,
    "refusal": _refusal,
    "retrieval": _retrieval,
    "arrivals": _arrivals,
    "segmentation": _segmentation,
    "throughput": _throughput,
    "backmix": _backmix,
    "contour": _contour,
    "trust": _trust,
    "pair_speed": _pair_speed,
    "pair_similarities": _pair_similarities,
    "registration": _registration,
    "reconstruction": _reconstruction,
    "federated_geometry": _federated_geometry,
    "incremental": _incremental,
}
OF_A_GALLERY = ("phantom_realism", "phantom_transfer", "sector")
OF_A_SUITE = ("incremental",)
OF_A_PRESET = ("incremental", "reconstruction")
IN_CELLS = ("registration", "reconstruction", "federated_geometry")  # which lie beside the file
OF_SEEDS: dict[str, int] = {  # how many where none is said
    "incremental": 5,
    "registration": 3,
    "reconstruction": 3,
    "federated_geometry": 3,
}
PRESET = "cpu"


def main(
    name: Annotated[str, typer.Argument(help=f"One of {', '.join(BENCHMARKS)}; - is as good as _.")],
    json: Annotated[Path, typer.Option(help="The file for the result.")],
    quick: Annotated[bool, typer.Option("--quick", help="A small run that shows it works; not for the docs.")] = False,
    gallery: Annotated[
        Path | None,
        typer.Option(help=f"Real images with an index.csv of path and view, for {', '.join(OF_A_GALLERY)}."),
    ] = None,
    suite: Annotated[str, typer.Option(help=f"The suite, for {', '.join(OF_A_SUITE)}.")] = "",
    preset: Annotated[str, typer.Option(help="How large networks are, cpu or paper.")] = PRESET,
    seeds: Annotated[
        int | None,
        typer.Option(min=1, help="How often a suite is drawn, or a network learns; more go on where fewer ended."),
    ] = None,
) -> None:
    """Measure one benchmark's claims."""
    name = name.replace("-", "_")
    if name not in BENCHMARKS:
        raise typer.BadParameter(f"'{name}' is none of {', '.join(BENCHMARKS)}", param_hint="NAME")
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy is loaded; times and last digits depend on it
    given = _of_a_gallery(name, gallery) | _of_a_suite(name, suite, json) | _of_seeds(name, seeds)
    given |= _of_a_preset(name, preset) | ({"file": json} if name in IN_CELLS else {})
    try:
        measured = BENCHMARKS[name](quick, **given)
    except ConsiliumError as error:
        print(error, file=sys.stderr)
        raise typer.Exit(1) from error
    parts = (suite.replace("-", "_"), preset if name in IN_CELLS and preset != PRESET else "")
    named = "_".join([name, *filter(None, parts)])
    result = Result(name=named, quick=quick, commit=commit(), machine=machine(), **dict(measured))
    print_result(result, Console())
    write_result(result, json)


def _of_a_gallery(name: str, gallery: Path | None) -> dict[str, Any]:
    """The gallery as an argument of the benchmarks that read one."""
    if name in OF_A_GALLERY:
        folder = gallery or real_data.GALLERY
        if not (folder / "index.csv").is_file():
            raise typer.BadParameter(f"{folder} is no gallery: it has no index.csv", param_hint="--gallery")
        return {"gallery": folder}
    if gallery:
        raise typer.BadParameter(f"only {', '.join(OF_A_GALLERY)} read a gallery", param_hint="--gallery")
    return {}


def _of_a_suite(name: str, suite: str, file: Path) -> dict[str, Any]:
    """What to play as arguments of the benchmarks that have suites."""
    if name in OF_A_SUITE:
        if not suite:
            raise typer.BadParameter(f"{name} needs one", param_hint="--suite")
        return {"suite": suite, "file": file}
    if suite:
        raise typer.BadParameter(f"only {', '.join(OF_A_SUITE)} has suites", param_hint="--suite")
    return {}


def _of_seeds(name: str, seeds: int | None) -> dict[str, Any]:
    """How many seeds, as an argument of the benchmarks that have several."""
    if name in OF_SEEDS:
        return {"seeds": seeds or OF_SEEDS[name]}
    if seeds:
        raise typer.BadParameter(f"only {', '.join(OF_SEEDS)} have seeds", param_hint="--seeds")
    return {}


def _of_a_preset(name: str, preset: str) -> dict[str, Any]:
    """How large, as an argument of the benchmarks that have several sizes."""
    if name in OF_A_PRESET:
        return {"preset": preset}
    if preset != PRESET:
        raise typer.BadParameter(f"only {', '.join(OF_A_PRESET)} have presets", param_hint="--preset")
    return {}


def commit() -> str:
    """The commit that was measured; where tracked files but documents have changed since, a plus and their digest."""
    head = _git("rev-parse", "--short=12", "HEAD")
    if not head:
        return "unknown"
    changed = _git("diff", "--no-ext-diff", "--binary", "HEAD", "--", ".", ":(exclude)docs")
    return f"{head}+{hashlib.sha256(changed.encode()).hexdigest()[:8]}" if changed else head


def _git(*arguments: str) -> str:
    root = Path(__file__).resolve().parents[1]
    result = subprocess.run(
        ["git", "-C", str(root), *arguments], capture_output=True, text=True, errors="replace", check=False
    )
    return result.stdout.strip() if result.returncode == 0 else ""


def machine() -> dict[str, str]:
    """What a reader needs to know of the machine."""
    names = [line for line in _lines(Path("/proc/cpuinfo")) if line.startswith("model name")]
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "processor": names[0].partition(":")[2].strip() if names else platform.machine(),
        "cores": str(len(os.sched_getaffinity(0))),
        "threads of linear algebra": os.environ.get("OMP_NUM_THREADS", "not set"),
        "memory": f"{pages / 2**30:.0f} GiB",
        "system": platform.system(),
        "python": platform.python_version(),
        "numpy": version("numpy"),
        "scipy": version("scipy"),
    }


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []


def print_result(result: Result, console: Console) -> None:
    """Every table of rows, then the claims."""
    for title, rows in tables(result.rows).items():
        console.print(title or result.name, _table(rows), sep="\n")
    claims: list[Row] = [
        {
            "claim": claim.claim,
            "value": f"{shown(claim.value)} {claim.unit}",
            "target": claim.target,
            "": verdict(claim),
        }
        for claim in result.claims
    ]
    console.print("claims", _table(claims), sep="\n")
    for note in result.notes:
        console.print(note)


def _table(rows: list[Row]) -> Table:
    columns = list(dict.fromkeys(column for row in rows for column in row))
    table = Table(*columns, box=None, padding=(0, 2), header_style="bold")
    for row in rows:
        table.add_row(*(shown(row.get(column)) for column in columns))
    return table


if __name__ == "__main__":
    typer.run(main)
