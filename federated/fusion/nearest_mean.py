"""Nearest class mean: the label whose mean, over all sites, is the least distant.

|h - mu_c|^2 / 2 less what all labels share is mu_c^T mu_c / 2 - h^T mu_c (Mensink et al., TPAMI 2013). It needs class
sums alone, so that sites may keep their Gram matrices back, and has nothing to be tuned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from federated.fusion.linear_rule import LinearRule, class_means_of, rule_of_means
from federated.fusion.targets import FLAT, Targets
from federated.statistics import Statistics


def nearest_class_mean(blocks: Mapping[str, Statistics], labels: Sequence[str], targets: Targets = FLAT) -> LinearRule:
    """The rule for the labels that some site holds.

    Raises:
        ContractError: no site holds any of the labels.
    """
    found = class_means_of(blocks, labels, targets)
    return rule_of_means(found, found.site_means, np.zeros(len(found.labels)))
