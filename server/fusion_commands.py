"""``consilium coordinator fusion``: which rule makes the scores of the next release."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from federated.errors import ConsiliumError
from server.options import HERE, Home, Json


def fusion(
    rule: Annotated[str, typer.Argument(help="The rule to choose; without it, all are listed.")] = "",
    home: Home = HERE,
    as_json: Json = False,
) -> None:
    """List the rules by which experts can be fused, or choose that of the next candidate."""
    from federated.fusion.rules import RULES
    from server.home import CoordinatorHome

    made = CoordinatorHome(home)
    if not rule:
        _list(made.config.fusion, as_json=as_json)
        return
    chosen = next((name for name in RULES if name == rule), None)
    if chosen is None:
        raise ConsiliumError(f"'{rule}' is no rule", where="fusion", cure=f"there are {', '.join(RULES)}")
    with made.lock():
        made.choose_fusion(chosen)
    needs = " and ".join(RULES[chosen].kinds)
    typer.echo(f"the next candidate is made by {chosen}: {RULES[chosen].about}; it needs {needs} of the sites")


def _list(current: str, *, as_json: bool) -> None:
    from rich.console import Console
    from rich.table import Column, Table

    from federated.fusion.rules import RULES

    if as_json:
        rows: list[dict[str, Any]] = [
            {"rule": name, "chosen": name == current, "about": rule.about, "needs": list(rule.kinds)}
            for name, rule in RULES.items()
        ]
        typer.echo(json.dumps(rows, indent=1))
        return
    names = Column("  rule", no_wrap=True)
    table = Table(names, "needs", "what makes the scores", box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name, rule in RULES.items():
        table.add_row(f"{'*' if name == current else ' '} {name}", "\n".join(rule.kinds), rule.about)
    Console().print(table)
