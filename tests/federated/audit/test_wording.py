"""Sentences that a person who knows no formula can read, and that promise no more than was computed."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from federated.audit.explain import Evidence, Explanation, explain
from federated.audit.wording import REASONS, sentences
from federated.decision import Step
from federated.decision_record import Why
from tests.decision_making import a_flag

GOLDEN = """\
Image 80.png of clip c: sub.
The score of sub is 0.986, its probability 100 %. Next is a4c with under 1 %.
Mostly nobody knows: 53 % of the evidence is the prior's, for sites have few such images.
ada: of ada's own patients 3 % fit it no better than this image (p 0.027); it is not qualified.
  It put 0.000 into the score of sub. Its weight for this image is 0.000.
  Without ada, fitted again: nothing would change.
"""


@pytest.fixture(scope="module")
def found(federation: Any) -> Explanation:
    model, features = federation.model(federation.release()), federation.folds["cem"]["test"].features[[80]]
    return explain(model.decide(features, ["80.png"], ["c"])[0], Evidence(model, features))


def test_golden_sentences(found: Explanation) -> None:
    lines = sentences(found)
    assert "\n".join(lines[:6]).replace(", more than 0.05 is needed", "") + "\n" == GOLDEN
    assert lines[-1].startswith(
        "  Without cem, fitted again: nothing would be answered, for no other site is qualified"
    )
    assert "sub would score 0.000 instead of 0.986 (-0.986)" in lines[-1]


def test_the_auditors_page_shows_what_is_really_said(make_federation: Any) -> None:
    """Three made-up sites, with weights that silence nobody."""
    federation = make_federation(weighting="none")
    model, features = federation.model(federation.release()), federation.folds["ada"]["test"].features[[5]]
    lines = sentences(explain(model.decide(features, ["7.png"], ["c"])[0], Evidence(model, features)))
    page = (Path(__file__).resolve().parents[3] / "docs" / "audit.md").read_text(encoding="utf-8")
    assert " ".join(" ".join(lines).split()) in " ".join(page.split())


def test_a_share_is_never_called_an_influence(found: Explanation) -> None:
    words = " ".join(sentences(found)).lower()
    assert "influence" not in words
    assert "effect" not in words
    for line in sentences(found):
        assert ("would" in line) == line.strip().startswith("Without")


def test_a_refusal_says_why_and_about_which_label_it_speaks(federation: Any) -> None:
    model = federation.model(federation.release())
    nowhere = federation.draw(np.random.default_rng(5), "nowhere", "foreign", 1, "test")
    lines = sentences(explain(model.decide(nowhere.features, list("abcd"), list(nowhere.clips))[0], Evidence(model)))
    assert lines[0].endswith("nothing was answered. No site is qualified (largest p-value 0.027, 0.05 needed).")
    assert lines[1] == "The label with the largest score is psax; what follows is about it."
    assert lines[3] == "Warning: foreign evidence only: every site that labels it finds the image unlike its own."
    assert lines[4].startswith("Mostly nobody knows: ")
    assert sum("it is not qualified, more than 0.05 is needed" in line for line in lines) == 3


def test_what_was_not_answered_to_the_end(found: Explanation) -> None:
    way = (Step(concept="heart", probability=0.99), Step(concept="sub", probability=0.6, margin=0.1, doubt=0.25))
    lines = sentences(found.model_copy(update={"label": "heart", "path": way}))
    assert lines[0] == "Image 80.png of clip c: heart. Of what lies below it sub is the likeliest, but not surely."
    assert lines[2] == "The way down: heart (99 %), sub (60 %, doubt 0.250)."


@pytest.mark.parametrize("why", get_args(Why))
def test_what_became_known_is_said(found: Explanation, why: Why) -> None:
    for overruled, more in ((True, "; somebody decided otherwise"), (False, "")):
        flag = a_flag(3, 1, why=why, overruled=overruled, truth="plax")
        assert f"Flagged later as plax ({REASONS[why]}){more}." in sentences(
            found.model_copy(update={"flags": (flag,)})
        )


def test_a_clip_is_called_one(found: Explanation) -> None:
    lines = sentences(found.model_copy(update={"image": None}))
    assert lines[0] == "Clip c: sub."
    assert sum("fit it no better than this clip" in line for line in lines) == 3
    assert not any("this image" in line for line in lines)


def test_names_that_do_not_print_are_written_out(found: Explanation) -> None:
    lines = sentences(found.model_copy(update={"image": "\x1b[2Ja\nb"}))
    assert lines[0] == "Image \\x1b[2Ja\\nb of clip c: sub."


def test_where_sites_disagree_and_who_has_not_reported(found: Explanation) -> None:
    sites = tuple(site.model_copy(update={"calibration": "none", "qualified": True}) for site in found.sites)
    changed = found.model_copy(
        update={"standing": "sites disagree", "disagreement": 0.6, "prior": 0.3, "sites": sites, "rule": "gated"}
    )
    lines = sentences(changed)
    assert "Mostly sites disagree: 60 % of the evidence lies where their images of one label differ." in lines
    assert "Of the evidence 30 % is nobody's (prior)." in lines
    assert "ada: has reported no patients, so that it is qualified for everything." in lines
    assert any("by the rule 'gated'" in line for line in lines)
