"""What a `season.toml` may say.

Invariants:
- a value of :class:`Rules` has passed every check here, so nothing after it asks again;
- every rule that decides something has an ``id`` and a ``clause``, the regulation's paragraph in free text;
- names that other rules refer to (kinds, categories, periods) are declared once and only declared ones are referred to.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from fairalloc.instants import Instant, instant_of, parse_instant

Name = Annotated[str, StringConstraints(pattern=r"^[^\s|,;/*=+@\"'-][^\s|,;/*\"']*$", max_length=80)]
"""An id as it may stand in a CSV list: no blanks, no separators, and nothing a spreadsheet takes for a formula."""


def _instant(value: object) -> int:
    if isinstance(value, datetime):
        return instant_of(value)
    if isinstance(value, str):
        return parse_instant(value)
    raise ValueError("write a time with an offset, e.g. 2026-02-01T09:00:00+03:00")


Moment = Annotated[Instant, BeforeValidator(_instant)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rule(_Strict):
    """What every rule carries: its id and the paragraph of the regulation that it stands for."""

    id: Name
    clause: str = ""


class SeasonHeading(_Strict):
    """Which season this is."""

    id: Name
    name: str = ""


class Campaign(Rule):
    """One round of intake: applications count from ``opens`` up to, not including, ``closes``."""

    opens: Moment
    closes: Moment

    @model_validator(mode="after")
    def _opens_before_it_closes(self) -> Self:
        if self.opens >= self.closes:
            raise ValueError("the campaign closes before it opens")
        return self


class Period(_Strict):
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


class Category(_Strict):
    """What is sold; no ``groups`` means that any product group may be named."""

    id: Name
    name: str = ""
    groups: tuple[str, ...] = ()


class Kind(_Strict):
    """A kind of applicant."""

    id: Name
    name: str = ""


class Goal(StrEnum):
    """What is optimised, in the order in which the season's rules list it."""

    PLACED = "placed"
    PRIORITY = "priority"
    CHOICES = "choices"
    EXTRA_STALLS = "extra_stalls"


class Mechanism(Rule):
    """How sites are given out: to the best of some goals, or strictly in the order of the queue (which has none)."""

    name: Literal["optimal", "queue"] = "optimal"
    goals: tuple[Goal, ...] = (Goal.PRIORITY, Goal.CHOICES)

    @model_validator(mode="before")
    @classmethod
    def _queue_has_no_goals(cls, values: object) -> object:
        if isinstance(values, dict) and values.get("name") == "queue":
            if values.get("goals"):
                raise ValueError('the mechanism "queue" has no goals: leave them out')
            return {**values, "goals": ()}
        return values

    @model_validator(mode="after")
    def _goals_place_first(self) -> Self:
        if self.name == "queue":
            return self
        if len(set(self.goals)) != len(self.goals):
            raise ValueError("a goal is listed twice")
        if not self.goals or self.goals[0] not in {Goal.PLACED, Goal.PRIORITY}:
            raise ValueError('goals must begin with "placed" or "priority": the others are best where nobody is placed')
        return self


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


class Lottery(Rule):
    """Where the tie-breaking seed comes from: a public value named before the allocation, and its source in words."""

    source: Annotated[str, StringConstraints(min_length=1)]
    value: Annotated[str, StringConstraints(min_length=1)]


class Admission(Rule):
    """Kinds of applicants that may sell the categories. With no such rule everyone may sell everything."""

    kinds: Annotated[tuple[Name, ...], Field(min_length=1)]
    categories: Annotated[tuple[Name, ...], Field(min_length=1)]


class Regions(Rule):
    """Regions whose applicants are admitted."""

    admitted: Annotated[tuple[str, ...], Field(min_length=1)]


class Documents(Rule):
    """Applications with missing documents are refused."""


class Duplicates(Rule):
    """Of applications of one applicant for the same period, category, group and choices only the first counts."""


class ApplicationCap(Rule):
    """At most ``max_applications`` of an applicant take part per period or season; the earliest submitted ones do.

    No ``kinds`` means all kinds.
    """

    kinds: tuple[Name, ...] = ()
    per: Literal["period", "season"]
    max_applications: Annotated[int, Field(ge=1)]


class Cap(Rule):
    """At most ``max_stalls`` for one applicant, or for one owner of several, per period or in the whole season.

    No ``kinds`` means all kinds.
    """

    of: Literal["applicant", "owner"]
    per: Literal["period", "season"]
    max_stalls: Annotated[int, Field(ge=1)]
    kinds: tuple[Name, ...] = ()

    def key_of(self, kind: str, applicant: str, owner: str, period: str) -> str | None:
        """The name under which an application's stalls are counted and priced; None where the cap does not touch it."""
        if self.kinds and kind not in self.kinds:
            return None
        holder = applicant if self.of == "applicant" else owner
        return f"{self.id}|{holder}|{period if self.per == 'period' else ''}"


class FairCap(Rule):
    """At most ``max_stalls`` of a category, or of a product group, at each fair in each period."""

    category: Name | None = None
    group: Annotated[str, StringConstraints(min_length=1)] | None = None
    max_stalls: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _counts_one_thing(self) -> Self:
        if (self.category is None) == (self.group is None):
            raise ValueError("name either a category or a group")
        return self

    def key_of(self, fair: str, period: str, category: str, group: str) -> str | None:
        """The name under which stalls are counted and priced; None where the cap does not touch them."""
        counted = self.category == category if self.group is None else self.group == group
        return f"{self.id}|{fair}|{period}" if counted else None


class Spacing(Rule):
    """Applications of one product group stand further apart than ``distance`` positions in a row (1: no neighbours)."""

    distance: Annotated[int, Field(ge=1, le=10)] = 1

    def key_of(self, fair: str, period: str, row: str, position: int, group: str) -> str:
        """The name under which the stretch of a row from that position on is priced for a group."""
        return f"{self.id}|{fair}|{period}|{row}|{position}|{group}"


class Pool(Rule):
    """A pool that sites may be reserved for, and the kinds of applicants it admits."""

    kinds: Annotated[tuple[Name, ...], Field(min_length=1)]


class Stalls(Rule):
    """What happens to a request for several adjacent stalls: served as asked, served with one stall, or refused."""

    multiple: Literal["adjacent", "reduce", "refuse"]


class Numbering(Rule):
    """Whether returning vendors are put back on their stall where that costs nobody a place or a better choice."""

    returning: Literal["keep", "ignore"]


class Rules(_Strict):
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
    application_caps: tuple[ApplicationCap, ...] = ()
    pools: tuple[Pool, ...] = ()
    caps: tuple[Cap, ...] = ()
    fair_caps: tuple[FairCap, ...] = ()
    spacing: Spacing | None = None
    stalls: Stalls = Stalls(id="one-stall", multiple="refuse")
    numbering: Numbering = Numbering(id="numbering", returning="keep")

    @model_validator(mode="after")
    def _queue_serves_one_stall_each(self) -> Self:
        if self.mechanism.name == "queue" and not self.gives_one_site_each:
            raise ValueError(
                'the mechanism "queue" gives one stall to each application: leave out caps, fair_caps and spacing,'
                ' and do not serve several adjacent stalls, or take the mechanism "optimal"'
            )
        return self

    @property
    def gives_one_site_each(self) -> bool:
        """Whether every placement takes one site and nothing else that is scarce."""
        counted = self.caps or self.fair_caps or self.spacing is not None
        return not counted and self.stalls.multiple != "adjacent"

    @model_validator(mode="after")
    def _names_are_declared_once(self) -> Self:
        kinds, categories = {kind.id for kind in self.kinds}, {category.id for category in self.categories}
        _unique("period", (period.id for period in self.periods))
        _unique("category", (category.id for category in self.categories))
        _unique("kind", (kind.id for kind in self.kinds))
        _unique("feature", self.features)
        _unique("rule", (rule.id for rule in self.rules()))
        naming_kinds: tuple[Admission | ApplicationCap | Cap | Pool | Priority, ...] = (
            *self.admissions,
            *self.application_caps,
            *self.pools,
            *self.caps,
            self.priority,
        )
        for rule in naming_kinds:
            _declared("kind", rule.kinds, kinds, rule.id)
        for admission in self.admissions:
            _declared("category", admission.categories, categories, admission.id)
        for cap in self.fair_caps:
            _declared("category", () if cap.category is None else (cap.category,), categories, cap.id)
        return self

    def rules(self) -> tuple[Rule, ...]:
        """Every rule that decides something, in the order of the file format."""
        single = (self.campaign, self.mechanism, self.priority, self.lottery)
        optional = tuple(
            rule for rule in (self.regions, self.documents, self.duplicates, self.spacing) if rule is not None
        )
        capping = (*self.application_caps, *self.pools, *self.caps, *self.fair_caps)
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
