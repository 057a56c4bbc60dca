from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from server.event import EventSummary, run_event

if TYPE_CHECKING:
    from tests.server.conftest import World


def test_an_event_from_contribution_to_adoption(world: World) -> None:
    ada, ben = world.join("ada"), world.join("ben")
    ada.put(ada.statistics())
    ben.put(ben.statistics())
    summary = run_event(world.coordinator, world)
    assert summary.trouble == ""
    assert summary.number == 1
    kinds = ["statistics", "statistics", "report", "report", "adoption", "adoption"]
    assert [each.kind for each in summary.accepted] == kinds
    assert {each.outcome for each in summary.accepted} == {"accepted"}
    assert [r.digest for r in ada.releases] == [summary.release] == [r.digest for r in ben.releases]
    assert {site.name: site.calibration for site in ada.releases[0].manifest.sites} == {"ada": "own", "ben": "own"}
    assert [len(answers) for answers in summary.rounds] == [2, 2, 2]
    assert summary.rounds[2][0].bytes_sent > 1000
    assert EventSummary.model_validate_json(summary.model_dump_json()) == summary
