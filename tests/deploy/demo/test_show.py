"""What is shown is kept."""

from __future__ import annotations

import io

from rich.console import Console
from rich.text import Text

from deploy.demo.show import Show


def test_everything_said_is_kept_without_colour() -> None:
    screen = io.StringIO()
    show = Show(Console(file=screen, width=40, force_terminal=True))
    show.say("[red]not markup[/red]", Text("bold", style="bold"))
    assert "\x1b[" in screen.getvalue()
    assert show.text == "[red]not markup[/red]\nbold\n"


def test_lines_to_copy_are_never_broken() -> None:
    screen = io.StringIO()
    show = Show(Console(file=screen, width=40))
    line = "consilium audit verify " + 30 * "folder/"
    show.list([line])
    assert screen.getvalue() == line + "\n"
    assert show.text == line + "\n"


def test_waiting_says_nothing_to_a_file() -> None:
    screen = io.StringIO()
    show = Show(Console(file=screen))
    with show.doing("waiting"):
        pass
    assert "waiting" not in screen.getvalue()
    assert not show.text
