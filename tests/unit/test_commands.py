"""Every command of a season's life can be tried, read by a program, learnt from an example, and undone or corrected.

What nothing undoes says so, and asks first.
"""

from __future__ import annotations

import re

import pytest
from typer.main import get_command

from cli import app

COMMANDS = get_command(app).commands
UNDONE_BY = {
    "confirm": ("correct", "withdraw"),
    "decline": ("appeal", "settle"),
    "withdraw": ("appeal", "settle"),
    "advance": ("appeal", "settle", "decline"),
    "reallocate": ("decline", "move"),
    "revoke": ("appeal", "settle"),
    "attendance": ("attendance",),
    "appeal": ("settle",),
    "settle": ("appeal", "revoke"),
    "correct": ("confirm",),
    "pin": ("revoke",),
    "move": ("move",),
    "forbid": ("appeal", "settle"),
    "collect": ("collect",),
    "intake": ("intake",),
    "carry-over": ("carry-over",),
}
"""The commands that undo or correct what a command stores; some are run once more."""
FINAL = {"close": ("correct", "attendance", "appeal", "settle")}
"""The commands that nothing undoes, and those by which things are put right before."""
ASKING = ("waiting", "changes", "whatif", "linked")


def options(command):
    return {name for parameter in command.params for name in parameter.opts}


@pytest.mark.parametrize(("name", "undone_by"), UNDONE_BY.items())
def test_what_stores_can_be_tried_and_taken_back(name, undone_by):
    command = COMMANDS[name]
    assert {"--dry-run", "--json"} <= options(command)
    words = " ".join(command.help.split())
    assert f"Example: fairalloc {name} " in words
    for other in undone_by:
        assert other in COMMANDS
        assert f"`{other}" in words or (other == name and re.search(r"again|anew|back", words)), (other, words)


@pytest.mark.parametrize(("name", "before"), FINAL.items())
def test_what_is_final_can_be_tried_says_so_and_asks(name, before):
    command = COMMANDS[name]
    assert {"--dry-run", "--json", "--yes"} <= options(command)
    words = " ".join(command.help.split())
    assert f"Example: fairalloc {name} " in words
    assert "Nothing undoes this" in words
    for other in before:
        assert other in COMMANDS
        assert f"`{other}`" in words


@pytest.mark.parametrize("name", ASKING)
def test_what_stores_nothing_can_be_read_by_a_program(name):
    command = COMMANDS[name]
    assert "--json" in options(command)
    assert f"Example: fairalloc {name} " in " ".join(command.help.split())
