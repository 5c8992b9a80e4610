"""What if: from what was asked for to the study, and from its runs to the figures that are told."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from fairalloc.allocation import Solve
from fairalloc.comparison import Variant
from fairalloc.errors import UsageError
from fairalloc.model import SeasonInput
from fairalloc.preallocation import by_application
from fairalloc.progress import Progress
from fairalloc.rules import Rules
from fairalloc.services.comparing import AS_THEY_ARE, Wanted, seed_of, variants_wanted
from fairalloc.whatif.distributions import Share, Spread
from fairalloc.whatif.past import Past, carried_over
from fairalloc.whatif.study import AS_HANDED_IN, Measured, Situation, Study, by_variant, open_sites, run_all

FIGURES = {
    "applications": "applications handed in",
    "stalls": "stalls filled",
    "placed": "applications placed",
    "people": "applicants with a place",
    "first": "first choices met",
}
"""What is told of every scenario: fields of :class:`fairalloc.whatif.study.Measured`, in words."""

_CHANGE = re.compile(r"([+-]?)([0-9]{1,3}) ?%?")


@dataclass(frozen=True, slots=True)
class Asked:
    """What to try.

    Attributes:
        variants: of the rules, beside the rules as they are.
        demands: changes of the number of applicants, like ``+20%``.
        closing: fairs that are not held, each by itself; some at once with commas between.
        pasts: earlier seasons whose applicants might apply.
        periods: this season's periods, by those of the past seasons that have another id.
        runs: seasons drawn in each situation.
        seed: of all that is drawn.
    """

    variants: Wanted = field(default_factory=Wanted)
    demands: Sequence[str] = ()
    closing: Sequence[str] = ()
    pasts: Sequence[Past] = ()
    periods: Mapping[str, str] | None = None
    runs: int = 20
    seed: int = 1


@dataclass(frozen=True, slots=True)
class FairForecast:
    """A fair's empty stalls over the runs: how many are open in all periods, the mean, and how often most are empty."""

    fair_id: str
    name: str
    open: int
    expected_empty: float
    mostly_empty: Share


@dataclass(frozen=True, slots=True)
class QuotaUse:
    """A quota's use: the stalls that it keeps, and how many of them were filled."""

    quota: str
    kept: int
    filled: Spread
    as_handed_in: int | None


@dataclass(frozen=True, slots=True)
class Against:
    """A scenario held against another in the same runs.

    Attributes:
        what: the other, in words.
        changes: of the figures.
        more_stalls: in how many runs more stalls are filled.
        more_first: in how many runs more first choices are met.
    """

    what: str
    changes: Mapping[str, Spread]
    more_stalls: Share
    more_first: Share


@dataclass(frozen=True, slots=True)
class Scenario:
    """A variant of the rules in a situation.

    Attributes:
        variant: its name.
        situation: its name.
        runs: what each drawn season came to, in the order of the runs, by the names of :data:`FIGURES`.
        figures: where those lie.
        as_handed_in: the same with everybody there once; None where their number changes.
        quotas: in the order of the rules.
        fairs: the worst first.
        against: what it is held against, run by run: a variant against the rules as they are in the same situation,
            and those against the same applicants as they are; None where there is nothing to hold it against.
    """

    variant: str
    situation: str
    runs: Mapping[str, tuple[int, ...]]
    figures: Mapping[str, Spread]
    as_handed_in: Mapping[str, int] | None
    quotas: tuple[QuotaUse, ...]
    fairs: tuple[FairForecast, ...]
    against: Against | None

    @property
    def name(self) -> str:
        """Of variant and situation."""
        return f"{self.variant}; {self.situation}"


def plan(
    rules: Rules, rules_text: str, season: SeasonInput, asked: Asked, solve: Solve, say: Callable[[str], None]
) -> Study:
    """What is to be solved: each variant in each situation.

    Where nobody has applied yet, the first of the past seasons stands for the season's own applicants.

    Args:
        rules: of the season.
        rules_text: their text, which seeds the lottery.
        season: everything that was handed in.
        asked: what to try.
        solve: the solver.
        say: told what does not match, and what is left out.

    Raises:
        UsageError: when there is nobody to draw, or what is asked for cannot be tried.
    """
    variants = (Variant(AS_THEY_ARE, rules), *variants_wanted(rules, season, asked.variants))
    _check_periods(rules, asked)
    sources, names = ([season], ["the season's applicants"]) if season.applications else ([], [])
    for past in asked.pasts:
        joined, words = carried_over(rules, season, past, asked.periods or {})
        for remark in words:
            say(f"{past.name}: {remark}")
        if not joined.applications:
            remedy = "name what its periods are here: --period OLD=NEW"
            raise UsageError("whatif.no-match", f"no application of {past.name} matches this season", remedy)
        sources.append(joined)
        names.append(f"applicants of {past.name}")
    if not sources:
        raise UsageError("whatif.nobody", "nobody has applied yet", "name an earlier season: --past FOLDER")
    if by_application(season.preallocations):
        say("decisions of preallocations.csv that place an application are left out of the drawn seasons")
    changes = [_change(text) for text in asked.demands]
    situations = (
        *(Situation(name, source) for source, name in enumerate(names)),
        *(Situation(f"{change:+}% applicants", change=change) for change in dict.fromkeys(changes)),
        *(_closing(text, season) for text in dict.fromkeys(asked.closing)),
    )
    lottery = seed_of(rules, rules_text, season, say)
    return Study(rules, variants, situations, tuple(sources), asked.runs, asked.seed, lottery, solve)


def what_if(study: Study, progress: Progress) -> tuple[Scenario, ...]:
    """Solve all of a study; a situation's variants stand together."""
    done = run_all(study, progress)
    names: dict[str, str] = {fair.fair_id: fair.name for fair in study.sources[0].fairs}
    scenarios = []
    for place, situation in enumerate(study.situations):
        open_ = open_sites(study.season(situation, AS_HANDED_IN))
        for number, variant in enumerate(study.variants):
            once, runs = by_variant(study, done, place, number)
            # A variant is held against the rules, a situation against its applicants as they are.
            other = place if number else situation.source
            what = study.variants[0].name if number else study.situations[other].name
            _, base = by_variant(study, done, other, 0)
            drawn = {name: tuple(getattr(run, name) for run in runs) for name in FIGURES}
            scenarios.append(
                Scenario(
                    variant=variant.name,
                    situation=situation.name,
                    runs=drawn,
                    figures={name: Spread.of(of) for name, of in drawn.items()},
                    as_handed_in=None if once is None else {name: getattr(once, name) for name in FIGURES},
                    quotas=_quotas(once, runs),
                    fairs=_forecast(runs, open_, names),
                    against=_against(what, runs, base) if number or other != place else None,
                )
            )
    return tuple(scenarios)


def _change(text: str) -> int:
    """Per cent.

    Raises:
        UsageError: when it is none.
    """
    found = _CHANGE.fullmatch(text.strip())
    change = int(found[1] + found[2]) if found else 0
    if found is None or not found[1] or not -100 < change < 1000 or not change:
        raise UsageError("whatif.demand", f"{text!r} is no change of demand", "write +20% or -10%")
    return change


def _closing(text: str, season: SeasonInput) -> Situation:
    """A situation without some fairs.

    Raises:
        UsageError: when there is no such fair.
    """
    closed = [name.strip() for name in text.split(",")]
    known = {fair.fair_id for fair in season.fairs}
    for name in closed:
        if name not in known:
            raise UsageError("whatif.fair", f"the season has no fair {name!r}", "name a fair_id of fairs.csv")
    return Situation(f"without fair {', '.join(closed)}", closed=frozenset(closed))


def _check_periods(rules: Rules, asked: Asked) -> None:
    known = {period.id for period in rules.periods}
    for old, new in (asked.periods or {}).items():
        if new not in known:
            raise UsageError("whatif.period", f"{old}={new}: the season has no period {new!r}", "see season.toml")


def _against(what: str, runs: Sequence[Measured], base: Sequence[Measured]) -> Against:
    changes = {
        name: [getattr(run, name) - getattr(other, name) for run, other in zip(runs, base, strict=True)]
        for name in FIGURES
    }
    more = {name: Share.counted(sum(change > 0 for change in of), len(of)) for name, of in changes.items()}
    spreads = {name: Spread.of(of) for name, of in changes.items()}
    return Against(what, spreads, more["stalls"], more["first"])


def _quotas(once: Measured | None, runs: Sequence[Measured]) -> tuple[QuotaUse, ...]:
    return tuple(
        QuotaUse(
            quota=quota,
            kept=kept,
            filled=Spread.of(run.quotas[quota][0] for run in runs),
            as_handed_in=None if once is None else once.quotas[quota][0],
        )
        for quota, (_, kept) in runs[0].quotas.items()
    )


def _forecast(runs: Sequence[Measured], open_: Mapping[str, int], names: Mapping[str, str]) -> tuple[FairForecast, ...]:
    """The fairs with the largest share of their stalls empty first."""
    told = []
    for fair, size in open_.items():
        empty = [run.empty.get(fair, 0) for run in runs]
        mostly = Share.counted(sum(2 * number > size for number in empty), len(runs))
        told.append(FairForecast(fair, names[fair], size, round(sum(empty) / len(runs), 2), mostly))
    return tuple(sorted(told, key=lambda fair: (-fair.expected_empty / fair.open, fair.fair_id)))
