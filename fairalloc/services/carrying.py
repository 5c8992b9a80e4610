"""Carrying over: what the database says that earlier campaigns left, for the files of the next one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from fairalloc.carrying import Ended, EndedCampaign, Left, Stalls, left_by
from fairalloc.errors import StateConflictError
from fairalloc.findings import Finding
from fairalloc.ledger import SeasonNo
from fairalloc.model import Applicant, ApplicantId, Followed, Same, SeasonInput
from fairalloc.ports import Stage, Store
from fairalloc.rules import Rules, parse_rules
from fairalloc.services.context import SeasonContext

AGAIN = "run `fairalloc carry-over` on the folder, which brings its files up to date"


@dataclass(frozen=True, slots=True)
class Carried:
    """What earlier campaigns left, and who took part in them.

    Attributes:
        left: stalls, conduct and held sites.
        followed: the campaigns, with how far each had come.
        applicants: everybody of those campaigns, as the latest one has them.
        published: the published ids of those who stand in a campaign's files, by campaign.
    """

    left: Left
    followed: tuple[Followed, ...]
    applicants: Mapping[ApplicantId, Applicant]
    published: Mapping[str, Mapping[ApplicantId, str]]

    def lacking(self, present: Iterable[ApplicantId]) -> tuple[Applicant, ...]:
        """Those of whom something is known, and those who stand behind them, as far as they are not present."""
        there, wanted = set(present), sorted(self.left.people)
        found: dict[ApplicantId, Applicant] = {}
        while wanted:
            name = wanted.pop()
            if name not in there and name not in found and name in self.applicants:
                found[name] = self.applicants[name]
                wanted.append(ApplicantId(found[name].owner_id))
        return tuple(found[name] for name in sorted(found))

    def same(self, applicants: Iterable[ApplicantId]) -> tuple[Same, ...]:
        """Who the applicants were in the earlier campaigns."""
        links = (
            Same(name, campaign, labels[name])
            for name in applicants
            for campaign, labels in self.published.items()
            if name in labels
        )
        return tuple(sorted(links, key=lambda same: (same.applicant_id, same.campaign)))


def carried_over(store: Store, rules: Rules) -> Carried:
    """What the campaigns that a campaign follows have left, as of now.

    Raises:
        StateConflictError: when it follows none, or one that is not here or not allocated yet.
    """
    contexts = _followed(store, rules)
    applicants = {a.applicant_id: a for context in contexts for a in context.season.applicants}
    return Carried(
        left=left_by([_ended(store, context) for context in contexts]),
        followed=tuple(
            sorted(
                (Followed(c.record.season_id, store.next_seq(c.record.season_no)) for c in contexts),
                key=lambda one: one.campaign,
            )
        ),
        applicants=applicants,
        published={context.record.season_id: _published(context) for context in contexts},
    )


def require_carried_over(store: Store, rules: Rules, season: SeasonInput) -> None:
    """Refuse a campaign whose files are not what the campaigns before it have left.

    Raises:
        StateConflictError: when they are not, or the campaigns before are not here.
    """
    if rules.campaign.follows is None or store.find_season(rules.season.id) is not None:
        return
    carried = carried_over(store, rules)
    held = Stalls(carried.left.held)
    opened = [s for s in season.sites if not s.closed and held.has(s.site_id, s.fair_id, s.period, s.number)]
    differs = (
        ("follows.csv", season.followed != carried.followed),
        ("earlier.csv", season.earlier != carried.left.earlier),
        ("conduct.csv", season.conduct != carried.left.conduct),
        ("same.csv", season.same != carried.same(a.applicant_id for a in season.applicants)),
        ("sites.csv", bool(opened)),
    )
    stale = [name for name, wrong in differs if wrong]
    if stale:
        raise StateConflictError(
            "carry-over.stale", f"not what the campaigns before have left: {', '.join(stale)}", AGAIN
        )


def given_out_later(store: Store, season_id: str) -> Stalls:
    """The stalls that the stored campaigns after a campaign give out: they are no longer its own to offer."""
    records, line = {record.season_id: record for record in store.seasons()}, {season_id}
    follows = {name: parse_rules(record.rules_text).campaign.follows for name, record in records.items()}
    while found := {name for name, before in follows.items() if before in line} - line:
        line |= found
    inputs = (store.load_input(records[name].season_no) for name in sorted(line - {season_id}))
    return Stalls(site for season in inputs for site in season.sites if not site.closed)


def same_findings(store: Store, season_no: SeasonNo) -> Iterator[Finding]:
    """Whether the published links join applicants who are the same by the city's own ids."""
    seasons = {record.season_no: record for record in store.seasons()}
    rules = parse_rules(seasons[season_no].rules_text)
    if rules.campaign.follows is None:
        return
    season = store.load_input(season_no)
    contexts = _followed(store, rules)
    labels = {context.record.season_id: _published(context) for context in contexts}
    stated = {(same.applicant_id, same.campaign): same.published_id for same in season.same}
    for applicant in season.applicants:
        for campaign, known in labels.items():
            right = known.get(applicant.applicant_id)
            told = stated.get((applicant.applicant_id, campaign))
            if told != right:
                words = f"same.csv: somebody is {told or 'nobody'} in {campaign}, in the database {right or 'nobody'}"
                yield Finding("database.same", "same.csv", words)


def _followed(store: Store, rules: Rules) -> list[SeasonContext]:
    """The campaigns before, the first one first."""
    if rules.campaign.follows is None:
        raise StateConflictError(
            "carry-over.first",
            f"season {rules.season.id} follows no campaign",
            "name the one before it by `follows` in [campaign] of season.toml",
        )
    found: list[SeasonContext] = []
    seen = {rules.season.id}
    wanted: str | None = rules.campaign.follows
    while wanted is not None:
        record = store.find_season(wanted)
        if record is None or wanted in seen:
            raise StateConflictError(
                "carry-over.unknown",
                f"the campaign {wanted!r} before it is not here, or follows itself",
                "import and allocate it first, or mend `follows` in season.toml",
            )
        seen.add(wanted)
        context = SeasonContext.load(store, record)
        context.require(Stage.ALLOCATED)
        found.append(context)
        wanted = context.rules.campaign.follows
    return found[::-1]


def _ended(store: Store, context: SeasonContext) -> EndedCampaign:
    season, sites = context.season, context.sites_by_number()
    asked = {application.application_id: application for application in season.applications}
    ended = [
        Ended(
            asked[standing.application_id].applicant_id,
            asked[standing.application_id].category,
            standing.status,
            tuple(sites[standing.site_no + offset] for offset in range(standing.width)),
        )
        for standing in store.standings(context.record.season_no)
    ]
    return EndedCampaign(context.record.season_id, ended, season.earlier, season.conduct)


def _published(context: SeasonContext) -> dict[ApplicantId, str]:
    """The published ids of those who stand in the season's published files."""
    season = context.season
    rows: Sequence[Iterable[ApplicantId]] = (
        (application.applicant_id for application in season.applications),
        (given.applicant_id for given in season.earlier),
        (known.applicant_id for known in season.conduct),
    )
    return {name: context.numbers.applicants[name] for names in rows for name in names}
