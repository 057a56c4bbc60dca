"""A patient who is forgotten is nowhere in the home, does not come back, and leaves the others as they were."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import site_agent.forget.forgetting
from federated.disclosure import Limits
from federated.errors import ConsiliumError, DataError
from federated.keys import read_private_key
from site_agent.agent import work
from site_agent.egress import Gate
from site_agent.features import features_of
from site_agent.forget.forgetting import find_patient, finish, forget
from site_agent.home import SiteHome
from site_agent.intake.ingest import ingest
from site_agent.ledger import earlier_facts, names_in, transaction
from site_agent.sealing import pseudonym, token
from site_agent.steps import read_progress

if TYPE_CHECKING:
    from tests.site_agent.conftest import Federation

PATIENTS = {"dark": 14, "light": 14}
NAME = "Meyer-1949"


@pytest.fixture
def ada(federation: Federation) -> SiteHome:
    return federation.hospital("ada", PATIENTS)


def _of_fold(home: SiteHome, fold: str, label: str = "dark") -> str:
    return next(case.patient for case in home.archive.catalogue.cases(fold=fold) if case.label == label)


def _traces(home: SiteHome, patient: str) -> dict[str, bytes]:
    """Whatever would show that the patient was here: pseudonym, digests, keys, sealed names, looks, features."""
    rows = home.archive.catalogue.rows
    cases = [case for case in home.archive.catalogue.cases() if case.patient == patient]
    found = {"pseudonym": patient.encode()}
    for number, (key, sealed) in enumerate(
        rows("SELECT key, sealed FROM items WHERE key IN (SELECT item FROM clips WHERE patient = ?)", (patient,))
    ):
        found |= {f"key {number}": key.encode(), f"name {number}": sealed}
    for number, (clip, looks) in enumerate(rows("SELECT clip, looks FROM clips WHERE patient = ?", (patient,))):
        found |= {f"clip {number}": clip.encode(), f"looks {number}": looks}
    for number, case in enumerate(cases):
        found |= {f"digest {number}": case.sha256.encode(), f"pixels {number}": _pixels(home, case)}
    for number, vector in enumerate(features_of(home, cases)):
        found[f"features {number}"] = vector.tobytes()[:200]  # longer ones are spread over pages
    return found


def _pixels(home: SiteHome, case: Any) -> bytes:
    return home.archive.cache.frames(case.key, [case.place]).tobytes()


def _files(home: SiteHome) -> dict[Path, bytes]:
    files = {path: path.read_bytes() for path in home.path.rglob("*") if path.is_file()}
    return {path: str(path.relative_to(home.path)).encode() + data for path, data in files.items()}


def _found_in(home: SiteHome, traces: dict[str, bytes]) -> dict[str, list[str]]:
    files = _files(home)
    found = {
        name: [path.name for path, data in files.items() if trace in data] for name, trace in sorted(traces.items())
    }
    return {name: places for name, places in found.items() if places}


def test_no_byte_of_a_patient_is_left_in_the_home(federation: Federation, ada: SiteHome) -> None:
    federation.allow(ada, "statistics", "report", "weights", weights={"approval": "each"})
    federation.event(ada)
    patient = _of_fold(ada, "train")
    traces = _traces(ada, patient)
    assert set(_found_in(ada, traces)) == set(traces)  # every trace is there, or the test would show nothing
    said = forget(ada, patient)
    assert (said.done, said.images, said.clips, said.items, said.drafts) == (True, 2, 2, 2, ("weights",))
    assert _found_in(ada, traces) == {}


def test_what_killed_processes_left_goes_too(ada: SiteHome) -> None:
    """A copy of the catalogue for a backup, files that were never whole, working images that no row names."""
    patient = _of_fold(ada, "train")
    traces = _traces(ada, patient)
    item = ada.archive.catalogue.rows("SELECT item FROM clips WHERE patient = ?", (patient,))[0][0]
    working = ada.archive.cache.path(item)
    shutil.copy(working, working.with_name(f".{item}.staged.01234567"))
    for name in (".backup-abc", ".trial-abc"):
        (ada.path / name).mkdir()
        shutil.copy(ada.catalogue_path, ada.path / name / "catalogue.sqlite")
    for folder in (ada.path, ada.pending, ada.outbox):
        shutil.copy(ada.catalogue_path, folder / ".name.draft.0123456789abcdef")
    (ada.path / ".mine").write_bytes(b"no file of ours")
    forget(ada, patient)
    assert _found_in(ada, traces) == {}
    assert [path.name for path in ada.path.rglob(".*")] == [".mine"]


def test_the_others_stay_as_they_were(ada: SiteHome) -> None:
    patient = _of_fold(ada, "test")
    others = [case for case in ada.archive.catalogue.cases() if case.patient != patient]
    features, pixels = features_of(ada, others), [_pixels(ada, case) for case in others]
    forget(ada, patient)
    assert ada.archive.catalogue.cases() == others
    assert [_pixels(ada, case) for case in others] == pixels
    assert (features_of(ada, others) == features).all()


def test_the_same_folder_does_not_bring_the_patient_back(federation: Federation) -> None:
    ada = federation.join("ada")
    folder = federation.images("ada", PATIENTS)
    ingest(ada.archive, ada.vocabulary, ada.label_map, folder)
    patient = find_patient(ada, "dark-3")
    traces = _traces(ada, patient)
    day = forget(ada, patient).day
    for _ in range(2):
        report = ingest(ada.archive, ada.vocabulary, ada.label_map, folder)
        assert {(one.name, one.reason) for one in report.aside} == {
            (f"dark-3-{frame}.png", f"is of a patient who was forgotten on {day}") for frame in range(2)
        }
        assert report.batches == ()
    assert _found_in(ada, traces) == {}


def test_what_was_set_aside_of_the_patient_goes_too(federation: Federation) -> None:
    ada = federation.join("ada")
    folder = federation.images("ada", {"dark": 3})
    (folder / f"{NAME}.png").write_bytes(b"no image")
    with (folder / "index.csv").open("a") as file:
        file.write(f"\n{NAME}.png,dark,dark-1,dark-1")
    ingest(ada.archive, ada.vocabulary, ada.label_map, folder)
    (aside,) = ada.archive.catalogue.aside()
    assert NAME in ada.archive.name(aside.sealed)
    said = forget(ada, find_patient(ada, "dark-1"))
    assert (said.items, said.clips) == (3, 2)
    assert ada.archive.catalogue.aside() == []
    assert _found_in(ada, {"name": aside.sealed, "key": aside.key.encode()}) == {}


def test_a_patient_is_named_by_number_or_pseudonym(ada: SiteHome) -> None:
    own = pseudonym(ada.secret(), "patient", "light-5")
    assert [find_patient(ada, word) for word in ("light-5", own, own[:12])] == [own] * 3
    for word in ("light-99", own[:11], "f" * 12, ""):
        with pytest.raises(ConsiliumError, match="no patient here is named so"):
            find_patient(ada, word)
    forget(ada, own)
    assert [find_patient(ada, word) for word in ("light-5", own)] == [own] * 2


def test_where_no_patient_is_named_the_clip_or_the_file_stands_for_one(federation: Federation) -> None:
    ada = federation.join("ada")
    folder = federation.images("ada", {"dark": 4}, each=1)
    (folder / "index.csv").write_text("path,label,clip\ndark-0-0.png,dark,\ndark-1-0.png,dark,sweep 7")
    ingest(ada.archive, ada.vocabulary, ada.label_map, folder)
    names = [find_patient(ada, str(folder / "dark-0-0.png")), find_patient(ada, "sweep 7")]
    assert sorted(names) == sorted(case.patient for case in ada.archive.catalogue.cases())
    with pytest.raises(ConsiliumError, match="no patient here is named so"):
        find_patient(ada, str(folder / "dark-2-0.png"))


def test_to_forget_again_is_no_work_and_keeps_the_day(ada: SiteHome) -> None:
    patient = _of_fold(ada, "train")
    with ada.archive.catalogue.transaction() as connection:
        connection.execute("INSERT INTO forgotten VALUES (?, '2026-01-02')", (token(ada.secret(), patient),))
    assert forget(ada, patient).day == "2026-01-02"
    again = forget(ada, patient)
    assert (again.day, again.images, again.items) == ("2026-01-02", 0, 0)


def test_a_dry_run_says_the_same_and_changes_nothing(federation: Federation, ada: SiteHome) -> None:
    federation.allow(ada, statistics={"limits": Limits(gram_share=1e9)})
    federation.event(ada)
    patient = _of_fold(ada, "train")
    before = _files(ada)
    said = forget(ada, patient, dry_run=True)
    assert _files(ada) == before
    assert not said.done
    assert said.sums
    done = forget(ada, patient)
    assert done.model_copy(update={"done": False}) == said


def test_the_ledger_knows_the_patient_by_a_token_that_compares_equal(federation: Federation, ada: SiteHome) -> None:
    federation.event(ada)
    patient = _of_fold(ada, "train")
    with transaction(ada.state_path) as connection:
        before = earlier_facts(connection)
    forget(ada, patient)
    with transaction(ada.state_path) as connection:
        after = earlier_facts(connection)
    mark = token(ada.secret(), patient)
    held = [patient in names_in(facts) for facts in before]
    assert any(held)
    assert [mark in names_in(facts) for facts in after] == held
    assert [len(names_in(facts)) for facts in after] == [len(names_in(facts)) for facts in before]
    assert len({facts.images[mark] for facts in after if mark in facts.images}) == 1


def test_a_draft_that_waited_is_drafted_anew_without_the_patient(federation: Federation, ada: SiteHome) -> None:
    federation.allow(ada, statistics={"approval": "each"})
    work(ada)
    (waiting,) = Gate(ada).pending()
    assert forget(ada, _of_fold(ada, "train")).drafts == ("statistics",)
    assert Gate(ada).pending() == []
    assert list(ada.pending.iterdir()) == []
    (step,) = work(ada).steps
    assert (step.kind, step.state) == ("statistics", "pending")
    assert step.digest != waiting.digest


def test_a_report_that_waited_is_drafted_anew(federation: Federation, ada: SiteHome) -> None:
    federation.allow(ada, report={"approval": "each"})
    federation.exchange(ada)
    federation.coordinator.propose()
    federation.exchange(ada)
    (waiting,) = Gate(ada).pending()
    assert forget(ada, _of_fold(ada, "calibration")).drafts == ("report",)
    (step,) = work(ada).steps
    assert (step.kind, step.state, step.digest == waiting.digest) == ("report", "pending", False)


def test_a_draft_that_was_rejected_stays_rejected(federation: Federation, ada: SiteHome) -> None:
    federation.allow(ada, statistics={"approval": "each"})
    work(ada)
    (waiting,) = Gate(ada).pending()
    Gate(ada).reject(waiting.digest, read_private_key(ada.keys_path / "approver.pem"), "not this one")
    patient = _of_fold(ada, "train")
    forget(ada, patient)
    assert _found_in(ada, {"pseudonym": patient.encode()}) == {}
    assert work(ada).steps == ()
    assert read_progress(ada).contributions == {"statistics/b0001": waiting.digest}


STEPS = ("erase_vectors", "rename_patient", "keep_only", "_write_anew", "drop_draft")


@pytest.mark.parametrize("step", STEPS)
def test_a_kill_in_between_is_made_good(
    federation: Federation, ada: SiteHome, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    federation.allow(ada, "statistics", "weights", "report", weights={"approval": "each"})
    federation.event(ada)
    patient = _of_fold(ada, "train")
    traces = _traces(ada, patient)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(site_agent.forget.forgetting, step, killed)
        with pytest.raises(KeyboardInterrupt):
            forget(ada, patient)
    again: Callable[[], object] = (lambda: forget(ada, patient)) if step == "_write_anew" else (lambda: finish(ada))
    again()
    assert _found_in(ada, traces) == {}


def test_a_batch_of_which_nobody_is_left_is_no_batch(federation: Federation) -> None:
    ada = federation.hospital("ada", {"dark": 1})
    forget(ada, find_patient(ada, "dark-0"))
    assert ada.archive.catalogue.batches() == []
    assert work(ada).steps == ()
    federation.take_in(ada, {"dark": 2}, first=100)
    assert ada.archive.catalogue.batches() == ["b0002"]


def test_a_folder_of_forgotten_patients_only_is_refused_in_one_line(federation: Federation) -> None:
    ada = federation.join("ada")
    folder = federation.images("ada", {"dark": 1})
    ingest(ada.archive, ada.vocabulary, ada.label_map, folder)
    forget(ada, find_patient(ada, "dark-0"))
    with pytest.raises(DataError, match="forgotten on"):
        ingest(ada.archive, ada.vocabulary, ada.label_map, folder)


def test_experts_that_learnt_from_the_patients_batch_are_gone(ada: SiteHome) -> None:
    patient, own = _of_fold(ada, "train"), ada.experts / "own"
    batch = next(case.batch for case in ada.archive.catalogue.cases() if case.patient == patient)
    names = (f"segmentation-{batch}-ab", f"contour-{batch}-cd.safetensors", "segmentation-b0099-ef.safetensors")
    (own / names[0]).mkdir(parents=True)
    for name in names[1:]:
        (own / name).write_bytes(b"weights")
    assert forget(ada, patient, dry_run=True).experts == 2
    assert len(list(own.iterdir())) == 3
    assert "2 experts that learnt from the patient" in "\n".join(forget(ada, patient).lines())
    assert [path.name for path in own.iterdir()] == [names[2]]
