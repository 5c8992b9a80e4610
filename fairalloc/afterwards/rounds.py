"""A round of the waiting list: freed sites are offered once more, exactly, under all rules of the season.

A round is a small season of its own, made from the published files and from where everybody stands:

- it is about some periods; their applications that wait take part, with the positions that the rules and the drawn
  lottery give them;
- whoever holds a site of these periods keeps it: where the rules count or compare the stalls of a fair (quotas,
  minimums, caps at fairs, spacing), it takes part as if a decision had placed it there; elsewhere its site is closed;
- what the applicants and owners that take part hold besides counts against their caps, as earlier campaigns do, and
  how they behaved in those puts them behind others, as in the season;
- stalls that a campaign after this one gives out by now are closed, and the act names them;
- it goes by the season's own rules, or with ``order = "queue"`` strictly in queue order.

So the independent checker judges a round by the same tables as it judges an allocation, and whoever doubts that they
are the right tables makes them again by this module.
"""

from __future__ import annotations

import tomllib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fairalloc.acts import Act, State, Wave, wave_of
from fairalloc.allocation import AllocationRequest
from fairalloc.bundle.files import input_files
from fairalloc.bundle.published import Published
from fairalloc.canonical import csv_bytes
from fairalloc.ledger import ApplicationNo, SiteNo, Transition
from fairalloc.model import (
    ApplicantId,
    Application,
    CategoryId,
    Choice,
    Earlier,
    FairId,
    PeriodId,
    Preallocation,
    SeasonInput,
    Site,
    SiteId,
)
from fairalloc.numbering import PublicNumbers, parse_application_label
from fairalloc.reasons import Reason
from fairalloc.requests import build_request
from fairalloc.rules import Rules, parse_rules
from fairalloc.status import HOLDS_SITE, Status

STANDS, SEASON = "stands there already", "season"
"""Why a holder keeps its site in a round, and who says so."""


@dataclass(frozen=True, slots=True)
class Round:
    """What a round is about.

    Attributes:
        periods: whose waiting lists.
        order: what it goes by, ``rules`` or ``queue``.
        passed_on: the ids of free sites that a campaign after this one gives out by now.
    """

    periods: tuple[str, ...]
    order: str = "rules"
    passed_on: tuple[str, ...] = ()

    @classmethod
    def of(cls, act: Act) -> Round:
        """The round that an act tells of.

        Raises:
            KeyError: when it does not say which.
        """
        passed_on = tuple(map(str, act.details.get("passed_on", ())))
        return cls(tuple(map(str, act.details["periods"])), str(act.details["order"]), passed_on)

    def details(self, files: Mapping[str, str]) -> dict[str, Any]:
        """As an act tells of it, with the digests of its files by their names."""
        told = {"periods": list(self.periods), "order": self.order, "files": dict(files)}
        return told | ({"passed_on": list(self.passed_on)} if self.passed_on else {})


def round_files(number: int) -> tuple[str, str]:
    """The names of the outcome and the certificate of the round that act ``number`` is."""
    return f"round-{number:04d}-outcome.csv", f"round-{number:04d}-certificate.json"


@dataclass(frozen=True, slots=True)
class Posed:
    """A round as a season of its own: rules, input, numbers, who takes part, and its files."""

    rules: Rules
    season: SeasonInput
    numbers: PublicNumbers
    eligible: frozenset[ApplicationNo]
    files: Mapping[str, bytes]

    def request(self, seed: bytes) -> AllocationRequest:
        """What the solver is asked, with the seed of the season's lottery."""
        return build_request(self.rules, self.season, self.numbers, self.eligible, seed)


class WaitingLists:
    """A season's waiting lists: makes rounds from where everybody stands.

    Args:
        book: the published season, under its published ids.
        rules_text: its season.toml.
    """

    def __init__(self, book: Published, rules_text: str) -> None:
        self.book, self._text = book, rules_text
        self._sites = {book.site_numbers[site.site_id]: site for site in book.sites}
        self._in_period: dict[str, list[Application]] = defaultdict(list)
        self._sites_of: dict[str, list[Site]] = defaultdict(list)
        self._of: dict[ApplicantId, list[Application]] = defaultdict(list)
        self._behind: dict[str, set[ApplicantId]] = defaultdict(set)
        self._before: dict[ApplicantId, list[Earlier]] = defaultdict(list)
        for site in book.sites:
            self._sites_of[site.period].append(site)
        for application in book.applications:
            self._in_period[application.period].append(application)
            self._of[application.applicant_id].append(application)
        for name, owner in book.owners.items():
            self._behind[owner].add(name)
        for given in book.earlier:
            self._before[given.applicant_id].append(given)
        self._rules: dict[str, tuple[str, Rules]] = {"rules": (rules_text, book.rules)}

    def applications(self, period: str) -> Sequence[Application]:
        """Those for a period."""
        return self._in_period[period]

    def sites(self, period: str) -> Sequence[Site]:
        """Those of a period, as the season has them."""
        return self._sites_of[period]

    def sites_of(self, state: State) -> list[Site]:
        """The sites that a state holds."""
        return [self._sites[number] for number in range(state.site_no, state.site_no + state.width)]

    def pose(self, about: Round, states: Mapping[int, State]) -> Posed:
        """A round as a season of its own.

        Args:
            about: which round.
            states: where every application stands before it.
        """
        text, rules = self._rules_of(about.order)
        taking_part: list[Application] = []
        kept: list[Preallocation] = [p for p in self.book.preallocations if p.application_id is None]
        taken = set(map(SiteId, about.passed_on))
        compared = rules.quotas or rules.minimums or rules.fair_caps or rules.spacing is not None
        for application in (one for period in about.periods for one in self._in_period[period]):
            state = states[_number(application.application_id)]
            if state.status in HOLDS_SITE:
                run = self.sites_of(state)
                if not compared:
                    taken |= {site.site_id for site in run}
                    continue
                place, width = (Choice(run[0].fair_id),), state.width
                taking_part.append(replace(application, choices=place, stalls_min=width, stalls_max=width))
                kept += (Preallocation(site.site_id, application.application_id, STANDS, SEASON) for site in run)
            elif state.status is Status.WAITLISTED:
                taking_part.append(application)
        season = self._season(about, taking_part, kept, taken, states)
        numbers = self._numbers(season)
        eligible = frozenset(numbers.applications.values())
        files = {**input_files(text, season, numbers), "screening.csv": _screening(taking_part)}
        return Posed(rules, season, numbers, eligible, files)

    def _rules_of(self, order: str) -> tuple[str, Rules]:
        if order not in self._rules:
            text = in_queue_order(self._text, self.book.rules)
            self._rules[order] = (text, parse_rules(text))
        return self._rules[order]

    def _season(
        self,
        about: Round,
        taking_part: Collection[Application],
        kept: Iterable[Preallocation],
        taken: Collection[SiteId],
        states: Mapping[int, State],
    ) -> SeasonInput:
        """The input of a round; sites that are taken are closed."""
        book = self.book
        here = tuple(
            replace(site, closed=True) if site.site_id in taken else site
            for site in sorted(self._sites_in(about.periods), key=lambda site: site.site_id)
        )
        names = {site.site_id for site in here}
        people = {application.applicant_id for application in taking_part}
        for name in tuple(people):
            people |= self._behind.get(book.owners.get(name, ""), set())
        return SeasonInput(
            fairs=book.fairs,
            sites=here,
            # Of some nothing is published but how they behaved: that counts for their owner.
            applicants=tuple(book.applicants[name] for name in sorted(people) if name in book.applicants),
            applications=tuple(sorted(taking_part, key=lambda application: application.application_id)),
            incumbents=tuple(i for i in book.incumbents if i.site_id in names and i.applicant_id in people),
            preallocations=tuple(
                sorted((p for p in kept if p.site_id in names), key=lambda p: (p.site_id, p.application_id or ""))
            ),
            earlier=tuple(self._elsewhere(people, taking_part, states)),
            conduct=tuple(known for known in book.conduct if known.applicant_id in people),
        )

    def _sites_in(self, periods: Collection[str]) -> Iterator[Site]:
        return (site for period in periods for site in self._sites_of[period])

    def _elsewhere(
        self, people: Iterable[ApplicantId], taking_part: Iterable[Application], states: Mapping[int, State]
    ) -> Iterator[Earlier]:
        """What these applicants hold by other applications, and were given by earlier campaigns."""
        here = {application.application_id for application in taking_part}
        given: Counter[tuple[ApplicantId, PeriodId, FairId, CategoryId]] = Counter()
        for name in people:
            for before in self._before.get(name, ()):
                given[name, before.period, before.fair_id, before.category] += before.stalls
            for application in self._of.get(name, ()):
                state = states[_number(application.application_id)]
                if application.application_id not in here and state.width:
                    fair = self._sites[state.site_no].fair_id
                    given[name, application.period, fair, application.category] += state.width
        yield from (Earlier(*key, stalls) for key, stalls in sorted(given.items()))

    def _numbers(self, season: SeasonInput) -> PublicNumbers:
        """The numbers that all have in the season that the round is one of."""
        people = [row.applicant_id for rows in (season.applicants, season.conduct) for row in rows]
        return PublicNumbers(
            applications={a.application_id: ApplicationNo(_number(a.application_id)) for a in season.applications},
            sites={site.site_id: SiteNo(self.book.site_numbers[site.site_id]) for site in season.sites},
            applicants={name: str(name) for name in people},
            owners={name: self.book.owners[name] for name in people if name in self.book.owners},
        )


def waves_of(outcome: Iterable[Mapping[str, str]], site_numbers: Mapping[str, int]) -> tuple[Wave, ...]:
    """The transitions of a round: a site for each that has one in its outcome and did not stand there before."""
    given = []
    for row in outcome:
        if row["status"] == Status.ALLOCATED.name and row["reason_code"] != str(int(Reason.PREALLOCATED)):
            names, number = row["site_ids"].split("|"), ApplicationNo(_number(row["application_id"]))
            site_no = SiteNo(site_numbers[names[0]])
            given.append(Transition(number, Status.ALLOCATED, Reason.OFFERED_FREED_SITE, site_no, len(names)))
    return wave_of(given)


def in_queue_order(rules_text: str, rules: Rules) -> str:
    """The same season.toml with the mechanism ``queue``.

    Raises:
        ValueError: when the text's table ``[mechanism]`` cannot be found by its lines.
    """
    lines = rules_text.splitlines(keepends=True)
    start = next((n for n, line in enumerate(lines) if line.split("#")[0].strip() == "[mechanism]"), len(lines))
    end = next((n for n in range(start + 1, len(lines)) if lines[n].startswith("[")), len(lines))
    clause = rules.mechanism.clause.replace("\\", "\\\\").replace('"', '\\"')
    table = f'[mechanism]\nid = "{rules.mechanism.id}"\nclause = "{clause}"\nname = "queue"\n\n'
    text = "".join((*lines[:start], "" if start < len(lines) else "\n", table, *lines[end:]))
    before = tomllib.loads(rules_text)
    try:
        after = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        after = {}
    if {**before, "mechanism": after.get("mechanism")} != after:
        raise ValueError("the table [mechanism] is not in lines of its own")
    return text


def _screening(taking_part: Iterable[Application]) -> bytes:
    rows = sorted((a.application_id, Status.ELIGIBLE.name, int(Reason.MEETS_RULES), "") for a in taking_part)
    return csv_bytes(("application_id", "status", "reason_code", "rule_id"), rows)


def _number(name: str) -> int:
    return parse_application_label(name) or 0
