"""Pairs by the authors' rule, and across sections."""

from __future__ import annotations

import numpy as np

from shared_models.retrieval_pairs import Labelled, Pairs, pairs_across_sections, published_pairs


def _clips(patients: int = 3, sections: int = 3, each: int = 8) -> Labelled:
    """Of every patient, leg and section some clips, the last quarter of which shows the standard view."""
    places = [
        (patient, 100 * patient + 10 * section + leg, leg, number >= 3 * each // 4)
        for patient in range(patients)
        for section in range(sections)
        for leg in range(2)
        for number in range(each)
    ]
    columns = [np.array(column) for column in zip(*places, strict=True)]
    return Labelled(np.zeros((len(places), 1, 2, 2), np.uint8), columns[0], columns[1], columns[2] == 1, columns[3])


CLIPS = _clips()


def _each(pairs: Pairs) -> list[tuple[int, int, bool]]:
    return list(zip(pairs.first.tolist(), pairs.second.tolist(), pairs.same.tolist(), strict=True))


def test_published_pairs_show_the_same_view_or_not() -> None:
    pairs = published_pairs(CLIPS, np.array([0, 1, 2]), seed=0)
    right, standard = CLIPS.right, CLIPS.standard
    for first, second, same in _each(pairs):
        assert CLIPS.patients[first] == CLIPS.patients[second]
        if same:
            assert standard[first]
            assert standard[second]
            assert right[first] == right[second]
        else:
            assert not (standard[first] and standard[second] and right[first] == right[second])
            assert right[first]
    assert pairs.same.sum() == 3 * 2 * (6 * 7 / 2), "of six clips with each other and themselves"
    assert (~pairs.same).sum() == 3 * (50 + 50 + 36 + 50)


def test_no_more_than_are_allowed() -> None:
    pairs = published_pairs(_clips(1, 4, 60), np.array([0]), seed=0)
    assert (pairs.same.sum(), (~pairs.same).sum()) == (200, 200)


def test_no_pair_of_a_patient_who_is_not_asked_for() -> None:
    for rule in (published_pairs, pairs_across_sections):
        pairs = rule(CLIPS, np.array([1]), 0)
        assert set(CLIPS.patients[pairs.first]) == set(CLIPS.patients[pairs.second]) == {1}
        assert not len(rule(CLIPS, np.array([], dtype=np.int64), 0).same)


def test_pairs_across_sections_are_of_two_sections_and_treat_both_legs_alike() -> None:
    pairs = pairs_across_sections(CLIPS, np.array([0, 1, 2]), seed=0)
    assert (CLIPS.sections[pairs.first] != CLIPS.sections[pairs.second]).all()
    assert CLIPS.standard[pairs.first].all()
    counts = [pairs.same[CLIPS.right[pairs.first] == right].sum() for right in (True, False)]
    assert counts[0] == counts[1] > 0
    others = pairs.second[~pairs.same]
    assert (~CLIPS.standard[others]).any()
    assert CLIPS.standard[others].any(), "of the other leg"


def test_a_seed_gives_the_same_pairs() -> None:
    found = [_each(published_pairs(_clips(1, 4, 60), np.array([0]), seed)) for seed in (0, 0, 1)]
    assert found[0] == found[1] != found[2]


def test_a_patient_without_a_standard_view_has_pairs_of_others_alone() -> None:
    none = Labelled(CLIPS.clips, CLIPS.patients, CLIPS.sections, CLIPS.right, np.zeros(len(CLIPS.right), np.bool_))
    assert not published_pairs(none, np.array([0]), 0).same.any()
    assert not len(pairs_across_sections(none, np.array([0]), 0).same)
