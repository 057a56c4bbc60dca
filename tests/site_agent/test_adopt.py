"""Releases at a site: measured first, then adopted, pinned or refused; a recall falls back to one adopted before."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from federated.envelope import Opened, open_parcel, parse_parcel
from federated.errors import ConsiliumError, SignatureError
from federated.manifest import AdoptionManifest, RecallManifest, pack_tensors
from federated.vocabulary import plain_vocabulary, write_vocabulary
from site_agent import adopt
from site_agent.adopt import Held, Shelf, Standing, choose, evaluate, read_shelf, recall
from site_agent.drafts import check_draft
from site_agent.home import SiteHome
from site_agent.mailbox import Inbox

if TYPE_CHECKING:
    from tests.site_agent.conftest import Federation

PATIENTS = {"dark": 20, "light": 20}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, found: type[Federation]) -> Path:
    """The folder of a site with two releases on its shelf."""
    federation = found(tmp_path_factory.mktemp("federation"))
    home = federation.hospital("ada", PATIENTS)
    federation.event(home)
    federation.take_in(home, PATIENTS, first=100)
    federation.event(home)
    return home.path


@pytest.fixture
def ada(prepared: Path, tmp_path: Path) -> SiteHome:
    shutil.copytree(prepared, tmp_path / "ada")
    return SiteHome(tmp_path / "ada")


def _digests(home: SiteHome) -> list[str]:
    return [held.digest for held in read_shelf(home).releases]


def _recall(home: SiteHome, release: str, fallback: str | None = None) -> Held | None:
    _, specs, tensors_digest = pack_tensors({})
    manifest = RecallManifest(
        federation="shades",
        tensors=specs,
        tensors_digest=tensors_digest,
        release=release,
        fallback=fallback,
        reason="an artefact",
    )
    return recall(home, manifest)


def _states(home: SiteHome) -> list[str]:
    return [held.state for held in read_shelf(home).releases]


def _adopt(home: SiteHome, *digests: str) -> None:
    for digest in digests:
        evaluate(home, digest)
        choose(home, digest, "adopted")


def test_a_release_is_measured_on_held_back_patients_only(ada: SiteHome) -> None:
    from site_agent.catalogue import Catalogue

    evaluation = evaluate(ada, _digests(ada)[0])
    held_back = {case.patient for case in Catalogue(ada.catalogue_path).cases(fold="test")}
    assert evaluation.patients == len(held_back)
    assert evaluation.accuracy.value == 1.0
    assert sum(count for row in evaluation.confusion.values() for count in row.values()) == evaluation.clips
    assert read_shelf(ada).releases[0].evaluation == evaluation


def test_the_second_is_compared_with_the_one_in_use(ada: SiteHome) -> None:
    first, second = _digests(ada)
    _adopt(ada, first)
    before = evaluate(ada, second).before
    assert before is not None
    assert (before.release, before.accuracy.value) == (first, 0.0)


def test_nothing_is_adopted_before_it_was_measured(ada: SiteHome) -> None:
    with pytest.raises(ConsiliumError, match="was not evaluated on your own patients yet; consilium site evaluate 1"):
        choose(ada, _digests(ada)[0], "adopted")
    assert choose(ada, _digests(ada)[0], "refused", "no time").state == "refused"


def test_the_last_one_adopted_answers(ada: SiteHome) -> None:
    first, second = _digests(ada)
    _adopt(ada, first, second, first)
    current = read_shelf(ada).current
    assert current is not None
    assert current.digest == first


def test_refusing_the_one_in_use_falls_back(ada: SiteHome) -> None:
    first, second = _digests(ada)
    _adopt(ada, first, second)
    choose(ada, second, "refused")
    current = read_shelf(ada).current
    assert current is not None
    assert current.digest == first


def test_a_pinned_one_that_is_replaced_is_pinned_no_more(ada: SiteHome) -> None:
    first, second = _digests(ada)
    evaluate(ada, first)
    choose(ada, first, "pinned")
    _adopt(ada, second)
    assert _states(ada) == ["adopted", "adopted"]


def test_a_recall_falls_back_to_the_one_adopted_before(ada: SiteHome) -> None:
    first, second = _digests(ada)
    _adopt(ada, first, second)
    now = _recall(ada, second)
    assert now is not None
    assert (now.digest, now.reason, now.told) == (first, "fell back when release 2 was recalled", False)
    assert _states(ada) == ["adopted", "recalled"]


def test_a_recall_never_makes_a_site_use_what_it_did_not_adopt(ada: SiteHome) -> None:
    first, second = _digests(ada)
    _adopt(ada, second)
    assert _recall(ada, second, fallback=first) is None
    assert read_shelf(ada).current is None


def test_a_recalled_release_cannot_be_adopted(ada: SiteHome) -> None:
    first, _ = _digests(ada)
    evaluate(ada, first)
    _recall(ada, first)
    with pytest.raises(ConsiliumError, match=r"release 1: was recalled \(an artefact\); adopt another one"):
        choose(ada, first, "adopted")


def test_recalling_one_not_in_use_or_unknown_changes_no_answer(ada: SiteHome) -> None:
    first, second = _digests(ada)
    _adopt(ada, first, second)
    for release in (first, "sha256:" + "0" * 64):
        now = _recall(ada, release)
        assert now is not None
        assert now.digest == second
    assert _states(ada) == ["recalled", "adopted"]


def test_every_choice_is_another_message(ada: SiteHome) -> None:
    first, _ = _digests(ada)
    evaluate(ada, first)
    messages = []
    for choice in ("adopted", "refused", "adopted"):
        held = choose(ada, first, choice, "as it is")
        draft = adopt.adoption_draft(ada, held)
        check_draft(draft, federation="shades", site="ada", vocabulary=ada.vocabulary)
        assert isinstance(draft.manifest, AdoptionManifest)
        messages.append((draft.digest, draft.manifest.choice, draft.manifest.reason))
    assert len({digest for digest, _, _ in messages}) == 3
    assert messages[0][1:] == ("adopted", "as it is")
    assert messages[2][1:] == ("adopted", "as it is (choice 3)")


def test_the_same_choice_again_is_no_news(ada: SiteHome) -> None:
    first, _ = _digests(ada)
    _adopt(ada, first)
    adopt.mark_told(ada, first)
    choose(ada, first, "adopted")
    assert adopt.untold(ada) == []


def test_keeping_a_release_again_is_no_work(ada: SiteHome) -> None:
    choose(ada, _digests(ada)[0], "refused")
    before = read_shelf(ada)
    done = sorted((ada.inbox / "done").glob("*.parcel"))
    assert done  # the coordinator would not send them again; a kill between keeping and putting away leaves them unread
    for held, opened in zip(before.releases, _reopened(ada, before), strict=True):
        assert adopt.keep(ada, opened) == held
    assert read_shelf(ada) == before


def _reopened(home: SiteHome, shelf: Shelf) -> Iterator[Opened]:
    for held in shelf.releases:
        parcel = parse_parcel(adopt.release_path(home, held.digest).read_bytes())
        yield open_parcel(parcel, home.trust(), recipient="ada")


def test_a_release_brings_labels_that_the_coordinator_appended(federation: Federation) -> None:
    home = federation.hospital("ada", {"dark": 6})
    path = federation.coordinator.home.path / "vocabulary.toml"
    longer = plain_vocabulary("shades", [*home.vocabulary.codes, "dotted"])
    with pytest.raises(ConsiliumError, match="or the coordinator appends it and the next release brings it"):
        home.vocabulary.require("dotted", where="index.csv, line 2")
    write_vocabulary(longer, path)
    federation.event(home)
    assert home.vocabulary == longer


def test_a_release_changed_on_disk_is_not_used(ada: SiteHome) -> None:
    first, _ = _digests(ada)
    path = adopt.release_path(ada, first)
    path.write_bytes(path.read_bytes().replace(b'"alpha":0.05', b'"alpha":0.06', 1))
    with pytest.raises(ConsiliumError, match="was signed for another manifest"):
        adopt.load(ada, first)
    path.unlink()
    with pytest.raises(ConsiliumError, match="No such file"):
        adopt.load(ada, first)


def test_a_release_of_a_revoked_coordinator_is_not_used(ada: SiteHome) -> None:
    keys = ada.keys_path / "keys.toml"
    keys.write_text(keys.read_text().replace("revoked = false", "revoked = true"))
    with pytest.raises(SignatureError, match="its key was revoked"):
        adopt.load(ada, _digests(ada)[0])


def test_a_release_of_another_front_end_is_not_used(ada: SiteHome) -> None:
    card = ada.config.front_end.model_copy(update={"digest": "sha256:" + "9" * 64})
    ada.config = ada.config.model_copy(update={"front_end": card})
    with pytest.raises(ConsiliumError, match="with the front end 'pixels', not with this home's; join anew"):
        evaluate(ada, _digests(ada)[0])


@pytest.mark.parametrize(("name", "number"), [("2", 2), ("digest", 1)])
def test_a_release_is_named_by_number_or_digest(ada: SiteHome, name: str, number: int) -> None:
    shelf = read_shelf(ada)
    assert shelf.named(_digests(ada)[0][7:20] if name == "digest" else name).number == number


@pytest.mark.parametrize("name", ["3", "abcdef0123", ""])
def test_a_release_that_is_not_here(ada: SiteHome, name: str) -> None:
    with pytest.raises(ConsiliumError, match="there is no such release; releases here: 1, 2"):
        read_shelf(ada).named(name)


def test_a_damaged_state_file_is_told(ada: SiteHome) -> None:
    (ada.releases / "state.json").write_text('{"version": 2}')
    with pytest.raises(ConsiliumError, match=r"state\.json: was changed by hand or damaged"):
        read_shelf(ada)


def test_a_standing_word_is_kept(ada: SiteHome) -> None:
    adopt.set_standing(ada, Standing(floor=0.5))
    assert read_shelf(ada).standing == Standing(floor=0.5)
    adopt.set_standing(ada, None)
    assert read_shelf(ada).standing is None


def test_the_inbox_is_empty_after_the_releases_were_kept(ada: SiteHome) -> None:
    assert Inbox(ada).unread() == []
