"""Who wants what: applicants, applications and the rules they are judged by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np

from data.synthetic.places import CATEGORY_SHARE, GROUP_COUNT, Places, made_up_fairs, make_places
from data.synthetic.rules_text import rules_text
from fairalloc.instants import Instant, parse_instant
from fairalloc.model import (
    Applicant,
    ApplicantId,
    Application,
    ApplicationId,
    CategoryId,
    Choice,
    Fair,
    Incumbent,
    PeriodId,
    SeasonInput,
    Site,
)

SITES_PER_APPLICATION = 0.75
APPLICATIONS_PER_FAIR = 200
PERIODS = ("2026-04", "2026-05", "2026-06", "2026-08", "2026-09", "2026-10")
FULL_PERIODS = 5.5
WEEKENDS = tuple((date(2026, 4, 4) + timedelta(weeks=week)).isoformat() for week in range(34))
"""The Saturdays of a season whose sites are given for one weekend each."""
FAIRS_SHARED = 3
"""So many times fewer fairs where sites are given by the weekend: the same site-periods, spread over more periods."""
SMALL = 200
"""Seasons below this many applications have one period only."""

OPENS = parse_instant("2026-02-02T09:00:00+03:00")
_CLOSES = parse_instant("2026-02-13T09:00:00+03:00")
_SECOND = 1_000_000_000
_TICK = 100
KINDS = ("farmer", "individual", "entrepreneur", "company")
_KIND_SHARE = (0.55, 0.15, 0.2, 0.1)
_CATEGORY_OF_KIND = {
    "farmer": (0.62, 0.22, 0.05, 0.11),
    "individual": (0.98, 0.0, 0.0, 0.02),
    "entrepreneur": (0.3, 0.3, 0.15, 0.25),
    "company": (0.15, 0.35, 0.2, 0.3),
}
_NEED_CHANCE = {
    "vegetables": {"power": 0.1, "vehicle": 0.15},
    "meat-dairy": {"cold": 0.6, "power": 0.7, "water": 0.2},
    "fish": {"cold": 0.7, "power": 0.8, "water": 0.3},
    "bread-groceries": {"power": 0.4, "vehicle": 0.1},
}
_REGIONS = ("moscow-region", "tula", "ryazan", "tambov", "voronezh", "krasnodar", "tver", "lipetsk", "bryansk", "other")
_PAPERS = ("farm-register", "identity", "health-card", "tax-notice")


@dataclass(frozen=True, slots=True)
class SyntheticSeason:
    """A season and the text of its rules."""

    rules_text: str
    season: SeasonInput


def synthesize(
    applications: int,
    *,
    seed: int = 2026,
    season_id: str | None = None,
    fairs: Sequence[Fair] | None = None,
    groups: Mapping[str, Sequence[tuple[str, str]]] | None = None,
    multi_stall_share: float = 0.0,
    every_rule: bool = False,
    weekends: bool = False,
) -> SyntheticSeason:
    """Make up a season.

    Args:
        applications: how many, from 1.
        seed: of the PCG64 generator that everything is drawn from.
        season_id: its id; made from the size and the seed where left out.
        fairs: fairs to use instead of invented ones.
        groups: product groups (id, name) by category instead of invented ones.
        multi_stall_share: the share of applications that ask for 2 or 3 adjacent stalls.
        every_rule: quotas, minimums, caps of every sort and spacing too.
        weekends: sites are given for one of 34 weekends each, offers have deadlines, and waiting lists are served.
    """
    rng = np.random.Generator(np.random.PCG64([seed, applications]))
    periods = WEEKENDS if weekends else PERIODS if applications >= SMALL else PERIODS[:1]
    if groups is None:
        groups = {c: tuple((f"{c}-{i + 1:02d}", "") for i in range(count)) for c, count in GROUP_COUNT.items()}
    count = applications / APPLICATIONS_PER_FAIR / (FAIRS_SHARED if weekends else 1)
    made = fairs if fairs is not None else made_up_fairs(max(1, round(count)))
    in_periods = len(WEEKENDS) if weekends else FULL_PERIODS if len(periods) > 1 else 1
    stalls = max(1, round(applications * SITES_PER_APPLICATION / in_periods))
    places = make_places(rng, made, stalls, periods, last_is_half=periods == PERIODS)
    applicants = _applicants(rng, max(1, round(applications / 2.2)))
    asked = _Demand(rng, places, periods, groups, multi_stall_share).applications(applicants, applications)
    season = SeasonInput(
        fairs=tuple(sorted(places.fairs, key=lambda fair: fair.fair_id)),
        sites=places.sites,
        applicants=tuple(sorted(applicants, key=lambda applicant: applicant.applicant_id)),
        applications=tuple(sorted(asked, key=lambda application: application.application_id)),
        incumbents=_incumbents(rng, places.sites, asked),
    )
    several = multi_stall_share > 0
    shape = "weekends" if weekends else "synthetic"
    name = season_id or f"{shape}-{applications}-{seed}" + (f"-{multi_stall_share:.0%}" if several else "")
    name = name.rstrip("%") + ("-every-rule" if every_rule and season_id is None else "")
    rules = {"several": several, "every_rule": every_rule, "offers": weekends}
    text = rules_text(name, periods, groups, KINDS, **rules)
    return SyntheticSeason(text, season)


def _applicants(rng: np.random.Generator, count: int) -> list[Applicant]:
    """Farmers for the most part; one firm in ten has an owner with other firms."""
    kinds = rng.choice(len(KINDS), size=count, p=_KIND_SHARE).tolist()
    names = rng.choice(16**8, size=count, replace=False).tolist()
    regions = rng.choice(len(_REGIONS), size=count, p=np.arange(10, 0, -1) / 55).tolist()
    since = rng.integers(2013, 2027, count).tolist()
    owners = rng.integers(0, max(1, count // 25), count).tolist()
    owned = (rng.random(count) < 0.1).tolist()
    return [
        Applicant(
            ApplicantId(f"V{names[i]:08x}"),
            KINDS[kinds[i]],
            _REGIONS[regions[i]],
            f"OWN-{owners[i]:05d}" if owned[i] and KINDS[kinds[i]] in {"entrepreneur", "company"} else "",
            since[i],
        )
        for i in range(count)
    ]


class _Demand:
    """Draws applications."""

    def __init__(
        self,
        rng: np.random.Generator,
        places: Places,
        periods: Sequence[str],
        groups: Mapping[str, Sequence[tuple[str, str]]],
        multi_stall_share: float,
    ) -> None:
        self._rng = rng
        self._places = places
        self._periods = periods
        self._groups = groups
        self._multi = multi_stall_share
        self._numbers: dict[tuple[str, str], list[str]] = {}
        for site in places.sites:
            self._numbers.setdefault((site.fair_id, site.period), []).append(site.number)

    def applications(self, applicants: Sequence[Applicant], count: int) -> list[Application]:
        rng = self._rng
        eager = rng.lognormal(0.0, 0.7, len(applicants))
        who = rng.choice(len(applicants), size=count, p=eager / eager.sum()).tolist()
        main = [int(rng.choice(4, p=_CATEGORY_OF_KIND[applicant.kind])) for applicant in applicants]
        weights = np.ones(len(self._periods))
        if self._periods == PERIODS:
            weights[-1] = 0.5
        when = rng.choice(len(self._periods), size=count, p=weights / weights.sum()).tolist()
        times = _arrivals(rng, count)
        # Registration follows arrival, but not to the second.
        desk = np.argsort(np.argsort(times + rng.normal(0, 2 * _SECOND, count), kind="stable"), kind="stable")
        names = rng.permutation(count * 3)[:count].tolist()
        made: list[Application] = []
        for i in range(count):
            if made and rng.random() < 0.008:
                again = made[int(rng.integers(0, len(made)))]
                later = max(int(times[i]), again.submitted_at + _SECOND)
                made.append(
                    replace(
                        again,
                        application_id=ApplicationId(f"2026-{names[i]:07d}"),
                        submitted_at=Instant(later),
                        registration_no=int(desk[i]) + 1,
                    )
                )
                continue
            applicant = applicants[who[i]]
            made.append(
                self._application(
                    ApplicationId(f"2026-{names[i]:07d}"),
                    applicant.applicant_id,
                    list(CATEGORY_SHARE)[main[who[i]]],
                    self._periods[when[i]],
                    Instant(int(times[i])),
                    int(desk[i]) + 1,
                )
            )
        return made

    def _application(
        self,
        name: ApplicationId,
        applicant: ApplicantId,
        category: str,
        period: str,
        submitted_at: Instant,
        registration_no: int,
    ) -> Application:
        rng = self._rng
        draws = rng.random(8).tolist()
        groups = self._groups[category]
        needs = frozenset(
            need for need, draw in zip(_NEED_CHANCE[category].items(), draws[:3], strict=False) if draw < need[1]
        )
        stalls = (2 if draws[3] < 0.75 * self._multi else 3) if draws[3] < self._multi else 1
        return Application(
            application_id=name,
            applicant_id=applicant,
            period=PeriodId(period),
            category=CategoryId(category),
            group=groups[int(draws[4] ** 2 * len(groups))][0],
            stalls_min=stalls,
            stalls_max=stalls,
            needs=frozenset(name for name, _ in needs),
            choices=self._choices(period, draws[5], draws[6]),
            submitted_at=submitted_at,
            registration_no=registration_no,
            missing_documents=(_PAPERS[registration_no % len(_PAPERS)],) if draws[7] < 0.02 else (),
        )

    def _choices(self, period: str, exact: float, anywhere: float) -> tuple[Choice, ...]:
        """One to five fairs, popular ones first of all; sometimes one exact stall first, sometimes any fair at last."""
        rng = self._rng
        count = 1 + int(rng.choice(5, p=(0.25, 0.3, 0.25, 0.12, 0.08)))
        drawn = rng.choice(len(self._places.fairs), size=count + 3, p=self._places.wanted).tolist()
        fairs = [self._places.fairs[index].fair_id for index in dict.fromkeys(drawn)]
        open_then = [fair for fair in fairs if (fair, period) in self._numbers][:count]
        choices = [Choice(fair) for fair in open_then]
        if exact < 0.06 and open_then:
            numbers = self._numbers[open_then[0], period]
            choices.insert(0, Choice(open_then[0], numbers[int(exact / 0.06 * len(numbers))]))
        if anywhere < 0.12 or not choices:
            choices.append(Choice())
        return tuple(choices)


def _arrivals(rng: np.random.Generator, count: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Submission times: 70% in the first hour and most of those at its beginning, in ticks of 100 ns."""
    part = rng.random(count)
    hour, day, campaign = 3600 * _SECOND, 86_400 * _SECOND, _CLOSES - OPENS
    rush = np.minimum(rng.exponential(900 * _SECOND, count), hour - 1)
    # The quickest arrive together: their browsers send on the same second, some on the same tick.
    together = rng.random(count) < 0.04
    rush = np.where(together, np.floor(rng.exponential(2.0, count)) * _SECOND + rng.integers(0, 4, count) * 1000, rush)
    uniform = rng.random(count)
    offset = np.where(part < 0.7, rush, np.where(part < 0.82, uniform * day, uniform * campaign))
    offset = np.where(part > 0.985, campaign + uniform * day, offset)
    offset = np.where(part > 0.995, -uniform * hour - _TICK, offset)
    ticks: np.ndarray[tuple[int], np.dtype[np.int64]] = OPENS + (offset // _TICK).astype(np.int64) * _TICK
    return ticks


def _incumbents(rng: np.random.Generator, sites: Sequence[Site], asked: Sequence[Application]) -> tuple[Incumbent, ...]:
    """About a quarter of the applicants held a stall before at the fair that they name first."""
    free: dict[tuple[str, str], list[Site]] = {}
    for site in sites:
        free.setdefault((site.fair_id, site.period), []).append(site)
    found = {}
    for application, luck in zip(asked, rng.random(len(asked)).tolist(), strict=True):
        first = application.choices[0].fair_id
        stalls = free.get((first, application.period), []) if first is not None and luck < 0.25 else []
        fitting = [s for s in stalls if not s.categories or application.category in s.categories]
        if fitting:
            site = fitting[int(luck / 0.25 * len(fitting))]
            stalls.remove(site)
            found[site.site_id] = Incumbent(site.site_id, application.applicant_id)
    return tuple(found[site_id] for site_id in sorted(found))
