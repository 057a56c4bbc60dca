"""Masks as they come back from a site's home, against the phantom that they were drawn from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deploy.phantom.exports.camus_clips import camus_values, half_beats
from federated.enrolment import Kit
from federated.errors import DataError
from federated.vocabulary import builtin_vocabulary
from site_agent.home import SiteHome
from site_agent.intake.quarantine import item_names
from site_agent.sources.camus_views import LABELS
from site_agent.truth import (
    AORTA,
    LA,
    LV,
    MYOCARDIUM,
    NO_IMAGE,
    NO_STRUCTURE,
    RA,
    RV,
    STRUCTURES,
    MaskedCase,
    clips_of,
    find_masked,
    masked_cases,
    view_of,
)
from tests.site_agent.sources.conftest import Exported, exported
from tests.site_agent.truth_making import heart_home, redrawn, take_in

__all__ = ["exported"]

CHAMBERS = (LV, MYOCARDIUM, LA, RV, RA, AORTA)
VIEWS = {word: code for word, code, _ in LABELS}
SIZE = {"patients": 3, "frames": 24, "size": 64}  # 12 frames a half beat: more than become cases


@pytest.fixture
def camus(tmp_path: Path, kit: Kit, exported: Exported) -> SiteHome:
    home = heart_home(tmp_path / "site", kit)
    take_in(home, exported("camus", **SIZE)[0])
    return home


def _of(home: SiteHome, cases: list[MaskedCase], stem: str) -> list[MaskedCase]:
    names = item_names(home.archive)
    return [each for each in cases if stem in names[each.case.key]]


def test_every_masked_frame_comes_back_in_the_order_of_the_structures(camus: SiteHome, exported: Exported) -> None:
    _, order = exported("camus", **SIZE)
    structures = (LA, RV, LV)
    found = masked_cases(camus, structures, most=None)
    assert len(found) == 3 * 2 * 12
    for number in (1, 2, 3):
        for beat in half_beats(order, number):
            its = _of(camus, found, f"patient{number:04d}_{beat.view}")
            assert [each.case.frame for each in its] == list(range(12))
            for each, image, drawn in zip(its, beat.images, camus_values(beat.clip.labels), strict=True):
                np.testing.assert_array_equal(each.image, image)
                np.testing.assert_array_equal(each.mask, np.select([drawn == 3, drawn == 1], [1, 3]))
            assert {each.view for each in its} == {VIEWS[beat.view]}
            assert {each.labelled for each in its} == {(1, 3)}, "nobody draws the right ventricle"
            assert {each.case.frame: each.moment for each in its if each.moment} == {
                beat.diastole: "ED",
                beat.systole: "ES",
            }
            assert [each.spacing_mm for each in its] == pytest.approx([beat.clip.take.spacing_mm] * 12, rel=1e-4)


def test_of_a_clip_a_few_come_back_evenly_spaced_with_both_ends_of_the_beat(camus: SiteHome) -> None:
    whole, few = (masked_cases(camus, CHAMBERS, most=most) for most in (None, 3))
    numbers = {each.case.id: {0, 6, 11} for each in whole}
    for each in whole:
        if each.moment:
            numbers[each.case.id].add(each.case.frame)
    found: dict[int, set[int]] = {}
    for each in few:
        found.setdefault(each.case.id, set()).add(each.case.frame)
    assert found == numbers


def test_a_frame_that_is_a_case_is_that_case(camus: SiteHome) -> None:
    known = {case.sha256: case for case in camus.archive.catalogue.cases()}
    found = masked_cases(camus, CHAMBERS, most=None)
    same = [each.case for each in found if each.case.sha256 in known]
    assert len(same) == len(known) < len(found)
    assert all(case == known[case.sha256] for case in same)
    assert len({each.case.sha256 for each in found}) == len(found)


def test_a_fold_and_a_batch_have_their_own(camus: SiteHome) -> None:
    folds = {fold: masked_cases(camus, CHAMBERS, fold=fold, most=None) for fold in ("train", "validation", "test")}
    assert [len(found) for found in folds.values()] == [48, 24, 0], "a fold without is no mistake"
    assert {each.case.fold for each in folds["train"]} == {"train"}
    (batch,) = camus.archive.catalogue.batches()
    assert len(masked_cases(camus, CHAMBERS, batch=batch, most=None)) == 72
    assert masked_cases(camus, CHAMBERS, batch="b0009") == []


def test_what_shows_nothing_and_what_is_not_kept_is_counted(camus: SiteHome) -> None:
    clip = clips_of(camus.archive)[0]
    empty = np.zeros((64, 64), np.uint8)
    redrawn(camus.archive, "camus", {3: empty, 4: None, 900: empty}, clip.key)
    found = find_masked(camus, CHAMBERS, most=None)
    assert len(found.cases) == 72 - 2
    assert found.left_out == {NO_STRUCTURE: 1, NO_IMAGE: 1}


def test_masks_of_other_structures_say_so(camus: SiteHome) -> None:
    with pytest.raises(DataError, match="all masks show none of the structures asked for") as caught:
        masked_cases(camus, ["113262008"])
    assert "\n" not in str(caught.value)


def test_a_site_without_masks_is_told_how_to_get_some(tmp_path: Path, kit: Kit, exported: Exported) -> None:
    home = heart_home(tmp_path / "site", kit)
    take_in(home, exported("tmed2", patients=3, frames=4, size=64)[0])
    with pytest.raises(DataError, match=r"no image has a mask; .*column 'mask' of index.csv"):
        masked_cases(home, CHAMBERS)
    with pytest.raises(DataError, match="no image has a mask"):
        masked_cases(home, CHAMBERS, fold="train")


def test_masks_whose_values_nobody_explained_are_not_guessed(tmp_path: Path, kit: Kit, exported: Exported) -> None:
    home = heart_home(tmp_path / "site", kit)
    take_in(home, exported("metaimage", patients=3, frames=4, size=128)[0])
    with pytest.raises(DataError, match="not known what their values stand for: labels"):
        masked_cases(home, CHAMBERS)


def test_the_view_is_known_by_label_and_by_the_words_of_the_format(
    tmp_path: Path, camus: SiteHome, exported: Exported
) -> None:
    archive, case = camus.archive, camus.archive.catalogue.cases()[0]
    assert view_of(camus, case) == VIEWS["2CH"]
    with archive.catalogue.transaction() as connection:
        connection.execute("UPDATE clips SET view = ''")
    assert view_of(camus, case) == VIEWS["2CH"], "by the word"
    with archive.catalogue.transaction() as connection:
        connection.execute("UPDATE clips SET word = ?", (archive.seal.close("399214001+contrast"),))
    assert view_of(camus, case) == VIEWS["4CH"], "whatever is said of contrast"
    with archive.catalogue.transaction() as connection:
        connection.execute("UPDATE clips SET word = ?, source = 'images'", (archive.seal.close("2CH"),))
    assert view_of(camus, case) == "", "another form's words are not this one's"


def test_structures_are_labels_of_the_chambers() -> None:
    codes = {code for values in STRUCTURES.values() for code in values.values()}
    assert codes == set(builtin_vocabulary("chambers").codes)
    assert list(STRUCTURES["index"].values()) == list(builtin_vocabulary("chambers").codes)
