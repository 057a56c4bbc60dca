from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from federated.errors import ContractError
from federated.manifest import COORDINATOR_KINDS, SITE_KINDS, TensorSpec
from federated.shapes import CHECKED_BY_RECEIVER, EXPECTED, check_shapes

MakeSample = Callable[..., tuple[Any, bytes]]
KINDS = (*SITE_KINDS, *COORDINATOR_KINDS)


def _declaring(manifest: Any, **specs: TensorSpec | None) -> Any:
    declared = manifest.tensors | {name.replace("__", "."): spec for name, spec in specs.items()}
    return manifest.model_copy(update={"tensors": {name: spec for name, spec in declared.items() if spec is not None}})


def test_every_kind_is_checked_here_or_by_its_receiver() -> None:
    assert {*EXPECTED, *CHECKED_BY_RECEIVER} == set(KINDS)
    assert not set(EXPECTED) & set(CHECKED_BY_RECEIVER)


@pytest.mark.parametrize("kind", KINDS)
def test_tensors_of_the_kind_pass(kind: str, make_sample: MakeSample) -> None:
    check_shapes(make_sample(kind)[0])


@pytest.mark.parametrize("kind", EXPECTED)
def test_one_tensor_more_is_refused(kind: str, make_sample: MakeSample) -> None:
    more = _declaring(make_sample(kind)[0], notes=TensorSpec(dtype="U8", shape=(100,)))
    with pytest.raises(ContractError, match=f"notes: a '{kind}' of this level and these folds has other tensors"):
        check_shapes(more)


@pytest.mark.parametrize("kind", [kind for kind in EXPECTED if kind not in ("adoption", "withdrawal", "recall")])
def test_one_tensor_less_or_of_another_shape_or_type_is_refused(kind: str, make_sample: MakeSample) -> None:
    manifest, _ = make_sample(kind)
    for name, spec in manifest.tensors.items():
        key = name.replace(".", "__")
        others = [
            None,
            TensorSpec(dtype=spec.dtype, shape=(*spec.shape, 1)),
            TensorSpec(dtype="F32" if spec.dtype == "F64" else "F64", shape=spec.shape),
        ]
        for other in others:
            with pytest.raises(ContractError):
                check_shapes(_declaring(manifest, **{key: other}))


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("train.class_sums", (4, 2)),
        ("train.class_sums", (3, 3)),
        ("train.weights", (1,)),
        ("validation.gram", (5,)),
        ("validation.gram", (9,)),
    ],
)
def test_shapes_follow_features_and_labels(name: str, shape: tuple[int, ...], make_sample: MakeSample) -> None:
    wrong = _declaring(make_sample("statistics")[0], **{name.replace(".", "__"): TensorSpec(dtype="F64", shape=shape)})
    with pytest.raises(ContractError, match=f"{name}: is F64"):
        check_shapes(wrong)


def test_level_one_holds_no_gram(make_sample: MakeSample) -> None:
    manifest, _ = make_sample("statistics")
    smuggled = manifest.model_copy(update={"level": 1})
    with pytest.raises(ContractError, match=r"train\.gram, validation\.gram: a 'statistics' of this level"):
        check_shapes(smuggled)


def test_rows_of_features_agree(make_sample: MakeSample) -> None:
    manifest, _ = make_sample("features")
    for name in ("train__features", "train__weight", "train__patient"):
        shape = (4, 3) if name == "train__features" else (4,)
        dtype = manifest.tensors[name.replace("__", ".")].dtype
        with pytest.raises(ContractError, match=name.replace("__", r"\.")):
            check_shapes(_declaring(manifest, **{name: TensorSpec(dtype=dtype, shape=shape)}))


def test_counts_are_of_the_labels_named(make_sample: MakeSample) -> None:
    with pytest.raises(ContractError, match="counts for labels it does not have: sub"):
        check_shapes(make_sample("statistics", patients={"sub": 5})[0])
    with pytest.raises(ContractError, match="a label occurs twice"):
        check_shapes(make_sample("statistics", labels=("a4c", "a4c"))[0])


def test_coarse_labels_bring_a_matrix_each(make_sample: MakeSample) -> None:
    manifest, _ = make_sample("statistics")
    gram = TensorSpec(dtype="F64", shape=(6,))
    coarse = manifest.model_copy(update={"coarse": ("plax",)})
    check_shapes(_declaring(coarse, train__gram__000=gram, validation__gram__000=gram))
    with pytest.raises(ContractError, match=r"train\.gram\.000, validation\.gram\.000: a 'statistics' of this level"):
        check_shapes(coarse)
    for wrong in ({"coarse": ("sub",)}, {"coarse": ("plax", "plax")}, {"coarse": ("plax",), "level": 1}):
        with pytest.raises(ContractError, match="coarse: "):
            check_shapes(manifest.model_copy(update=wrong))


def test_steps_bring_counts_of_both_units(make_sample: MakeSample) -> None:
    manifest = make_sample("report")[0].model_copy(update={"steps": ("plax",)})
    counts = TensorSpec(dtype="I64", shape=(1, 201))
    check_shapes(_declaring(manifest, steps__image=counts, steps__clip=counts))
    with pytest.raises(ContractError, match=r"steps\.clip, steps\.image: a 'report' of this level"):
        check_shapes(manifest)
