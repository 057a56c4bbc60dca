from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from federated.canonical import canonical, digest
from federated.errors import ContractError
from federated.manifest import (
    COORDINATOR_KINDS,
    MAX_MANIFEST_BYTES,
    SITE_KINDS,
    AnyManifest,
    manifest_bytes,
    manifest_digest,
    pack_tensors,
    parse_manifest,
    unpack_tensors,
)
from tests.decision_making import an_answer

KINDS = (*SITE_KINDS, *COORDINATOR_KINDS)
MakeSample = Callable[..., tuple[Any, bytes]]


def test_the_kinds_are_these() -> None:
    models = get_args(get_args(AnyManifest)[0])
    assert {kind for model in models for kind in get_args(model.model_fields["kind"].annotation)} == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_bytes_hold_the_manifest_and_its_tensors(kind: str, make_sample: MakeSample) -> None:
    manifest, data = make_sample(kind)
    body = manifest_bytes(manifest)
    assert body == canonical(json.loads(body))
    read = parse_manifest(body)
    assert (read, type(read), manifest_digest(read)) == (manifest, type(manifest), digest(body))
    tensors = unpack_tensors(data, read)
    assert {name: (array.dtype.str, array.shape) for name, array in tensors.items()}.keys() == read.tensors.keys()
    assert pack_tensors(tensors)[0] == data


def test_the_first_version_of_an_expert_is_not_written_and_further_ones_are(make_sample: MakeSample) -> None:
    """So that a manifest from before there were versions keeps its bytes, and each says one thing in one way."""
    first, second = (make_sample("statistics", expert=expert)[0] for expert in (1, 2))
    assert b"expert" not in manifest_bytes(first)
    assert b'"expert":2' in manifest_bytes(second)
    assert [parse_manifest(manifest_bytes(one)).expert for one in (first, second)] == [1, 2]
    said = canonical(json.loads(manifest_bytes(first)) | {"expert": 1})
    with pytest.raises(ContractError, match="canonical"):
        parse_manifest(said)
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        make_sample("statistics", expert=0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_manifest_is_immutable_and_knows_its_fields(kind: str, make_sample: MakeSample) -> None:
    manifest, _ = make_sample(kind)
    with pytest.raises(ValidationError, match="frozen"):
        manifest.federation = "other"
    with pytest.raises(ValidationError, match="more"):
        make_sample(kind, more=1)


@pytest.mark.parametrize("kind", KINDS)
def test_no_byte_of_a_manifest_can_change_unnoticed(kind: str, make_sample: MakeSample) -> None:
    """Each changed byte makes it no manifest, or one with another digest."""
    body = manifest_bytes(make_sample(kind)[0])
    for place in range(0, len(body), 5):
        changed = body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]
        try:
            read = parse_manifest(changed)
        except ContractError:
            continue
        assert manifest_digest(read) == digest(changed) != digest(body)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"version":1', b'"version": 1'),
        (b'"version":1', b'"version":1.0'),
        (b"{", b" {"),
        (b'{"choice"', b'{"federation":"other","choice"'),
        (b'"adopted"', b'"\\u0061dopted"'),
        (b'"adopted"', b'"adopted" '),
    ],
)
def test_another_form_of_the_same_manifest_is_refused(old: bytes, new: bytes, make_sample: MakeSample) -> None:
    body = manifest_bytes(make_sample("adoption")[0])
    assert old in body
    with pytest.raises(ContractError):
        parse_manifest(body.replace(old, new, 1))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        b'{"kind":"video"}',
        b'{"kind":5}',
        b'{"kind":"adoption"}',
    ],
)
def test_other_bytes_are_no_manifest(data: bytes) -> None:
    with pytest.raises(ContractError, match="manifest"):
        parse_manifest(data)


@pytest.mark.parametrize("number", ["1e400", "NaN", "123456789012345678901234567890", "9007199254740993", "-0"])
def test_numbers_that_json_does_not_hold_exactly_are_refused(number: str, make_sample: MakeSample) -> None:
    answer = an_answer(scores={"a4c": 7.0, "plax": 0.0})
    body = manifest_bytes(make_sample("decision", decision=answer)[0])
    assert b'"a4c":7' in body
    with pytest.raises(ContractError, match="manifest"):
        parse_manifest(body.replace(b'"a4c":7', f'"a4c":{number}'.encode()))


def test_a_long_manifest_is_not_even_parsed() -> None:
    with pytest.raises(ContractError, match=f"{MAX_MANIFEST_BYTES + 1} bytes, at most {MAX_MANIFEST_BYTES}"):
        parse_manifest(b" " * (MAX_MANIFEST_BYTES + 1))


@pytest.mark.parametrize("level", ["true", '"2"', "2.0", "null"])
def test_a_level_is_a_number(level: str, make_sample: MakeSample) -> None:
    body = manifest_bytes(make_sample("statistics")[0])
    with pytest.raises(ContractError, match=r"manifest"):
        parse_manifest(body.replace(b'"level":2', f'"level":{level}'.encode()))


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("statistics", {"version": 2}),
        ("statistics", {"level": 3}),
        ("statistics", {"level": 0}),
        ("statistics", {"level_to_sites": 0}),
        ("statistics", {"features": 0}),
        ("statistics", {"features": 4097}),
        ("statistics", {"features": 3.0}),
        ("statistics", {"folds": ()}),
        ("statistics", {"folds": ("train", "test")}),
        ("statistics", {"labels": ()}),
        ("statistics", {"labels": ("two words",)}),
        ("statistics", {"labels": tuple(f"l{number}" for number in range(257))}),
        ("statistics", {"patients": {"a4c": -1}}),
        ("statistics", {"site": "Ada"}),
        ("statistics", {"federation": "two words"}),
        ("statistics", {"front_end": "sha256:short"}),
        ("weights", {"config": {"size": float("nan")}}),
        ("weights", {"config": {"sizes": [1]}}),
        ("synthetic", {"threshold": float("inf")}),
        ("adoption", {"choice": "maybe"}),
        ("adoption", {"reason": "x" * 201}),
        ("withdrawal", {"contributions": ()}),
        ("release", {"alpha": 1.0}),
        ("release", {"temperature": 0.0}),
        ("release", {"number": 0}),
    ],
)
def test_fields_are_checked(kind: str, changes: dict[str, Any], make_sample: MakeSample) -> None:
    with pytest.raises(ValidationError, match=next(iter(changes))):
        make_sample(kind, **changes)
