"""What stands in the place of Flower's own programs at a site: a SuperNode's task is the reviewed courier, or nothing.

A SuperNode starts what a coordinator's SuperLink sends: for every message a program, by a name that it looks for among
its programs. Those that it finds at a site are these. The one for a ClientApp looks at the bundle's bytes before
anything is unpacked; another digest than the one that the site has reviewed ends there. Nothing of a bundle is ever
unpacked or imported: what runs for the reviewed one is the courier installed here.
"""

from __future__ import annotations

import hashlib
import sys
from functools import partial
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    from flwr.clientapp import ClientApp

BUNDLE = Path(__file__).resolve().parents[1] / "deploy" / "flower"
COURIER_TASK = "flwr-clientapp"
OTHER_TASKS = ("flwr-agentapp", "flwr-connector", "flwr-model", "flwr-serverapp", "flwr-simulation")
SAYS = "consilium: "  # begins a line that is meant for the hospital's log


class BundleRefusedError(Exception):
    """The coordinator sent another bundle than the one that this site has reviewed; the coordinator is told so."""


def own_bundle() -> str:
    """Digest of the bundle that a coordinator with the same courier sends."""
    from flwr.cli.build import build_fab_from_disk

    return _digest(build_fab_from_disk(BUNDLE))


def run_superexec() -> None:
    """Flower's own program that starts a task's program by its name."""
    sys.argv[0] = "flower-superexec"
    _alone("flwr.supercore.cli", "flower_superexec")()


def run_task(reviewed: str) -> None:
    """The program of one task.

    Args:
        reviewed: digest of the only bundle that is accepted.
    """
    name = Path(sys.argv[0]).name
    if name != COURIER_TASK:
        _refuse(f"the coordinator asked for a {name}, which no site runs")
    from flwr.supernode.runtime import run_clientapp

    run_clientapp.install_from_fab = partial(require_reviewed, reviewed)  # type: ignore[assignment]
    run_clientapp.get_load_client_app_fn = _courier_only  # type: ignore[assignment]
    _alone("flwr.supernode.cli", "flwr_clientapp")()


def require_reviewed(reviewed: str, bundle: bytes, **_: object) -> None:
    """Takes the place of unpacking: looks at the bundle's bytes, and leaves them alone.

    Raises:
        BundleRefusedError: it is not the one that was reviewed.
    """
    found = _digest(bundle)
    if found != reviewed:
        line = f"refused a bundle: it is {found}, this site has reviewed {reviewed}"
        sys.stderr.write(f"{SAYS}{line}\n")
        raise BundleRefusedError(line)


def _alone(package: str, program: str) -> Callable[[], None]:
    """One of Flower's programs, without the others of its package, which would take as long to load again."""
    spec = find_spec(package)
    added = {} if package in sys.modules or spec is None else {package: module_from_spec(spec)}
    sys.modules.update(added)
    try:
        return cast("Callable[[], None]", getattr(import_module(f"{package}.{program}"), program))
    finally:
        for name in added:
            del sys.modules[name]


def _courier_only(**_: object) -> Callable[[str, str, str], ClientApp]:
    def load(_identity: str, _version: str, _digest: str) -> ClientApp:
        from site_agent.flower_app import app

        return app

    return load


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _refuse(line: str) -> NoReturn:
    sys.stderr.write(f"{SAYS}{line}\n")
    sys.exit(1)
