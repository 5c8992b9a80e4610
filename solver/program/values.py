"""What placements are worth to each step: the values that the certificate states, counted from the outcome itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from fairalloc.allocation import Placement
from fairalloc.ledger import ApplicationNo, SiteNo
from fairalloc.rules import Goal, Step
from solver.program.model import Program
from solver.program.runs import Run

Placed = Sequence[tuple[int, Run, int]]
"""(candidate's index, its run, the choice's rank) of each placement."""


def values(
    program: Program,
    placements: Sequence[Placement],
    returning: Mapping[ApplicationNo, Sequence[SiteNo]],
    steps: Sequence[Step],
) -> list[int]:
    """The value of each step."""
    index = {candidate.application_no: place for place, candidate in enumerate(program.candidates)}
    placed = [
        (index[p.application_no], tuple(SiteNo(p.site_no + offset) for offset in range(p.width)), p.choice_rank)
        for p in placements
    ]
    return [_value(program, step, placed, returning) for step in steps]


def _value(program: Program, step: Step, placed: Placed, returning: Mapping[ApplicationNo, Sequence[SiteNo]]) -> int:
    candidates = [program.candidates[index] for index, _, _ in placed]
    match step.goal:
        case Goal.PLACED:
            value = len(placed)
        case Goal.PRIORITY:
            value = sum(program.total - candidate.position + 1 for candidate in candidates)
        case Goal.CHOICES:
            value = -sum(rank for _, _, rank in placed)
        case Goal.EXTRA_STALLS:
            value = sum(len(run) for _, run, _ in placed) - sum(candidate.stalls_min for candidate in candidates)
        case Goal.DISTINCT:
            value = len({candidate.applicant for candidate in candidates})
        case Goal.COMFORT:
            held = (returning.get(candidate.application_no, ()) for candidate in candidates)
            own = sum(not set(run).isdisjoint(sites) for (_, run, _), sites in zip(placed, held, strict=True))
            value = own - _crowded(program, placed)
        case Goal.UNMOVED:
            value = sum(program.standing.get(program.candidates[i].application_no) == run for i, run, _ in placed)
        case _:
            value = _towards(program, step, placed)
    return value


def _crowded(program: Program, placed: Placed) -> int:
    """Under soft spacing, how many stand in a stretch beyond the first of their group, over all stretches."""
    spacing = program.rules.spacing
    if spacing is None or spacing.strength == "hard":
        return 0
    in_stretch = Counter(
        key for index, run, _ in placed for key in program.runs.stretches(spacing, program.candidates[index].group, run)
    )
    return sum(number - 1 for number in in_stretch.values())


def _towards(program: Program, step: Step, placed: Placed) -> int:
    """Stalls that count towards a rule, at each fair in each period no more than it asks for."""
    counted: Counter[int] = Counter()
    for index, run, _ in placed:
        for row, sign in program.cell(program.candidates[index], program.runs.site(run[0]).fair_id):
            counted[row] -= sign * len(run)
    targets = ((target, program.entries[column][0][0]) for column, target in program.targets)
    return sum(min(target.upper, counted[row]) for target, row in targets if target.step == step)
