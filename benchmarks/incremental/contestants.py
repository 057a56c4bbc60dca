"""Everything that stands in the contest. A new rule is its file, its test and one line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from benchmarks.incremental.closed_form import FORMS
from benchmarks.incremental.contestant import Contestant, Start
from benchmarks.incremental.expert_features import EXPERT_FEATURES
from benchmarks.incremental.frequent import MostFrequent
from benchmarks.incremental.gated import GATED, GATES
from benchmarks.incremental.heads import HEADS, JOINT
from benchmarks.incremental.linear_rules import RULES, SCATTERED
from benchmarks.incremental.network_experts import NETWORK_EXPERTS
from benchmarks.incremental.network_rivals import NETWORK_RIVALS

__all__ = ["CLOSED_FORM", "CONTESTANTS", "GATED", "IN_ANY_ORDER", "JOINT", "MOST_FREQUENT", "OF_FEATURES", "SCATTERED"]

CLOSED_FORM = "closed form"
MOST_FREQUENT = "most frequent label of the site"
Made = Callable[[Start], Contestant]

OF_FEATURES: Mapping[str, Made] = {**FORMS, **RULES, **HEADS, **GATES, MOST_FREQUENT: MostFrequent}
"""Rules on the suite's shared front end."""

IN_ANY_ORDER: Mapping[str, Made] = {**OF_FEATURES, **EXPERT_FEATURES, **NETWORK_EXPERTS}
"""With these the rules that train experts: what a suite of images plays in every order of arrival."""

CONTESTANTS: Mapping[str, Made] = {**IN_ANY_ORDER, **NETWORK_RIVALS}
"""With these the rules that train one network, which take the longest: in the usual order only."""
