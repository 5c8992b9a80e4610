"""Amsterdam's own test cases as seasons in fairalloc's files: one market, one day.

How its rules are said here:

- a row that an obstacle cuts has a gap in its positions; a row that closes on itself is cut open before the stall that
  its best-ranked applicant likes best, as a row has two ends; a stall out of use is closed;
- a mandatory category has ``own_sites``; other goods may stand on its stalls, but a quota fills these with it first;
  a second mandatory category of an applicant is a feature that it needs, a second one that is capped is its group;
- an optional category binds no stall;
- own equipment is a feature that it needs, and its applicants a kind with a quota on the stalls that have it;
- who is not flexible does not add ``*`` to its choices, and who holds stalls lists those;
- an expansion limit is a cap on the stalls of an applicant.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.season_files import write_season
from data.source import season_input
from fairalloc.allocation import AllocationRequest, AllocationResult
from fairalloc.bundle.files import certificate_file, input_files, outcome_file, screening_file
from fairalloc.model import (
    Applicant,
    ApplicantId,
    Application,
    ApplicationId,
    CategoryId,
    Choice,
    Fair,
    FairId,
    Incumbent,
    PeriodId,
    SeasonInput,
    Site,
    SiteId,
)
from fairalloc.numbering import PublicNumbers, public_numbers
from fairalloc.outcome import outcomes
from fairalloc.requests import build_request
from fairalloc.screening import Screening, screen
from fairalloc.status import Status

Case = Mapping[str, Any]
GOALS = ("placed", "priority", "extra_stalls", "choices")
MARKET = FairId("M")
DAY = PeriodId("day")
PLAIN = "plain"
"""The kind of applicants without own equipment, and the goods of those who name none."""

_HEAD = """
features = [{features}]
[season]
id = "{id}"
name = "{rule}"
[campaign]
id = "registration"
opens = 2021-01-01T00:00:00+01:00
closes = 2021-01-02T00:00:00+01:00
[[periods]]
id = "day"
starts = 2021-01-02
ends = 2021-01-02
[mechanism]
id = "allocation"
goals = [{goals}]
[priority]
id = "rank"
keys = ["registration_no"]
[lottery]
id = "lottery"
source = "A constant: ranks are unique."
value = "none"
[stalls]
id = "adjacent-stalls"
multiple = "adjacent"
[numbering]
id = "fixed-places"
returning = "guarantee"
"""


@dataclass(frozen=True)
class AsSeason:
    """A case taken in by way of a season's files; ``names`` are the case's own, by application number."""

    rules_text: str
    season: SeasonInput
    numbers: PublicNumbers
    screening: tuple[Screening, ...]
    request: AllocationRequest

    @property
    def names(self) -> dict[int, str]:
        return {number: str(name) for name, number in self.numbers.applications.items()}

    def files(self, result: AllocationResult) -> dict[str, bytes]:
        """The bundle files that the checker reads."""
        told = outcomes(self.request.rules, self.season.fairs, self.request.sites, self.request.candidates, result)
        return {
            **input_files(self.rules_text, self.season, self.numbers),
            "screening.csv": screening_file(self.screening, self.numbers),
            "outcome.csv": outcome_file(told),
            "certificate.json": certificate_file(self.request.rules, result, self.request.sites),
        }


def as_season(case: Case, folder: Path, goals: tuple[str, ...] = GOALS) -> AsSeason:
    """Write the case's files, read them, screen, and ask for an allocation."""
    write_season(folder, rules_text(case, goals), season_of(case))
    rules, text, season = season_input(folder, None, 0, None)
    numbers = public_numbers(season, [DAY])
    applicants = {applicant.applicant_id: applicant for applicant in season.applicants}
    decisions = screen(rules, season.applications, applicants)
    eligible = {numbers.applications[d.application_id] for d in decisions if d.status is Status.ELIGIBLE}
    return AsSeason(text, season, numbers, decisions, build_request(rules, season, numbers, eligible, b""))


def rules_text(case: Case, goals: tuple[str, ...] = GOALS) -> str:
    """The case's season.toml."""
    asked = {_name(category) for applicant in case["applicants"] for category in applicant["categories"][:1]}
    kinds = _quoted([PLAIN, *_kinds(case)])
    quotas = [
        *(f'category = "{name}"\nkinds = [{kinds}]\npercent = 100' for name in sorted(_required(case) & asked)),
        *(f'kinds = ["{kind}"]\nstalls = {n}' for kind in _kinds(case) if (n := _equipped(case, kind))),
    ]
    text = _HEAD.format(
        features=_quoted(sorted({*_equipment(case), *_required(case)})),
        id=case["id"],
        rule=case["rule"].replace('"', "'"),
        goals=_quoted([*(["reserves"] if quotas else []), *goals]),
    )
    for name in _categories(case):
        text += f'[[categories]]\nid = "{name}"\nown_sites = {str(name in _required(case)).lower()}\n'
    for kind in (PLAIN, *_kinds(case)):
        text += f'[[kinds]]\nid = "{kind}"\n'
    for number, quota in enumerate(quotas):
        text += f'[[quotas]]\nid = "first-{number}"\n{quota}\n'
    for category in case["categories"]:
        if category["max_sites"] is not None:
            counted = _counted(case, category["id"])
            text += f'[[fair_caps]]\nid = "most-{category["id"]}"\n{counted}\nmax_stalls = {category["max_sites"]}\n'
    if case["expansion_limit"] is not None:
        text += '[[caps]]\nid = "expansion-limit"\nof = "applicant"\nper = "period"\n'
        text += f"max_stalls = {case['expansion_limit']}\n"
    return text


def season_of(case: Case) -> SeasonInput:
    """The case's sites, applicants, applications and fixed places."""
    applicants = sorted(case["applicants"], key=lambda a: a["id"])
    assert all(a["signed_on"] and not a["absent"] for a in applicants)
    held = ((number, a["id"]) for a in applicants for number in a["own_sites"])
    return SeasonInput(
        fairs=(Fair(MARKET, "Market", "Amsterdam"),),
        sites=tuple(sorted(_sites(case), key=lambda site: site.site_id)),
        applicants=tuple(Applicant(ApplicantId(a["id"]), (a["equipment"] or [PLAIN])[0]) for a in applicants),
        applications=tuple(_application(case, a) for a in applicants),
        incumbents=tuple(Incumbent(SiteId(f"s{number}"), ApplicantId(name)) for number, name in sorted(held)),
    )


def _application(case: Case, applicant: Case) -> Application:
    # Who holds stalls asks for those; who is flexible, or asks for nothing, goes anywhere.
    wanted = [Choice(MARKET, number) for number in dict.fromkeys((*applicant["own_sites"], *applicant["preferences"]))]
    anywhere = [] if wanted and not applicant["flexible"] else [Choice()]
    goods = applicant["categories"]
    assert len(goods) <= 2
    assert len(applicant["equipment"]) <= 1
    return Application(
        application_id=ApplicationId(applicant["id"]),
        applicant_id=ApplicantId(applicant["id"]),
        period=DAY,
        category=CategoryId(_name(goods[0]) if goods else PLAIN),
        group=_name(goods[1]) if goods[1:] else "",
        stalls_min=applicant["min"],
        stalls_max=applicant["max"],
        needs=frozenset({*applicant["equipment"], *(_required(case) & set(map(_name, goods[1:])))}),
        choices=(*wanted, *anywhere),
        submitted_at=1_609_500_000_000_000_000,
        registration_no=applicant["rank"],
    )


def _sites(case: Case) -> Iterator[Site]:
    known = {site["id"]: site for site in case["sites"]}
    apart = {frozenset(pair) for pair in case["obstacles"]}
    for row_no, row in enumerate(case["rows"], start=1):
        position = 0
        opened = _cut_open(case, row)
        for before, number in zip(["", *opened], opened, strict=False):
            position += 2 if frozenset((before, number)) in apart else 1
            site = known[number]
            features = {*site["equipment"], *(_required(case) & set(map(_name, site["categories"])))}
            if "fry_heavy" in features:
                features.add("fry_light")
            yield Site(
                site_id=SiteId(f"s{number}"),
                fair_id=MARKET,
                period=DAY,
                row=f"R{row_no}",
                position=position,
                number=number,
                categories=_takes(case, site),
                features=frozenset(features),
                closed=not site["active"],
            )
    # A fixed place that the market does not set up that day.
    gone = {number for a in case["applicants"] for number in a["own_sites"]} - set(known)
    for position, number in enumerate(sorted(gone), start=1):
        yield Site(SiteId(f"s{number}"), MARKET, DAY, "not set up", 2 * position, number, closed=True)


def _cut_open(case: Case, row: list[str]) -> list[str]:
    if len(row) < 2 or row[0] != row[-1]:
        return row
    liked = next(
        (p for a in sorted(case["applicants"], key=lambda a: a["rank"]) for p in a["preferences"] if p in row), row[0]
    )
    at = row.index(liked)
    return [*row[at:-1], *row[:at]]


def _takes(case: Case, site: Case) -> frozenset[str]:
    """A stall of mandatory categories takes those and all goods that are bound to none."""
    mandatory = {_name(name) for name in site["categories"]} & _required(case)
    return frozenset(mandatory | (set(_categories(case)) - _required(case))) if mandatory else frozenset()


def _name(category: str) -> str:
    return category.replace(" ", "-")


def _categories(case: Case) -> list[str]:
    named = [category for one in (*case["sites"], *case["applicants"]) for category in one["categories"]]
    return sorted({PLAIN, *map(_name, named), *(_name(category["id"]) for category in case["categories"])})


def _required(case: Case) -> set[str]:
    return {_name(category["id"]) for category in case["categories"] if category["required"]}


def _counted(case: Case, category: str) -> str:
    """A cap on a category counts applications by their category, or by their group where it always comes second."""
    members = [a["categories"] for a in case["applicants"] if category in a["categories"]]
    assert all(goods[0] == category for goods in members) or all(goods[1:] == [category] for goods in members)
    second = any(goods[0] != category for goods in members)
    return f'{"group" if second else "category"} = "{_name(category)}"'


def _equipment(case: Case) -> list[str]:
    implied = ["fry_light"] if any("fry_heavy" in site["equipment"] for site in case["sites"]) else []
    named = [name for one in (*case["sites"], *case["applicants"]) for name in one["equipment"]]
    return sorted({*named, *implied})


def _kinds(case: Case) -> list[str]:
    return sorted({name for a in case["applicants"] for name in a["equipment"]})


def _equipped(case: Case, feature: str) -> int:
    return sum(feature in site.features and not site.closed for site in _sites(case))


def _quoted(names: Any) -> str:
    return ", ".join(f'"{name}"' for name in names)
