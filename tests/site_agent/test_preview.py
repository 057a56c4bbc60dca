from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace

import pytest

from federated.disclosure import Facts
from federated.manifest import SITE_KINDS
from site_agent.egress import Draft, Gate
from site_agent.home import SiteHome
from site_agent.policy import default_policy, sign_policy, write_policy
from site_agent.preview import INFERENCES, inferences

MakeDraft = Callable[..., Draft]


def _facts(patients: int, features: int, level: int = 2) -> Facts:
    cells = {("train", "a4c"): frozenset(f"p{number}" for number in range(patients))}
    return Facts("statistics", level, features, cells, 0.1, 100)


def test_preview_shows_what_leaves_to_whom_and_under_which_rules(open_home: SiteHome, make_draft: MakeDraft) -> None:
    draft = make_draft("statistics")
    lines = Gate(open_home).preview(draft).lines()
    assert lines[0].startswith(f"statistics {draft.digest}: ")
    assert lines[0].endswith(" bytes to 'hub'")
    assert "  train.gram: F64[6], 48 bytes" in lines
    assert "to whom: the coordinator 'hub' gets all of it, level 2" in lines
    assert "to whom: every site and auditor gets the class sums through releases, level 1" in lines
    assert "filter cell passes: at least 1, found 10" in lines
    assert "filter level_to_coordinator passes: at most 2, found 2" in lines
    assert lines[-1] == "may leave"


def test_preview_of_a_refusal_shows_every_filter_and_the_cure(home: SiteHome, make_draft: MakeDraft) -> None:
    lines = Gate(home).preview(make_draft("statistics", range(16))).lines()
    assert (
        "filter cell REFUSES: at least 5, found 4; leave label 'a4c' out of fold 'train', or wait for 1 more patients "
        "with it"
    ) in lines
    refused = "filter gram_share REFUSES: at most 0.33, found 3/8=0.375; set level_to_coordinator to 1 in the policy"
    assert any(line.startswith(refused) for line in lines)
    assert any(line.startswith("approval: refused by policy: ") for line in lines)
    assert lines[-1] == "stays here"


def test_default_policy_shows_that_the_kind_is_switched_off(
    home: SiteHome, make_draft: MakeDraft, approver: object
) -> None:
    write_policy(home, default_policy("test", "ada"))
    sign_policy(home, approver)  # type: ignore[arg-type]
    preview = Gate(home).preview(make_draft("statistics"))
    assert preview.approval.startswith("refused by policy: policy.toml: 'statistics' is not allowed out; set allowed")


def test_a_preview_changes_nothing(open_home: SiteHome, make_draft: MakeDraft) -> None:
    gate = Gate(open_home)
    gate.preview(make_draft("statistics"))
    assert gate.pending() == []
    assert not any(open_home.pending.iterdir())
    assert not any(open_home.outbox.iterdir())
    assert gate.receipts() == []


def test_few_patients_in_plain_words() -> None:
    assert inferences(_facts(33, 500)) == (
        "train: with 33 patients and 500 features the Gram matrix fixes the features up to a rotation",
        "class sums show the mean features of each label, over 33 patients at least",
        "two uploads that differ by one patient reveal that patient's features",
    )


def test_many_patients_and_one_patient_in_plain_words() -> None:
    assert "8 patients a feature" in inferences(_facts(400, 50))[0]
    assert "one of a single patient" in inferences(_facts(1, 1))[1]


def test_class_sums_alone_say_nothing_of_gram_matrices() -> None:
    assert not any("Gram" in line for line in inferences(_facts(33, 500, level=1)))


def test_a_report_with_few_patients_in_plain_words(make_draft: MakeDraft) -> None:
    facts = make_draft("report").facts
    assert len(inferences(facts)) == 1
    few = inferences(replace(facts, features=60))[1]
    assert few == "with 10 patients and 60 directions a class covariance fixes the features there up to a rotation"


@pytest.mark.parametrize("kind", SITE_KINDS)
def test_every_kind_says_what_could_be_inferred(kind: str, make_draft: MakeDraft) -> None:
    assert set(INFERENCES) == set(SITE_KINDS)
    assert all(line and "\n" not in line for line in inferences(make_draft(kind).facts))


def test_a_program_can_read_it(open_home: SiteHome, make_draft: MakeDraft) -> None:
    shown = json.loads(json.dumps(asdict(Gate(open_home).preview(make_draft("statistics")))))
    assert shown["tensors"][0] == {"name": "train.class_sums", "dtype": "F64", "shape": [3, 2], "bytes": 48}
    assert {check["name"] for check in shown["checks"]} >= {"cell", "batch", "difference"}


def test_no_pseudonym_is_shown(open_home: SiteHome, make_draft: MakeDraft) -> None:
    assert "p13" not in "\n".join(Gate(open_home).preview(make_draft("statistics")).lines())


def test_a_matrix_of_one_label_is_shown_with_what_it_leaves_over() -> None:
    cells = {("train", "psax"): frozenset({"p1", "p2"}), ("train", "a4c"): frozenset({"p2", "p3", "p4"})}
    lines = inferences(Facts("statistics", 2, 100, cells, 0.1, 100, coarse=("psax",)))
    shown = [line for line in lines if "fixes the features up to a rotation" in line]
    assert [line.partition(": with ")[0] for line in shown] == ["train", "train, label psax", "train, other labels"]
    assert [line.partition(": with ")[2][0] for line in shown] == ["4", "2", "3"]


def test_counts_of_steps_are_told() -> None:
    cells = {("calibration", "any"): frozenset({"p1"})}
    told = "counts of steps down show how often labels that lie beside each other were mistaken"
    assert told not in inferences(Facts("report", None, None, cells, 0.0, 1))
    assert told in inferences(Facts("report", None, None, cells | {("steps", "psax"): frozenset({"p1"})}, 0.0, 1))


def test_preview_of_a_consultation_says_how_much_of_every_image_leaves(
    open_home: SiteHome, make_draft: MakeDraft
) -> None:
    lines = Gate(open_home).preview(make_draft("consultation")).lines()
    numbers = (
        "could be inferred: 9 numbers of every image of 40 patients (40 rows in all), as many as a picture of 3 x 3 "
        "pixels has: where the images are no larger, more than the images themselves"
    )
    assert numbers in lines
    assert "to whom: every site and auditor gets the gate and cross heads learnt from it through releases" in lines


def test_preview_of_a_network_says_that_it_stays_with_every_site(open_home: SiteHome, make_draft: MakeDraft) -> None:
    network = Gate(open_home).preview(make_draft("weights", architecture="small_resnet18"))
    head = Gate(open_home).preview(make_draft("weights"))
    line = "every other site gets the whole network where the federation consults experts, and keeps it"
    assert line in network.audience
    assert line not in head.audience


def test_preview_of_a_network_of_a_task_that_exchanges_them_says_that_every_site_gets_it(
    open_home: SiteHome, make_draft: MakeDraft
) -> None:
    draft = make_draft("weights", architecture="unet", task="segmentation")
    assert "every other site gets the whole network, and keeps it" in Gate(open_home).preview(draft).audience


def test_preview_of_a_report_says_what_an_auditor_gets(open_home: SiteHome, make_draft: MakeDraft) -> None:
    line = "an auditor gets all of it where Gram matrices may go on to other sites, else its manifest"
    assert line in Gate(open_home).preview(make_draft("report")).audience
    assert line not in Gate(open_home).preview(make_draft("statistics")).audience


@pytest.mark.parametrize("kind", ["summary", "decision"])
def test_what_auditors_get_of_answers_is_said(open_home: SiteHome, make_draft: MakeDraft, kind: str) -> None:
    line = "an auditor gets all of it, in a bundle that the coordinator makes"
    assert line in Gate(open_home).preview(make_draft(kind)).audience


@pytest.mark.parametrize(("level", "said"), [(1, "its manifest, and no more of it"), (2, "this parcel itself")])
def test_preview_of_statistics_says_what_an_auditor_gets(
    open_home: SiteHome, make_draft: MakeDraft, level: int, said: str
) -> None:
    audience = Gate(open_home).preview(make_draft("statistics", level_to_sites=level)).audience
    assert f"an auditor gets {said}, as well" in audience
