"""Both questions on clouds that lie as the answers suppose, and where nothing tells them apart."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.refusal_data import CHECKED, TESTED
from benchmarks.refusal_experts import experts
from benchmarks.refusal_reasons import LABEL, MACHINE, _refused, excess, reasons
from federated.metrics import auroc
from tests.benchmarks.refusal_toys import UNKNOWN, toy


def test_both_questions_are_answered_better_than_by_chance() -> None:
    shares = reasons(experts(toy(moved=8.0)))
    assert set(shares) == {MACHINE, LABEL}
    assert shares[MACHINE] > 0.9
    assert shares[LABEL] > 0.75


def test_another_machine_is_farther_off_than_its_label_explains() -> None:
    found = experts(toy(moved=8.0))
    say = excess(found, "ada")
    unknown = found.problem.rows("ada", TESTED, [UNKNOWN])
    assert auroc(say(found.look(found.elsewhere("ada", TESTED))), say(found.look(unknown))) > 0.95


def test_sites_alike_leave_nobody_to_ask_about() -> None:
    found = experts(toy(moved=0.0))
    others = found.look(found.elsewhere("ada", TESTED))
    assert _refused(found, "ada")(others).mean() < 0.2
    assert _refused(found, "ada")(found.look(found.rows("ada", CHECKED))).mean() < 0.2


def test_a_site_with_few_patients_refuses_nobody() -> None:
    found = experts(toy(patients=20))
    refused = _refused(found, "ada")(found.look_at(found.problem.strangers["noise"]))
    assert not refused.any()
    assert isinstance(refused, np.ndarray)
    assert reasons(found) == pytest.approx({})
