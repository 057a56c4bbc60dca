"""Words that data sets have for their parts, as folds."""

from __future__ import annotations

from site_agent.folds import FOLDS

OTHER_WORDS = {
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "tune": "validation",
    "cal": "calibration",
    "testing": "test",
    "ival": "test",  # internal validation: what Unity Imaging calls the part that nothing is chosen by
}


def fold_of(word: str) -> str | None:
    """The fold of a word in any case; None for what is none, as a number of cross-validation."""
    small = word.strip().lower()
    return small if small in FOLDS else OTHER_WORDS.get(small)
