"""Encoders on held-back patients."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from federated.enrolment import Kit
from federated.errors import ConsiliumError, DataError
from site_agent.home import SiteHome
from site_agent.retrieval.evaluation import Retrieval, _retrieval, evaluate, judged, tables
from site_agent.retrieval.similar import Encoders
from site_agent.tasks.retrieval import pairs_of, train
from site_agent.truth import clips_of
from tests.site_agent.retrieval_making import SIZE, retrieval_home, retrieval_kit
from tests.site_agent.sources.conftest import Exported, exported

__all__ = ["exported"]


@pytest.fixture
def home(tmp_path: Path, exported: Exported, kit: Kit) -> SiteHome:
    return retrieval_home(tmp_path / "site", kit, exported("muscle", **SIZE)[0])


def test_encoders_are_measured_on_the_test_fold(home: SiteHome) -> None:
    with pytest.raises(ConsiliumError, match="no expert of retrieval is here"):
        evaluate(home)
    train(home, "b0001")
    found = evaluate(home)
    patients = {clip.patient for clip in clips_of(home.archive, fold="test")}
    assert found.clips == 6 * len(patients)
    (one,) = found.found
    assert (one.by, one.patients) == ("ada", len(patients))
    assert one.neighbour.value is not None
    assert 0 < one.neighbour.value <= 1
    (table,) = tables(home, found)
    assert len(table.rows) == 1
    assert len(table.rows[0]) == len(table.columns)


def test_several_encoders_are_also_measured_together(home: SiteHome) -> None:
    expert = train(home, "b0001").expert
    encoders = Encoders({"ada": expert, "bea": replace(expert, site="bea")})
    found = judged(home, encoders, pairs_of(home, clips_of(home.archive, fold="test"))).found
    assert [each.by for each in found] == ["ada", "bea", "all, fused"]
    assert found[0].neighbour == found[1].neighbour == found[2].neighbour


def test_figures_where_the_answer_is_known(home: SiteHome) -> None:
    pairs = pairs_of(home, clips_of(home.archive))[::4]
    clips = np.array([pair.clip.id for pair in pairs])
    labels = np.array([pair.clip.label for pair in pairs])

    def shares(alike: np.ndarray, likest: np.ndarray) -> tuple[float | None, float | None]:
        found: Retrieval = _retrieval("a", pairs, (alike, likest))
        return found.neighbour.value, found.label.value

    same_clip, same_label = (1.0 * (each[:, None] == each[None, :]) for each in (clips, labels))
    assert shares(same_clip, same_label) == (1.0, 1.0)
    assert shares(-same_clip, -same_label) == (0.0, 0.0)


def test_a_site_without_clips(tmp_path: Path, kit: Kit) -> None:
    with pytest.raises(DataError, match="no test patient has a clip"):
        evaluate(SiteHome.create(tmp_path / "empty", retrieval_kit(kit)))
