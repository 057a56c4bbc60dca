from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader

from federated.audit.limits import LIMITS

TEMPLATES = Path(__file__).resolve().parents[3] / "federated" / "audit_pages" / "templates"


def test_what_nothing_catches_is_told_once_and_in_whole_sentences() -> None:
    assert len({limit.title for limit in LIMITS}) == len(LIMITS) >= 4
    told = " ".join(limit.title for limit in LIMITS)
    assert all(word in told for word in ("statistics", "labels", "image", "together"))
    assert all(limit.words.endswith(".") for limit in LIMITS)


def test_the_auditors_page_takes_its_words_from_here() -> None:
    source, _, _ = FileSystemLoader(TEMPLATES).get_source(Environment(autoescape=True), "audit_limits.html")
    assert "limit.words" in source
    assert not [limit.title for limit in LIMITS if limit.words in source]
