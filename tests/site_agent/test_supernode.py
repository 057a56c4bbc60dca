from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from federated.errors import ConsiliumError
from site_agent import supernode
from site_agent.flower_executor import COURIER_TASK, OTHER_TASKS
from site_agent.home import SiteHome
from site_agent.supernode import HANGS, LogReader, Node, environment, keep_online, start, stop, write_programs

# Stands in for flower-supernode: notes how it was started and when it is asked to end, and says the next thing.
PROGRAM = """#!{python}
import json, os, signal, sys, time
from pathlib import Path
folder = Path({folder!r})
def note(**what):
    with (folder / "notes").open("a") as file:
        file.write(json.dumps(what) + "\\n")
def leave(*_):
    note(left=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, leave)
says = json.loads((folder / "says").read_text())
(folder / "says").write_text(json.dumps(says[1:]))
note(arguments=sys.argv[1:], environment=dict(os.environ), pid=os.getpid())
print(says[0], flush=True)
if "Exit Code" in says[0]:
    sys.exit(1)
time.sleep(60)
"""
REFUSED = "Exit Code: 305\n[code: 2004] Failed to activate SuperNode."
WRONG = "Exit Code: 305\n[SSL: CERTIFICATE_VERIFY_FAILED]"
ONLINE = "SuperNode ID: 7"


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    program = tmp_path / "bin" / "flower-supernode"
    program.parent.mkdir()
    program.write_text(PROGRAM.format(python=sys.executable, folder=str(tmp_path)))
    program.chmod(0o755)
    monkeypatch.setattr(supernode, "_program", lambda: program)
    (tmp_path / "flower").mkdir()
    files = (tmp_path / "ca.crt", tmp_path / "key", tmp_path / "a.sock", tmp_path / "flower")
    return Node("north", "hub:18000", *files, bundle="sha256:" + "0" * 64)


def _prepare(node: Node, *says: str) -> None:
    (node.folder.parent / "says").write_text(json.dumps(says))


def _notes(node: Node) -> list[dict[str, object]]:
    path = node.folder.parent / "notes"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


class Listener:
    """Collects what is said, and interrupts like Ctrl-C when it has heard enough."""

    def __init__(self, enough: int) -> None:
        self.lines: list[str] = []
        self._enough = enough

    def __call__(self, line: str) -> None:
        self.lines.append(line)
        if len(self.lines) == self._enough:
            signal.raise_signal(signal.SIGINT)


def test_a_site_that_is_let_in_at_last_says_so_once_and_signs_off_when_interrupted(node: Node) -> None:
    _prepare(node, REFUSED, REFUSED, REFUSED, ONLINE)
    say = Listener(enough=2)
    with pytest.raises(KeyboardInterrupt):
        keep_online(node, say, retry=0.1)
    refused = "hub:18000 does not let this site in: not enrolled yet, or its last stop was unclean (a minute)"
    assert say.lines == [
        f"{refused}; trying again every 0 s",
        "site 'north' is online at hub:18000; Ctrl-C stops",
    ]
    notes = _notes(node)
    assert ["left" in note for note in notes] == [False, False, False, False, True]


def test_each_reason_is_told_in_its_own_line(node: Node) -> None:
    _prepare(node, "Connection attempt failed, retrying\nExit Code: 1", WRONG, f"{ONLINE}\nExit Code: 201", ONLINE)
    say = Listener(enough=4)
    with pytest.raises(KeyboardInterrupt):
        keep_online(node, say, retry=0.1)
    ended = [line.partition(";")[0] for line in say.lines]
    assert "hub:18000 is not the SuperLink that the kit vouches for" in ended
    assert f"the SuperNode ended, see {node.log}" in ended


def test_the_node_is_told_its_key_its_authority_and_the_socket(node: Node) -> None:
    _prepare(node, ONLINE)
    process = start(node)
    try:
        deadline = time.monotonic() + 20
        while not _notes(node):
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        stop(process)
    arguments = _notes(node)[0]["arguments"]
    assert isinstance(arguments, list)
    given = dict(zip(arguments[::2], arguments[1::2], strict=True))
    assert given["--superlink"] == "hub:18000"
    assert given["--root-certificates"] == str(node.authority)
    assert given["--auth-supernode-private-key"] == str(node.key)
    assert given["--node-config"] == f'site="north" socket="{node.socket}"'
    assert given["--host"] == "127.0.0.1"
    assert "--insecure" not in arguments
    assert process.returncode is not None


def test_a_bundle_sees_nothing_of_the_environment_that_was_not_meant_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_PASSWORD", "secret")
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    monkeypatch.setenv("NO_PROXY", "intranet")
    known = environment(tmp_path, Path("/opt/consilium/bin"))
    assert "secret" not in str(known)
    assert known["https_proxy"] == "http://proxy:3128"
    assert known["NO_PROXY"] == "localhost,127.0.0.1,intranet"
    assert known["PATH"].split(os.pathsep)[0] == "/opt/consilium/bin"
    assert known["FLWR_TELEMETRY_ENABLED"] == "0"


def test_what_the_supernode_started_ends_with_it() -> None:
    code = (
        "import subprocess, sys, time;"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
        "print(child.pid, flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None
    child = int(process.stdout.readline())
    stop(process)
    process.stdout.close()
    deadline = time.monotonic() + 20
    while Path(f"/proc/{child}").exists() and "Z" not in Path(f"/proc/{child}/stat").read_text().split()[2]:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_what_the_agent_does_is_said_while_it_runs(home: SiteHome, monkeypatch: pytest.MonkeyPatch) -> None:
    def work(_node: Node, say: Callable[[str], None]) -> None:
        say("online")
        logging.getLogger("site_agent.agent").info("statistics: batch b0001 is in the outbox")
        logging.getLogger("site_agent.service").error("patient 4711 is in two splits")

    monkeypatch.setattr(supernode, "keep_online", work)
    said: list[str] = []
    supernode.run(home, say=said.append)
    assert said == ["online", "statistics: batch b0001 is in the outbox", "patient 4711 is in two splits"]
    assert not logging.getLogger("site_agent").handlers


def test_a_site_that_passes_parcels_as_files_has_no_node(home: SiteHome) -> None:
    alone = home.config.model_copy(update={"superlink": ""})
    home.config = alone
    with pytest.raises(ConsiliumError, match="the kit named no SuperLink; pass parcels as files"):
        supernode.run(home)


def test_a_machine_without_flower_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(supernode.sys, "executable", str(tmp_path / "python"))
    with pytest.raises(
        ConsiliumError, match=r"Flower is not installed; in a copy of the repository: pip install '\.\[site\]'"
    ):
        supernode._program()


def test_what_it_starts_are_our_programs_for_the_reviewed_bundle(tmp_path: Path) -> None:
    bundle = "sha256:" + "3" * 64
    folder = write_programs(tmp_path / "programs", bundle)
    assert {path.name for path in folder.iterdir()} == {"flower-superexec", COURIER_TASK, *OTHER_TASKS}
    assert all(os.access(path, os.X_OK) and path.stat().st_mode & 0o077 == 0 for path in folder.iterdir())
    other = subprocess.run([folder / "flwr-agentapp", "--token", "t"], capture_output=True, text=True, check=False)
    assert other.returncode == 1
    assert other.stderr == "consilium: the coordinator asked for a flwr-agentapp, which no site runs\n"
    assert bundle in (folder / COURIER_TASK).read_text()


def test_a_refused_bundle_is_told_in_one_line_once(node: Node) -> None:
    refused = "refused a bundle: it is sha256:1, this site has reviewed sha256:2"
    _prepare(node, f"{ONLINE}\nINFO: something\nconsilium: {refused}\nconsilium: {refused}\nand more")
    say = Listener(enough=2)
    with pytest.raises(KeyboardInterrupt):
        keep_online(node, say, retry=0.1)
    assert say.lines == ["site 'north' is online at hub:18000; Ctrl-C stops", refused]


def test_a_growing_log_is_read_once_and_in_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = LogReader(path)
    assert log.new_lines() == []
    path.write_bytes(b"one\ntwo\nthr")
    assert log.new_lines() == [b"one", b"two"]
    assert log.new_lines() == []
    with path.open("ab") as file:
        file.write(b"ee\n")
    assert log.new_lines() == [b"three"]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("HTTP 400 Bad Request", "the gate at fed:443 asks for a certificate: consilium site certificate"),
        ("SuperNode terminated gracefully.", "the gate at fed:443 does not know this site's certificate"),
        ("HTTP 502 Bad Gateway", "the forwarder does not reach fed:443"),
        ("TLS/SSL connection has been closed (EOF)", "the way to fed:443 is shut: is the forwarder running?"),
    ],
)
def test_what_the_gate_says_is_told_with_what_to_do(node: Node, said: str, told: str) -> None:
    _prepare(node, f"{said}\nExit Code: 305")
    say = Listener(enough=1)
    with pytest.raises(KeyboardInterrupt):
        keep_online(replace(node, gate="fed:443"), say, retry=0.1)
    assert say.lines[0].startswith(told)


def test_a_supernode_that_hangs_after_a_refusal_is_ended_and_started_again(node: Node) -> None:
    trace = "httpx.HTTPStatusError: Client error '403 Forbidden'\nflwr.supercore.run.RunNotRunningException"
    _prepare(node, trace, ONLINE)
    say = Listener(enough=2)
    with pytest.raises(KeyboardInterrupt):
        keep_online(node, say, retry=0.1)
    assert say.lines[0].startswith("hub:18000, or a proxy on the way, answers this site with 403")
    assert "online" in say.lines[1]


def test_flower_still_raises_what_this_is_known_by() -> None:
    from flwr.supercore.run import RunNotRunningException

    assert f"{RunNotRunningException.__module__}.{RunNotRunningException.__qualname__}".encode() == HANGS


def test_signs_that_no_person_can_read_do_not_reach_the_log(node: Node) -> None:
    _prepare(node, f"{ONLINE}\nconsilium: \x1b[2Jall is well\n")
    say = Listener(enough=2)
    with pytest.raises(KeyboardInterrupt):
        keep_online(node, say, retry=0.1)
    assert say.lines[1] == "?[2Jall is well"
