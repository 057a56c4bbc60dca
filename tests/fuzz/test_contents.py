"""What a site signed and made up: every number of its parcels, and every field of their manifests, at the intake."""

from __future__ import annotations

import warnings
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated.contract import pack_tensors, unpack_tensors
from federated.envelope import open_parcel
from federated.manifest import parse_manifest
from federated.shapes import check_shapes
from server import acceptance
from server.checks import Expectations, check_content
from tests.fuzz.mutation import EDITS, Edit, Samples, edited, fuzzed, survived
from tests.server.conftest import World

if TYPE_CHECKING:
    from numpy.typing import NDArray

ASKED = ("counterpart", "release", "expert", "summaries")
NUMBERS = st.sampled_from([0.0, -1.0, 1e-300, 1e6, 1e300, np.inf, np.nan])
INTEGERS = st.sampled_from([0, -1, 10**6, 2**62, -(2**62)])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A federation with a candidate, a release, and a global model that waits for updates."""
    made = World(tmp_path_factory.mktemp("world"))
    for name in ("ada", "ben"):
        site = made.join(name)
        made.coordinator.accept(site.seal(site.statistics()))
    made.coordinator.propose()
    made.coordinator.release()
    return made


@pytest.fixture(scope="module")
def expected(world: World) -> Expectations:
    coordinator = world.coordinator
    with coordinator.registry.transaction() as session:
        found = acceptance.expectations(session, coordinator.artefacts, coordinator.home, "ada")
    nothing: dict[str, Any] = dict.fromkeys(ASKED, lambda *_: None)
    return replace(found, **nothing)  # instead of what would be looked up in a session


@pytest.fixture(scope="module")
def samples(world: World) -> Samples:
    """Fields and tensors of a sound parcel of each kind that ada could send now."""
    ada = world.members["ada"]
    (candidate,) = [each for each in _opened(world) if each.manifest.kind == "candidate"]
    sent = world.coordinator.status()["sites"][0]["contributions"][0]["digest"]
    drafts = {
        "statistics": ada.statistics("b0002"),
        "coarse": ada.statistics("b0003", level=1),
        "features": ada.features("b0004"),
        "weights": ada.weights("b0005"),
        "report": ada.report(candidate),
        "withdrawal": ada.withdrawal(sent),
    }
    built = {kind: (draft.built()[0].model_dump(mode="json"), _tensors(draft)) for kind, draft in drafts.items()}
    return Samples(built)


def _opened(world: World) -> list[Any]:
    trust = world.coordinator.trust()
    return [open_parcel(parcel, trust, recipient="ada") for parcel in world.coordinator.outgoing("ada")]


def _tensors(draft: Any) -> dict[str, NDArray[Any]]:
    manifest, data = draft.built()
    return unpack_tensors(data, manifest)


def _taken_in(fields: dict[str, Any], tensors: dict[str, NDArray[Any]], edits: list[Edit], expected: Any) -> None:
    _, specs, digest = pack_tensors(tensors)
    specs_said = {name: spec.model_dump(mode="json") for name, spec in specs.items()}
    manifest = survived(
        lambda: parse_manifest(edited(fields | {"tensors": specs_said, "tensors_digest": digest}, edits))
    )
    if manifest is None or manifest.kind not in KINDS:
        return
    content = partial(check_content, tensors=tensors, expectations=expected)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        survived(lambda: [check(manifest) for check in (check_shapes, content)])


KINDS = ("statistics", "features", "weights", "report", "withdrawal", "adoption", "update")
DRAFTS = st.sampled_from(["statistics", "coarse", "features", "weights", "report", "withdrawal"])


def test_the_samples_are_sound(samples: Samples, expected: Expectations) -> None:
    for fields, tensors in samples.values():
        manifest = parse_manifest(edited(fields, []))
        check_shapes(manifest)
        check_content(manifest, tensors, expected)


@given(kind=DRAFTS, edits=EDITS)
@fuzzed(200)
def test_a_manifest_of_another_form(samples: Samples, expected: Expectations, kind: str, edits: list[Edit]) -> None:
    fields, tensors = samples[kind]
    _taken_in(fields, tensors, edits, expected)


@given(kind=DRAFTS, which=st.floats(0, 1), place=st.floats(0, 1), number=NUMBERS, integer=INTEGERS, all_=st.booleans())
@fuzzed(400)
def test_other_numbers(
    samples: Samples,
    expected: Expectations,
    kind: str,
    which: float,
    place: float,
    number: float,
    integer: int,
    all_: bool,
) -> None:
    fields, tensors = samples[kind]
    if not tensors:
        return
    name = sorted(tensors)[min(int(which * len(tensors)), len(tensors) - 1)]
    array = tensors[name].copy()
    with np.errstate(over="ignore"):
        value = np.array(number if array.dtype.kind == "f" else integer).astype(array.dtype)
    if all_:
        array[...] = value
    elif array.size:
        array.flat[min(int(place * array.size), array.size - 1)] = value
    _taken_in(fields, tensors | {name: array}, [], expected)
