from __future__ import annotations

import pytest

from site_agent.sources.splits import fold_of


@pytest.mark.parametrize(
    ("word", "fold"),
    [
        ("TRAIN", "train"),
        ("training", "train"),
        ("VAL", "validation"),
        ("tune", "validation"),
        ("calibration", "calibration"),
        (" Test ", "test"),
        ("ival", "test"),
        ("7", None),
        ("", None),
        ("Not_Provided", None),
    ],
)
def test_words_are_folds_or_nothing(word: str, fold: str | None) -> None:
    assert fold_of(word) == fold
