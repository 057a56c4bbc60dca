from __future__ import annotations

import pytest
from pydantic import ValidationError

from site_agent.intake.reports import Aside, Doubt, Findings, IngestReport


def test_findings_begin_empty_and_are_not_shared() -> None:
    one, other = Findings(), Findings()
    one.aside.append(Aside(name="a.png", state="refused", reason="is empty", key="ab"))
    one.doubts.append(Doubt(name="b.avi", line="odd"))
    assert (other.aside, other.doubts, other.skipped) == ([], [], 0)


def test_a_state_is_one_of_the_catalogues() -> None:
    with pytest.raises(ValidationError):
        Aside(name="a.png", state="lost", reason="", key="")  # type: ignore[arg-type]


def test_a_report_is_written_once() -> None:
    report = IngestReport(
        format="images",
        recognised=True,
        batches=(),
        images=0,
        clips=0,
        patients=0,
        labels={},
        skipped=0,
        blanked=0,
        aside=(),
        doubts=(),
        notes=(),
    )
    with pytest.raises(ValidationError):
        report.images = 1


def test_names_that_are_no_text_can_be_shown_and_written() -> None:
    aside = Aside(name="a\nb\udcfc.png", state="refused", reason="is\x1b[0m odd", key="ab")
    assert (aside.name, aside.reason) == ("a\\nb\\udcfc.png", "is\\x1b[0m odd")
    assert Aside.model_validate_json(aside.model_dump_json()) == aside
    assert Doubt(name="\udcfc", line="\t").model_dump() == {"name": "\\udcfc", "line": "\\t"}
