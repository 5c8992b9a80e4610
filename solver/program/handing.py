"""From a whole solution to placements: who of those that nobody can tell apart gets which run, and who stands apart.

Hard spacing seldom decides who gets a place, as stalls that nobody can tell apart can be given out in many orders. So
it is looked at where a fair is numbered: a search for runs that keeps everyone apart. Where there are none, hardly ever
more than one group is to blame: the program tells it apart from then on (:func:`tell_apart`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ortools.sat.python import cp_model

from fairalloc.allocation import Candidate, Placement
from fairalloc.ledger import ApplicationNo, SiteNo
from fairalloc.suiting import first_met
from solver.problem import IntArray
from solver.program.apart import Crowd
from solver.program.columns import Ask, Give
from solver.program.model import Program
from solver.program.runs import Run

Given = tuple[int, int, Run]
"""A candidate, the pot that it was served through, and its run."""
Alike = tuple[int, str]
"""Requests of a pot and a product group."""
SEARCHES = ((0, 0.005), (2, 1.0))
"""How a fair is numbered: how much of a relaxation is kept, and for how long at most, in deterministic time.

Mostly there is a numbering, and it is found soonest without one. Where too many ask, a relaxation shows it at once, and
without one it is a long search.
"""


@dataclass(slots=True)
class Numbering:
    """Finds runs for all who are placed; under hard spacing such that nobody stands too close to one of their group.

    Attributes:
        program: whose solutions are numbered.
        held: sites held before, by application.
    """

    program: Program
    held: Mapping[ApplicationNo, Sequence[SiteNo]]
    _known: dict[frozenset[tuple[Alike, int]], Mapping[Alike, list[Run]] | None] = field(default_factory=dict)

    def given(self, solution: IntArray) -> list[Given] | None:
        """Runs for all who are placed; None where hard spacing cannot be kept somewhere."""
        apart: list[Given] = []
        for there in self._by_fair(solution):
            numbered = self._numbered(there)
            if numbered is None:
                return None
            apart += numbered
        return apart

    def crowds(self, solution: IntArray) -> set[Crowd]:
        """Groups because of which hard spacing cannot be kept."""
        found: set[Crowd] = set()
        for there in self._by_fair(solution):
            if self._numbered(there) is None:
                pot = self.program.pots[there[0][1]]
                found |= {(pot.fair, pot.signature.period, group) for group in self._to_blame(there)}
        return found

    def _by_fair(self, solution: IntArray) -> Iterator[list[Given]]:
        by_fair: dict[tuple[str, str], list[Given]] = defaultdict(list)
        for one in _by_pots(self.program, solution, self.held):
            pot = self.program.pots[one[1]]
            by_fair[pot.fair, pot.signature.period].append(one)
        return iter(by_fair.values())

    def _numbered(self, there: list[Given]) -> list[Given] | None:
        """Runs for all at one fair."""
        program = self.program
        spacing = program.rules.spacing
        if spacing is None or spacing.strength == "soft" or _stand_apart(program, there):
            return there
        alike = self._alike(there)
        key = frozenset((one, len(of)) for one, of in alike.items())
        if key not in self._known:
            self._known[key] = _runs_apart(program, alike)
        runs = self._known[key]
        if runs is None:
            return None
        return [
            (index, pot, run)
            for (pot, group), of in alike.items()
            for index, run in _in_pot(
                program.candidates, sorted(index for index, _, _ in of), sorted(runs[pot, group]), self.held
            )
        ]

    def _alike(self, there: Sequence[Given]) -> dict[Alike, list[Given]]:
        """Those of each pot and group; nobody is too close to one who is alone of a group, which then is as none."""
        counted = Counter(self.program.candidates[index].group for index, _, _ in there)
        alike: dict[Alike, list[Given]] = defaultdict(list)
        for one in there:
            group = self.program.candidates[one[0]].group
            alike[one[1], group if counted[group] > 1 else ""].append(one)
        return alike

    def _to_blame(self, there: Sequence[Given]) -> list[str]:
        """A few groups that cannot be kept apart even if all others stood as they like."""
        counted = Counter(self.program.candidates[index].group for index, _, _ in there)
        groups = sorted(group for group, number in counted.items() if group and number > 1)
        alone = [group for group in groups if self._is_crowded(there, {group})]
        if alone:
            return alone
        for group in list(groups):
            rest = [other for other in groups if other != group]
            if self._is_crowded(there, rest):
                groups = rest
        return groups

    def _is_crowded(self, there: Sequence[Given], groups: Collection[str]) -> bool:
        alike: dict[Alike, list[Given]] = defaultdict(list)
        for (pot, group), of in self._alike(there).items():
            alike[pot, group if group in groups else ""] += of
        return _runs_apart(self.program, alike) is None


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
    for pot, whole in program.part_of.items():
        # What a group that is told apart leaves is for all others.
        left = len(free[pot]) - len(requests[pot])
        if left > 0:
            free[pot].sort()
            free[whole] += free[pot][-left:]
            del free[pot][-left:]
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
    touched = Counter(
        key
        for index, _, run in there
        for key in program.runs.stretches(program.rules.spacing, program.candidates[index].group, run)
    )
    return all(number == 1 for number in touched.values())


def _runs_apart(program: Program, alike: Mapping[Alike, Sequence[Given]]) -> Mapping[Alike, list[Run]] | None:
    """As many runs for each as ask for them, none too close to another of its group; None where none were found."""
    model = cp_model.CpModel()
    on_site: dict[SiteNo, list[cp_model.IntVar]] = defaultdict(list)
    in_stretch: dict[str, list[cp_model.IntVar]] = defaultdict(list)
    taken: dict[Alike, dict[Run, cp_model.IntVar]] = {}
    for (pot, group), of in alike.items():
        mine = {run: model.new_bool_var("") for run in program.runs.of(program.pots[pot])}
        for run, chosen in mine.items():
            for site in run:
                on_site[site].append(chosen)
            for key in program.runs.stretches(program.rules.spacing, group, run):
                in_stretch[key].append(chosen)
        for _, _, run in of:
            model.add_hint(mine[run], value=True)
        model.add(cp_model.LinearExpr.sum(list(mine.values())) == len(of))
        taken[pot, group] = mine
    for together in (*on_site.values(), *in_stretch.values()):
        if len(together) > 1:
            model.add_at_most_one(together)
    engine = _searched(model)
    if engine is None:
        return None
    return {one: [run for run, chosen in mine.items() if engine.boolean_value(chosen)] for one, mine in taken.items()}


def _searched(model: cp_model.CpModel) -> cp_model.CpSolver | None:
    """The engine with a solution; None where it found none."""
    engine = cp_model.CpSolver()
    engine.parameters.num_workers = 1
    engine.parameters.cp_model_presolve = False
    for relaxation, longest in SEARCHES:
        engine.parameters.linearization_level, engine.parameters.max_deterministic_time = relaxation, longest
        status = engine.solve(model)
        if status != cp_model.UNKNOWN:
            return engine if status in {cp_model.OPTIMAL, cp_model.FEASIBLE} else None
    return None
