"""Items stand in the guidelines' own order, no number beyond the last of each, and every one is asked for somewhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from federated.audit.bundle import open_bundle
from federated.audit.dossier.assembly import assemble
from federated.audit.dossier.guidelines import ITEMS
from federated.audit.dossier.promises import requirements
from federated.audit.dossier.stated import Stated
from federated.audit.given import newest

LAST = {"TRIPOD+AI": 27, "CONSORT-AI": 25}


def _place(item: str) -> tuple[int, str]:
    found = re.fullmatch(r"(?:TRIPOD\+AI|CONSORT-AI) (\d+)([a-f]?)(?:\([iv]+\))?", item)
    assert found, item
    return int(found[1]), found[2]


def test_numbers_are_those_that_the_guidelines_have() -> None:
    for name, last in LAST.items():
        places = [_place(item) for item in ITEMS if item.startswith(name)]
        assert places == sorted(places)
        assert places[-1][0] == last
    rest = [item for item in ITEMS if item.startswith("FUTURE-AI")]
    assert rest[:6] == [f"FUTURE-AI Traceability {number}" for number in range(1, 7)]


def test_every_item_is_asked_for_in_a_dossier_or_by_a_requirement(whole: Any, tmp_path: Path) -> None:
    bundle = open_bundle(whole.write(tmp_path / "it.bundle"))
    made = assemble(bundle, newest(bundle), Stated(), (), None)
    asked = {item for section in made.sections for line in section.lines for item in line.items}
    asked |= {item for each in requirements() for item in each.asked_by}
    asked |= {item for section in made.sections for grid in section.grids for item in grid.items}
    assert asked == set(ITEMS)
