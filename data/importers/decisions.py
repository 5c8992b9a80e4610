"""Two files that may be left out: decisions made before the allocation, and what earlier campaigns gave."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from data.importers.columns import check_applicant, check_period
from data.importers.sheet import Sheet
from fairalloc.caps import counted_earlier
from fairalloc.model import (
    ApplicantId,
    ApplicationId,
    CategoryId,
    Earlier,
    FairId,
    PeriodId,
    Preallocation,
    SeasonInput,
    SiteId,
)
from fairalloc.numbering import public_numbers
from fairalloc.preallocation import by_application, faults
from fairalloc.reasons import REASON_WORDS
from fairalloc.requests import candidate_of
from fairalloc.rules import Rules
from fairalloc.sanctions import Sanctions
from fairalloc.screening import screen
from fairalloc.status import Status

PREALLOCATION_COLUMNS = ("site_id", "application_id", "reason", "actor")
EARLIER_COLUMNS = ("applicant_id", "period", "fair_id", "category", "stalls")
MAX_REASON = 300
MAX_EARLIER = 1_000


def check_preallocations(sheet: Sheet, sites: Collection[str], applications: Collection[str]) -> None:
    """What can be said of each row by itself."""
    sheet.check_cells(PREALLOCATION_COLUMNS)
    sheet.required(("site_id", "reason", "actor"))
    sheet.known("site_id", sites, "unknown-site", "a site that sites.csv does not have", "mend the id")
    what = "an application that applications.csv does not have"
    sheet.known("application_id", applications, "unknown-application", what, "mend the id")
    remedy = "a site goes to one application: remove the other row"
    sheet.unique(["site_id"], "two-decisions", "stands in an earlier row already", remedy)
    for column in ("reason", "actor"):
        message = f"has more than {MAX_REASON} characters"
        sheet.matches(column, f".{{1,{MAX_REASON}}}", "too-long", message, "shorten it")


def check_earlier(sheet: Sheet, applicants: Collection[str], fairs: Collection[str], rules: Rules) -> None:
    """What can be said of each row by itself."""
    sheet.check_cells(("applicant_id", "period", "fair_id", "category"))
    sheet.required(EARLIER_COLUMNS)
    check_applicant(sheet, applicants)
    what, remedy = "a fair that fairs.csv does not have", "add the fair, or mend the id"
    sheet.known("fair_id", fairs, "unknown-fair", what, remedy)
    check_period(sheet, rules)
    categories = [category.id for category in rules.categories]
    remedy = "see [[categories]] in season.toml"
    sheet.known("category", categories, "unknown-category", "a category that the rules do not have", remedy)
    sheet.integer("stalls", 1, MAX_EARLIER)
    place = ["applicant_id", "period", "fair_id", "category"]
    sheet.unique(place, "same-place", "repeats applicant, period, fair and category", "add the stalls up in one row")


def with_decisions(sheet: Sheet, season: SeasonInput, rules: Rules, *, leave_out: bool) -> SeasonInput:
    """The season with its decisions, each checked against everything else; sites that they keep free are closed.

    Args:
        sheet: the decisions; what cannot be carried out is reported there.
        season: all that was read without a defect.
        rules: of the season.
        leave_out: whether rows with defects are left out; then all rows about one application are.
    """
    if not len(sheet.frame):
        return season
    _check_together(sheet, season, rules)
    if leave_out:
        _leave_out_whole(sheet)
    decisions = tuple(sorted(_built(sheet), key=lambda decision: decision.site_id))
    free = {decision.site_id for decision in decisions if decision.application_id is None}
    sites = tuple(replace(site, closed=True) if site.site_id in free else site for site in season.sites)
    return replace(season, sites=sites, preallocations=decisions)


def _check_together(sheet: Sheet, season: SeasonInput, rules: Rules) -> None:
    sites = {site.site_id: site for site in season.sites}
    applications = {application.application_id: application for application in season.applications}
    applicants = {applicant.applicant_id: applicant for applicant in season.applicants}
    broken = set(sheet.frame["application_id"][~sheet.good])
    decisions = [
        decision
        for decision in _built(sheet)
        if decision.site_id in sites and (decision.application_id or "") not in broken
    ]
    placed = by_application([d for d in decisions if d.application_id in applications])
    decisions = [decision for of in placed.values() for decision in of]
    numbers = public_numbers(season, [period.id for period in rules.periods])
    sanctions = Sanctions.of(rules, season.conduct, numbers.owners)
    screened = {
        decision.application_id: decision for decision in screen(rules, season.applications, applicants, sanctions)
    }
    found = faults(
        rules,
        sites,
        decisions,
        {
            name: candidate_of(rules, applications[name], applicants[applications[name].applicant_id], numbers, 0)
            for name in placed
        },
        {name: REASON_WORDS[screened[name].reason] for name in placed if screened[name].status is not Status.ELIGIBLE},
        counted_earlier(rules.forbidding_caps, season.earlier, applicants, numbers.applicants, numbers.owners),
    )
    row_of = {site_id: index for index, site_id in reversed(list(enumerate(sheet.frame["site_id"].tolist())))}
    for fault in found:
        value = str(getattr(fault.decision, fault.column))
        sheet.report(row_of[fault.decision.site_id], fault.column, value, fault.code, fault.message, fault.remedy)


def _leave_out_whole(sheet: Sheet) -> None:
    """Rows about an application of which another row is left out."""
    names = sheet.frame["application_id"]
    broken = set(names[~sheet.good]) - {""}
    message = "another row about the application is left out"
    sheet.flag(names.isin(broken) & sheet.good, "application_id", "left-out", message, "mend the other row")


def _built(sheet: Sheet) -> Iterator[Preallocation]:
    good = sheet.frame[sheet.good]
    for site, application, reason, actor in zip(*(good[c].tolist() for c in PREALLOCATION_COLUMNS), strict=True):
        name = ApplicationId(application) if application else None
        yield Preallocation(SiteId(site), name, reason, actor)


def earlier(applicant_id: str, period: str, fair_id: str, category: str, stalls: str) -> Earlier:
    """A row of earlier.csv."""
    return Earlier(ApplicantId(applicant_id), PeriodId(period), FairId(fair_id), CategoryId(category), int(stalls))
