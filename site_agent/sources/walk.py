"""All files below a folder, in one order, without being led in circles."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from itertools import islice
from pathlib import Path

from site_agent.sources.source import Refused

FOLLOWED = "is a link to a folder, and links are not followed"
GLANCE = 1000  # files


def walk(root: Path) -> Iterator[Path | Refused]:
    """Files of a folder by name, then those of its folders; what cannot be looked into comes with its reason.

    Links to folders are not followed, so that none leads round in a circle; links to files are.
    """
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        try:
            files, folders, links = _listing(folder)
        except OSError as error:
            yield Refused(name_below(root, folder), folder, f"cannot be looked into ({error.strerror})")
            continue
        yield from files
        yield from (Refused(name_below(root, link), link, FOLLOWED) for link in links)
        waiting += reversed(folders)


def _listing(folder: Path) -> tuple[list[Path], list[Path], list[Path]]:
    """Files, folders and links to folders, each by name."""
    files: list[Path] = []
    folders: list[Path] = []
    links: list[Path] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            path = Path(entry)
            if entry.is_symlink():
                (links if path.is_dir() else files).append(path)
            else:
                (folders if entry.is_dir(follow_symlinks=False) else files).append(path)
    return sorted(files), sorted(folders), sorted(links)


def has_any(root: Path, suffixes: Collection[str]) -> bool:
    """Whether one of these suffixes, in small letters, ends one of the first files below a folder."""
    found = islice(walk(root), GLANCE)
    return any(isinstance(each, Path) and each.name.lower().endswith(tuple(suffixes)) for each in found)


def name_below(root: Path, path: Path) -> str:
    """A path as a person at the hospital sees it from the root."""
    return path.relative_to(root).as_posix() if path != root else path.name
