from __future__ import annotations

from pathlib import Path

import pytest

from federated.audit.dossier.stated import MAX_BYTES, Stated, read_stated
from federated.errors import ConsiliumError


def test_what_is_stated_is_read_and_the_rest_is_not_stated(tmp_path: Path) -> None:
    path = tmp_path / "statements.toml"
    path.write_text('ethics = "Board of St. Mary, 12/2026."\nfunding = "None."\n')
    found = read_stated(path)
    assert found == Stated(ethics="Board of St. Mary, 12/2026.", funding="None.")
    assert found.intended_use is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('ethic = "x"', "known are intended_use, intended_users"),
        ("ethics = 3", "ethics"),
        ('ethics = ""', "ethics"),
        ('ethics = "' + "x" * 2001 + '"', "ethics"),
        ("ethics", "is no TOML"),
        ("#" * (MAX_BYTES + 1), f"is longer than {MAX_BYTES} bytes"),
    ],
)
def test_what_is_none_is_one_line(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "statements.toml"
    path.write_text(text)
    with pytest.raises(ConsiliumError) as found:
        read_stated(path)
    assert words in str(found.value)
    assert str(path) in str(found.value)
    with pytest.raises(ConsiliumError, match="missing"):
        read_stated(tmp_path / "missing")
