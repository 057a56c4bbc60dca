"""What may stand in an address in the place of a name, a number or a filter."""

from __future__ import annotations

from urllib.parse import quote

from hypothesis import strategies as st
from starlette.testclient import TestClient

HOSTILE = (
    *(
        "0",
        "-1",
        "1",
        "2",
        "99999999999999999999",
        "1e3",
        "0x1",
        "²",
        "٣",
        " 1",
        "1 ",
        "",
        "x",
        "ada",
        "nobody",
        "None",
    ),
    *(
        "sha256:" + "0" * 64,
        "0" * 64,
        "../../etc/passwd",
        "..",
        "%00",
        "\u2028",
        "<script>alert(1)</script>",
        "{{7*7}}",
    ),
    *(
        "a" * 300,
        "' OR 1=1 --",
        "ada' --",
        '"',
        "\x1b[31m",
        "%",
        "*",
        "[",
        "\\",
        "recall",
        "release",
        "=cmd|' /C calc'!A0",
    ),
)
WORDS = st.sampled_from(HOSTILE) | st.text(max_size=8)
QUERIES = st.dictionaries(
    st.sampled_from(
        ["page", "release", "site", "event", "label", "measure", "standing", "kind", "q", "order", "rows", "x"]
    ),
    WORDS,
    max_size=3,
)
FINE = {200, 303, 400, 404}


def path_of(form: str, word: str) -> str:
    """The place, with a word where it has room for one."""
    for name in ("site", "number", "name", "digest"):
        form = form.replace(f"{{{name}}}", quote(word, safe=""))
    return form


def looked_at(asked: TestClient, form: str, word: str, query: dict[str, str]) -> None:
    """A page, or one line that there is none."""
    answer = asked.get(path_of(form, word), params={key: value.encode() for key, value in query.items()})
    assert answer.status_code in ({200} if "{" not in form and not query else FINE), (answer.url, answer.status_code)
    assert "<script>alert" not in answer.text
    assert "root:x:" not in answer.text
