"""A machine of its own for units: this one's programs, its own systemd, users and files; the network is shared.

Nothing that happens there touches this machine: files are an overlay in memory; devices, processes and control groups
are its own. Only units that a test has put there are started.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

PROGRAMS = ("unshare", "nsenter", "systemctl", "systemd-sysusers", "mount", "pivot_root", "setpriv", "ps")
SYSTEMD = Path("/lib/systemd/systemd")
CGROUPS = Path("/sys/fs/cgroup")
START_SECONDS = 20.0
DEVICES = {"null": "1 3", "zero": "1 5", "full": "1 7", "random": "1 8", "urandom": "1 9", "tty": "5 0"}
BOOT = """
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/root
root=/mnt/root
mkdir -p $root/before $root/shared $root/opt/consilium
for folder in run srv root home dev; do mount -t tmpfs -o mode=755 tmpfs $root/$folder; done
for folder in tmp var/tmp; do mount -t tmpfs tmpfs $root/$folder; done
{devices}
mkdir $root/dev/shm $root/dev/pts $root/dev/mqueue $root/dev/hugepages
mount -t devpts -o newinstance,ptmxmode=666 devpts $root/dev/pts
ln -s pts/ptmx $root/dev/ptmx
mount -t proc proc $root/proc
mount -t sysfs sysfs $root/sys
for place in etc/systemd usr/lib/systemd lib/systemd; do
  rm -rf $root/$place/system/*.wants $root/$place/system/*.requires $root/$place/system-generators
done
rm -f $root/etc/fstab $root/etc/tmpfiles.d/* $root/usr/lib/tmpfiles.d/*
printf '[Unit]\\nDefaultDependencies=no\\n' > $root/etc/systemd/system/machine.target
{binds}
cd $root
pivot_root . before
umount -l /before
export container=consilium
exec {systemd} --system --unit=machine.target --log-target=null --show-status=no
"""


class Machine:
    """A running one.

    Args:
        leader: its first process, by this machine's number.
        shared: what it sees as ``/shared``.
    """

    def __init__(self, leader: int, shared: Path) -> None:
        self._leader = leader
        self.shared = shared

    def command(self, *command: str) -> list[str]:
        """What runs a command there, as root."""
        return ["nsenter", "-t", str(self._leader), "-m", "-p", "-u", "-i", "-C", "--", *command]

    def run(self, *command: str, timeout: float = 90) -> str:
        """Runs a command there as root; what it printed."""
        result = subprocess.run(
            self.command(*command), capture_output=True, text=True, timeout=timeout, check=False, cwd="/"
        )
        assert result.returncode == 0, f"{command}: {result.stdout}{result.stderr}"
        return result.stdout

    def add_unit(self, file: Path, drop_in: str = "") -> None:
        """A unit as it is shipped, and what this machine says beside it; its output goes to ``/shared/NAME.log``."""
        copy = self.shared / file.name
        shutil.copy(file, copy)
        self.run("cp", f"/shared/{file.name}", f"/etc/systemd/system/{file.name}")
        said = f"[Service]\nStandardOutput=append:/shared/{file.stem}.log\nStandardError=inherit\n{drop_in}"
        (self.shared / "drop-in").write_text(said)
        self.run("mkdir", "-p", f"/etc/systemd/system/{file.name}.d")
        self.run("cp", "/shared/drop-in", f"/etc/systemd/system/{file.name}.d/test.conf")
        self.run("systemctl", "daemon-reload")

    def said(self, unit: str) -> str:
        """Everything that a unit printed."""
        path = self.shared / f"{unit}.log"
        return path.read_text(errors="replace") if path.exists() else ""


@contextmanager
def machine(folder: Path, binds: dict[Path, str]) -> Iterator[Machine]:
    """A machine, while it is entered.

    Args:
        folder: where ``shared`` is made.
        binds: folders of this machine, to be seen there under these paths, read only.
    """
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing or not SYSTEMD.exists():
        lacks = ", ".join([*missing, *([] if SYSTEMD.exists() else ["systemd"])])
        pytest.fail(f"a machine of its own needs {lacks}: apt-get install systemd util-linux procps", pytrace=False)
    shared = folder / "shared"
    shared.mkdir()
    mounts = [f"mount --bind {shared} $root/shared"]
    for here, there in binds.items():
        mounts += [
            f"mkdir -p $root{there}",
            f"mount --rbind {here} $root{there}",
            f"mount -o remount,bind,ro $root{there}",
        ]
    devices = [f"mknod -m 666 $root/dev/{name} c {number}" for name, number in DEVICES.items()]
    script = folder / "boot"
    script.write_text(BOOT.format(devices="\n".join(devices), binds="\n".join(mounts), systemd=SYSTEMD))
    with _control_groups(folder.name) as groups:
        into = " ".join(f"echo $$ > {group}/cgroup.procs;" for group in groups)
        unshare = f"exec unshare --kill-child --mount --pid --uts --ipc --fork --cgroup bash {script}"
        log = (folder / "boot.log").open("wb")
        process = subprocess.Popen(["bash", "-c", into + unshare], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            yield _up(Machine(_leader(process, folder), shared))
        finally:
            process.kill()
            process.wait()
            log.close()


def _leader(process: subprocess.Popen[bytes], folder: Path) -> int:
    """The process that is the first one there."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        found = children.read_text().split() if children.exists() else []
        if found and SYSTEMD.name in Path(f"/proc/{found[0]}/comm").read_text():
            return int(found[0])
        time.sleep(0.05)
    pytest.fail(f"no machine of its own: {(folder / 'boot.log').read_text()}", pytrace=False)


def _up(started: Machine) -> Machine:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with suppress(AssertionError):
            started.run("systemctl", "is-active", "machine.target")
            return started
        time.sleep(0.1)
    pytest.fail("systemd of the machine does not answer", pytrace=False)


@contextmanager
def _control_groups(name: str) -> Iterator[list[Path]]:
    """Groups in every hierarchy, below which the machine's own are made, taken away again with all in them."""
    roots = [path for path in (CGROUPS, *sorted(CGROUPS.iterdir())) if (path / "cgroup.procs").exists()]
    groups = []
    for root in {path.resolve() for path in roots}:
        group = root / name
        group.mkdir()
        for given in ("cpuset.cpus", "cpuset.mems"):
            if root.name == "cpuset":
                (group / given).write_text((root / given).read_text())
        groups.append(group)
    try:
        yield groups
    finally:
        time.sleep(0.2)
        for group in groups:
            for below in sorted(group.rglob("*"), reverse=True):
                if below.is_dir():
                    with suppress(OSError):
                        below.rmdir()
            with suppress(OSError):
                group.rmdir()
