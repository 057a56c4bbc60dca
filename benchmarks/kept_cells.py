"""What a contest of hours keeps: parts of its result as files, of one code and one setting, played side by side."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from federated.errors import ConsiliumError
from federated.files import write_whole

ABOUT = "contest.json"


def kept(path: Path, make: Callable[[], Any]) -> Any:
    """What a file holds, or what is made now and written there."""
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(make()).encode() + b"\n")
    return json.loads(path.read_text(encoding="utf-8"))


def claim(folder: Path, contest: Mapping[str, Any]) -> None:
    """Writes down whose cells a folder holds: by code and setting, each under its name.

    Raises:
        ConsiliumError: it holds cells of other code or of another setting.
    """
    mine = json.loads(json.dumps(contest))
    theirs = kept(folder / ABOUT, lambda: mine)
    if other := [key for key in mine if theirs.get(key) != mine[key]]:
        cure = "another --json FILE, or remove the folder"
        raise ConsiliumError(f"holds cells of another {', '.join(other)}", where=str(folder), cure=cure)


def whose(code: str, setting: Any) -> dict[str, Any]:
    """What cells depend on: the code's digest and a setting, but not its `seeds`, which only say how many there are."""
    return {"code": code, **{name: value for name, value in asdict(setting).items() if name != "seeds"}}


@contextmanager
def side_by_side(processes: int) -> Iterator[Any]:
    """`map` by as many processes, or by none beside this one."""
    if processes < 2:
        yield map
        return
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        try:
            yield pool.map
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
