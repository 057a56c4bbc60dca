from __future__ import annotations

import pytest

from federated.errors import ConsiliumError
from federated.tasks import TASKS, task_card


def test_a_task_is_found_by_its_name_and_another_is_told_which_there_are() -> None:
    assert all(task_card(name).name == name for name in TASKS)
    there = "classification, segmentation, contour, retrieval, registration, reconstruction"
    line = f"task: there is no task 'grading', there are {there}"
    with pytest.raises(ConsiliumError) as refusal:
        task_card("grading")
    assert str(refusal.value) == line


def test_only_where_a_release_answers_do_networks_stay_where_no_rule_asks_them() -> None:
    assert {card.name for card in TASKS.values() if not card.exchanged} == {"classification"}
