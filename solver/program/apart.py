"""Hard spacing where it decides who gets a place: a group's requests at a fair are told apart from all others.

A pot is parted: what the group asks of it has to be met by runs given to the group alone, each of which touches the
group's stretches. The balance of the whole pot, and all cuts, stay as they are, and so does the last solution's basis
but for the rows that are new.
"""

from __future__ import annotations

from collections.abc import Collection

from fairalloc.allocation import Candidate
from solver.program.columns import Ask
from solver.program.model import Program

Crowd = tuple[str, str, str]
"""A product group at a fair in a period."""


def tell_apart(program: Program, crowds: Collection[Crowd]) -> None:
    """Keep hard spacing between applications of these groups from now on."""
    parts = _Parts(program, crowds)
    for column, ask in program.of_kind(Ask):
        pot = parts.of(ask.pot, program.candidates[ask.index])
        if pot is not None:
            program.ask_of_part(column, pot)
    for wish in program.wishes.values():
        for place, whole in enumerate(wish.pots):
            pot = parts.of(whole, program.candidates[wish.asks[0][0]])
            wish.pots[place] = whole if pot is None else pot
    for pot in parts.made:
        for run in program.runs.of(program.pots[pot]):
            program.give(pot, run)


class _Parts:
    """The parts of pots that are needed, by pot and group."""

    def __init__(self, program: Program, crowds: Collection[Crowd]) -> None:
        self._program, self._crowds = program, crowds
        self._known: dict[tuple[int, str], int] = {}

    @property
    def made(self) -> Collection[int]:
        """The pots that were made."""
        return self._known.values()

    def of(self, pot: int, candidate: Candidate) -> int | None:
        """The part of a pot for a candidate's group; None where the group is not to be told apart there, or is."""
        at = self._program.pots[pot]
        if at.group or (at.fair, candidate.period, candidate.group) not in self._crowds:
            return None
        key = pot, candidate.group
        if key not in self._known:
            self._known[key] = self._program.part_pot(pot, candidate.group)
        return self._known[key]
