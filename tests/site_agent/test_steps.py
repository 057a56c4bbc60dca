"""What a round of work did, and what was given to the gate: kept in one file, whole."""

from __future__ import annotations

import pytest

from federated.errors import ConsiliumError
from site_agent.home import SiteHome
from site_agent.steps import (
    Progress,
    Step,
    WorkSummary,
    keep_only,
    note_contribution,
    note_replaced,
    note_steps,
    read_progress,
)

ONE, TWO = "sha256:" + "1" * 64, "sha256:" + "2" * 64


def test_nothing_was_done_in_a_new_home(home: SiteHome) -> None:
    assert read_progress(home) == Progress()


def test_contributions_and_steps_are_kept_beside_each_other(home: SiteHome) -> None:
    step = Step(kind="statistics", subject="batch b0001", state="outbox", digest=ONE)
    note_contribution(home, "statistics", "b0001", ONE)
    note_steps(home, [step])
    note_contribution(home, "features", "b0001", TWO)
    progress = read_progress(home)
    assert progress.contributions == {"statistics/b0001": ONE, "features/b0001": TWO}
    assert progress.last == (step,)


def test_batches_are_found_by_their_contributions() -> None:
    contributions = {"statistics/b0001": ONE, "features/b0001": TWO, "statistics/b0002": "sha256:" + "3" * 64}
    progress = Progress(contributions=contributions)
    assert progress.batches([ONE, TWO]) == ["b0001"]
    assert progress.batches([]) == []
    assert progress.of_batch("b0001") == [ONE, TWO]


def test_a_step_is_one_line() -> None:
    step = Step(kind="report", subject="candidate 2", state="refused", note="refused by batch")
    assert step.line == "report, candidate 2: refused (refused by batch)"
    assert WorkSummary(steps=(step, step.model_copy(update={"state": "outbox"}))).refusals == (step,)


def test_a_damaged_file_is_told(home: SiteHome) -> None:
    (home.path / "work.json").write_text("{")
    with pytest.raises(ConsiliumError, match=r"work\.json: was changed by hand or damaged; restore the file"):
        read_progress(home)


def test_what_replaces_a_contribution_remembers_it(home: SiteHome) -> None:
    note_contribution(home, "statistics", "b0001", ONE)
    note_contribution(home, "statistics", "b0001", ONE)
    assert read_progress(home).replaced == {}
    note_contribution(home, "statistics", "b0001", TWO)
    progress = read_progress(home)
    assert (progress.contributions, progress.replaced) == ({"statistics/b0001": TWO}, {ONE: "statistics/b0001"})
    assert progress.batches([ONE]) == progress.batches([TWO]) == ["b0001"]
    assert progress.of_batch("b0001") == [ONE, TWO]


def test_what_is_taken_back_first_is_drafted_anew(home: SiteHome) -> None:
    note_contribution(home, "features", "b0001", ONE)
    note_replaced(home, ONE)
    note_replaced(home, ONE)
    assert read_progress(home).contributions == {}
    assert read_progress(home).replaced == {ONE: "features/b0001"}


def test_drafts_that_the_gate_has_not_any_more_are_forgotten(home: SiteHome) -> None:
    note_contribution(home, "statistics", "b0001", ONE)
    note_contribution(home, "statistics", "b0002", TWO)
    keep_only(home, {TWO})
    assert read_progress(home).contributions == {"statistics/b0002": TWO}


def test_a_file_from_before_there_were_replacements_is_read(home: SiteHome) -> None:
    (home.path / "work.json").write_text(f'{{"version":1,"contributions":{{"statistics/b0001":"{ONE}"}},"last":[]}}')
    assert read_progress(home).drafted == [("statistics/b0001", ONE)]
