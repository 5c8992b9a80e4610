"""The integer program of one part of a season (a period, or all of them where a cap spans periods).

    ask    (application, choice, width)   an application takes a choice with so many stalls
    spread (any-fair pot, fair pot)       requests for any fair, handed down to one of them
    give   (pot, run)                     a run of stalls goes to the requests of a pot

A *pot* collects requests that nobody can tell apart where they stand: same fair (or any, or one exact stall), same
signature, same width, and same product group where a rule counts groups. Every row is `sum <= bound` with a bound that
is not negative, so that every price is one of a scarce thing, and not negative either.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fairalloc.allocation import Candidate
from fairalloc.ledger import SiteNo
from fairalloc.model import Choice
from fairalloc.rules import FairCap, Goal, Rules, Spacing
from solver.adjacent.runs import Run, Runs
from solver.problem import IntArray, Signature

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pot:
    """Where requests meet runs.

    ``fair`` None is any fair, ``number`` an exact stall, ``group`` "" where no rule counts groups.
    """

    fair: str | None
    number: str | None
    signature: Signature
    width: int
    group: str


@dataclass(slots=True)
class Model:
    """The program: maximise a goal over columns in {0, 1} (spreads: whole numbers) with ``matrix @ x <= bounds``.

    ``entries`` are (row, column, coefficient). Asks come first: column ``j < len(asks)`` is ``asks[j]``.
    """

    asks: list[tuple[int, int, Pot]] = field(default_factory=list)
    spreads: list[tuple[Pot, Pot]] = field(default_factory=list)
    gives: list[tuple[Pot, Run]] = field(default_factory=list)
    bounds: list[int] = field(default_factory=list)
    entries: list[tuple[int, int, int]] = field(default_factory=list)
    site_row: dict[SiteNo, int] = field(default_factory=dict)
    cap_row: dict[str, int] = field(default_factory=dict)
    stretch_row: dict[str, int] = field(default_factory=dict)

    @property
    def columns(self) -> int:
        """How many columns there are."""
        return len(self.asks) + len(self.spreads) + len(self.gives)

    def upper(self) -> FloatArray:
        """The largest value of each column."""
        ones = np.ones(self.columns)
        ones[len(self.asks) : len(self.asks) + len(self.spreads)] = max(len(self.asks), 1)
        return ones

    def row(self, bound: int) -> int:
        """A new row."""
        self.bounds.append(bound)
        return len(self.bounds) - 1


def gains(model: Model, candidates: Sequence[Candidate], goal: Goal, total: int) -> IntArray:
    """(columns,) what each column adds to a goal; ``total`` is the length of the whole queue."""
    values = np.zeros(model.columns, dtype=np.int64)
    for column, (index, rank, pot) in enumerate(model.asks):
        candidate = candidates[index]
        match goal:
            case Goal.PLACED:
                values[column] = 1
            case Goal.PRIORITY:
                values[column] = total - candidate.position + 1
            case Goal.CHOICES:
                values[column] = -rank
            case Goal.EXTRA_STALLS:
                values[column] = pot.width - candidate.stalls_min
    return values


def build_model(
    rules: Rules, runs: Runs, candidates: Sequence[Candidate], pools_of: Mapping[str, frozenset[str]]
) -> Model:
    """The program of some candidates; applications without any run in reach have no columns."""
    model = Model()
    counts_groups = rules.spacing is not None or any(cap.group for cap in rules.fair_caps)
    wanted: dict[Pot, list[int]] = defaultdict(list)
    for index, candidate in enumerate(candidates):
        signature = Signature(candidate.period, candidate.category, candidate.needs, pools_of[candidate.kind])
        one = -1
        for rank, choice in enumerate(candidate.choices, start=1):
            for width in range(candidate.stalls_min, candidate.stalls_max + 1):
                pot = Pot(choice.fair_id, choice.number, signature, width, candidate.group if counts_groups else "")
                if not _any_run(runs, pot):
                    continue
                one = model.row(1) if one < 0 else one
                column = len(model.asks)
                model.asks.append((index, rank, pot))
                model.entries.append((one, column, 1))
                wanted[pot].append(column)
                _count_for_holder(model, rules, candidate, column, width)
    _spread(model, runs, wanted)
    _give(model, rules, runs, wanted)
    return model


def runs_of(runs: Runs, pot: Pot) -> list[Run]:
    """The runs that a pot at one fair reaches."""
    if pot.fair is None:
        raise ValueError("a pot of any fair has no runs of its own")
    if pot.number is None:
        return runs.of(pot.fair, pot.signature, pot.width)
    return runs.naming(pot.fair, pot.signature, pot.width, pot.number)


def fair_pots(runs: Runs, pot: Pot) -> list[Pot]:
    """The pots at single fairs that a pot of any fair is handed down to."""
    found = (Pot(fair, None, pot.signature, pot.width, pot.group) for fair in runs.fairs(pot.signature.period))
    return [below for below in found if runs_of(runs, below)]


def _any_run(runs: Runs, pot: Pot) -> bool:
    return bool(fair_pots(runs, pot) if pot.fair is None else runs_of(runs, pot))


def _count_for_holder(model: Model, rules: Rules, candidate: Candidate, column: int, width: int) -> None:
    """Stalls count against the caps of the applicant, or of whoever stands behind several."""
    for cap in rules.caps:
        key = cap.key_of(candidate.kind, candidate.applicant, candidate.owner, candidate.period)
        if key is not None:
            if key not in model.cap_row:
                model.cap_row[key] = model.row(cap.max_stalls)
            model.entries.append((model.cap_row[key], column, width))


def _spread(model: Model, runs: Runs, wanted: dict[Pot, list[int]]) -> None:
    """Hand requests for any fair down to fairs; adds the columns that do to the pots there."""
    for pot in [pot for pot in wanted if pot.fair is None]:
        balance = model.row(0)
        model.entries += [(balance, column, 1) for column in wanted.pop(pot)]
        for below in fair_pots(runs, pot):
            column = len(model.asks) + len(model.spreads)
            model.spreads.append((pot, below))
            model.entries.append((balance, column, -1))
            wanted[below].append(column)


def _give(model: Model, rules: Rules, runs: Runs, wanted: Mapping[Pot, Sequence[int]]) -> None:
    """Runs for the pots: no more requests than runs, no stall twice, no fair beyond its caps."""
    for pot, columns in wanted.items():
        balance = model.row(0)
        model.entries += [(balance, column, 1) for column in columns]
        caps = list(_fair_cap_rows(model, rules.fair_caps, pot))
        for run in runs_of(runs, pot):
            column = len(model.asks) + len(model.spreads) + len(model.gives)
            model.gives.append((pot, run))
            model.entries.append((balance, column, -1))
            for site in run:
                if site not in model.site_row:
                    model.site_row[site] = model.row(1)
                model.entries.append((model.site_row[site], column, 1))
            model.entries += [(row, column, pot.width) for row in caps]
            for key in stretches(rules.spacing, runs, pot, run):
                if key not in model.stretch_row:
                    model.stretch_row[key] = model.row(1)
                model.entries.append((model.stretch_row[key], column, 1))


def stretches(spacing: Spacing | None, runs: Runs, pot: Pot, run: Run) -> list[str]:
    """The stretches of its row that a run touches, in each of which one application of its group may stand.

    A stretch begins at each position and is as long as the spacing reaches: two runs come too close exactly where some
    stretch touches both.
    """
    if spacing is None or not pot.group:
        return []
    first, last = runs.site(run[0]), runs.site(run[-1])
    return [
        spacing.key_of(first.fair_id, first.period, first.row, position, pot.group)
        for position in range(first.position - spacing.distance, last.position + 1)
    ]


def _fair_cap_rows(model: Model, fair_caps: Iterable[FairCap], pot: Pot) -> Iterable[int]:
    for cap in fair_caps:
        key = cap.key_of(str(pot.fair), pot.signature.period, pot.signature.category, pot.group)
        if key is not None:
            if key not in model.cap_row:
                model.cap_row[key] = model.row(cap.max_stalls)
            yield model.cap_row[key]


def choice_rank(choices: Sequence[Choice], fair: str, numbers: Sequence[str]) -> int:
    """The first choice that a run meets: its fair, one of its stalls, or any."""
    return next(
        rank
        for rank, choice in enumerate(choices, start=1)
        if choice.fair_id in {None, fair} and (choice.number is None or choice.number in numbers)
    )
