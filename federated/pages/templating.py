"""Templates: Jinja with everything escaped that is not markup of ours, and nothing that is missing passed over."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from federated.pages.svg import plots_style

if TYPE_CHECKING:
    from jinja2 import Environment


@cache
def environment(*packages: str) -> Environment:
    """Templates of the folder ``templates`` of each package, then those that all pages share.

    Args:
        packages: importable names, for example ``server.web``.
    """
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    loaders = [PackageLoader(package, "templates") for package in (*packages, "federated.pages")]
    made = Environment(
        loader=ChoiceLoader(loaders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals["parts"] = made.get_template("parts.html").module
    return made


@cache
def stylesheet() -> str:
    """The look of every page and of the plots in it."""
    return plots_style() + files("federated").joinpath("pages", "style.css").read_text(encoding="utf-8")
