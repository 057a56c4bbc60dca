"""Small pictures of what a site holds: a few of each view, of different patients, from the de-identified images."""

from __future__ import annotations

import io
from collections import defaultdict
from typing import TYPE_CHECKING

from federated.errors import ConsiliumError
from site_agent.frame_cache import Gray

if TYPE_CHECKING:
    from site_agent.archive import Archive

MOST, EACH, SIDE = 24, 3, 96
CHOSEN = (
    "SELECT coalesce(label, ''), item, min(id) FROM clips WHERE batch IS NOT NULL "
    "GROUP BY 1, patient ORDER BY 1, patient"
)


def thumbnails(archive: Archive) -> dict[str, list[bytes]]:
    """Label -> PNG files of at most `SIDE` pixels a side: one of each view first, up to `EACH`, `MOST` in all.

    A working image that is gone has none.
    """
    items: dict[str, list[str]] = defaultdict(list)
    for label, item, _ in archive.catalogue.rows(CHOSEN):
        items[label].append(item)
    largest = sorted(items, key=lambda label: (-len(items[label]), label))
    rounds = [(label, items[label][place]) for place in range(EACH) for label in largest if place < len(items[label])]
    found: dict[str, list[bytes]] = defaultdict(list)
    for label, item in rounds[:MOST]:
        found[label] += picture(archive, item)
    return dict(found)


def picture(archive: Archive, key: str) -> list[bytes]:
    """The middle frame of a file of working images as PNG; nothing where the file is gone."""
    try:
        frames = archive.cache.frames(key)
    except ConsiliumError:
        return []
    return [_png(frames[len(frames) // 2])]


def _png(frame: Gray) -> bytes:
    from PIL import Image

    image = Image.fromarray(frame)
    image.thumbnail((SIDE, SIDE))
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()
