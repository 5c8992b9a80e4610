"""Comparing: which variants are set side by side, and the seed that they share."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fairalloc.allocation import Solve
from fairalloc.bundle.files import input_files
from fairalloc.bundle.statements import inputs_root, rules_hash
from fairalloc.comparison import Measures, compare
from fairalloc.errors import UsageError
from fairalloc.lottery import lottery_seed
from fairalloc.model import SeasonInput
from fairalloc.numbering import public_numbers
from fairalloc.rules import Rules
from fairalloc.rules.variants import MECHANISMS, removable, with_mechanism, without


def compare_season(
    rules: Rules,
    rules_text: str,
    season: SeasonInput,
    left_out: Sequence[str],
    solve: Solve,
    say: Callable[[str], None],
) -> tuple[Measures, ...]:
    """The season as its rules are, with the other mechanisms that can serve it, and without each of some rules.

    Args:
        rules: the season's rules.
        rules_text: their text, which seeds the lottery.
        season: everything that was handed in.
        left_out: ids of the rules to leave out, one at a time; all that can be left out where none is named.
        solve: the solver.
        say: told why a mechanism is not among the variants.

    Raises:
        UsageError: when a rule that is named cannot be left out.
    """
    variants = [("as the rules are", rules)]
    for name in MECHANISMS:
        if name != rules.mechanism.name:
            try:
                variants.append((f"mechanism {name}", with_mechanism(rules, name)))
            except UsageError as error:
                say(f"without the mechanism {name}: {error.message}; {error.remedy}")
    variants += [(f"without {rule_id}", without(rules, rule_id)) for rule_id in left_out or removable(rules)]
    files = input_files(rules_text, season, public_numbers(season, [period.id for period in rules.periods]))
    seed = lottery_seed(inputs_root(files), rules_hash(files), rules.lottery.value)
    return compare(variants, season, seed, solve)
