"""Everything that stands in the contest. A new rule is its file, its test and one line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from benchmarks.incremental.closed_form import FORMS
from benchmarks.incremental.contestant import Contestant, Start
from benchmarks.incremental.expert_features import EXPERT_FEATURES
from benchmarks.incremental.frequent import MostFrequent
from benchmarks.incremental.gated import GATED, GATES
from benchmarks.incremental.heads import HEADS, JOINT
from benchmarks.incremental.linear_rules import RULES
from benchmarks.incremental.network_experts import NETWORK_EXPERTS
from benchmarks.incremental.network_rivals import NETWORK_RIVALS

__all__ = ["CLOSED_FORM", "CONTESTANTS", "GATED", "JOINT", "MOST_FREQUENT", "OF_FEATURES", "OF_IMAGES"]

CLOSED_FORM = "closed form (refit)"
MOST_FREQUENT = "most frequent label of the site"
Made = Callable[[Start], Contestant]

OF_FEATURES: Mapping[str, Made] = {**FORMS, **RULES, **HEADS, **GATES, MOST_FREQUENT: MostFrequent}
"""Rules on the suite's shared front end."""

OF_IMAGES: Mapping[str, Made] = {**EXPERT_FEATURES, **NETWORK_EXPERTS, **NETWORK_RIVALS}
"""Rules with the best front end that they can train, for suites of images."""

CONTESTANTS: Mapping[str, Made] = {**OF_FEATURES, **OF_IMAGES}
