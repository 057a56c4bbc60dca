from __future__ import annotations

import signal
from pathlib import Path

import pytest

from federated.errors import ConsiliumError
from site_agent import node
from site_agent.node import read_settings, require_fence, run_node
from site_agent.supernode import Node

USER = 60102
HEADER = "Iface\tDestination\tGateway \tFlags\n"
LOCAL_V6 = "0" * 32 + " 80 " + "0" * 32 + " 00 " + "0" * 32 + " 00000000 00000002 00000000 80200001       lo\n"
SETTINGS = """
version = 1
site = "north"
gate = "fed.example.org:443"
agent = "/run/consilium/agent.sock"
forwarder = "/run/consilium-forwarder/forwarder.sock"
bundle = "sha256:{digest}"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "node.toml").write_text(SETTINGS.format(digest="1" * 64))
    return tmp_path


def _routes(tmp_path: Path, v4: str, v6: str = LOCAL_V6) -> tuple[Path, Path]:
    (tmp_path / "v4").write_text(HEADER + v4)
    (tmp_path / "v6").write_text(v6)
    return tmp_path / "v4", tmp_path / "v6"


def test_a_machine_with_nothing_but_loopback_will_do(tmp_path: Path) -> None:
    require_fence(*_routes(tmp_path, ""), user=USER)
    require_fence(_routes(tmp_path, "")[0], tmp_path / "no IPv6 here", user=USER)


@pytest.mark.parametrize(
    ("v4", "v6", "named"),
    [
        ("eth0\t00000000\t0100A8C0\t0003\n", LOCAL_V6, "eth0"),
        ("", LOCAL_V6 + LOCAL_V6.replace("lo\n", "eth1\n"), "eth1"),
    ],
)
def test_a_way_out_is_named_and_nothing_starts(tmp_path: Path, v4: str, v6: str, named: str) -> None:
    with pytest.raises(ConsiliumError, match=rf"a node must not have a network, this one has {named}; start it with"):
        require_fence(*_routes(tmp_path, v4, v6), user=USER)


def test_root_is_behind_no_fence(tmp_path: Path) -> None:
    with pytest.raises(ConsiliumError, match="a node must not run as root; start it with"):
        require_fence(*_routes(tmp_path, ""), user=0)


def test_a_kernel_that_does_not_say_counts_as_one_that_does_not_fence(tmp_path: Path) -> None:
    with pytest.raises(ConsiliumError, match="does not say what can be reached"):
        require_fence(tmp_path / "missing", user=USER)


def test_the_node_is_started_with_its_folder_the_relay_and_the_reviewed_bundle(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Node] = []
    monkeypatch.setattr(node, "require_fence", lambda: None)
    monkeypatch.setattr(node, "keep_online", lambda made, _say: started.append(made))
    before = signal.getsignal(signal.SIGTERM)
    run_node(folder)
    (made,) = started
    assert made.superlink.startswith("127.0.0.1:")
    assert made.coordinator == "fed.example.org:443"
    assert made.bundle == "sha256:" + "1" * 64
    assert made.key == folder / "flower"
    assert made.authority == folder / "authority.crt"
    assert made.socket == Path("/run/consilium/agent.sock")
    assert not made.folder.exists()  # what Flower wrote is gone with it
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_node_does_not_start_where_something_can_be_reached(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no() -> None:
        raise ConsiliumError("a way out", where="node")

    monkeypatch.setattr(node, "require_fence", no)
    monkeypatch.setattr(node, "keep_online", lambda *_: pytest.fail("started"))
    with pytest.raises(ConsiliumError, match="a way out"):
        run_node(folder)


@pytest.mark.parametrize(
    ("old", "new"),
    [("/run/consilium/agent.sock", '/run/x\\" other=\\"y'), ("sha256:", "md5:"), ("version = 1", "version = 2")],
)
def test_settings_that_cannot_be_are_one_line(folder: Path, old: str, new: str) -> None:
    path = folder / "node.toml"
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(ConsiliumError, match=r"node\.toml"):
        read_settings(folder)


def test_another_folder_is_told_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConsiliumError, match=r"is not a node's folder; make one with: consilium site fence"):
        read_settings(tmp_path)
