"""The taking-in against what is claimed of it: images a second, clips read again, a second ingest, memory."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from benchmarks.claims import Measured, Row, at_least, at_most, told
from benchmarks.ingest_images import write_clips, write_stills
from benchmarks.processes import watch

GIB, MIB = 2**30, 2**20
FRAMES = 64
TURNS = 3
DOUBTED = 0.05  # of the files, whose sector is not sure; they are looked at as long as the others
NOTE = (
    "Files are phantom acquisitions with noise of their own, 112 × 112, written for the run; the disk's cache is warm. "
    "Taking in means: decoding, the sector found, what lies outside removed, text looked for, perceptual and "
    "cryptographic digests, the lossless working file written, rows in the catalogue; on all cores. The plain loop is "
    "pydicom's pixel_array and PyAV's to_ndarray, one file after another in one process, frames as grey levels; the "
    "archive's side reads every frame of the same clips through the catalogue, also in one process. A file of the "
    "archive is as long as its frames: reading it costs one copy of them, and that is the limit."
)


def measure(*, quick: bool) -> Measured:
    """All claims of the taking-in."""
    stills, clips = (60, 12) if quick else (2000, 200)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        parts = [
            _stills(place / "stills", stills),
            _clips(place / "clips", clips),
            _large(place / "large", *((100, 10) if quick else (100_000, 1000))),
        ]
    return Measured(
        rows=tuple(row for part in parts for row in part.rows),
        claims=tuple(claim for part in parts for claim in part.claims),
        notes=(NOTE,),
    )


def _seconds(action: Callable[[], object]) -> float:
    begun = time.perf_counter()
    action()
    return time.perf_counter() - begun


def _take_in(images: Path, home: Path) -> Callable[[], object]:
    from federated.label_map import LabelMap
    from federated.vocabulary import builtin_vocabulary
    from site_agent.archive import Archive
    from site_agent.intake.ingest import Order, cores, ingest

    archive = Archive(home / "catalogue.sqlite", home / "frames", bytes(32))
    home.mkdir(exist_ok=True)
    order = Order(format="images", processes=cores())

    def run() -> None:
        report = ingest(archive, builtin_vocabulary("heart"), LabelMap(), images, order)
        files = report.clips + report.skipped + len(report.aside)
        assert len(report.aside) <= DOUBTED * files, report.aside[0]

    return run


def _stills(folder: Path, number: int) -> Measured:
    """PNG files: the first ingest, one that was stopped, and the second."""
    images, home = write_stills(folder / "images", number, base=40), folder / "home"
    run = _take_in(images, home)
    first = _seconds(run)
    second = min(_seconds(run) for _ in range(TURNS))
    row: Row = {
        "table": "Taking in stills and clips of 112 × 112",
        "files": f"{number:,} PNG",
        "frames": number,
        "first, s": first,
        "frames a second": number / first,
        "again, unchanged, s": second,
        "times faster": first / second,
    }
    claims = (
        at_least("PNG frames a second taken in", number / first, "", 300.0),
        at_least("a second, unchanged ingest of PNG files, times faster", first / second, "", 20.0),
    )
    return Measured(rows=(row,), claims=claims)


def _clips(folder: Path, number: int) -> Measured:
    """Clips: taken in, taken in again, and read again beside a plain loop over their files."""
    images, home = write_clips(folder / "images", number, FRAMES, base=20), folder / "home"
    run = _take_in(images, home)
    first = _seconds(run)
    second = min(_seconds(run) for _ in range(TURNS))
    plain = min(_seconds(lambda: _drain(_plain(images))) for _ in range(TURNS))
    cached = min(_seconds(lambda: _drain(_cached(home))) for _ in range(TURNS))
    copied = min(_seconds(lambda: _drain(_copied(number))) for _ in range(TURNS))
    first_row: Row = {
        "table": "Taking in stills and clips of 112 × 112",
        "files": f"{number:,} AVI and DICOM clips",
        "frames": number * FRAMES,
        "first, s": first,
        "frames a second": number * FRAMES / first,
        "again, unchanged, s": second,
        "times faster": first / second,
    }
    ways = {
        "plain loop, pydicom and PyAV": plain,
        "from the archive": cached,
        "one copy in memory of as many bytes": copied,
    }
    rows: list[Row] = [
        {
            "table": "Every frame of these clips once more, one process",
            "how": how,
            "s": seconds,
            "frames a second": number * FRAMES / seconds,
            "times the plain loop": plain / seconds,
        }
        for how, seconds in ways.items()
    ]
    claims = (
        at_least("clips read from the archive, times a plain loop that decodes them", plain / cached, "", 3.0),
        at_least("a second, unchanged ingest of clips, times faster", first / second, "", 20.0),
        told("frames of clips a second taken in", number * FRAMES / first, ""),
    )
    return Measured(rows=(first_row, *rows), claims=claims)


def _drain(frames: Iterator[np.ndarray]) -> None:
    brightest = max(int(clip.max()) for clip in frames)  # so that every byte is read
    assert brightest > 0


def _plain(images: Path) -> Iterator[np.ndarray]:
    """What a user would write."""
    import av
    import pydicom

    for path in sorted(images.iterdir()):
        if path.suffix == ".avi":
            with av.open(str(path)) as container:
                yield np.stack([frame.to_ndarray(format="gray") for frame in container.decode(video=0)])
        elif path.suffix == ".dcm":
            pixels = pydicom.dcmread(path).pixel_array
            yield pixels if pixels.ndim == 3 else pixels[..., 0]


def _cached(home: Path) -> Iterator[np.ndarray]:
    from site_agent.archive import Archive

    archive = Archive(home / "catalogue.sqlite", home / "frames", bytes(32))
    for key in dict.fromkeys(case.key for case in archive.catalogue.cases()):
        yield archive.cache.frames(key)


def _copied(number: int) -> Iterator[np.ndarray]:
    clip = np.ones((FRAMES, 112, 112), dtype=np.uint8)
    for _ in range(number):
        yield clip.copy()


def _large(folder: Path, stills: int, clips: int) -> Measured:
    """Memory of the whole command while a large folder is taken in, beside that of a tenth of it."""
    rows: list[Row] = []
    peaks = []
    for kind, number, write in (
        ("PNG stills", stills // 10, lambda place, many: write_stills(place, many, base=40)),
        ("PNG stills", stills, lambda place, many: write_stills(place, many, base=40)),
        ("AVI and DICOM clips", clips, lambda place, many: write_clips(place, many, FRAMES, base=20)),
    ):
        images = write(folder / "images", number)
        watched = watch([sys.executable, "-c", COMMAND, str(images), str(folder / "home")], folder / "log")
        peaks.append(watched.peak_bytes)
        rows.append(
            {
                "table": "A large folder, the whole command with all its processes",
                "files": f"{number:,} {kind}",
                "wall, s": watched.seconds,
                "files a second": number / watched.seconds,
                "memory, MiB": watched.peak_bytes / MIB,
            }
        )
        shutil.rmtree(images)
        shutil.rmtree(folder / "home")
    claims = (
        at_most(f"memory while {stills:,} stills are taken in", peaks[1] / GIB, "GiB", 1.0),
        at_most(f"memory while {clips:,} clips of {FRAMES} frames are taken in", peaks[2] / GIB, "GiB", 1.0),
        told("memory of ten times as many stills, times that of few", peaks[1] / peaks[0], ""),
    )
    return Measured(rows=tuple(rows), claims=claims)


COMMAND = (
    "import sys; from pathlib import Path; from benchmarks.ingest import _take_in; "
    "_take_in(Path(sys.argv[1]), Path(sys.argv[2]))()"
)
