from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from federated.errors import ContractError
from federated.fused_model import FusedModel
from federated.manifest import ReleaseManifest, Tensors, unpack_tensors
from federated.release_reading import block_of, check_release

if TYPE_CHECKING:
    from tests.federated.conftest import Federation

Sound = tuple[ReleaseManifest, Tensors]


@pytest.fixture
def sound(federation: Federation) -> Sound:
    built = federation.release()
    return built.manifest, unpack_tensors(built.tensors, built.manifest)


def test_releases_and_candidates_as_they_are_made_are_sound(make_federation: Callable[..., Any], nested: Any) -> None:
    for federation in (
        make_federation(),
        make_federation(gram_to_sites=False),
        make_federation(mode="isolated"),
        nested,
    ):
        for built in (federation.candidate(), federation.release(), federation.release(reporting=())):
            check_release(built.manifest, unpack_tensors(built.tensors, built.manifest))


def test_a_block_is_what_the_release_carries_of_a_site(sound: Sound) -> None:
    manifest, tensors = sound
    block = block_of(manifest, tensors, 1)
    assert (block.class_sums == tensors["class_sums"][1]).all()
    assert block.gram is not None
    assert block.gram.shape == (24, 24)


@pytest.mark.parametrize(
    ("name", "spoil", "what"),
    [
        ("calibration.ada.clip", None, "tensor calibration.ada.clip is missing"),
        ("calibration.ada.clip", lambda array: array[:5], r"is \(5,\), needed is \(320,\)"),
        ("calibration.ada.clip", lambda array: array - 1, "counts less than nothing"),
        ("standard.ben.image", None, "is missing"),
        ("standard.ben.image", lambda array: array * [1.0, 0.0], "a spread of nothing"),
        ("covariance.cem", None, "is missing"),
        ("solution.000", lambda array: array[:1], r"needed is \(2, 24, 1\)"),
        ("gram.ada", lambda array: np.full_like(array, np.nan), "tensor gram.ada holds NaN or infinity"),
        ("class_sums", lambda array: array + np.inf, "holds NaN or infinity"),
        ("weights", lambda array: -array, "counts less than nothing"),
        ("total", lambda array: 0 * array, "a spread of nothing"),
        ("basis", lambda array: array[0], "is"),
    ],
)
def test_what_would_break_later_is_named_at_once(
    sound: Sound, name: str, spoil: Callable[[Any], Any] | None, what: str
) -> None:
    manifest, tensors = sound
    others = {key: array for key, array in tensors.items() if key != name}
    spoilt = others if spoil is None else others | {name: spoil(tensors[name])}
    with pytest.raises(ContractError, match=what):
        FusedModel.from_release(manifest, spoilt)


def test_a_release_of_nobody_or_of_one_site_twice_is_none(sound: Sound) -> None:
    manifest, tensors = sound
    for sites in ((), (manifest.sites[0], manifest.sites[0])):
        with pytest.raises(ContractError, match="has no site, or one twice"):
            check_release(manifest.model_copy(update={"sites": sites}), tensors)
    silent = manifest.sites[0].model_copy(update={"labels": ()})
    with pytest.raises(ContractError, match="a site without one"):
        check_release(manifest.model_copy(update={"sites": (silent, *manifest.sites[1:])}), tensors)


def test_systems_that_are_for_other_labels_are_refused(sound: Sound) -> None:
    manifest, tensors = sound
    widest = max(range(len(manifest.systems)), key=lambda index: len(manifest.systems[index].labels))
    system, name = manifest.systems[widest], f"solution.{widest:03d}"
    fewer = system.model_copy(update={"labels": system.labels[:1]})
    systems = (*manifest.systems[:widest], fewer, *manifest.systems[widest + 1 :])
    with pytest.raises(ContractError, match="carries a solution for other labels"):
        FusedModel.from_release(
            manifest.model_copy(update={"systems": systems}), tensors | {name: tensors[name][:, :, :1].copy()}
        )


def test_numbers_that_give_no_answer_are_told_as_such(sound: Sound) -> None:
    manifest, tensors = sound
    gram = tensors["gram.ada"].copy()
    gram[12] = 1e300
    model = FusedModel.from_release(manifest, tensors | {"gram.ada": gram})
    with (
        np.errstate(all="ignore"),
        pytest.raises(ContractError, match="its numbers give no answer; refuse it, and tell the coordinator"),
    ):
        model.decide(np.ones((1, 24)), ["image"], ["clip"])
