"""The files of a bundle, as canonical bytes. Ids of applications, applicants and owners are the published ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from fairalloc.allocation import AllocationResult
from fairalloc.canonical import csv_bytes, json_bytes
from fairalloc.caps import NOTHING, cap_limits
from fairalloc.instants import format_instant
from fairalloc.ledger import SiteNo
from fairalloc.model import Application, Fair, Preallocation, SeasonInput, Site
from fairalloc.numbering import PublicNumbers, application_label, submission_order
from fairalloc.outcome import Outcome
from fairalloc.rules import Rules
from fairalloc.screening import Screening

SITE_COLUMNS = (
    "site_id",
    "site_no",
    "fair_id",
    "period",
    "row",
    "position",
    "number",
    "categories",
    "features",
    "pool",
    "closed",
)
APPLICATION_COLUMNS = (
    "application_id",
    "applicant_id",
    "owner_id",
    "kind",
    "region",
    "first_season",
    "period",
    "category",
    "group",
    "stalls_min",
    "stalls_max",
    "needs",
    "choices",
    "submitted_at",
    "registration_no",
    "documents",
)
PREALLOCATION_COLUMNS = ("site_id", "application_id", "reason", "actor")
EARLIER_COLUMNS = ("applicant_id", "owner_id", "kind", "period", "fair_id", "category", "stalls")
CONDUCT_COLUMNS = ("applicant_id", "owner_id", "attended", "no_shows", "revocations")
SAME_COLUMNS = ("applicant_id", "campaign", "published_id")
FOLLOWS_COLUMNS = ("campaign", "calls")
OUTCOME_COLUMNS = (
    "application_id",
    "queue_position",
    "status",
    "site_ids",
    "choice_rank",
    "reason_code",
    "reason",
)


def input_files(rules_text: str, season: SeasonInput, numbers: PublicNumbers) -> dict[str, bytes]:
    """The files that are frozen before the allocation: rules, fairs, sites, applications, incumbents.

    Decisions made beforehand, and what is known of earlier campaigns, only where there are any.
    """
    sites = sorted(season.sites, key=lambda site: numbers.sites[site.site_id])
    incumbents = sorted(
        (numbers.sites[i.site_id], i.site_id, numbers.applicants[i.applicant_id]) for i in season.incumbents
    )
    return {
        "season.toml": rules_text.encode(),
        "fairs.csv": csv_bytes(
            ("fair_id", "name", "district", "area", "latitude", "longitude"),
            map(fair_fields, season.fairs),
        ),
        "sites.csv": csv_bytes(SITE_COLUMNS, ((s.site_id, numbers.sites[s.site_id], *site_fields(s)) for s in sites)),
        "applications.csv": csv_bytes(APPLICATION_COLUMNS, _application_rows(season, numbers)),
        "incumbents.csv": csv_bytes(("site_id", "applicant_id"), (row[1:] for row in incumbents)),
        **_optional_files(season, numbers),
    }


def _optional_files(season: SeasonInput, numbers: PublicNumbers) -> dict[str, bytes]:
    files = {}
    if season.preallocations:
        rows = sorted((numbers.sites[p.site_id], *_decision_fields(p, numbers)) for p in season.preallocations)
        files["preallocations.csv"] = csv_bytes(PREALLOCATION_COLUMNS, (row[1:] for row in rows))
    if season.earlier:
        kinds = {applicant.applicant_id: applicant.kind for applicant in season.applicants}
        given = sorted(
            (
                numbers.applicants[given.applicant_id],
                numbers.owners.get(given.applicant_id, ""),
                kinds[given.applicant_id],
                given.period,
                given.fair_id,
                given.category,
                given.stalls,
            )
            for given in season.earlier
        )
        files["earlier.csv"] = csv_bytes(EARLIER_COLUMNS, given)
    return files | _campaign_files(season, numbers)


def _campaign_files(season: SeasonInput, numbers: PublicNumbers) -> dict[str, bytes]:
    """How applicants behaved in earlier campaigns, who they were there, and which campaigns these are."""
    labels, owners = numbers.applicants, numbers.owners
    files = {}
    if season.conduct:
        known = sorted(
            (labels[c.applicant_id], owners.get(c.applicant_id, ""), c.attended, c.no_shows, c.revocations)
            for c in season.conduct
        )
        files["conduct.csv"] = csv_bytes(CONDUCT_COLUMNS, known)
    if season.same:
        same = sorted((labels[one.applicant_id], one.campaign, one.published_id) for one in season.same)
        files["same.csv"] = csv_bytes(SAME_COLUMNS, same)
    if season.followed:
        files["follows.csv"] = csv_bytes(FOLLOWS_COLUMNS, ((one.campaign, one.calls) for one in season.followed))
    return files


def _decision_fields(decision: Preallocation, numbers: PublicNumbers) -> tuple[str, str, str, str]:
    name = decision.application_id
    label = "" if name is None else application_label(numbers.applications[name])
    return decision.site_id, label, decision.reason, decision.actor


def screening_file(screening: Sequence[Screening], numbers: PublicNumbers) -> bytes:
    """Who was admitted and who was refused, by which rule."""
    rows = sorted(
        (
            application_label(numbers.applications[decision.application_id]),
            decision.status.name,
            int(decision.reason),
            decision.rule_id,
        )
        for decision in screening
    )
    return csv_bytes(("application_id", "status", "reason_code", "rule_id"), rows)


def outcome_file(outcomes: Sequence[Outcome]) -> bytes:
    """Who was given which site, and why."""
    rows = (
        (
            application_label(outcome.application_no),
            outcome.position,
            outcome.status.name,
            "|".join(site.site_id for site in outcome.sites),
            outcome.choice_rank or "",
            int(outcome.reason),
            outcome.words,
        )
        for outcome in sorted(outcomes, key=lambda outcome: outcome.application_no)
    )
    return csv_bytes(OUTCOME_COLUMNS, rows)


def certificate_file(
    rules: Rules, result: AllocationResult, sites: Mapping[SiteNo, Site], earlier: Mapping[str, int] = NOTHING
) -> bytes:
    """The proof of optimality: integers that anyone can add up (see docs/certificate.md).

    Args:
        rules: the season's rules.
        result: what the solver said.
        sites: by number.
        earlier: stalls that earlier campaigns gave, by the name of the cap that counts them; where there are any, the
            certificate names what these caps have left.
    """
    proofs = result.certified({number: site.site_id for number, site in sites.items()})
    limits = {"cap_limits": cap_limits(rules, earlier)} if earlier else {}
    return json_bytes({"format": "fairalloc-certificate/2", "mechanism": rules.mechanism.name, **proofs, **limits})


def site_fields(site: Site) -> tuple[object, ...]:
    """A site's columns from ``fair_id`` on, as they stand in the city's file and in the published one."""
    return (
        site.fair_id,
        site.period,
        site.row,
        site.position,
        site.number,
        "|".join(sorted(site.categories)),
        "|".join(sorted(site.features)),
        site.pool,
        "yes" if site.closed else "",
    )


def application_fields(application: Application) -> tuple[object, ...]:
    """An application's columns from ``period`` on, likewise."""
    return (
        application.period,
        application.category,
        application.group,
        application.stalls_min,
        application.stalls_max,
        "|".join(sorted(application.needs)),
        "|".join(map(str, application.choices)),
        format_instant(application.submitted_at),
        application.registration_no,
        "|".join(application.missing_documents) or "ok",
    )


def fair_fields(fair: Fair) -> tuple[object, ...]:
    """A fair's columns, likewise."""
    return (fair.fair_id, fair.name, fair.district, fair.area, blank(fair.latitude), blank(fair.longitude))


def blank(value: float | None) -> str:
    """A number as text that reads back as the same number; None as nothing."""
    return "" if value is None else repr(value)


def _application_rows(season: SeasonInput, numbers: PublicNumbers) -> Iterator[tuple[object, ...]]:
    applicants = {applicant.applicant_id: applicant for applicant in season.applicants}
    for application in sorted(season.applications, key=submission_order):
        who = applicants[application.applicant_id]
        yield (
            application_label(numbers.applications[application.application_id]),
            numbers.applicants[who.applicant_id],
            numbers.owners.get(who.applicant_id, ""),
            who.kind,
            who.region,
            blank(who.first_season),
            *application_fields(application),
        )
