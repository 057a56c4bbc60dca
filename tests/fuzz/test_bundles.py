"""Bundles: the zip byte by byte, its table, what it says that it holds, and members of other forms."""

from __future__ import annotations

import io
import json
import os
import struct
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated.audit.bundle import Bundle, open_bundle
from federated.audit.bundling import new_bundle
from federated.audit.contents import CONTENTS
from federated.canonical import digest
from federated.envelope import PREDICATE_TYPE, Parcel
from federated.errors import ConsiliumError
from federated.manifest import manifest_bytes
from federated.signing import sign_document
from federated.statements import PAYLOAD_TYPE
from tests.fuzz.mutation import CHANGES, EDITS, SECONDS, Change, Edit, changed, edited, fuzzed, survived
from tests.fuzz.parties import key_of, passage_of, statement_of

NAMES = st.sampled_from(
    (
        *("../../etc/passwd", "/etc/passwd", "log/../../x", "parcels/x.parcel", "log/tile/0/x001/000", "a" * 300),
        *("log/checkpoint\0", "log/checkpoint\n", "keys.toml/", "C:\\x", f"plans/{'0' * 64}.toml", "bundle.json"),
    )
)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory, make_sample: Callable[..., tuple[Any, bytes]]) -> bytes:
    """A small bundle in one file: keys, three parcels, a plan, predictions."""
    path = tmp_path_factory.mktemp("sound") / "record.bundle"
    with new_bundle(path, "test") as bundle:
        bundle.add("keys.toml", b'federation = "test"\nparties = []\n')
        bundle.add(f"plans/{digest(b'x = 1').removeprefix('sha256:')}.toml", b"x = 1")
        bundle.add("predictions/ada.jsonl", b"{}\n")
        for kind in ("statistics", "adoption", "recall"):
            manifest, tensors = make_sample(kind)
            body = manifest_bytes(manifest)
            payload = edited(statement_of(kind, digest(body), PREDICATE_TYPE, passage_of(kind)), [])
            parcel = Parcel(sign_document(payload, PAYLOAD_TYPE, [key_of(kind)]), body, tensors)
            bundle.add_parcel(parcel, None)
    return path.read_bytes()


def _walk(bundle: Bundle) -> None:
    """Everything that a reader asks of one."""
    survived(lambda: bundle.keys)
    survived(lambda: list(bundle.entries()))
    for name in bundle.contents.members:
        survived(lambda name=name: bundle.read(name))  # type: ignore[misc]
    for name in bundle.digests():
        survived(lambda name=name: bundle.head(name))  # type: ignore[misc]
        survived(lambda name=name: bundle.opened(name))  # type: ignore[misc]
    survived(bundle.releases)
    for name in bundle.names("predictions"):
        survived(lambda name=name: list(bundle.decisions(name)))  # type: ignore[misc]


def _read(path: Path, data: bytes) -> Bundle | None:
    path.write_bytes(data)
    bundle = survived(lambda: open_bundle(path))
    if bundle is not None:
        _walk(bundle)
    return bundle


def test_the_sample_is_sound(tmp_path: Path, sound: bytes) -> None:
    bundle = _read(tmp_path / "a.bundle", sound)
    assert bundle is not None
    assert bundle.kinds() == {"adoption": 1, "recall": 1, "statistics": 1}


@given(changes=CHANGES)
@fuzzed(150)
def test_changed_bytes(tmp_path: Path, sound: bytes, changes: list[Change]) -> None:
    """No byte of it changes without being noticed, by the table or by the member's digest."""
    data = changed(sound, changes)
    bundle = _read(tmp_path / "a.bundle", data)
    if bundle is not None and data != sound:
        with pytest.raises(ConsiliumError):
            [bundle.read(name) for name in bundle.contents.members]


def test_no_byte_changes_unnoticed(tmp_path: Path, sound: bytes) -> None:
    path = tmp_path / "a.bundle"
    for place in range(0, len(sound), 41):
        data = bytearray(sound)
        data[place] ^= 0x20
        path.write_bytes(data)
        with pytest.raises(ConsiliumError):
            [opened.read(name) for opened in [open_bundle(path)] for name in opened.contents.members]


@given(count=st.integers(0, 2**16 - 1), size=st.integers(0, 2**32 - 1), offset=st.integers(0, 2**32 - 1))
@fuzzed(60)
def test_an_end_that_promises_something_else(tmp_path: Path, sound: bytes, count: int, size: int, offset: int) -> None:
    data = sound[:-14] + struct.pack("<2H2IH", count, count, size, offset, 0)
    assert _read(tmp_path / "a.bundle", data) is None or data == sound


@given(edits=EDITS)
@fuzzed(150)
def test_what_it_says_that_it_holds(tmp_path_factory: pytest.TempPathFactory, sound: bytes, edits: list[Edit]) -> None:
    """In a folder, so that names and sizes are what they are, and only ``bundle.json`` lies."""
    folder = tmp_path_factory.mktemp("bundle")
    with zipfile.ZipFile(io.BytesIO(sound)) as file:
        for name in file.namelist():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(file.read(name))
    said = json.loads((folder / CONTENTS).read_bytes())
    spoilt = edited(said, edits)
    (folder / CONTENTS).write_bytes(spoilt)
    bundle = survived(lambda: open_bundle(folder))
    if bundle is not None:
        assert bundle.contents.to_bytes() == spoilt
        _walk(bundle)


@given(name=NAMES, compressed=st.booleans(), size=st.integers(0, 2000))
@fuzzed(60)
def test_what_other_tools_write_is_no_bundle(tmp_path: Path, name: str, compressed: bool, size: int) -> None:
    """Names that lead elsewhere, members that are packed: nothing of it is opened, nothing is unpacked."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED) as file:
        file.writestr(name or "x", b"0" * size)
        if name != CONTENTS:
            file.writestr(CONTENTS, b"{}")
    assert _read(tmp_path / "a.bundle", held.getvalue()) is None
    assert [path.name for path in tmp_path.iterdir()] == ["a.bundle"]


def test_a_zip_that_unpacks_to_more_than_there_is_room_for(tmp_path: Path) -> None:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("predictions/ada.jsonl", b"0" * 50_000_000)
    assert _read(tmp_path / "a.bundle", held.getvalue()) is None


def test_a_folder_with_links_pipes_and_depth(tmp_path: Path) -> None:
    """Nothing outside the folder is read, and nothing that never ends."""
    begin = time.monotonic()
    for name, make in {
        "link": lambda path: path.symlink_to("/etc/passwd"),
        "pipe": os.mkfifo,
        "deep": lambda path: (path / "/".join("x" * 20)).mkdir(parents=True),
    }.items():
        folder = tmp_path / name
        folder.mkdir()
        (folder / CONTENTS).write_bytes(b'{"federation":"test","members":{},"version":1}')
        make(folder / "keys.toml")
        assert survived(lambda folder=folder: open_bundle(folder)) is None  # type: ignore[misc]
    assert time.monotonic() - begin < SECONDS
