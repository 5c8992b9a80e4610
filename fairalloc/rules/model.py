"""What a `season.toml` may say.

Invariants:
- a value of :class:`Rules` has passed every check here, so nothing after it asks again;
- every rule that decides something has an ``id`` and a ``clause``, the regulation's paragraph in free text;
- names that other rules refer to (kinds, categories, periods) are declared once and only declared ones are referred to.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from fairalloc.instants import NANOSECONDS
from fairalloc.rules.admission import Admission, ApplicationCap, Documents, Duplicates, Regions, Sanction
from fairalloc.rules.base import Moment, Name, Rule, Strict
from fairalloc.rules.lottery import Lottery
from fairalloc.rules.mechanism import Goal, Mechanism, Step
from fairalloc.rules.offers import MIDNIGHT, Offers, Timetable, at, end_of
from fairalloc.rules.placing import Cap, FairCap, FairPriority, Minimum, Numbering, Pool, Quota, Spacing, Stalls
from fairalloc.rules.quota_queue import QuotaQueue


class SeasonHeading(Strict):
    """Which season this is."""

    id: Name
    name: str = ""


class Campaign(Rule):
    """One round of intake: applications count from ``opens`` up to, not including, ``closes``.

    ``follows``: the id of the season's campaign before this one, which is on record as a season of its own.
    ``recorded_by``: when the outcome has to stand on chain; what is recorded later is a finding of the audit.
    """

    opens: Moment
    closes: Moment
    recorded_by: Moment | None = None
    name: str = ""
    follows: Name | None = None

    @model_validator(mode="after")
    def _opens_before_it_closes(self) -> Self:
        if self.opens >= self.closes:
            raise ValueError("the campaign closes before it opens")
        if self.recorded_by is not None and self.recorded_by < self.closes:
            raise ValueError("the outcome is due before the campaign closes")
        return self


class Period(Strict):
    """The dates a site is given for."""

    id: Name
    name: str = ""
    starts: date
    ends: date

    @model_validator(mode="after")
    def _starts_before_it_ends(self) -> Self:
        if self.starts > self.ends:
            raise ValueError("the period ends before it starts")
        return self


class Category(Strict):
    """What is sold; no ``groups`` means that any product group may be named.

    ``own_sites``: goods of this category stand only on sites that name it, not on those that take any.
    """

    id: Name
    name: str = ""
    groups: tuple[str, ...] = ()
    own_sites: bool = False


class Kind(Strict):
    """A kind of applicant."""

    id: Name
    name: str = ""


class PriorityKey(StrEnum):
    """What the queue is ordered by; earlier, smaller or earlier-listed comes first."""

    SUBMITTED_AT = "submitted_at"
    REGISTRATION_NO = "registration_no"
    FIRST_SEASON = "first_season"
    KIND = "kind"
    REGION = "region"
    INCUMBENT = "incumbent"


class Priority(Rule):
    """The queue's order. Kinds and regions rank as listed; those not listed come after, level with each other."""

    keys: tuple[PriorityKey, ...]
    kinds: tuple[Name, ...] = ()
    regions: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _listed_keys_have_lists(self) -> Self:
        if len(set(self.keys)) != len(self.keys):
            raise ValueError("a priority key is listed twice")
        if PriorityKey.KIND in self.keys and not self.kinds:
            raise ValueError('the key "kind" needs the list `kinds`')
        if PriorityKey.REGION in self.keys and not self.regions:
            raise ValueError('the key "region" needs the list `regions`')
        return self


class Amendments(Rule):
    """Whether an application that was amended before the closing keeps its place, or takes the amendment's time.

    One that was only handed in again with its documents keeps it anyway.
    """

    place: Literal["keep", "new"] = "new"


class Rules(Strict):
    """A season's rules, validated. Order of ``periods`` is the order of the calendar in reports and site numbers."""

    season: SeasonHeading
    campaign: Campaign
    periods: Annotated[tuple[Period, ...], Field(min_length=1)]
    categories: Annotated[tuple[Category, ...], Field(min_length=1)]
    kinds: Annotated[tuple[Kind, ...], Field(min_length=1)]
    features: tuple[Name, ...] = ()
    mechanism: Mechanism
    priority: Priority
    lottery: Lottery
    admissions: tuple[Admission, ...] = ()
    regions: Regions | None = None
    documents: Documents | None = None
    duplicates: Duplicates | None = None
    amendments: Amendments | None = None
    application_caps: tuple[ApplicationCap, ...] = ()
    sanctions: tuple[Sanction, ...] = ()
    pools: tuple[Pool, ...] = ()
    caps: tuple[Cap, ...] = ()
    fair_caps: tuple[FairCap, ...] = ()
    quotas: tuple[Quota, ...] = ()
    minimums: tuple[Minimum, ...] = ()
    fair_priorities: tuple[FairPriority, ...] = ()
    spacing: Spacing | None = None
    stalls: Stalls = Stalls(id="one-stall", multiple="refuse")
    numbering: Numbering = Numbering(id="numbering", returning="keep")
    quota_queue: QuotaQueue | None = None
    offers: Offers | None = None

    @model_validator(mode="after")
    def _follows_another(self) -> Self:
        if self.campaign.follows == self.season.id:
            raise ValueError(f"the campaign {self.season.id!r} follows itself: `follows` names the one before it")
        return self

    @model_validator(mode="after")
    def _nobody_who_applies_knows_the_draw(self) -> Self:
        comes = self.lottery.time
        if comes is not None and comes * NANOSECONDS <= self.campaign.closes:
            raise ValueError(f"the lottery draws {self.lottery.words}: that is not after the campaign closes")
        return self

    @model_validator(mode="after")
    def _quota_queue_can_count(self) -> Self:
        table = self.quota_queue
        if table is not None:
            pools = {pool.id for pool in self.pools}
            _declared("kind", (*table.individuals, *table.farmers), {kind.id for kind in self.kinds}, table.id)
            _declared("category", (table.vegetables,), {category.id for category in self.categories}, table.id)
            _declared("pool", (*table.individuals_pools, *table.farmers_pools), pools, table.id)
        if self.mechanism.name == "quota-queue":
            if table is None:
                raise ValueError('the mechanism "quota-queue" needs the table [quota_queue]: add it')
            if "numbering" in self.model_fields_set and self.numbering.returning != "ignore":
                raise ValueError(
                    'the mechanism "quota-queue" does not ask who stood where:'
                    ' write `returning = "ignore"` in [numbering], or leave it out'
                )
        return self

    @model_validator(mode="after")
    def _quota_queue_serves_one_stall_each(self) -> Self:
        if self.mechanism.name == "quota-queue" and not (self.gives_one_site_each and self.spacing is None):
            raise ValueError(
                'the mechanism "quota-queue" gives one stall to each application: leave out caps that forbid,'
                " fair_caps, quotas, minimums, spacing and guaranteed stalls, and do not serve several adjacent stalls,"
                ' or take the mechanism "optimal" or "queue"'
            )
        return self

    @model_validator(mode="after")
    def _only_the_queue_knows_fair_priorities(self) -> Self:
        if self.fair_priorities and self.mechanism.name != "queue":
            raise ValueError('fair_priorities are part of the mechanism "queue": the others know one queue')
        fairs = [fair for rule in self.fair_priorities for fair in rule.fairs]
        _unique("fair in fair_priorities", fairs)
        return self

    @model_validator(mode="after")
    def _goals_fit_the_rules(self) -> Self:
        if self.mechanism.name == "queue":
            return self
        needed = (
            (Goal.RESERVES, "quotas", bool(self.quotas)),
            (Goal.MINIMUMS, "minimums", bool(self.minimums)),
        )
        for goal, name, present in needed:
            if present != (goal in self.mechanism.goals):
                told = f"the rules have {name}" if present else f"there are no {name} in the rules"
                raise ValueError(
                    f'the goal "{goal}" and {name} go together: {told}, so {"add" if present else "drop"} it'
                )
        if self.spacing is not None and self.spacing.strength == "soft" and Goal.COMFORT not in self.mechanism.goals:
            raise ValueError('soft spacing is part of the goal "comfort": add it to the goals')
        return self

    @model_validator(mode="after")
    def _counts_serve_no_waiting_list(self) -> Self:
        if self.offers is not None and self.offers.rounds and self.offers.order == "rules" and not self.keeps_decisions:
            raise ValueError('the mechanism "quota-queue" cannot give single freed sites: write `order = "queue"`')
        return self

    @property
    def forbidding_caps(self) -> tuple[Cap, ...]:
        """The caps on applicants and owners that nobody may pass."""
        return tuple(cap for cap in self.caps if cap.effect == "forbid")

    @property
    def amendments_keep(self) -> bool:
        """Whether an amendment of any kind keeps the application's place."""
        return self.amendments is not None and self.amendments.place == "keep"

    @property
    def own_sites(self) -> frozenset[str]:
        """The categories that stand only on sites that name them."""
        return frozenset(category.id for category in self.categories if category.own_sites)

    @property
    def keeps_decisions(self) -> bool:
        """Whether the mechanism can keep an application on a site that was decided on before: counts know no sites."""
        return self.mechanism.name != "quota-queue"

    def timetable(self) -> Timetable:
        """When fairs open and are over, offers run out and waiting lists are served, period by period."""
        opens_at = MIDNIGHT if self.offers is None else self.offers.opens_at
        openings = {period.id: at(period.starts, opens_at) for period in self.periods}
        endings = {period.id: end_of(period.ends, opens_at) for period in self.periods}
        if self.offers is None:
            return Timetable(openings, {}, endings=endings)
        first = {period.id: self.offers.deadline(period.starts) for period in self.periods}
        return Timetable(openings, first, self.offers.confirm_hours, self.offers.rounds, endings=endings)

    @property
    def gives_one_site_each(self) -> bool:
        """Whether every placement takes one site, nothing else is scarce, and nobody is sure of a site.

        Soft spacing makes nothing scarce.
        """
        apart = self.spacing is not None and self.spacing.strength == "hard"
        counted = self.forbidding_caps or self.fair_caps or self.quotas or self.minimums or apart
        return not counted and self.stalls.multiple != "adjacent" and self.numbering.returning != "guarantee"

    @property
    def steps(self) -> tuple[Step, ...]:
        """What is optimised one after the other; quotas and minimums each in the order of the rules."""
        parts = {Goal.RESERVES: self.quotas, Goal.MINIMUMS: self.minimums}
        return tuple(
            step
            for goal in self.mechanism.goals
            for step in ([Step(goal, rule.id) for rule in parts[goal]] if goal in parts else [Step(goal)])
        )

    @model_validator(mode="after")
    def _names_are_declared_once(self) -> Self:
        kinds, categories = {kind.id for kind in self.kinds}, {category.id for category in self.categories}
        _unique("period", (period.id for period in self.periods))
        _unique("category", (category.id for category in self.categories))
        _unique("kind", (kind.id for kind in self.kinds))
        _unique("feature", self.features)
        _unique("rule", (rule.id for rule in self.rules()))
        naming_kinds: tuple[Admission | ApplicationCap | Cap | FairPriority | Pool | Priority | Quota | Sanction, ...]
        naming_kinds = (
            *self.admissions,
            *self.application_caps,
            *self.sanctions,
            *self.pools,
            *self.caps,
            *self.quotas,
            *self.fair_priorities,
            self.priority,
        )
        for rule in naming_kinds:
            _declared("kind", rule.kinds, kinds, rule.id)
        naming_categories: tuple[Admission | Cap, ...] = (*self.admissions, *self.caps)
        for several in naming_categories:
            _declared("category", several.categories, categories, several.id)
        naming_one: tuple[FairCap | Minimum | Quota, ...] = (*self.fair_caps, *self.minimums, *self.quotas)
        for one in naming_one:
            _declared("category", () if one.category is None else (one.category,), categories, one.id)
        return self

    def rules(self) -> tuple[Rule, ...]:
        """Every rule that decides something, in the order of the file format."""
        single = (self.campaign, self.mechanism, self.priority, self.lottery)
        might_be = (
            self.regions,
            self.documents,
            self.duplicates,
            self.amendments,
            self.spacing,
            self.quota_queue,
            self.offers,
        )
        optional = tuple(rule for rule in might_be if rule is not None)
        capping = (
            *self.application_caps,
            *self.sanctions,
            *self.pools,
            *self.caps,
            *self.fair_caps,
            *self.quotas,
            *self.minimums,
            *self.fair_priorities,
        )
        return (*single, *self.admissions, *optional, *capping, self.stalls, self.numbering)

    @property
    def is_network(self) -> bool:
        """Whether a flow is the whole truth: one site each, and goals that it can weigh against each other."""
        known = {(Goal.PRIORITY,), (Goal.PRIORITY, Goal.CHOICES)}
        return self.gives_one_site_each and self.mechanism.goals in known


def _unique(what: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"the {what} {name!r} is declared twice")
        seen.add(name)


def _declared(what: str, names: Iterable[str], known: set[str], rule_id: str) -> None:
    for name in names:
        if name not in known:
            raise ValueError(f"rule {rule_id!r} names the {what} {name!r}, which is not declared")
