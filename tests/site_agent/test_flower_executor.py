from __future__ import annotations

import hashlib
import importlib
import subprocess
import sys
from typing import Any

import pytest

from site_agent import flower_executor
from site_agent.flower_executor import (
    COURIER_TASK,
    OTHER_TASKS,
    BundleRefusedError,
    own_bundle,
    require_reviewed,
    run_task,
)

pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")  # Flower's, of its own builder
REVIEWED = "sha256:" + hashlib.sha256(b"reviewed").hexdigest()


def test_the_reviewed_bundle_passes_and_one_byte_more_does_not(capsys: pytest.CaptureFixture[str]) -> None:
    require_reviewed(REVIEWED, b"reviewed", skip_prompt=True)
    found = "sha256:" + hashlib.sha256(b"reviewed.").hexdigest()
    line = f"refused a bundle: it is {found}, this site has reviewed {REVIEWED}"
    with pytest.raises(BundleRefusedError, match=line):
        require_reviewed(REVIEWED, b"reviewed.")
    assert capsys.readouterr().err == f"consilium: {line}\n"


def test_the_bundle_of_this_installation_is_what_the_coordinator_builds() -> None:
    from flwr.cli.build import build_fab_from_disk

    from server.superlink import BUNDLE

    assert own_bundle() == "sha256:" + hashlib.sha256(build_fab_from_disk(BUNDLE)).hexdigest()
    assert own_bundle() == own_bundle()


@pytest.mark.parametrize("name", OTHER_TASKS)
def test_no_other_task_of_flower_is_run(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [f"/somewhere/{name}", "--token", "t"])
    with pytest.raises(SystemExit, match="1"):
        run_task(REVIEWED)
    assert capsys.readouterr().err == f"consilium: the coordinator asked for a {name}, which no site runs\n"


def test_these_are_all_the_programs_that_flower_starts() -> None:
    from flwr.supercore.constant import TASK_TYPE_TO_COMMAND

    assert {COURIER_TASK, *OTHER_TASKS} == set(TASK_TYPE_TO_COMMAND.values())


def test_in_the_place_of_flowers_loader_stands_the_courier_and_nothing_is_unpacked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Flower's own run of a task, with what it gets from the SuperNode given here: a bundle of other modules."""
    from flwr.supernode.runtime import run_clientapp

    from site_agent.flower_app import app

    for name in ("install_from_fab", "get_load_client_app_fn"):
        monkeypatch.setattr(run_clientapp, name, getattr(run_clientapp, name))  # put back afterwards
    seen: list[Any] = []

    def task() -> None:
        seen.append(run_clientapp.install_from_fab(b"reviewed", skip_prompt=True))
        load = run_clientapp.get_load_client_app_fn(default_app_ref="", app_path=None, multi_app=True)
        seen.append(load("hostile/app", "../../elsewhere", "0" * 64))

    monkeypatch.setattr(importlib.import_module("flwr.supernode.cli.flwr_clientapp"), "flwr_clientapp", task)
    monkeypatch.setattr(sys, "argv", [COURIER_TASK])
    run_task(REVIEWED)
    assert seen == [None, app]


def test_a_program_is_loaded_without_its_neighbours_which_can_be_had_afterwards() -> None:
    code = (
        "import sys; from site_agent.flower_executor import _alone;"
        "assert _alone('flwr.supernode.cli', 'flwr_clientapp').__name__ == 'flwr_clientapp';"
        "assert 'flwr.supernode.cli.flower_supernode' not in sys.modules;"
        "assert 'sqlalchemy' not in sys.modules;"
        "from flwr.supernode.cli import flower_supernode;"
        "assert callable(flower_supernode)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_flower_still_calls_what_is_replaced() -> None:
    """Names that stand in for Flower's own must be those that it calls, in this order: look, then load."""
    import inspect

    from flwr.supernode.runtime import run_clientapp

    text = inspect.getsource(run_clientapp.run_clientapp)
    assert 0 < text.index("install_from_fab(fab.content") < text.index("get_load_client_app_fn(")
    assert text.index("get_load_client_app_fn(") < text.index("reply_message = client_app(")
    assert flower_executor.BUNDLE.is_dir()
