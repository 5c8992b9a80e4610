"""The rules that screening asks: who takes part, with what, how often, and who is kept out or put behind."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from fairalloc.rules.base import Name, Rule


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


class Sanction(Rule):
    """Who did not come ``no_shows`` times or lost a place ``revocations`` times in earlier campaigns, one being enough.

    ``refuse``: their applications are refused; ``demote``: they stand behind everybody else's. Counted for the
    applicant, or for all of one owner together. No ``kinds`` means all kinds.
    """

    of: Literal["applicant", "owner"] = "applicant"
    no_shows: Annotated[int, Field(ge=1)] | None = None
    revocations: Annotated[int, Field(ge=1)] | None = None
    effect: Literal["refuse", "demote"]
    kinds: tuple[Name, ...] = ()

    @model_validator(mode="after")
    def _counts_something(self) -> Self:
        if self.no_shows is None and self.revocations is None:
            raise ValueError("say for how many `no_shows`, or for how many `revocations`")
        return self
