"""What a change of the labels would touch, in a federation of two sites and two releases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from federated.errors import ConsiliumError
from federated.hierarchy import target
from federated.vocabulary import Concept, Vocabulary, plain_vocabulary, write_vocabulary
from server.event import run_event
from server.vocabulary_changes import Change, Effects, check_change, split

if TYPE_CHECKING:
    from tests.server.conftest import World

PLAIN = plain_vocabulary("views", ["plax", "a4c", "a2c"])
TREE = Vocabulary(
    name="tree",
    concepts=(
        Concept(code="apical", scheme="local", meaning="apical", contrast="any"),
        Concept(code="a4c", scheme="local", meaning="four", parents=("apical",)),
        Concept(code="a2c", scheme="local", meaning="two", parents=("apical",)),
        Concept(code="plax", scheme="local", meaning="long axis"),
    ),
)


def change(kind: str, before: str, after: str) -> Change:
    values = {"kind": kind, "before": tuple(before.split()), "after": tuple(after.split())}
    return Change.model_validate(values)


@pytest.fixture
def lived(world: World) -> World:
    """A release of ada alone, then one of ada and ben, whom ada's next batch joins; ben refuses it."""
    ada, ben = world.join("ada"), world.join("ben")
    ada.put(ada.statistics())
    run_event(world.coordinator, world)
    ben.choice = "refused"
    ben.put(ben.statistics())
    ben.put(ben.weights())
    ada.put(ada.statistics("b0002"))
    run_event(world.coordinator, world)
    return world


def test_what_one_site_alone_has(lived: World) -> None:
    found = lived.coordinator.effects_of(change("rename", "plax", "399139001"))
    assert found.concepts == ("plax",)
    (share,) = found.sites
    assert (share.site, share.labels, len(share.contributions)) == ("ada", ("plax",), 2)
    assert (share.patients, share.images) == (16, 32)  # 8 patients with 2 images each, in two batches
    assert (found.releases, found.reports, found.adopted) == ((1, 2), ("ada", "ben"), {"ada": (1, 2), "ben": (1,)})
    assert found.candidate is not None


def test_what_only_the_second_release_has(lived: World) -> None:
    found = lived.coordinator.effects_of(change("rename", "a2c", "399232001"))
    (share,) = found.sites
    assert (share.site, len(share.contributions)) == ("ben", 2)
    assert (share.patients, share.images) == (8, 16)  # statistics and weights of one batch are of the same patients
    assert (found.releases, found.adopted) == ((2,), {"ada": (2,)})


def test_what_several_labels_have_together(lived: World) -> None:
    found = lived.coordinator.effects_of(change("merge", "plax a2c", "other"))
    assert [(share.site, share.labels, share.patients) for share in found.sites] == [
        ("ada", ("plax",), 16),
        ("ben", ("a2c",), 8),
    ]
    assert found.steps[0] == "the coordinator appends other to the end of vocabulary.toml and leaves plax, a2c as it is"
    assert found.steps[1].startswith(
        "ada withdraws 2 contributions, maps its words to other, takes its images in again"
    )
    assert found.steps[-1] == "the coordinator makes a new release; the withdrawals recall those that have plax, a2c"


def test_nothing_is_touched_where_nobody_contributed(world: World) -> None:
    found = world.coordinator.effects_of(change("rename", "plax", "new"))
    empty = Effects(
        change=change("rename", "plax", "new"),
        concepts=("plax",),
        sites=(),
        candidate=None,
        releases=(),
        reports=(),
        adopted={},
        steps=found.steps,
    )
    assert found == empty


def test_what_is_below_a_label_and_of_its_view_is_named(world: World) -> None:
    write_vocabulary(TREE, world.coordinator.home.vocabulary_path)
    assert world.coordinator.effects_of(change("rename", "apical", "new")).concepts == ("apical", "a4c", "a2c")


@pytest.mark.parametrize("into", ["apical", "new"])
def test_labels_below_one_are_merged_by_using_that_one(world: World, into: str) -> None:
    write_vocabulary(TREE, world.coordinator.home.vocabulary_path)
    steps = world.coordinator.effects_of(change("merge", "a4c a2c", into)).steps
    assert steps[0] == "nothing has to be made anew: apical lies above a4c, a2c and learns from all of them already"


def test_a_split_leaves_what_was_contributed_and_is_silent_on_the_parts(lived: World) -> None:
    before = lived.coordinator.home.vocabulary()
    steps = lived.coordinator.effects_of(change("split", "plax", "plax-a plax-b")).steps
    assert "stays, and is silent on them" in steps[0]
    lived.coordinator.split_label("plax", {"plax-a": "first", "plax-b": "second"}, "local")
    after = lived.coordinator.home.vocabulary()
    assert after.extends(before)
    assert after.codes == (*before.codes, "plax-a", "plax-b")
    assert target(after, "plax", "plax-a") is None
    assert target(after, "plax-a", "plax") == 1
    assert lived.coordinator.propose() is not None
    assert lived.coordinator.status()["events"][-2]["detail"] == "split into plax-a, plax-b"


def test_parts_inherit_contrast() -> None:
    parts = split(TREE, "apical", {"low": "from below", "high": "from above"}, "99X")
    assert [(part.scheme, part.parents, part.contrast) for part in parts.concepts[-2:]] == [
        ("99X", ("apical",), "any")
    ] * 2


@pytest.mark.parametrize(
    ("kind", "before", "after", "said"),
    [
        ("rename", "a3c", "b", "rename: label 'a3c' is not in the vocabulary"),
        ("rename", "a4c", "plax", "rename: 'plax' is a label already"),
        ("merge", "a4c a4c", "b", "merge: needs two different labels at least"),
        ("merge", "a4c plax", "plax", "merge: 'plax' is a label already"),
        ("split", "a4c", "b b", "split: needs two different labels at least"),
        ("split", "a4c", "b plax", "split: 'plax' is a label already"),
    ],
)
def test_a_change_that_makes_no_sense_is_refused(kind: str, before: str, after: str, said: str) -> None:
    with pytest.raises(ConsiliumError, match=said):
        check_change(PLAIN, change(kind, before, after))


def test_a_part_without_a_meaning_is_refused_and_changes_nothing(world: World) -> None:
    before = world.coordinator.home.vocabulary_path.read_bytes()
    with pytest.raises(ConsiliumError, match=r"split plax: concepts\.4\.meaning"):
        world.coordinator.split_label("plax", {"x": "first", "y": ""}, "local")
    assert world.coordinator.home.vocabulary_path.read_bytes() == before
