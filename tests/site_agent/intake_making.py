"""Small data sets made for tests of the taking in, an archive to take them into, and what it holds in the end."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from federated.label_map import LabelMap, Line
from federated.vocabulary import plain_vocabulary
from site_agent.archive import Archive
from site_agent.catalogue import Case
from site_agent.intake.ingest import Order, ingest
from site_agent.intake.quarantine import item_names
from site_agent.intake.reports import IngestReport

VOCABULARY = plain_vocabulary("lung", ["healthy", "covid"])
SECRET = bytes(range(32))
TABLES = ("machines", "patients", "items", "clips", "frames")
PASSING = {"closed", "stamp", "said", "sealed"}  # columns of when, and of what is sealed with a reason


def picture(path: Path, seed: int, size: tuple[int, int] = (16, 20)) -> Path:
    """Noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, size, dtype=np.uint8)).save(path)
    return path


def gif(path: Path, frames: int, dark: int = 0) -> Path:
    """Frames of noise, after some that are dark."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(frames).integers(0, 255, (frames, 16, 20), dtype=np.uint8)
    pixels[:dark] = np.arange(dark)[:, None, None]  # equal frames would be stored as one
    images = [Image.fromarray(frame) for frame in pixels]
    images[0].save(path, "GIF", save_all=True, append_images=images[1:], duration=50)
    return path


def data_set(folder: Path, rows: Sequence[Mapping[str, str]], first: int = 0) -> Path:
    """An index of rows: what they leave out is made up, and images that are not there are drawn."""
    folder.mkdir(parents=True, exist_ok=True)
    full = [{"path": f"{first + number}.png", "label": "healthy", **row} for number, row in enumerate(rows)]
    for number, row in enumerate(full):
        if not (folder / row["path"]).exists() and not row["path"].startswith("missing"):
            picture(folder / row["path"], first + number)
    with (folder / "index.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(key for row in full for key in row)))
        writer.writeheader()
        writer.writerows(full)
    return folder / "index.csv"


def patients(number: int, **more: str) -> list[dict[str, str]]:
    """Rows of so many patients."""
    return [{"patient": f"P{i}", "clip": f"c{i}", **more} for i in range(number)]


def archive_in(folder: Path, secret: bytes = SECRET) -> Archive:
    """An archive in a folder, empty unless something is there."""
    folder.mkdir(parents=True, exist_ok=True)
    return Archive(folder / "catalogue.sqlite", folder / "frames", secret)


def take_in(folder: Path, root: Path, words: Mapping[str, str] | None = None, **order: Any) -> IngestReport:
    """An ingest into the archive of a folder; words are what the hospital calls the codes."""
    lines = tuple(Line(word=word, code=code, relation="same") for word, code in (words or {}).items())
    label_map = LabelMap(version=1, lines=lines) if lines else LabelMap()
    return ingest(archive_in(folder), VOCABULARY, label_map, root, replace(Order(), **order))


def cases(folder: Path) -> list[Case]:
    """What tasks see."""
    return archive_in(folder).catalogue.cases()


def names(folder: Path) -> list[str]:
    """File of each case, in their order."""
    known = item_names(archive_in(folder))
    return [known[case.key] for case in cases(folder)]


def aside(report: IngestReport) -> dict[str, str]:
    """Name -> reason."""
    return {one.name: one.reason for one in report.aside}


def content(folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    """All that an archive holds, but for when it was written: rows of every table, and every working image."""
    archive = archive_in(folder)
    found = {}
    for table in TABLES:
        columns = [row[1] for row in archive.catalogue.rows(f"PRAGMA table_info({table})") if row[1] not in PASSING]
        found[table] = sorted(archive.catalogue.rows(f"SELECT {', '.join(columns)} FROM {table}"), key=repr)
    files = sorted(path for path in archive.frames_path.rglob("*") if path.is_file())
    found["files"] = [(path.name, path.read_bytes()) for path in files]
    return found
