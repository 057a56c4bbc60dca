"""Whom evaluations of experts judge, and what their figures are worth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from federated.errors import ConsiliumError
from site_agent.asked_experts import AVERAGE
from site_agent.expert_figures import FUSED, each_and_all, interval, shown

EXPERTS: dict[str, Any] = dict.fromkeys(("ada", "ben", AVERAGE))


def test_each_is_judged_alone_and_all_sites_together_last() -> None:
    assert each_and_all(EXPERTS, (), tuple) == {"ada": ("ada",), "ben": ("ben",), AVERAGE: (AVERAGE,), FUSED: ()}
    assert list(each_and_all(EXPERTS, (), tuple))[-1] == FUSED
    assert each_and_all(EXPERTS, ("ben", "ada"), tuple)[FUSED] == ("ben", "ada")


def test_one_expert_is_judged_once() -> None:
    assert each_and_all(EXPERTS, ("ben",), tuple) == {"ben": ("ben",)}
    assert each_and_all({"ada": EXPERTS["ada"]}, (), tuple) == {"ada": ()}
    with pytest.raises(ConsiliumError, match="there is no expert 'cem'"):
        each_and_all(EXPERTS, ("cem",), tuple)


def test_a_figure_is_shown_with_its_interval_where_there_is_one() -> None:
    assert shown(interval([np.nan], ["a"]), 2) == "–"
    assert shown(interval([0.5, 0.7], ["a", "b"]), 2) == "0.60"
    assert shown(interval(np.full(40, 0.5), [str(number) for number in range(40)]), 1) == "0.5 [0.5, 0.5]"


def test_an_interval_is_of_patients_and_leaves_out_what_is_no_number() -> None:
    values, patients = [1.0, 3.0, np.nan, 5.0], ["a", "a", "b", "c"]
    found = interval(values, patients)
    assert found.value == pytest.approx(3.0)
    assert found.low is None
    wide = interval(list(range(40)), [str(number // 2) for number in range(40)])
    assert wide.low is not None
    assert wide.high is not None
    assert wide.low < 19.5 < wide.high
    assert interval([np.nan], ["a"]).value is None
