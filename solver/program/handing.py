"""From a whole solution to placements: who of those that nobody can tell apart gets which run, and who stands apart.

Hard spacing seldom decides who gets a place, as stalls that nobody can tell apart can be given out in many orders. So
it is looked at where a fair is numbered: a search for runs, each of its pot, that keeps everyone apart. Only
groups that many ask for at a fair, and those of a fair that cannot be numbered so, are told apart in the program.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

from ortools.sat.python import cp_model

from fairalloc.allocation import Candidate, Placement
from fairalloc.ledger import ApplicationNo, SiteNo
from fairalloc.rules import Rules
from fairalloc.suiting import first_met
from solver.problem import IntArray
from solver.program.columns import Ask, Give
from solver.program.model import Program
from solver.program.runs import Run, Runs

Given = tuple[int, int, Run]
"""A candidate, the pot that it was served through, and its run."""
COMMON = 2
"""A group is common where twice its stalls, with the gaps that they need, would fill the fair."""
SEARCHED = 1.0
"""Deterministic time, not seconds, that numbering one fair may take."""


def handed_out(
    program: Program, solution: IntArray, held: Mapping[ApplicationNo, Sequence[SiteNo]]
) -> tuple[list[Given], dict[tuple[str, str], set[str]]]:
    """Runs for all who are placed; by fair and period the groups there, where hard spacing could not be kept."""
    given = list(_by_pots(program, solution, held))
    spacing = program.rules.spacing
    if spacing is None or spacing.strength == "soft":
        return given, {}
    by_fair: dict[tuple[str, str], list[Given]] = defaultdict(list)
    for one in given:
        pot = program.pots[one[1]]
        by_fair[pot.fair, pot.signature.period].append(one)
    apart: list[Given] = []
    crowded: dict[tuple[str, str], set[str]] = {}
    for where, there in by_fair.items():
        numbered = there if _stand_apart(program, there) else _numbered(program, there)
        apart += numbered or there
        if numbered is None:
            groups = Counter(program.candidates[index].group for index, _, _ in there)
            crowded[where] = {group for group, number in groups.items() if group and number > 1}
    return apart, crowded


def common_groups(rules: Rules, candidates: Sequence[Candidate], runs: Runs) -> dict[tuple[str, str], set[str]]:
    """Groups that so many ask for at a fair that spacing may decide who gets a place there."""
    asked: Counter[tuple[str, str, str]] = Counter()
    for candidate in candidates:
        for named in {choice.fair_id for choice in candidate.choices if choice.fair_id is not None}:
            asked[named, candidate.period, candidate.group] += candidate.stalls_min
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for (fair, period, group), number in asked.items():
        reach = 1 if rules.spacing is None else rules.spacing.distance
        if group and number * (1 + reach) * COMMON >= len(runs.sites_at(fair, period)):
            found[fair, period].add(group)
    return found


def placement(program: Program, given: Given) -> Placement:
    """What the application is given, by the first choice that it meets."""
    index, _, run = given
    candidate = program.candidates[index]
    sites = [program.runs.site(number) for number in run]
    rank = first_met(candidate.choices, sites[0].fair_id, [site.number for site in sites])
    return Placement(candidate.application_no, run[0], rank, len(run))


def _by_pots(program: Program, solution: IntArray, held: Mapping[ApplicationNo, Sequence[SiteNo]]) -> Iterator[Given]:
    free: dict[int, list[Run]] = defaultdict(list)
    requests: dict[int, list[int]] = defaultdict(list)
    for column in solution.nonzero()[0].tolist():
        match program.columns[column]:
            case Ask(index, _, pot):
                requests[pot].append(index)
            case Give(pot, run):
                free[pot].append(run)
    for pot, indices in requests.items():
        for index, run in _in_pot(program.candidates, sorted(indices), sorted(free[pot]), held):
            yield index, pot, run


def _in_pot(
    candidates: Sequence[Candidate],
    indices: list[int],
    runs: list[Run],
    held: Mapping[ApplicationNo, Sequence[SiteNo]],
) -> Iterator[tuple[int, Run]]:
    """Who returns keeps a stall where a run of the pot holds it; the others take what is left, in queue order."""
    waiting = []
    for index in indices:
        own = set(held.get(candidates[index].application_no, ()))
        kept = next((run for run in runs if own & set(run)), None)
        if kept is None:
            waiting.append(index)
        else:
            runs.remove(kept)
            yield index, kept
    yield from zip(waiting, runs, strict=False)


def _stand_apart(program: Program, there: Sequence[Given]) -> bool:
    touched = Counter(key for index, _, run in there for key in _stretches(program, index, run))
    return all(number == 1 for number in touched.values())


def _numbered(program: Program, there: Sequence[Given]) -> list[Given] | None:
    """Runs for all at one fair, such that nobody stands too close to one of their group; None where none were found."""
    model = cp_model.CpModel()
    on_site: dict[SiteNo, list[cp_model.IntVar]] = defaultdict(list)
    in_stretch: dict[str, list[cp_model.IntVar]] = defaultdict(list)
    taken: list[tuple[Given, cp_model.IntVar]] = []
    for index, pot, now in there:
        mine = []
        for run in program.runs.of(program.pots[pot]):
            chosen = model.new_bool_var("")
            model.add_hint(chosen, run == now)
            mine.append(chosen)
            taken.append(((index, pot, run), chosen))
            for site in run:
                on_site[site].append(chosen)
            for key in _stretches(program, index, run):
                in_stretch[key].append(chosen)
        model.add_exactly_one(mine)
    for together in (*on_site.values(), *in_stretch.values()):
        if len(together) > 1:
            model.add_at_most_one(together)
    engine = cp_model.CpSolver()
    engine.parameters.num_workers = 1
    engine.parameters.max_deterministic_time = SEARCHED
    if engine.solve(model) not in {cp_model.OPTIMAL, cp_model.FEASIBLE}:
        return None
    return [given for given, chosen in taken if engine.boolean_value(chosen)]


def _stretches(program: Program, index: int, run: Run) -> list[str]:
    return program.runs.stretches(program.rules.spacing, program.candidates[index].group, run)
