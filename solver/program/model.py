"""The integer program of one part of a season (a period, or all of them where a rule counts over the season).

    ask    (application, choice, pot)  an application takes a choice, at one fair, with so many stalls
    give   (pot, run)                  a run of stalls goes to the requests of a pot
    target (rule, cell)                stalls counted towards a quota or a minimum; an applicant counted as placed
    excess (stretch)                   applications of one group in a stretch, beyond the first, under soft spacing

A *pot* collects requests that nobody can tell apart where they stand. Every row is ``sum <= bound``, so that every
price is one of a scarce thing and not negative. Requests for any fair are many asks, one for each fair; most of them
never matter, so they are kept as :class:`Wish` and become columns only where prices make them worth it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from fairalloc.allocation import Candidate
from fairalloc.caps import NOTHING
from fairalloc.ledger import ApplicationNo, SiteNo
from fairalloc.rules import Goal, Rules, Step
from fairalloc.suiting import first_met
from solver.problem import IntArray, Signature, Signatures
from solver.program.columns import Ask, BoolArray, Cut, Entries, Excess, FloatArray, Give, Row, Target, Wish
from solver.program.counting import Counted, Counting
from solver.program.gains import GOALS, gains_of_ask
from solver.program.runs import Pot, Run, Runs
from solver.program.table import Table


class Program(Table):
    """Rows and columns of a part; columns and cuts may be added later.

    Args:
        rules: of the season.
        runs: of the part's sites.
        candidates: of the part, in queue order.
        total: length of the whole queue.
        returning: sites that applications' applicants held before.
        standing: sites that applications hold now.
        earlier: stalls that earlier campaigns gave, by the names of the caps that count them.

    Soft spacing is kept account of for all groups, hard spacing only for those that are told apart.
    """

    def __init__(
        self,
        rules: Rules,
        runs: Runs,
        candidates: Sequence[Candidate],
        total: int,
        returning: Mapping[ApplicationNo, Sequence[SiteNo]],
        standing: Mapping[ApplicationNo, Run] = MappingProxyType({}),
        earlier: Mapping[str, int] = NOTHING,
    ) -> None:
        super().__init__()
        self._soft = rules.spacing is not None and rules.spacing.strength == "soft"
        self.rules, self.runs, self.candidates, self.total = rules, runs, candidates, total
        self.forced: set[int] = set()
        self.pots: list[Pot] = []
        self.pot_row: list[int] = []
        self.part_of: dict[int, int] = {}
        self.wishes: dict[tuple[object, ...], Wish] = {}
        self.anywhere: list[int] = []
        self.cuts: dict[int, Cut] = {}
        self.filled: dict[int, int] = {}
        self._paid: dict[tuple[tuple[int, int], ...], tuple[dict[int, int], Entries, int]] = {}
        self._cut_from: dict[int, list[int]] = defaultdict(list)
        self.standing = standing
        self._returning = returning if Goal.COMFORT in rules.mechanism.goals else {}
        self._application: dict[int, int] = {}
        self._pot_ids: dict[Pot, int | None] = {}
        self._pots_alike: dict[tuple[str, str, tuple[Run, ...]], int] = {}
        self._cells: dict[tuple[str, ...], Entries] = {}
        self._gains: dict[Step, IntArray] = {}
        self._gains_of_asks = np.zeros((0, len(GOALS)), dtype=np.int64)
        self._signatures = Signatures(rules)
        self._counting = Counting(rules, runs, candidates, earlier)
        for index in range(len(candidates)):
            self._ask(index)

    @property
    def reached(self) -> set[int]:
        """Candidates that some run suits."""
        asking = {ask.index for _, ask in self.of_kind(Ask)}
        return asking | {index for wish in self.wishes.values() for index, _ in wish.asks}

    @property
    def targets(self) -> list[tuple[int, Target]]:
        """The targets, each with its column."""
        return list(self.of_kind(Target))

    def gains(self, step: Step) -> IntArray:
        """(columns,) what a unit of each adds to a step."""
        if len(self._gains.get(step, ())) < len(self.columns):
            gains = np.zeros(len(self.columns), dtype=np.int64)
            if step.goal in GOALS:
                gains[self.places(Ask)] = self._of_asks()[:, GOALS.index(step.goal)]
            if step.goal is Goal.COMFORT:
                gains[self.places(Excess)] = -1
            gains[[column for column, target in self.of_kind(Target) if target.step == step]] = 1
            self._gains[step] = gains
        return self._gains[step]

    def _of_asks(self) -> IntArray:
        """(asks, goals) what the columns of asks add."""
        fresh = [self._of_ask(ask) for _, ask in self.of_kind(Ask, len(self._gains_of_asks))]
        if fresh:
            self._gains_of_asks = np.concatenate([self._gains_of_asks, np.array(fresh, dtype=np.int64)])
        return self._gains_of_asks

    def _of_ask(self, ask: Ask) -> tuple[int, ...]:
        return gains_of_ask(ask, self.candidates[ask.index], self.pots[ask.pot].width, self.total)

    def gains_of(self, wish: Wish) -> IntArray:
        """(asks, goals) what each of a wish's asks adds, at whatever fair."""
        if wish.gains is None:
            gains = [self._of_ask(Ask(index, rank, wish.pots[0])) for index, rank in wish.asks]
            wish.gains = np.array(gains, dtype=np.int64)
        return wish.gains

    @staticmethod
    def worth(weights: Mapping[Step, int] | Mapping[Step, float], gains: IntArray) -> IntArray | FloatArray:
        """(asks,) what asks with such gains (asks, goals) are worth to weighed steps."""
        worth: npt.NDArray[Any] = np.zeros(len(gains), dtype=np.int64)
        for step, weight in weights.items():
            if step.goal in GOALS:
                worth = worth + weight * gains[:, GOALS.index(step.goal)]
        return worth

    def fair_of(self, column: int) -> str | None:
        """The fair that a column is about, if any."""
        what = self.columns[column]
        return self.pots[what.pot].fair if isinstance(what, Ask | Give) else None

    def fill(self, columns: Sequence[int]) -> None:
        """From now on these targets are known to be full, by the proof of a step: cuts may be made of them."""
        for column in columns:
            what = self.columns[column]
            if isinstance(what, Target):
                self.filled[self.entries[column][0][0]] = what.upper

    def bounds_in_cuts(self) -> IntArray:
        """(rows,) what each row adds to the right side of a cut."""
        bounds = np.array(self.bounds, dtype=np.int64)
        for row, least in self.filled.items():
            bounds[row] = -least
        return bounds

    def bound_in_cuts(self, row: int) -> int:
        """What a row adds to the right side of a cut: a target that is full is a least number of stalls."""
        return -self.filled[row] if row in self.filled else self.bounds[row]

    def add_cut(self, cut: Cut, bound: int, columns: Mapping[int, int]) -> int:
        """Add a cut with its coefficients; they are not checked here."""
        row = self.row(Row.CUT, len(self.cuts), bound)
        self.cuts[row] = cut
        for of in cut.multipliers:
            self._cut_from[of].append(row)
        for column, coefficient in columns.items():
            self.enter(column, [(row, coefficient)])
        return row

    def fulfil(self, wish: Wish, ask: int, place: int) -> None:
        """Make a column of one of a wish's asks: the one at the fair of its pot ``place``."""
        index, rank = wish.asks[ask]
        wish.made.append((ask, place))
        self.anywhere.append(len(self.columns))
        self._add_ask(index, rank, wish.pots[place])
        self.enter(len(self.columns) - 1, self.in_cuts(self.entries[-1]))

    def in_cuts(self, entries: Entries) -> Entries:
        """What a column with these entries takes of cuts, in the order in which they were made."""
        return self._taken_of_cuts(dict(entries), -1)

    def _taken_of_cuts(self, held: dict[int, int], last: int) -> Entries:
        """What is taken of the cuts made after row ``last``; ``held`` gains it."""
        found = []
        waiting = sorted({row for of in held for row in self._cut_from.get(of, ()) if row > last}, reverse=True)
        while waiting:
            row = waiting.pop()
            cut = self.cuts[row]
            coefficient = sum(n * cut.multipliers.get(of, 0) for of, n in held.items()) // cut.divisor
            if coefficient:
                held[row] = coefficient
                found.append((row, coefficient))
                waiting = sorted({*waiting, *self._cut_from.get(row, ())}, reverse=True)
        return found

    def paying(self) -> BoolArray:
        """(rows,) whether cuts may pay what counts in a row: they are made of it, and it is a target that is full."""
        paying = np.zeros(len(self.bounds), dtype=bool)
        paying[[row for row in self.filled if row in self._cut_from]] = True
        return paying

    def paid_by_cuts(self, entries: tuple[tuple[int, int], ...], prices: FloatArray | IntArray) -> float:
        """The most that cuts pay whatever has these entries, for counting towards targets that are full."""
        held, found, last = self._paid.setdefault(entries, (dict(entries), [], -1))
        if last + 1 < len(self.bounds):
            found += self._taken_of_cuts(held, last)
            self._paid[entries] = held, found, len(self.bounds) - 1
        paid: float = sum(n * prices[row] for row, n in found)  # whole where prices are
        return -paid

    def _ask(self, index: int) -> None:
        candidate = self.candidates[index]
        signature = self._signatures.of(candidate)
        fairs: set[str] = set()
        for rank, choice in enumerate(candidate.choices, start=1):
            for width in range(candidate.stalls_min, candidate.stalls_max + 1):
                named = choice.fair_id
                if named is None and candidate.keeps:
                    named = self.runs.site(candidate.keeps[0]).fair_id
                if named is None:
                    self._wish(index, rank, signature, width, fairs)
                else:
                    pot = self._pot_of(candidate, named, signature, width, choice.number)
                    self._add_ask(index, rank, self._pot(pot))
                    self._ask_own(index, rank, pot)
            if choice.fair_id is not None and choice.number is None:
                fairs.add(choice.fair_id)
        if candidate.application_no in self.standing:
            self._ask_to_stay(index, signature, self.standing[candidate.application_no])

    def _ask_to_stay(self, index: int, signature: Signature, run: Run) -> None:
        """Asks for exactly the sites that the application holds, by the first choice that they meet."""
        candidate = self.candidates[index]
        fair, numbers = self.runs.site(run[0]).fair_id, [self.runs.site(number).number for number in run]
        rank = first_met(candidate.choices, fair, numbers)
        if rank and candidate.stalls_min <= len(run) <= candidate.stalls_max:
            pot = replace(self._pot_of(candidate, fair, signature, len(run), None), run=run)
            own = not set(run).isdisjoint(self._returning.get(candidate.application_no, ()))
            self._add_ask(index, rank, self._pot(pot), own=own, stays=True)

    def _pot_of(self, candidate: Candidate, fair: str, signature: Signature, width: int, number: str | None) -> Pot:
        return Pot(fair, signature, width, number, candidate.keeps, candidate.group if self._soft else "")

    def _wish(self, index: int, rank: int, signature: Signature, width: int, named: set[str]) -> None:
        """Any fair but those that a choice before named."""
        candidate = self.candidates[index]
        key = (signature, width, candidate.keeps, candidate.kind, candidate.group)
        if key not in self.wishes:
            pots, counts = [], []
            for fair in self.runs.fairs(candidate.period):
                pot = self._pot(self._pot_of(candidate, fair, signature, width, None))
                if pot is not None:
                    pots.append(pot)
                    counts.append([(row, sign * width) for row, sign in self.cell(candidate, fair)])
            self.wishes[key] = Wish(pots, counts)
        if self.wishes[key].pots:
            self.wishes[key].asks.append((index, rank))
            self._application_row(index)
            self.wishes[key].held.append(self._held_by(candidate, None, width))
            for site in self._returning.get(candidate.application_no, ()):
                fair = self.runs.site(site).fair_id
                if fair not in named:
                    self._ask_own(index, rank, self._pot_of(candidate, fair, signature, width, None))

    def _ask_own(self, index: int, rank: int, pot: Pot) -> None:
        """Asks for stalls held before, where that counts."""
        for site in self._returning.get(self.candidates[index].application_no, ()):
            if self.runs.site(site).fair_id == pot.fair:
                held = pot.own if site in pot.own else (*pot.own, site)
                own = Pot(pot.fair, pot.signature, pot.width, pot.number, held, pot.group)
                self._add_ask(index, rank, self._pot(own), own=True)

    def _add_ask(self, index: int, rank: int, pot: int | None, *, own: bool = False, stays: bool = False) -> None:
        if pot is None:
            return
        candidate, at = self.candidates[index], self.pots[pot]
        application = self._application_row(index)
        if candidate.keeps:
            self.forced.add(application)
        of_cell = ((row, sign * at.width) for row, sign in self.cell(candidate, at.fair))
        held = self._held_by(candidate, at.fair, at.width)
        balances = ((row, 1) for row in self._balances(pot))
        self.add(Ask(index, rank, pot, own, stays), [(application, 1), *balances, *of_cell, *held])

    def _balances(self, pot: int) -> list[int]:
        """The rows that weigh what a pot is asked for against what it is given."""
        return [self.pot_row[one] for one in (pot, self.part_of.get(pot)) if one is not None]

    def applications(self) -> tuple[IntArray, IntArray]:
        """Candidates, and the row of each."""
        index, row = np.array(list(self._application.items()), dtype=np.int64).reshape(-1, 2).T
        return index, row

    def prices_of_applications(self, prices: FloatArray) -> FloatArray:
        """(candidates,) what is paid for being allocated once only, at some prices of rows."""
        index, row = self.applications()
        of = np.zeros(len(self.candidates))
        of[index] = prices[row]
        return of

    def part_pot(self, whole: int, group: str) -> int:
        """A pot for the requests of one group to a pot; it gets its runs by :meth:`give`."""
        pot = len(self.pots)
        self.part_of[pot] = whole
        self.pots.append(replace(self.pots[whole], group=group))
        self.pot_row.append(self.row(Row.BALANCE, self.pots[pot], 0))
        return pot

    def ask_of_part(self, column: int, pot: int) -> None:
        """From now on an ask of a whole pot is one of its part."""
        what = self.columns[column]
        if isinstance(what, Ask):
            self.columns[column] = replace(what, pot=pot)
            self.enter(column, [(self.pot_row[pot], 1)])

    def give(self, pot: int, run: Run) -> None:
        """Let a run go to a pot, though there are cuts already."""
        self._add_give(pot, run)
        self.enter(len(self.columns) - 1, self.in_cuts(self.entries[-1]))

    def _application_row(self, index: int) -> int:
        if index not in self._application:
            self._application[index] = self.row(Row.APPLICATION, index, 1)
        return self._application[index]

    def entries_of(self, index: int, pot: int) -> Entries:
        """What an ask takes of the rows that there are, be it a column or not; its pot's balance and cuts left out."""
        candidate, at = self.candidates[index], self.pots[pot]
        of_cell = ((row, sign * at.width) for row, sign in self.cell(candidate, at.fair))
        holder = self._counting.by_holder(candidate, at.fair, at.width)
        held = ((self.known_row(one.kind, one.name), one.n) for one in holder)
        known = ((row, n) for row, n in held if row is not None)
        return [(self._application[index], 1), *of_cell, *known]

    def _counted(self, counted: Counted) -> int:
        """The row that counts; a target comes with its column."""
        known = len(self.bounds)
        row = self.row(counted.kind, counted.name, 0 if counted.step else counted.bound)
        if row == known and counted.step is not None:
            self.add(Target(counted.step, counted.bound), [(row, 1)])
        return row

    def _held_by(self, candidate: Candidate, fair: str | None, width: int) -> Entries:
        """Rows that count what one applicant or owner has; without a fair, those that count at all fairs."""
        return [(self._counted(one), one.n) for one in self._counting.by_holder(candidate, fair, width)]

    def cell(self, candidate: Candidate, fair: str) -> Entries:
        """Rows that count stalls at a fair, with 1 for a cap and -1 for a target."""
        key = (fair, candidate.period, candidate.kind, candidate.category, candidate.group)
        if key not in self._cells:
            self._cells[key] = [(self._counted(one), one.n) for one in self._counting.at_fair(candidate, fair)]
        return self._cells[key]

    def _pot(self, pot: Pot) -> int | None:
        """The number of a pot, made with its gives where it is new; None where no run suits."""
        if pot not in self._pot_ids:
            runs = tuple(self.runs.of(pot))
            alike = (pot.fair, pot.group, runs)
            self._pot_ids[pot] = self._pots_alike.setdefault(alike, len(self.pots)) if runs else None
            if self._pot_ids[pot] == len(self.pots):
                self.pots.append(pot)
                self.pot_row.append(self.row(Row.BALANCE, pot, 0))
                for run in runs:
                    self._add_give(len(self.pots) - 1, run)
        return self._pot_ids[pot]

    def _add_give(self, pot: int, run: Run) -> None:
        balances = ((row, -1) for row in self._balances(pot))
        entries = [*balances, *((self.row(Row.SITE, site, 1), 1) for site in run)]
        for key in self.runs.stretches(self.rules.spacing, self.pots[pot].group, run):
            known = len(self.bounds)
            row = self.row(Row.STRETCH, key, 1)
            entries.append((row, 1))
            if row == known and self.rules.spacing is not None and self.rules.spacing.strength == "soft":
                self.add(Excess(key), [(row, -1)])
        self.add(Give(pot, run), entries)
