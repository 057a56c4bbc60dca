"""``consilium site decisions`` and ``flag``, as a person runs them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from federated.draw import draw_from
from federated.envelope import open_parcel
from site_agent.decisions.commands import told_unanswered
from site_agent.mailbox import Outbox

if TYPE_CHECKING:
    from site_agent.home import SiteHome
    from tests.site_agent.conftest import Run
    from tests.site_agent.decisions.conftest import Clinic

Limit = Callable[..., None]


@pytest.fixture
def answered(clinic: Clinic, limits: Limit) -> Path:
    """Twelve records."""
    limits(cell=1, batch=1)
    folder = clinic.images({"dark": 4, "light": 2})
    clinic.answer({}, folder=folder)
    return folder


def test_predict_writes_into_the_log(run: Run, clinic: Clinic, tmp_path: Path) -> None:
    folder = clinic.images({"dark": 2})
    assert run("predict", folder, "--out", tmp_path / "answers.jsonl").code == 0
    said = run("decisions", "list").out
    assert "the last 4 of 4 records" in said
    assert f"dark-{clinic.came}-0.png" in said
    listed = run("decisions", "list", "--last", 2, "--json").json
    assert [(line["record"], line["what"], line["of"]) for line in listed] == [
        (2, "clip", f"dark-{clinic.came}"),
        (3, "clip", f"dark-{clinic.came + 1}"),
    ]


def test_without_a_decision_it_says_what_to_do(run: Run, ada: SiteHome) -> None:
    assert "no decision yet: consilium site predict" in run("decisions", "list").out
    assert ada.path.is_dir()


def test_one_record_is_shown_whole(run: Run, clinic: Clinic, answered: Path) -> None:
    assert answered.is_dir()
    said = run("decisions", "show", f"dark-{clinic.came}")
    assert (said.code, "every site's part" in said.out, "ben" in said.out) == (0, True, True)
    shown = run("decisions", "show", 6, "--json").json
    assert shown["record"]["number"] == 6
    assert shown["here"]["name"] == f"dark-{clinic.came}"
    assert shown["decision"]["release"] == shown["record"]["release"]
    assert "there is no such record" in run("decisions", "show", 99).err


def test_a_flag_is_set_and_listed(run: Run, clinic: Clinic, answered: Path) -> None:
    assert answered.is_dir()
    said = run(
        "flag", f"dark-{clinic.came}", "--truth", "light", "--by", "Dr. Doe", "--why", "follow-up", "--overruled"
    )
    assert (said.code, said.out) == (0, "record 12: decision 6 shows light, by follow-up\n")
    assert "shows light, overruled" in run("decisions", "list").out
    shown = run("decisions", "show", 12)
    assert "said by: Dr. Doe" in shown.out
    assert "answer:" not in shown.out
    wrong = run("flag", 6, "--truth", "light", "--by", "x", "--why", "because")
    assert (wrong.code, "--why because: is none of the reasons" in wrong.err) == (1, True)


def test_what_is_left_out_of_a_summary_is_shown_as_no_zero() -> None:
    assert told_unanswered(3, ()) == "3"
    assert told_unanswered(0, ("drift.2",)) == "0"
    assert told_unanswered(0, ("abstained.nobody-qualified",)) == "0, and some too few patients' to tell"


def test_sums_are_shown_before_they_leave(run: Run, ada: SiteHome, answered: Path) -> None:
    assert answered.is_dir()
    before = len(Outbox(ada).parcels())
    said = run("decisions", "summary")
    assert "how often each label was answered here" in said.out
    assert "records 0 to 11 of 12: 6 clips of 6 patients are counted" in said.out
    assert "what would be told of each label" in said.out
    assert "your own p-values in tenths: [" in said.out
    assert run("decisions", "summary", "--json").json["size"] == 12
    assert len(Outbox(ada).parcels()) == before
    assert "summary, records 0 to 11: outbox" in run("decisions", "summary", "--send").out
    assert len(Outbox(ada).parcels()) == before + 1
    again = run("decisions", "summary", "--send")
    assert (again.code, "nothing was decided since the last summary" in again.err) == (1, True)


def test_a_draw_is_answered_and_each_record_approved(run: Run, ada: SiteHome, answered: Path, tmp_path: Path) -> None:
    assert answered.is_dir()
    run("decisions", "summary", "--send")
    *_, parcel = Outbox(ada).parcels()
    drawn = draw_from(open_parcel(parcel, ada.trust(), recipient="hub"), seed=bytes(32), count=3)
    (tmp_path / "draw.json").write_bytes(drawn.to_bytes())
    said = run("decisions", "open", tmp_path / "draw.json")
    assert (said.code, said.out.count(": pending")) == (0, 3)
    assert "consilium site approve" in said.out
    assert said.out.count(" is about ") == 3
    assert run("approve", "--all", "--yes").code == 0
    again = run("decisions", "open", tmp_path / "draw.json", "--json")
    assert [step["state"] for step in again.json] == ["same"] * 3
    wrong = run("decisions", "open", answered / "index.csv")
    assert (wrong.code, "make one with: consilium audit draw" in wrong.err) == (1, True)


def test_one_record_is_exported_under_an_approvers_signature(run: Run, answered: Path) -> None:
    assert answered.is_dir()
    assert "decision, record 6: pending" in run("decisions", "export", 6).out
