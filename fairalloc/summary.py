"""A season in a dozen figures, from its published files."""

from __future__ import annotations

from collections.abc import Mapping

from fairalloc.canonical import csv_rows
from fairalloc.status import Status


def summarize(files: Mapping[str, bytes]) -> dict[str, int | str]:
    """The headline figures of a bundle, in the order in which they are shown."""
    screening, outcome = csv_rows(files["screening.csv"]), csv_rows(files["outcome.csv"])
    sites = csv_rows(files["sites.csv"])
    placed = [row for row in outcome if row["status"] == Status.ALLOCATED.name]
    first = sum(row["choice_rank"] == "1" for row in placed)
    held = {(row["site_id"], row["applicant_id"]) for row in csv_rows(files["incumbents.csv"])}
    applicant = {row["application_id"]: row["applicant_id"] for row in csv_rows(files["applications.csv"])}
    given = [row["site_ids"].split("|") for row in placed]
    filled = sum(map(len, given))
    kept = sum(
        any((site, applicant[row["application_id"]]) in held for site in run)
        for row, run in zip(placed, given, strict=True)
    )
    return {
        "applications": len(screening),
        "refused": len(screening) - len(outcome),
        "eligible": len(outcome),
        "placed": len(placed),
        "waiting": len(outcome) - len(placed),
        "sites": len(sites),
        "sites filled": f"{filled:,} ({filled / max(len(sites), 1):.1%})",
        "first choices met": f"{first:,} ({first / max(len(placed), 1):.1%} of the placed)",
        "mean choice rank": f"{sum(int(row['choice_rank']) for row in placed) / max(len(placed), 1):.2f}",
        "returning vendors on their stall": kept,
    }
