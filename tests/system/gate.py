"""nginx with the gate's configuration as it is shipped, at addresses and in folders of a test."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.system.conftest import ROOT

GATE = ROOT / "deploy" / "nginx" / "gate.conf"
AROUND = "pid {folder}/pid; error_log {folder}/error.log; events {{}} http {{ access_log off; {places} {gate} }}"
PLACES = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
READ_SECONDS = 10


class Gate:
    """A running one.

    Args:
        nginx: its program, and the configuration that it was started with.
        configuration: the same.
    """

    def __init__(self, nginx: str, configuration: Path) -> None:
        self._nginx = nginx
        self.configuration = configuration

    def command(self, *more: str) -> list[str]:
        """nginx, for this configuration."""
        log = self.configuration.with_name("error.log")
        return [self._nginx, "-c", str(self.configuration), "-e", str(log), *more]

    def read_again(self) -> None:
        """What `systemctl reload nginx` does."""
        subprocess.run(self.command("-s", "reload"), check=True, timeout=READ_SECONDS)


@contextmanager
def gate(folder: Path, certificates: Path, listen: str, superlink: str) -> Iterator[Gate]:
    """The gate, while it is entered."""
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    if nginx is None:
        pytest.fail("nginx is not installed: apt-get install nginx", pytrace=False)
    own = folder / "gate"
    own.mkdir()
    path = own / "nginx.conf"
    path.write_text(_configuration(own, certificates, listen, superlink), encoding="utf-8")
    made = Gate(nginx, path)
    subprocess.run(made.command("-t", "-q"), check=True, timeout=READ_SECONDS)
    process = subprocess.Popen(made.command("-g", "daemon off;"))
    try:
        yield made
    finally:
        process.terminate()
        process.wait()


def _configuration(folder: Path, certificates: Path, listen: str, superlink: str) -> str:
    text = GATE.read_text(encoding="utf-8")
    changes = {
        "listen 443": f"listen {listen}",
        "127.0.0.1:18000": superlink,
        "/srv/consilium/certificates": str(certificates),
    }
    for shipped, here in changes.items():
        assert shipped in text
        text = text.replace(shipped, here)
    places = " ".join(f"{name}_temp_path {folder}/{name};" for name in PLACES)
    return AROUND.format(folder=folder, places=places, gate=text)
