"""Sound files with a few bytes changed, cut out or put in: every reader ends in frames or in one line, and soon."""

from __future__ import annotations

import os
import re
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from federated.errors import DataError
from site_agent.intake.preparation import Rules, prepare
from site_agent.sources import source
from site_agent.sources.files import open_file
from tests.site_agent.bad_files import whole_files

WHOLE = whole_files()
SECONDS = 5.0  # for one file, on a machine that others use too
HEAD = 600  # bytes in which most headers lie


@dataclass(frozen=True)
class Change:
    """Bytes at a place, taken out, put in or written over."""

    place: float
    near: bool
    data: bytes
    removed: int

    def of(self, content: bytes) -> bytes:
        """The file, changed."""
        place = int(self.place * (min(HEAD, len(content)) if self.near else len(content)))
        return content[:place] + self.data + content[place + self.removed :]


CHANGES = st.lists(
    st.builds(
        Change,
        place=st.floats(0, 1),
        near=st.booleans(),
        data=st.one_of(
            st.binary(max_size=8), st.sampled_from([b"\xff" * 4, b"\0" * 4, b"\xff\xff", b"\x7f\xff\xff\xff"])
        ),
        removed=st.integers(0, 8),
    ),
    min_size=1,
    max_size=4,
)
CUTS = st.one_of(st.none(), st.floats(0, 1))


@pytest.fixture(autouse=True)
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would be allowed and takes long is not what is looked for here."""
    monkeypatch.setattr(source, "MAX_FRAME_PIXELS", 10**6)
    monkeypatch.setattr(source, "MAX_CLIP_PIXELS", 10**7)


@pytest.fixture
def quiet(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Nothing is said aloud by a decoder."""
    yield
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")


@pytest.mark.usefixtures("small_limits", "quiet")
@pytest.mark.parametrize("name", WHOLE)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=CHANGES, cut=CUTS)
def test_whatever_the_bytes_are_frames_or_one_line_come_out(
    tmp_path: Path, name: str, changes: list[Change], cut: float | None
) -> None:
    data = WHOLE[name]
    for change in changes:
        data = change.of(data)
    if cut is not None:
        data = data[: int(cut * len(data))]
    path = tmp_path / name
    path.write_bytes(data)
    began = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _check(path)
    assert time.perf_counter() - began < SECONDS


def _check(path: Path) -> None:
    lines = _lines(path)
    assert all(0 < len(line) < 250 and line.isprintable() for line in lines), lines
    assert not [line for line in lines if re.search(r"Traceback|<_io|0x7f", line) or os.fspath(path.parent) in line]


def _lines(path: Path) -> tuple[str, ...]:
    """What is said of a file: why it cannot be read, or what of it was not believed."""
    try:
        return prepare(open_file(path), Rules()).facts.doubts
    except DataError as error:
        return (error.what,)


def test_the_files_themselves_are_sound(tmp_path: Path) -> None:
    for name, data in WHOLE.items():
        (tmp_path / name).write_bytes(data)
        assert prepare(open_file(tmp_path / name), Rules(pixels="whole")).state == "taken", name
