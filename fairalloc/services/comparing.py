"""Comparing: which variants are set side by side, and the seed that they share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from fairalloc.allocation import Solve
from fairalloc.bundle.files import input_files
from fairalloc.bundle.statements import inputs_root, rules_hash
from fairalloc.comparison import Measures, Variant, compare
from fairalloc.errors import UsageError
from fairalloc.lottery import lottery_seed
from fairalloc.model import SeasonInput
from fairalloc.numbering import public_numbers
from fairalloc.preallocation import by_application
from fairalloc.rules import Rules
from fairalloc.rules.variants import MECHANISMS, removable, with_goals, with_mechanism, without

AS_THEY_ARE = "as the rules are"
"""The name of the variant that the others are held against."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to compare a season's rules with, each by itself: other mechanisms, other goals, and rules left out."""

    mechanisms: Sequence[str] = ()
    goals: Sequence[str] = ()
    left_out: Sequence[str] = ()

    @property
    def anything(self) -> bool:
        """Whether anything is named at all."""
        return bool(self.mechanisms or self.goals or self.left_out)


def compare_season(
    rules: Rules,
    rules_text: str,
    season: SeasonInput,
    wanted: Wanted,
    solve: Solve,
    say: Callable[[str], None],
) -> tuple[Measures, ...]:
    """The season as its rules are, and what it would be by the variants wanted.

    Where nothing is wanted, the variants are the other mechanisms where they can serve the season, and the rules
    without each one that can be left out.

    Args:
        rules: the season's rules.
        rules_text: their text, which seeds the lottery.
        season: everything that was handed in.
        wanted: the variants; goals are lists separated by commas.
        solve: the solver.
        say: told why a mechanism is not among the variants, and where the lottery is not drawn yet.

    Raises:
        UsageError: when a mechanism cannot serve the season, goals do not fit the rules, or a rule cannot be left out.
    """
    others = variants_wanted(rules, season, wanted) if wanted.anything else _usual(rules, season, say)
    return compare([Variant(AS_THEY_ARE, rules), *others], season, seed_of(rules, rules_text, season, say), solve)


def seed_of(rules: Rules, rules_text: str, season: SeasonInput, say: Callable[[str], None]) -> bytes:
    """The season's lottery seed; where the lottery is still to come that of a draw of no consequence, which is told."""
    files = input_files(rules_text, season, public_numbers(season, [period.id for period in rules.periods]))
    value = rules.lottery.known
    if value is None:
        say(f"the lottery draws {rules.lottery.words}: compared by a draw of no consequence instead")
    return lottery_seed(inputs_root(files), rules_hash(files), value or "")


def variants_wanted(rules: Rules, season: SeasonInput, wanted: Wanted) -> Iterator[Variant]:
    """The variants that were named.

    Raises:
        UsageError: when a mechanism cannot serve the season, goals do not fit the rules, or a rule cannot be left out.
    """
    for name in wanted.mechanisms:
        yield _by_mechanism(rules, season, name)
    for goals in wanted.goals:
        names = [goal.strip() for goal in goals.split(",")]
        yield Variant(f"goals {', '.join(names)}", with_goals(rules, names))
    for rule_id in wanted.left_out:
        yield Variant(f"without {rule_id}", without(rules, rule_id), rule_id)


def _usual(rules: Rules, season: SeasonInput, say: Callable[[str], None]) -> Iterator[Variant]:
    for name in MECHANISMS:
        if name != rules.mechanism.name:
            try:
                yield _by_mechanism(rules, season, name)
            except UsageError as error:
                say(f"without the mechanism {name}: {error.message}; {error.remedy}")
    yield from (Variant(f"without {rule_id}", without(rules, rule_id), rule_id) for rule_id in removable(rules))


def _by_mechanism(rules: Rules, season: SeasonInput, name: str) -> Variant:
    """The season by another mechanism; its name tells the goals, where the season names none.

    Raises:
        UsageError: when that cannot serve the rules, or the decisions made beforehand.
    """
    variant = with_mechanism(rules, name)
    if by_application(season.preallocations) and not variant.keeps_decisions:
        message = f"the mechanism {name} cannot keep the applications of preallocations.csv on their sites"
        raise UsageError("rules.decisions", message, "compare other variants")
    chosen = "" if name != "optimal" or rules.mechanism.goals else f", goals {', '.join(variant.mechanism.goals)}"
    return Variant(f"mechanism {name}{chosen}", variant)
