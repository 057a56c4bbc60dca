"""The code that plays a contest, as one digest: what only tells of it may change while cells are kept."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLAYING = ("benchmarks/incremental", "deploy/demo", "deploy/phantom", "federated", "shared_models", "site_agent")
TELLING = frozenset(
    f"benchmarks/incremental/{name}.py" for name in ("figures", "paired", "plots", "questions", "report", "targets")
)


def playing(root: Path = ROOT) -> str:
    """Digest of the names and contents of all modules that play."""
    modules = (path for folder in PLAYING for path in sorted((root / folder).rglob("*.py")))
    return digest(root, (path for path in modules if path.relative_to(root).as_posix() not in TELLING))


def digest(root: Path, files: Iterable[Path]) -> str:
    """Of the names and contents of files, in their order."""
    found = hashlib.sha256()
    for path in files:
        name = path.relative_to(root).as_posix()
        found.update(name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()[:12]
