"""What the commands share."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from federated.errors import ConsiliumError
from site_agent.home import SiteHome
from site_agent.options import has_images, open_home, print_model, words
from site_agent.steps import Step


def test_words_stand_between_commas() -> None:
    assert words(" statistics, report ,,") == ["statistics", "report"]
    assert words("") == []


def test_a_home_is_opened_or_told_to_be_none(home: SiteHome, tmp_path: Path) -> None:
    assert open_home(home.path).config == home.config
    with pytest.raises(ConsiliumError, match="is not a site's home"):
        open_home(tmp_path)


def test_a_model_is_printed_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    step = Step(kind="statistics", subject="batch b0001", state="same")
    print_model(step)
    assert json.loads(capsys.readouterr().out) == step.model_dump(mode="json")


def test_a_new_home_has_no_images(home: SiteHome) -> None:
    assert not has_images(home)
