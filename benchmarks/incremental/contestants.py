"""Everything that stands in the contest. A new rule is its file, its test and one line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from benchmarks.incremental.closed_form import FORMS
from benchmarks.incremental.contestant import Contestant, Start
from benchmarks.incremental.frequent import MostFrequent
from benchmarks.incremental.gated import GATED, GATES
from benchmarks.incremental.heads import HEADS, JOINT
from benchmarks.incremental.linear_rules import RULES

__all__ = ["CLOSED_FORM", "CONTESTANTS", "GATED", "JOINT", "MOST_FREQUENT"]

CLOSED_FORM = "closed form (refit)"
MOST_FREQUENT = "most frequent label of the site"

CONTESTANTS: Mapping[str, Callable[[Start], Contestant]] = {
    **FORMS,
    **RULES,
    **HEADS,
    **GATES,
    MOST_FREQUENT: MostFrequent,
}
