"""What can be read one by one, under published ids: what each application got and why, and what was decided before."""

from __future__ import annotations

from dataclasses import dataclass

from fairalloc.bundle.published import Published
from fairalloc.model import Application, Site
from fairalloc.reasons import REASON_WORDS, Reason
from fairalloc.status import Status

MOST_LISTED = 1_500
"""More applications than this are looked up one by one: the page stays below two megabytes."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One application.

    Attributes:
        label: its published id.
        asked: who asks for what: kind, period, category and product group, stalls.
        position: in the queue; None where it was refused.
        status: where it stood when the season was published.
        place: fair and stalls; empty where it has none.
        rank: of the choice met; 0 where it has no place.
        why: the reason in one sentence.
        details: what became of each choice that it missed; the rule's clause where it was refused.
    """

    label: str
    asked: str
    position: int | None
    status: str
    place: str
    rank: int
    why: str
    details: str


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision made before the allocation.

    Attributes:
        place: the stall that it is about.
        period: when.
        label: the published id of the application that stands there; empty where the stall is kept free.
        reason: why, as whoever decided wrote it.
        actor: who decided.
    """

    place: str
    period: str
    label: str
    reason: str
    actor: str


def decided(book: Published) -> tuple[Decided, ...]:
    """Every decision made before the allocation, in the order in which they are published."""
    sites: dict[str, Site] = {site.site_id: site for site in book.sites}
    fairs: dict[str, str] = {fair.fair_id: fair.name for fair in book.fairs}
    periods: dict[str, str] = {period.id: period.name or period.id for period in book.rules.periods}
    return tuple(
        Decided(
            place=_place([sites[decision.site_id]], fairs),
            period=periods[sites[decision.site_id].period],
            label=decision.application_id or "",
            reason=decision.reason,
            actor=decision.actor,
        )
        for decision in book.preallocations
    )


def listing(book: Published) -> tuple[Listed, ...] | None:
    """Every application in order of its id; None where there are too many for a page."""
    if len(book.applications) > MOST_LISTED:
        return None
    outcome = {row["application_id"]: row for row in book.outcome}
    sites: dict[str, Site] = {site.site_id: site for site in book.sites}
    fairs: dict[str, str] = {fair.fair_id: fair.name for fair in book.fairs}
    clauses: dict[str, str] = {rule.id: rule.clause for rule in book.rules.rules()}
    listed = []
    for application, screened in zip(book.applications, book.screening, strict=True):
        final = outcome.get(application.application_id)
        row = screened if final is None else final
        given = [] if final is None or not final["site_ids"] else [sites[s] for s in final["site_ids"].split("|")]
        why = REASON_WORDS[Reason(int(row["reason_code"]))]
        details = clauses.get(screened["rule_id"], "") if final is None else final["reason"].removeprefix(why).strip()
        listed.append(
            Listed(
                label=application.application_id,
                asked=_asked(application, book.applicants[application.applicant_id].kind),
                position=None if final is None else int(final["queue_position"]),
                status=Status[row["status"]].name.capitalize(),
                place=_place(given, fairs),
                rank=int((final or {}).get("choice_rank") or 0),
                why=why,
                details=details,
            )
        )
    return tuple(listed)


def _asked(application: Application, kind: str) -> str:
    """Who asks for what, in one line."""
    least, most = application.stalls_min, application.stalls_max
    stalls = f"{least} to {most} stalls" if least < most else "1 stall" if most == 1 else f"{most} stalls"
    goods = dict.fromkeys(filter(None, (application.category, application.group)))
    return ", ".join((kind, application.period, *goods, stalls))


def _place(given: list[Site], fairs: dict[str, str]) -> str:
    """The fair and the stalls' numbers."""
    if not given:
        return ""
    word = "stall" if len(given) == 1 else "stalls"
    return f"{fairs[given[0].fair_id]}, {word} {', '.join(site.number for site in given)}"
