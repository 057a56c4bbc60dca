"""Kinds and states in words that need no knowledge of the program."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from federated.web.exchange import Missing

KINDS: Mapping[str, str] = {
    "statistics": "Sums over the images of a batch",
    "features": "Features of every image of a batch",
    "weights": "A network that has learnt from a batch",
    "synthetic": "Made-up images that stand for a batch",
    "consultation": "What all experts say of every image of a batch",
    "update": "A network after a round of training here",
    "report": "Counts of how a candidate did on this hospital's patients",
    "summary": "Sums over the answers that were given here",
    "decision": "One answer that was given here, with the features behind it",
    "adoption": "Which release this hospital uses",
    "withdrawal": "Which contributions this hospital takes back",
}
ABBREVIATION = re.compile(r"\(([A-Za-z0-9/ -]{1,12})\)$")
WORD = re.compile(r"[^\s,:;]+")
HEX = re.compile(r"[0-9a-f]{64}")


def subject_of(manifest: Any) -> str:
    """What a parcel is about, beside its kind; empty where the kind says it all."""
    batch, number = getattr(manifest, "batch", None), getattr(manifest, "number", None)
    if batch is not None:
        return "all batches" if batch == "all" else f"batch {batch}"
    return "" if number is None else f"number {number}"


def short_of(meaning: str) -> str:
    """The abbreviation that stands in brackets at the end, as plots have room for; else the words themselves."""
    found = ABBREVIATION.search(meaning)
    return found.group(1) if found else meaning


def in_words(line: str, meanings: Mapping[str, str]) -> str:
    """A line with what each code in it stands for beside the code."""

    def told(found: re.Match[str]) -> str:
        code = found.group()
        meaning = meanings.get(code, code)
        return code if meaning == code else f"{code} ({short_of(meaning)})"

    return WORD.sub(told, line)


def digest_of(path: Mapping[str, str]) -> str:
    """The digest that an address names.

    Raises:
        Missing: it names none.
    """
    name = path["digest"]
    if not HEX.fullmatch(name):
        raise Missing("There is no such parcel.")
    return f"sha256:{name}"
