"""What is wrong with values that a person or a file gave, in words; the forms of names, labels, digests and keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import ValidationError

NAME = r"^[a-z0-9][a-z0-9_.-]{0,62}$"
LABEL = r"^[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}$"
DIGEST = r"^sha256:[0-9a-f]{64}$"
PUBLIC_KEY = r"^[0-9a-f]{64}$"
ADDRESS = r"^[^\s:/]+:\d{1,5}$"

FORMS = {
    NAME: "is no name: use at most 63 of a-z, 0-9, '.', '_' and '-', a letter or digit first",
    LABEL: "is no label: use at most 64 of letters, digits, '.', '_', '+' and '-', a letter or digit first",
    DIGEST: "is no digest: 'sha256:' and 64 hexadecimal digits",
    PUBLIC_KEY: "is no public key: 64 hexadecimal digits",
    ADDRESS: "is no address: host:port",
}
SHOWN = 70


def first_fault(error: ValidationError) -> str:
    """Field and reason of the first thing that is wrong, without a library's own wording."""
    first: Any = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"] if part != "[key]")
    reason = _reason(first)
    return f"{place}: {reason}" if place else reason


def shown(text: str) -> str:
    """The beginning of somebody's text, fit for one line."""
    return "".join(character if character.isprintable() else "?" for character in text[:SHOWN])


def _reason(fault: dict[str, Any]) -> str:
    kind, context = fault["type"], fault.get("ctx", {})
    if kind == "missing":
        return "is missing"
    if kind == "extra_forbidden":
        return "is not known here"
    if kind == "json_invalid":
        return f"is not JSON ({context['error']})"
    if kind == "string_pattern_mismatch":
        return f"'{shown(fault['input'])}' {FORMS.get(context['pattern'], 'has the wrong form')}"
    if kind == "value_error":
        return str(context["error"])
    return str(fault["msg"]).replace("Input should ", "should ")
