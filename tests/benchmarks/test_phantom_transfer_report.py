"""What is told: counts, intervals, confusions, and that a family without an image is no answer."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.claims import Row
from benchmarks.phantom_gallery import FAMILIES, Gallery, LeftOut, Shot
from benchmarks.phantom_sector import frame_of
from benchmarks.phantom_transfer_report import ENSEMBLE, GUIDING, UNTOUCHED, Answers, answered, interval, summarise
from tests.benchmarks.phantom_toys import SPOTS, fan

PLAIN = np.repeat(fan(SPOTS["psax"], 0)[..., None], 3, axis=2)


def shot(name: str, family: str, *, development: bool, colour: bool = False) -> Shot:
    image = PLAIN.copy()
    if colour:
        image[60:90, 70:90] = (255, 60, 0)
    return Shot(name, name, family, development, frame_of(image))


SHOTS = (
    shot("a", "plax", development=False),
    shot("b", "plax", development=False, colour=True),
    shot("c", "psax", development=False),
    shot("d", "apical-four", development=True),
)


def sure(*families: str) -> np.ndarray:
    """Probabilities: nearly all for the family, the rest for the one before it in the list."""
    found = np.full((len(families), len(FAMILIES)), 0.01)
    for row, family in enumerate(families):
        found[row, FAMILIES.index(family)] = 0.9
        found[row, FAMILIES.index(family) - 1] = 0.05
    return found


ANSWERS = Answers(
    networks=np.stack([sure("plax", "psax", "psax", "apical-five")] * 2),
    phantom=np.stack([sure("plax", "psax")] * 2),
    phantom_labels=np.array([FAMILIES.index("plax"), FAMILIES.index("plax")]),
    textures=sure("psax", "psax", "psax", "psax"),
    frames=10,
)
GALLERY = Gallery(SHOTS, (LeftOut("e", "doppler-ao", "no B-mode image"),))


def rows(table: str) -> list[Row]:
    return [row for row in summarise(GALLERY, ANSWERS).rows if str(row["table"]).startswith(table)]


def test_each_half_is_counted_with_its_interval_and_chance() -> None:
    found = {(row["images"], row["answered by"]): row for row in rows("Families right")}
    ours = found[UNTOUCHED, ENSEMBLE]
    assert (ours["right"], ours["of"], ours["%"]) == (2, 3, 66.7)
    assert ours["95 % (Wilson)"] == "21 to 94"
    assert (ours["chance, %"], ours["always the most frequent family, %"]) == (33.3, 66.7)
    assert (found[f"{UNTOUCHED}, no colour box", ENSEMBLE]["right"], found[GUIDING, ENSEMBLE]["right"]) == (2, 1)
    assert found[UNTOUCHED, "texture features, linear head on phantom"]["right"] == 1


def test_a_family_without_an_image_is_no_answer_and_said_so() -> None:
    (row,) = [row for row in rows("Every image") if row["image"] == "d"]
    assert row["answer"] == "apical-four"
    assert answered(sure("apical-five"), SHOTS, FAMILIES) == ["apical-five"]
    (all_seven,) = [row for row in rows("Families right") if row["images"] == GUIDING and "all 7" in str(row)]
    assert (all_seven["right"], all_seven["chance, %"]) == (0, 14.3)
    notes = " ".join(summarise(GALLERY, ANSWERS).notes)
    assert "no image of apical-two, apical-three, apical-five, subcostal: left out" in notes
    assert "1 because no B-mode image" in notes


def test_the_confusion_is_of_the_untouched_half_alone() -> None:
    found = {row["true family"]: row for row in rows("Answers on")}
    assert set(found) == {"plax", "psax"}
    assert (found["plax"]["plax"], found["plax"]["psax"], found["psax"]["psax"]) == (1, 1, 1)


def test_the_claim_is_on_the_untouched_half() -> None:
    claims = {claim.claim: claim for claim in summarise(GALLERY, ANSWERS).claims}
    assert claims[f"phantom transfer: families right, {UNTOUCHED}"].holds is True
    assert claims[f"phantom transfer: families right, {GUIDING}"].holds is None
    assert claims["phantom transfer: families right, phantom patients not trained on"].value == 50


def test_a_gallery_of_one_half_is_told_too() -> None:
    only = Gallery(SHOTS[3:], ())
    some = Answers(ANSWERS.networks[:, 3:], ANSWERS.phantom, ANSWERS.phantom_labels, ANSWERS.textures[3:], 10)
    found = summarise(only, some)
    assert not [claim for claim in found.claims if claim.holds is not None]
    assert any(f"The {UNTOUCHED} has no image of apical-four" in note for note in found.notes)


def test_the_interval_is_wilsons() -> None:
    assert interval(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
