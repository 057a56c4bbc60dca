"""A home's configuration is read in words, and held by one process at a time."""

from __future__ import annotations

import pytest

from federated.errors import ConsiliumError
from federated.homes import held, read_config
from federated.vocabulary import Concept

MISSING = ConsiliumError("is not a home", where="here", cure="make one")


def test_a_configuration_is_read(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text('code = "a4c"\nscheme = "local"\nmeaning = "four chambers"\n', encoding="utf-8")
    assert read_config(path, Concept, missing=MISSING).code == "a4c"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "is not a home; make one"),
        ("code = 7", "code"),
        ("code =", "cannot be read"),
        ("day = 2020-01-01", "code: is missing"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path, text, said):
    path = tmp_path / "config.toml"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(ConsiliumError) as caught:
        read_config(path, Concept, missing=MISSING)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_one_at_a_time(tmp_path):
    with held(tmp_path, by="another command", seconds=0):
        waiting = held(tmp_path, by="another command", seconds=0.1)
        with pytest.raises(ConsiliumError, match="another command is at work here; wait until"), waiting:
            pytest.fail("two hold one home")
    with held(tmp_path, by="another command", seconds=0):
        assert (tmp_path / "lock").is_file()
