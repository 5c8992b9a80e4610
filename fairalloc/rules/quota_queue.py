"""How the mechanism `quota-queue` reads a season: whose pool an applicant belongs to, and whose place a site is.

It knows cells (a fair, a period, a category) with three counts of places, so every site must count once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Annotated, Self

from pydantic import Field, model_validator

from fairalloc.model import takes
from fairalloc.rules.base import Name, Rule

Share = Annotated[int, Field(ge=0)]


class QuotaQueue(Rule):
    """The table `[quota_queue]`. Kinds that neither list names are companies.

    Attributes:
        vegetables: the category in which individuals and farmers have places.
        individuals: kinds that are individuals.
        farmers: kinds that are farmers.
        individuals_pools: pools of sites that are places of individuals.
        farmers_pools: pools of sites that are places of farmers; those of all other pools are places of companies.
        shares: how the sites of vegetables cells that no pool keeps are divided among individuals, farmers and
            companies; in all other cells they are places of companies.
    """

    vegetables: Name
    individuals: tuple[Name, ...]
    farmers: tuple[Name, ...]
    individuals_pools: tuple[Name, ...] = ()
    farmers_pools: tuple[Name, ...] = ()
    shares: tuple[Share, Share, Share]

    @model_validator(mode="after")
    def _nobody_is_named_twice(self) -> Self:
        pairs = ((self.individuals, self.farmers), (self.individuals_pools, self.farmers_pools))
        for name in (name for ours, theirs in pairs for name in ours if name in theirs):
            raise ValueError(f"{name!r} is named for individuals and for farmers: choose one")
        if not any(self.shares):
            raise ValueError("the shares are all 0: say whose places the sites are that no pool keeps")
        return self

    def divided(self, sites: int) -> tuple[int, int, int]:
        """So many sites divided by the shares, each boundary rounded down; they add up."""
        individuals, farmers, companies = self.shares
        total = individuals + farmers + companies
        first, second = sites * individuals // total, sites * (individuals + farmers) // total
        return first, second - first, sites - second


def counted_category(site_categories: Collection[str], categories: Iterable[tuple[str, bool]]) -> str | None:
    """The one category that a site counts for: the first of the rules' categories that it takes.

    Args:
        site_categories: those that the site names; none means that it takes any.
        categories: of the rules in their order, and whether each stands only on sites that name it.
    """
    return next((name for name, own in categories if takes(site_categories, name, own=own)), None)


USUAL_KINDS = frozenset({"individual", "farmer", "entrepreneur", "company"})
USUAL_CATEGORY = "vegetables"


def usual_table(
    kinds: Collection[str], categories: Collection[str], pools: Iterable[tuple[str, set[str]]]
) -> QuotaQueue | None:
    """The table that a season stands for that has none, where it names kinds and category as made-up seasons do.

    Sites that a pool keeps for individuals or farmers alone are theirs; what no pool keeps is divided in equal shares.

    Returns:
        None where the season calls them otherwise.
    """
    if not {"individual", "farmer"} <= set(kinds) <= USUAL_KINDS or USUAL_CATEGORY not in categories:
        return None
    kept = list(pools)
    return QuotaQueue(
        id="quota-queue",
        vegetables=USUAL_CATEGORY,
        individuals=("individual",),
        farmers=("farmer",),
        individuals_pools=tuple(name for name, admitted in kept if admitted == {"individual"}),
        farmers_pools=tuple(name for name, admitted in kept if admitted == {"farmer"}),
        shares=(1, 1, 1),
    )
