"""Files in TOML that somebody hands over or a person writes: keys, policies, vocabularies, label maps, settings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from federated.errors import ConsiliumError
from federated.homes import read_config
from federated.keys import read_trust
from federated.label_map import read_label_map
from federated.vocabulary import plain_vocabulary, read_vocabulary
from server.home import CoordinatorConfig
from site_agent import policy
from tests.fuzz.mutation import CHANGES, Change, changed, fuzzed, survived
from tests.fuzz.parties import TRUST

VIEWS = plain_vocabulary("views", ["a4c", "plax"])
CARD = {"name": "pixels", "config": {"size": 8}, "digest": "sha256:" + "1" * 64, "features": 3}
CONFIG = {"federation": "test", "name": "hub", "task": "classification", "front_end": CARD}
LINES = [{"word": "long axis", "code": "plax", "relation": "same", "note": "asked the echo lab"}]
SITE = SimpleNamespace(federation="test", site="ada")
STANDING = {"task": "classification", "model": "linear_head", "rounds": 9, "until": "2030-01-31", "bytes": 10**6}


def _policy() -> dict[str, Any]:
    sound = policy.permissive_policy("test", "ada").model_dump(mode="json")
    sound["update"] |= {"approval": "standing", "averaging": [STANDING]}
    return sound


SOUND: dict[str, dict[str, Any]] = {
    "trust": TRUST.model_dump(mode="json", exclude_none=True),
    "vocabulary": VIEWS.model_dump(mode="json", exclude_defaults=True),
    "labels": {"version": 1, "lines": LINES},
    "configuration": CONFIG,
    "policy": _policy(),
}
MISSING = ConsiliumError("is not a home")
READ: dict[str, Callable[[Path], Any]] = {
    "trust": read_trust,
    "vocabulary": read_vocabulary,
    "labels": lambda path: read_label_map(path, VIEWS),
    "configuration": lambda path: read_config(path, CoordinatorConfig, missing=MISSING),
    "policy": lambda path: policy._parse(SimpleNamespace(policy_path=path, config=SITE), path.read_bytes()),  # type: ignore[arg-type]
}
VALUES = st.sampled_from(
    (
        *("", "true", "nan", "-inf", "1e400", "0x" + "f" * 4000, "1" * 5000, "[" * 3000, "{a=" * 3000, "[]", "{}"),
        *('""', '"""', "'''", '"\\u0000"', '"../../etc/passwd"', "2026-11-21", "2026-11-21T06:00:00Z", "07:00:00"),
        *("-1", "9007199254740993", "99999999999999999999", "[1,2]", "[[]]", '"' + "x" * 5000 + '"', '"<script>"', "0"),
    )
)
KEYS = st.sampled_from(["a.b.c", '"" ', "version", "federation", "more", "a." * 60 + "b", "[x]", "[[x]]", "[version]"])


@pytest.mark.parametrize("kind", SOUND)
def test_the_samples_are_sound(kind: str, tmp_path: Path) -> None:
    (tmp_path / "file.toml").write_text(tomli_w.dumps(SOUND[kind]))
    assert READ[kind](tmp_path / "file.toml") is not None


@given(kind=st.sampled_from(sorted(SOUND)), changes=CHANGES)
@fuzzed(250)
def test_changed_bytes(tmp_path: Path, kind: str, changes: list[Change]) -> None:
    path = tmp_path / "file.toml"
    path.write_bytes(changed(tomli_w.dumps(SOUND[kind]).encode(), changes))
    survived(lambda: READ[kind](path))


@given(kind=st.sampled_from(sorted(SOUND)), place=st.floats(0, 1), value=VALUES, key=st.none() | KEYS)
@fuzzed(500)
def test_another_value_or_key(tmp_path: Path, kind: str, place: float, value: str, key: str | None) -> None:
    path = tmp_path / "file.toml"
    lines = tomli_w.dumps(SOUND[kind]).splitlines()
    index = min(int(place * len(lines)), len(lines) - 1)
    name = lines[index].partition("=")[0]
    lines[index] = f"{name} = {value}" if key is None else f"{lines[index]}\n{key} = {value}"
    path.write_text("\n".join(lines), encoding="utf-8", errors="surrogatepass")
    survived(lambda: READ[kind](path))


@pytest.mark.parametrize("kind", SOUND)
@pytest.mark.parametrize("text", ["x = " + "[" * 9000, "x = " + "1" * 9000, "a." * 9000 + "b = 1", "\0", "\ufeffx = 1"])
def test_what_is_made_to_break_the_parser(tmp_path: Path, kind: str, text: str) -> None:
    path = tmp_path / "file.toml"
    path.write_text(text, encoding="utf-8")
    assert survived(lambda: READ[kind](path)) is None
