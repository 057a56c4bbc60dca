"""Takes what it can at a site: files, processes, addresses, the forwarder, the agent's socket; tells all of it."""

from __future__ import annotations

import ctypes
import json
import os
import socket
import ssl
import stat
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp

SYSTEM = {"/proc", "/sys", "/usr", "/opt", "/lib", "/lib64", "/bin", "/sbin"}
AGENT = "/consilium.site.Agent/"
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
HUGE = 200 * 2**20
FAMILIES = {"tcp": socket.AF_INET, "udp": socket.AF_INET, "tcp6": socket.AF_INET6, "unix": socket.AF_UNIX}
app = ClientApp()


@app.query("attack")
def attack(message: Message, context: Context) -> Message:
    """Everything, and what came of it."""
    record = message.content["wanted"]
    assert isinstance(record, ConfigRecord)
    wanted = json.loads(str(record["json"]))
    agent = str(context.node_config["socket"])
    found = {
        "user": os.getuid(),
        "taken": {path: _outcome(_read, path) for path in wanted["files"]},
        "readable": _readable(),
        "others": _other_processes(),
        "reached": {json.dumps(one): _outcome(_reach, *one) for one in wanted["addresses"]},
        "forwarder": {path: _outcome(_forwarder, wanted["forwarder"], path) for path in wanted["paths"]},
        "agent": _agent(agent, wanted["parcel"]),
        "escapes": {name: _outcome(act, *said) for name, (act, *said) in _escapes(agent).items()},
    }
    return Message(content=RecordDict({"found": ConfigRecord({"json": json.dumps(found)})}), reply_to=message)


def _outcome(act: Callable[..., Any], *said: Any) -> Any:
    """What an act gives, or the name of what came instead."""
    try:
        found = act(*said)
    except Exception as error:  # noqa: BLE001  whatever keeps it from what it wants
        return f"{type(error).__name__}: {error}"
    return "done" if found is None else found


def _read(path: str) -> str:
    return f"read {len(Path(path).read_bytes())} bytes"


def _readable() -> list[str]:
    """Every file outside the system's own folders whose bytes can be had."""
    found: list[str] = []
    for folder, names, files in os.walk("/"):
        names[:] = [name for name in names if str(Path(folder, name)) not in SYSTEM]
        for path in (Path(folder, name) for name in files):
            with suppress(OSError):
                if stat.S_ISREG(path.stat().st_mode):
                    with path.open("rb") as file:
                        file.read(1)
                    found.append(str(path))
    return found


def _other_processes() -> list[str]:
    """Processes of other users that are seen at all."""
    found: list[str] = []
    for folder in Path("/proc").iterdir():
        with suppress(OSError):
            if folder.name.isdecimal() and folder.stat().st_uid != os.getuid():
                found.append(folder.name)
    return found


def _reach(kind: str, *address: Any) -> str:
    """Connects, says something, and waits for an answer."""
    with socket.socket(FAMILIES[kind], socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM) as probe:
        probe.settimeout(3)
        probe.connect(address[0].replace("@", "\0") if kind == "unix" else tuple(address))
        probe.send(b"a patient")
        return f"reached: {probe.recv(16)!r}"


def _forwarder(path: str, asked: str) -> str:
    """Status of a call through the forwarder, with the site's certificate but without a node's signature."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.socket(socket.AF_UNIX) as plain:
        plain.settimeout(10)
        plain.connect(path)
        with context.wrap_socket(plain) as wrapped:
            said = f"POST {asked} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            wrapped.sendall(said.encode())
            return wrapped.recv(4096).split(b"\r\n")[0].decode()


def _agent(path: str, forged: str) -> dict[str, Any]:
    """The agent's socket, within its protocol and beyond."""
    asked = {
        "plain": ("Exchange", [b'{"settled":[]}']),
        "forged": ("Exchange", [b'{"settled":[]}', bytes.fromhex(forged)]),
        "garbage": ("Exchange", [b"\0" * 1000]),
        "huge": ("Exchange", [b"x" * HUGE]),
        "witness": ("Witness", [b"no checkpoint", b"no entry"]),
        **{name: (name, [b"{}"]) for name in ("Catalogue", "Keys", "Images", "Approve", "../Exchange", "")},
    }
    return {name: _outcome(_call, path, method, said) for name, (method, said) in asked.items()}


def _call(path: str, method: str, said: list[bytes]) -> Any:
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    try:
        with grpc.insecure_channel(f"unix:{path}", options=options) as channel:
            header, *parcels = list(channel.stream_stream(AGENT + method)(iter(said), timeout=60))
    except grpc.RpcError as error:
        return error.code().name
    return [json.loads(header)["code"], *(b64encode(parcel).decode() for parcel in parcels)]


def _escapes(agent: str) -> dict[str, tuple[Any, ...]]:
    """Ways out of the user, the namespaces and the read-only files: what is called, and with what."""
    own, programs = Path("/etc/consilium/node"), Path("/opt/consilium/.venv/bin")
    return {
        "root": (os.setuid, 0),
        "user namespace": (_system, "unshare", CLONE_NEWUSER),
        "network namespace": (_system, "unshare", CLONE_NEWNET),
        "mount": (_system, "mount", b"none", b"/tmp", b"tmpfs", 0, None),
        "signal": (os.kill, 1, 0),
        "raw socket": (_socket, socket.AF_INET, socket.SOCK_RAW, 1),
        "packet socket": (_socket, socket.AF_PACKET, socket.SOCK_RAW, 0),
        "netlink": (_socket, socket.AF_NETLINK, socket.SOCK_RAW, 0),
        "vsock": (_socket, socket.AF_VSOCK, socket.SOCK_STREAM, 0),
        "replace the socket": (Path(agent).unlink,),
        "a file at the root": (Path("/mine").touch,),
        "the programs": (Path(programs, "consilium").touch,),
        "a program more": (Path(programs, "mine").touch,),
        "the node's settings": ((own / "node.toml").touch,),
        "the node's key": ((own / "flower").chmod, 0o666),
        "another socket beside the agent's": (Path(agent).with_name("mine").touch,),
    }


def _system(call: str, *said: Any) -> None:
    """A call of the C library, which says by its result whether it was done."""
    if getattr(ctypes.CDLL(None, use_errno=True), call)(*said) != 0:
        raise OSError(ctypes.get_errno(), call)


def _socket(family: int, kind: int, protocol: int) -> None:
    socket.socket(family, kind, protocol).close()
