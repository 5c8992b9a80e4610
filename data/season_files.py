"""Writing a season as the folder of files that it is imported from, in canonical form."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from fairalloc.bundle.files import application_fields, blank, fair_fields, site_fields
from fairalloc.canonical import csv_bytes
from fairalloc.errors import UsageError
from fairalloc.model import SeasonInput
from fairalloc.rules.reader import SEASON_FILE


def write_season(folder: Path, rules_text: str, season: SeasonInput) -> None:
    """Write a season folder as a whole; an older season there is replaced.

    Raises:
        UsageError: when the folder holds something that is not a season.
    """
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not (folder / SEASON_FILE).is_file())):
        raise UsageError("season.occupied", f"{folder} exists and is not a season folder", "name another folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        (fresh / SEASON_FILE).write_text(rules_text, encoding="utf-8")
        for name, content in season_files(season).items():
            (fresh / name).write_bytes(content)
        fresh.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        fresh.rename(folder)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise


def season_files(season: SeasonInput) -> dict[str, bytes]:
    """The CSV files of a season by name, rows sorted by id; those that may be left out only where they have rows."""
    optional = {}
    if season.preallocations:
        decisions = ((d.site_id, d.application_id or "", d.reason, d.actor) for d in season.preallocations)
        optional["preallocations.csv"] = _file("site_id,application_id,reason,actor", decisions)
    if season.earlier:
        given = ((e.applicant_id, e.period, e.fair_id, e.category, e.stalls) for e in season.earlier)
        optional["earlier.csv"] = _file("applicant_id,period,fair_id,category,stalls", given)
    if season.conduct:
        known = ((c.applicant_id, c.attended, c.no_shows, c.revocations) for c in season.conduct)
        optional["conduct.csv"] = _file("applicant_id,attended,no_shows,revocations", known)
    if season.same:
        same = ((s.applicant_id, s.campaign, s.published_id) for s in season.same)
        optional["same.csv"] = _file("applicant_id,campaign,published_id", same)
    if season.followed:
        optional["follows.csv"] = _file("campaign,calls", ((f.campaign, f.calls) for f in season.followed))
    return {
        "fairs.csv": _file("fair_id,name,district,area,latitude,longitude", map(fair_fields, season.fairs)),
        "sites.csv": _file(
            "site_id,fair_id,period,row,position,number,categories,features,pool,closed",
            ((site.site_id, *site_fields(site)) for site in season.sites),
        ),
        "applicants.csv": _file(
            "applicant_id,kind,region,owner_id,first_season",
            ((a.applicant_id, a.kind, a.region, a.owner_id, blank(a.first_season)) for a in season.applicants),
        ),
        "applications.csv": _file(
            "application_id,applicant_id,period,category,group,stalls_min,stalls_max,needs,choices,submitted_at,"
            "registration_no,documents",
            ((a.application_id, a.applicant_id, *application_fields(a)) for a in season.applications),
        ),
        "incumbents.csv": _file("site_id,applicant_id", ((i.site_id, i.applicant_id) for i in season.incumbents)),
        **optional,
    }


def _file(header: str, rows: Iterable[Sequence[object]]) -> bytes:
    return csv_bytes(header.split(","), rows)
