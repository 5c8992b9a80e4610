"""The applicants of an earlier season at the fairs and sites of this one; what does not match is told, not guessed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from fairalloc.instants import Instant
from fairalloc.model import Application, Choice, PeriodId, SeasonInput
from fairalloc.rules import Rules


@dataclass(frozen=True, slots=True)
class Past:
    """An earlier season: the name that it is told by, its rules and its input."""

    name: str
    rules: Rules
    season: SeasonInput


def carried_over(
    rules: Rules, season: SeasonInput, past: Past, periods: Mapping[str, str]
) -> tuple[SeasonInput, tuple[str, ...]]:
    """This season with the applicants and applications of a past one, and what of those has no match, in words.

    Periods, fairs, goods, kinds and needs are matched by id. Times keep their place in the campaign. Whoever has an id
    that this season's incumbents.csv, earlier.csv or conduct.csv names has what they say.

    Args:
        rules: of this season.
        season: this season.
        past: the earlier one.
        periods: ids of this season's periods, by those of the past's that they go by a new name there.
    """
    match = _Match(rules, season, past.rules, periods)
    kinds = {kind.id for kind in rules.kinds}
    kind_of = {person.applicant_id: person.kind for person in past.season.applicants}
    kept = []
    for application in past.season.applications:
        if kind_of[application.applicant_id] not in kinds:
            match.lost[f"their applicant's kind {kind_of[application.applicant_id]}"] += 1
            continue
        carried = match.carried(application)
        if carried is not None:
            kept.append(carried)
    who = {application.applicant_id for application in kept}
    joined = replace(
        season,
        applicants=tuple(person for person in past.season.applicants if person.applicant_id in who),
        applications=tuple(kept),
        incumbents=tuple(held for held in season.incumbents if held.applicant_id in who),
        earlier=tuple(given for given in season.earlier if given.applicant_id in who),
        conduct=tuple(known for known in season.conduct if known.applicant_id in who),
        same=(),
        followed=(),
        preallocations=tuple(decision for decision in season.preallocations if decision.application_id is None),
    )
    total = len(past.season.applications)
    words = [f"{len(kept):,} of {total:,} applications match this season"]
    lost = sorted(match.lost.items())
    words += (f"left out, as this season does not have {what}: {number:,}" for what, number in lost)
    words += (f"{what}: {number:,}" for what, number in sorted(match.changed.items()))
    return joined, tuple(words)


class _Match:
    """Turns a past application into one of this season.

    Attributes:
        lost: how many applications have no match, by what is missing.
        changed: how many choices were changed, in words.
    """

    def __init__(self, rules: Rules, season: SeasonInput, past: Rules, periods: Mapping[str, str]) -> None:
        self._periods = {period.id: PeriodId(period.id) for period in rules.periods}
        self._periods |= {old: PeriodId(new) for old, new in periods.items()}
        self._groups = {category.id: frozenset(category.groups) for category in rules.categories}
        self._features = frozenset(rules.features)
        self._fairs = {fair.fair_id for fair in season.fairs}
        self._stalls = {(site.fair_id, site.period, site.number) for site in season.sites}
        self._then, self._now = past.campaign, rules.campaign
        self.lost: Counter[str] = Counter()
        self.changed: Counter[str] = Counter()

    def carried(self, application: Application) -> Application | None:
        """The application here; None where it has no match."""
        period = self._periods.get(application.period)
        groups = self._groups.get(application.category)
        missing = ""
        if period is None:
            missing = f"the period {application.period}"
        elif groups is None:
            missing = f"the category {application.category}"
        elif groups and application.group not in groups:
            missing = f"the group {application.group} of {application.category}"
        elif not application.needs <= self._features:
            missing = f"the feature {min(application.needs - self._features)}"
        if period is None or missing:
            self.lost[missing] += 1
            return None
        choices = tuple(dict.fromkeys(filter(None, (self._choice(choice, period) for choice in application.choices))))
        if not choices:
            self.lost["any fair of their choices"] += 1
            return None
        return replace(application, period=period, choices=choices, submitted_at=self._time(application.submitted_at))

    def _choice(self, choice: Choice, period: str) -> Choice | None:
        if choice.fair_id is None:
            return choice
        if choice.fair_id not in self._fairs:
            self.changed[f"choices dropped, as this season does not have the fair {choice.fair_id}"] += 1
            return None
        if choice.number is not None and (choice.fair_id, period, choice.number) not in self._stalls:
            self.changed["choices of a stall that is no more, which count as choices of its fair"] += 1
            return Choice(choice.fair_id)
        return choice

    def _time(self, at: Instant) -> Instant:
        """As far into this campaign as it was into the past one; before and after it by the same distance."""
        if at < self._then.opens:
            return Instant(self._now.opens - (self._then.opens - at))
        if at >= self._then.closes:
            return Instant(self._now.closes + (at - self._then.closes))
        length, here = self._then.closes - self._then.opens, self._now.closes - self._now.opens
        return Instant(self._now.opens + (at - self._then.opens) * here // length)
