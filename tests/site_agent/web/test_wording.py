from __future__ import annotations

import pytest

from federated.manifest import SITE_KINDS
from federated.web.exchange import Missing
from site_agent.web.wording import KINDS, digest_of, in_words, short_of


def test_every_kind_that_a_site_sends_has_words() -> None:
    assert set(KINDS) == set(SITE_KINDS)


WRONG = ("", "ab", "../../etc/passwd", "AB" * 32, "<script>", "ab" * 32 + "\n", "sha256:" + "ab" * 32)


@pytest.mark.parametrize("name", WRONG)
def test_an_address_that_names_no_digest_leads_nowhere(name: str) -> None:
    with pytest.raises(Missing):
        digest_of({"digest": name})


def test_an_address_names_a_digest() -> None:
    assert digest_of({"digest": "ab" * 32}) == "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("meaning", "short"),
    [("apical four-chamber (A4C)", "A4C"), ("apical, any view (AP)", "AP"), ("dark", "dark"), ("a (b) c", "a (b) c")],
)
def test_plots_take_the_abbreviation(meaning: str, short: str) -> None:
    assert short_of(meaning) == short


def test_a_code_is_followed_by_what_it_stands_for_and_a_longer_number_is_none() -> None:
    meanings = {"399214001": "apical four-chamber (A4C)", "dark": "dark"}
    said = in_words("train, label 399214001: dark, not 3992140011", meanings)
    assert said == "train, label 399214001 (A4C): dark, not 3992140011"
