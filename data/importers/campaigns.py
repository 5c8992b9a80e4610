"""Three files that may be left out: how applicants behaved in earlier campaigns, who they were there, and which."""

from __future__ import annotations

from collections.abc import Collection

from data.importers import columns
from data.importers.sheet import Sheet
from fairalloc.model import ApplicantId, Conduct, Followed, Same
from fairalloc.rules import Rules

CONDUCT_COLUMNS = ("applicant_id", "attended", "no_shows", "revocations")
SAME_COLUMNS = ("applicant_id", "campaign", "published_id")
FOLLOWS_COLUMNS = ("campaign", "calls")
MAX_TIMES = 1_000


def check_conduct(sheet: Sheet, applicants: Collection[str]) -> None:
    """What can be said of each row of conduct.csv."""
    sheet.check_cells(("applicant_id",))
    sheet.required(CONDUCT_COLUMNS)
    columns.check_applicant(sheet, applicants)
    for column in CONDUCT_COLUMNS[1:]:
        sheet.integer(column, 0, MAX_TIMES)
    sheet.unique(["applicant_id"], "same-applicant", "stands in an earlier row already", "add the two rows up in one")


def check_same(sheet: Sheet, applicants: Collection[str]) -> None:
    """What can be said of each row of same.csv."""
    sheet.check_cells(SAME_COLUMNS)
    sheet.required(SAME_COLUMNS)
    columns.check_applicant(sheet, applicants)
    sheet.matches("campaign", columns.ID, "id", "is not the id of a campaign", columns.ID_REMEDY)
    sheet.matches("published_id", r"P[0-9]{6,9}", "label", "is not a published id", "have `carry-over` write the file")
    remedy = "one applicant is one applicant there: have `carry-over` write the file"
    for pair in (["applicant_id", "campaign"], ["published_id", "campaign"]):
        sheet.unique(pair, "same-applicant", f"has the {pair[0]} of an earlier row for that campaign", remedy)


def check_follows(sheet: Sheet, rules: Rules) -> None:
    """What can be said of each row of follows.csv."""
    sheet.check_cells(("campaign",))
    sheet.required(FOLLOWS_COLUMNS)
    columns.check_id(sheet, "campaign")
    sheet.integer("calls", 0, 2**31 - 1)
    if rules.campaign.follows is None:
        remedy = "name it by `follows` in [campaign] of season.toml, or take the file away"
        sheet.flag(
            sheet.frame["campaign"] != "", "campaign", "no-campaign", "is not what this campaign follows", remedy
        )


def conduct(applicant_id: str, attended: str, no_shows: str, revocations: str) -> Conduct:
    """A row of conduct.csv."""
    return Conduct(ApplicantId(applicant_id), int(attended), int(no_shows), int(revocations))


def same(applicant_id: str, campaign: str, published_id: str) -> Same:
    """A row of same.csv."""
    return Same(ApplicantId(applicant_id), campaign, published_id)


def followed(campaign: str, calls: str) -> Followed:
    """A row of follows.csv."""
    return Followed(campaign, int(calls))
