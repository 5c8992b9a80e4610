"""Rules on who may have which sites: caps, quotas, minimums, spacing, pools, and what several stalls mean.

Every count that a rule makes has a name, under which stalls are counted, priced in the certificate and looked up by
whoever checks it: ``RULE|...``.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from fairalloc.rules.base import Name, Rule


class Cap(Rule):
    """At most ``max_stalls`` for one applicant, or for one owner of several.

    Counted per period, at each fair in each period, or in the whole season. No ``kinds`` means all kinds, no
    ``categories`` all goods. With ``effect = "demote"`` nothing is forbidden: requests beyond the cap stand behind
    everybody else's in the queue (:mod:`fairalloc.demotion`).
    """

    of: Literal["applicant", "owner"]
    per: Literal["period", "fair", "season"]
    max_stalls: Annotated[int, Field(ge=1)]
    kinds: tuple[Name, ...] = ()
    categories: tuple[Name, ...] = ()
    effect: Literal["forbid", "demote"] = "forbid"

    @model_validator(mode="after")
    def _demotes_before_fairs_are_known(self) -> Self:
        if self.effect == "demote" and self.per == "fair":
            raise ValueError('a cap per fair cannot demote: the queue is formed before fairs are given; write "forbid"')
        return self

    def key_of(self, kind: str, category: str, holder: str, period: str, fair: str) -> str | None:
        """The name under which an application's stalls at a fair are counted; None where the cap does not touch it."""
        if (self.kinds and kind not in self.kinds) or (self.categories and category not in self.categories):
            return None
        when = "" if self.per == "season" else period
        return f"{self.id}|{holder}|{when}|{fair if self.per == 'fair' else ''}"


class Counted(Rule):
    """Counts stalls of a category, or of a product group, at each fair in each period."""

    category: Name | None = None
    group: Annotated[str, StringConstraints(min_length=1)] | None = None

    @model_validator(mode="after")
    def _counts_one_thing(self) -> Self:
        if (self.category is None) == (self.group is None):
            raise ValueError("name either a category or a group")
        return self

    def key_of(self, fair: str, period: str, category: str, group: str) -> str | None:
        """The name under which stalls are counted and priced; None where the rule does not touch them."""
        counted = self.category == category if self.group is None else self.group == group
        return f"{self.id}|{fair}|{period}" if counted else None


class FairCap(Counted):
    """At most ``max_stalls`` of a category, or of a product group, at each fair in each period."""

    max_stalls: Annotated[int, Field(ge=0)]


class Minimum(Counted):
    """At least ``min_stalls`` of a category or product group at each fair in each period, as far as demand goes.

    It is the goal ``minimums``: stalls that are missing are avoided before any later goal is looked at.
    """

    min_stalls: Annotated[int, Field(ge=1)]


class Quota(Rule):
    """A share of each fair's sites in each period for some kinds of applicants; what they leave goes to the others.

    ``percent`` of the open sites that take the ``category`` (no category: of all open sites), rounded down, or so many
    ``stalls``. Quotas are filled in the order in which the rules list them: that is their precedence.
    """

    kinds: Annotated[tuple[Name, ...], Field(min_length=1)]
    category: Name | None = None
    percent: Annotated[int, Field(ge=1, le=100)] | None = None
    stalls: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _is_of_one_size(self) -> Self:
        if (self.percent is None) == (self.stalls is None):
            raise ValueError("give either `percent` or `stalls`")
        return self

    def key_of(self, fair: str, period: str, kind: str, category: str) -> str | None:
        """The name under which stalls are counted and priced; None where the quota does not touch them."""
        counted = kind in self.kinds and self.category in {None, category}
        return f"{self.id}|{fair}|{period}" if counted else None

    def target(self, sites: int) -> int:
        """How many stalls are kept of so many open sites."""
        return self.stalls if self.stalls is not None else sites * (self.percent or 0) // 100


class FairPriority(Rule):
    """Who comes first at some fairs in the mechanism `queue`: regions as listed, then kinds as listed, then the queue.

    Regions and kinds that are not listed come after those that are, level with each other.
    """

    fairs: Annotated[tuple[Name, ...], Field(min_length=1)]
    regions: tuple[str, ...] = ()
    kinds: tuple[Name, ...] = ()

    @model_validator(mode="after")
    def _puts_somebody_first(self) -> Self:
        if not (self.regions or self.kinds):
            raise ValueError("list `regions` or `kinds` that come first at these fairs")
        return self

    def rank(self, kind: str, region: str) -> tuple[int, int]:
        """The place of a region and a kind at these fairs, smallest first."""
        return tuple(  # type: ignore[return-value]
            listed.index(one) if one in listed else len(listed)
            for listed, one in ((self.regions, region), (self.kinds, kind))
        )


class Spacing(Rule):
    """Applications of one product group stand further apart than ``distance`` positions in a row (1: no neighbours).

    ``soft`` forbids nothing: neighbours are avoided by the goal ``comfort``, and in the mechanism `queue`, which has no
    goals, by numbering alone.
    """

    distance: Annotated[int, Field(ge=1, le=10)] = 1
    strength: Literal["hard", "soft"] = "hard"

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
    """What returning vendors may expect.

    ``keep`` puts them back on their stall where that costs nobody a place or a better choice; ``guarantee`` gives each
    of them, in each period, one stall that they held before, if an application of theirs names the fair, that stall or
    any fair (:mod:`fairalloc.guarantee`); ``ignore`` forgets who stood where.
    """

    returning: Literal["keep", "ignore", "guarantee"]
