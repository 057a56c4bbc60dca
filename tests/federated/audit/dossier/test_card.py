"""The card says what the signed release says, and says it where nothing is stated."""

from __future__ import annotations

from typing import Any

import pytest

from federated.audit.dossier.card import RESEARCH, card
from federated.audit.dossier.document import Line
from federated.audit.dossier.stated import Stated
from federated.manifest import ReleaseManifest

DIGEST = "sha256:" + "a" * 64


@pytest.fixture(scope="module")
def manifest(federation: Any) -> ReleaseManifest:
    return federation.release().manifest


def _lines(manifest: ReleaseManifest, **stated: str) -> dict[str, Line]:
    return {line.topic: line for line in card(manifest, DIGEST, Stated(**stated)).lines}


def test_figures_are_those_of_the_manifest(manifest: ReleaseManifest) -> None:
    lines = _lines(manifest)
    settings = manifest.hyperparameters
    assert lines["Version"].said == f"release 1, {DIGEST}"
    assert lines["Outcome"].said == "plax, a4c, a2c, psax, sub"
    assert f"ridge {settings.ridge:.4g}, scatter {settings.scatter:.4g}" in lines["Model"].said
    assert "3 of 3 hospitals are calibrated by patients of their own" in lines["Poor or missing input"].said
    assert "at most 0.05" in lines["Poor or missing input"].said
    assert "(volume 10)" in lines["Class imbalance"].said
    assert lines["Not for"].said == RESEARCH
    assert f"24 features, frozen, {manifest.front_end.digest}" in lines["What is seen of an image"].said


def test_another_rule_and_other_settings_are_said(manifest: ReleaseManifest) -> None:
    sites = (manifest.sites[0].model_copy(update={"calibration": "pooled"}), *manifest.sites[1:])
    changes = {"rule": "nearest-mean", "sites": sites, "alpha": 0.1}
    changes["hyperparameters"] = manifest.hyperparameters.model_copy(update={"volume": None})
    lines = _lines(manifest.model_copy(update=changes))
    assert "by the rule 'nearest-mean'" in lines["Version"].said
    assert lines["Model"].said.startswith("The nearest class mean; ridge ")
    assert "2 of 3 hospitals" in lines["Poor or missing input"].said
    assert "at most 0.1." in lines["Poor or missing input"].said
    assert lines["Class imbalance"].said.endswith("a hospital's label by its patients.")


def test_statements_fill_their_lines_and_no_others(manifest: ReleaseManifest) -> None:
    without = _lines(manifest)
    for name in Stated.model_fields:
        filled = {topic for topic, line in _lines(manifest, **{name: "as stated"}).items() if line != without[topic]}
        elsewhere = name in {"data_sources", "data_dates", "setting", "reference_standard"}
        assert len(filled) == (0 if elsewhere else 1), name
    assert _lines(manifest, limits="Only adults.")["Limits"].said.endswith("See the list of risks. Only adults.")
    assert without["Limits"].text is not None
    assert sum(line.text is None for line in without.values()) == len(Stated.model_fields) - 5
