"""The model whose speed is measured is a calibrated one that answers."""

from __future__ import annotations

from benchmarks.answering import measure_answering, released
from benchmarks.federation import simulate
from federated.fused_model import FusedModel
from federated.manifest import unpack_tensors


def test_the_released_model_knows_its_own_images() -> None:
    sites = simulate(150, 32)[:3]
    built = released(sites, sites, 32)
    model = FusedModel.from_release(built.manifest, unpack_tensors(built.tensors, built.manifest))
    names = [str(number) for number in range(20)]
    lines = model.decide(sites[0].features[:20], names, names)
    assert model.calibrated
    assert len(lines) == 40
    assert sum(not line.abstained for line in lines) > 30


def test_a_quick_measurement_has_all_claims() -> None:
    measured = measure_answering(quick=True)
    assert [claim.unit for claim in measured.claims] == ["ms", "images/s", "images/s"]
    assert all(claim.value > 0 for claim in measured.claims)
