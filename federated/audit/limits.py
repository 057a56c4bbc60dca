"""What no record can show, however sound it is: the same words on the auditor's page and in the threat model."""

from __future__ import annotations

from typing import NamedTuple


class Limit(NamedTuple):
    """One thing that nothing catches: what it is, and why."""

    title: str
    words: str


LIMITS = (
    Limit(
        "Made-up statistics.",
        "A hospital can send sums of images that it does not have, inside what is plausible. "
        "Its influence is shown; that it lies is not.",
    ),
    Limit(
        "Wrong labels.",
        "Where a hospital calls an image by the wrong name, its signature is as good as before. "
        "Two hospitals that differ can be seen; who is right cannot.",
    ),
    Limit(
        "What an image shows.",
        "Nobody but the hospital sees it: that it is of this patient and this organ, and was neither computed nor "
        "changed before it was taken in, rests on the hospital alone.",
    ),
    Limit(
        "Everybody together.",
        "If the coordinator and all witnesses lie together, they can show any history. "
        "With one witness two histories shown to two auditors cannot be told apart.",
    ),
    Limit(
        "Whose hand signed.",
        "A signature shows which key signed, not which person: who holds the keys of two approvers is two approvers.",
    ),
    Limit(
        "What was never logged.",
        "Talks between people, images shown on a screen, answers that no program wrote down.",
    ),
    Limit("When something happened", "beyond the times at which witnesses signed."),
    Limit(
        "A hospital that always looks qualified.",
        "Its calibration is its own count, which nobody else can make again.",
    ),
    Limit(
        "Small numbers.",
        "Counts with too few patients behind them are left out of what hospitals tell, "
        "so that sums may miss what is rare.",
    ),
    Limit("Whether an answer was followed", "and whether the patient was better for it."),
)
