"""A process that ends as by kill -9 at its n-th touch of the disk, in a child of its own; nothing is cleaned up.

Moments lie before and after each flush, rename, link and removal of a file and each commit of a database, and in the
middle of each file that is written. `CONSILIUM_FUZZ=2` and more tries all of them; else a few, others for each step.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

STRIDE = 1 if int(os.environ.get("CONSILIUM_FUZZ", "1")) > 1 else 11
DEAD, DONE, FAILED = 9, 0, 3
LEFTOVER = "."  # how names of files begin that were being written


class Reaper:
    """Counts moments, and ends the process at one of them."""

    def __init__(self, moment: int) -> None:
        self.moment, self.passed = moment, 0

    def pass_moment(self) -> None:
        self.passed += 1
        if self.passed == self.moment:
            os._exit(DEAD)

    def around(self, action: Callable[..., Any]) -> Callable[..., Any]:
        def act(*arguments: Any, **options: Any) -> Any:
            self.pass_moment()
            result = action(*arguments, **options)
            self.pass_moment()
            return result

        return act

    def torn(self, action: Callable[..., Any]) -> Callable[..., Any]:
        """A flush before which half of the file was lost."""

        def act(descriptor: int) -> None:
            self.passed += 1
            if self.passed == self.moment:
                file = os.fstat(descriptor)
                if stat.S_ISREG(file.st_mode):
                    os.ftruncate(descriptor, file.st_size // 2)
                os._exit(DEAD)
            action(descriptor)

        return act

    def patch(self) -> None:
        """For a child, which does not come back."""
        os.fsync = self.torn(self.around(os.fsync))
        for name in ("replace", "rename", "link", "unlink"):
            setattr(os, name, self.around(getattr(os, name)))
        reaper = self

        class Dying(sqlite3.Connection):
            def commit(self) -> None:
                reaper.pass_moment()
                super().commit()
                reaper.pass_moment()

            def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
                if sql != "COMMIT":
                    return super().execute(sql, *parameters)
                return reaper.around(super().execute)(sql)

        connect = sqlite3.connect

        def dying(*arguments: Any, **options: Any) -> Any:
            return connect(*arguments, **options, factory=Dying)

        sqlite3.connect = sqlite3.dbapi2.connect = dying


def died(moment: int, work: Callable[[], object]) -> bool:
    """Whether the process that did the work ended at its n-th moment; if not, the work is done."""
    child = os.fork()
    if child == 0:
        code = FAILED
        try:
            Reaper(moment).patch()
            work()
            code = DONE
        except BaseException as error:  # noqa: BLE001
            sys.__stderr__.write(f"{type(error).__name__}: {error}\n")  # type: ignore[union-attr]
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (DEAD, DONE), "the work itself failed"
    return code == DEAD


def kills(before: Path, work: Callable[[Path], object], least: int) -> Iterator[Path]:
    """The folder as each kill left it, from its state before the work, until the work is done."""
    moment, count = 1, 0
    while True:
        after = before.with_name(f"{before.name} killed at {moment}")
        shutil.copytree(before, after, symlinks=True)
        if not died(moment, lambda here=after: work(here)):  # type: ignore[misc]
            break
        yield after
        shutil.rmtree(after)
        moment, count = moment + STRIDE, count + 1
    assert count * STRIDE >= least, f"only {count} moments were tried"


def contents(folder: Path) -> dict[str, bytes]:
    """Every file that has its name, by path; not what was being written."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(LEFTOVER))
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(files)}
