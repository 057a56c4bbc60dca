from __future__ import annotations

from pathlib import Path

import pytest

from deploy.phantom.provenance import NOTE, PROVENANCE, difference, notice, provenance_of, read_provenance
from federated.errors import ConsiliumError

GIVEN = {"site": "north", "patients": "3", "views": "", "truth": "yes"}


def test_it_holds_what_makes_the_same_bytes_again() -> None:
    made = provenance_of("generate", 7, GIVEN)
    assert made.command == "consilium phantom generate --site north --patients 3 --truth --seed 7"
    assert made.parameters == {"site": "north", "patients": "3", "truth": "yes"}
    assert made.generator == "phantom"
    assert "PHANTOM" in made.note
    assert not made.complete


def test_it_survives_the_disk(tmp_path: Path) -> None:
    made = provenance_of("generate", 7, GIVEN)
    (tmp_path / PROVENANCE).write_text(made.model_dump_json())
    assert read_provenance(tmp_path) == made


def test_another_file_of_that_name_is_refused(tmp_path: Path) -> None:
    assert read_provenance(tmp_path) is None
    (tmp_path / PROVENANCE).write_text('{"generator": "somebody else"}')
    with pytest.raises(ConsiliumError, match="no provenance of a phantom"):
        read_provenance(tmp_path)


def test_a_difference_is_told_in_words() -> None:
    made = provenance_of("generate", 7, GIVEN)
    assert difference(made, provenance_of("generate", 7, GIVEN)) == ""
    assert difference(made, provenance_of("generate", 8, GIVEN)) == "seed 7, not 8"
    assert difference(made, provenance_of("generate", 7, {**GIVEN, "patients": "4"})) == "patients 3, not 4"
    assert difference(made, provenance_of("generate", 7, {**GIVEN, "views": "A4C"})) == "views (none), not A4C"
    assert "export" in difference(made, provenance_of("export", 7, GIVEN))
    assert "code" in difference(made, made.model_copy(update={"source": "sha256:other"}))


def test_the_notice_says_that_it_is_no_patient() -> None:
    text = notice(provenance_of("generate", 7, GIVEN), "Of what.").decode()
    assert text.startswith(NOTE)
    assert "no patient" in NOTE
    assert "Of what." in text
    assert "--seed 7" in text
