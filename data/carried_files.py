"""The files of a campaign's folder with what the campaigns before it have left: all of them right, or none written."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from data.importers.building import APPLICANT_COLUMNS, CLOSED, HELD, SITE_COLUMNS
from data.importers.campaigns import CONDUCT_COLUMNS, FOLLOWS_COLUMNS, SAME_COLUMNS
from data.importers.collected import applicants_sheet
from data.importers.decisions import EARLIER_COLUMNS
from data.importers.season import check_carried, optional_sheet
from data.importers.sheet import Sheet, read_sheet
from fairalloc.bundle.files import blank
from fairalloc.canonical import csv_bytes
from fairalloc.carrying import Left, Stalls
from fairalloc.collection import Collected
from fairalloc.durable_files import replace_file
from fairalloc.errors import StateConflictError
from fairalloc.model import Applicant, ApplicantId, Followed, Same
from fairalloc.rules import Rules

WRITTEN = ("earlier.csv", "conduct.csv", "same.csv", "follows.csv")
"""The files that are written whole; the last one says that they were."""


def carried_files(
    folder: Path,
    rules: Rules,
    left: Left,
    followed: Iterable[Followed],
    lacking: Callable[[Iterable[ApplicantId]], Iterable[Applicant]],
    same: Callable[[Iterable[ApplicantId]], Iterable[Same]],
    collected: Sequence[Collected] = (),
) -> dict[str, bytes | None]:
    """The files that a folder must have; None for one that it must not have.

    Args:
        folder: of the next campaign.
        rules: of the next campaign.
        left: what the campaigns before have left.
        followed: these campaigns.
        lacking: whom the applicants present must be joined by.
        same: who the applicants were in the campaigns before.
        collected: the applications that were collected for the next campaign; who applies there is present too.

    Raises:
        InvalidDataError: when the folder's files, or what is carried over to them, have defects.
        StateConflictError: when the folder has such files by somebody else's hand.
    """
    _require_own_hand(folder)
    sites, applicants = read_sheet(folder, "sites.csv", SITE_COLUMNS), optional_sheet(folder, "applicants.csv")
    present = [ApplicantId(name) for name in applicants_sheet(applicants, collected).cells("applicant_id")]
    added = tuple(lacking(present))
    everybody = (*present, *(applicant.applicant_id for applicant in added))
    files: dict[str, bytes | None] = {
        "sites.csv": _closing(sites, left),
        "applicants.csv": _joined_by(applicants, added),
        "earlier.csv": _file(
            EARLIER_COLUMNS, ((e.applicant_id, e.period, e.fair_id, e.category, e.stalls) for e in left.earlier)
        ),
        "conduct.csv": _file(
            CONDUCT_COLUMNS, ((c.applicant_id, c.attended, c.no_shows, c.revocations) for c in left.conduct)
        ),
        "same.csv": _file(SAME_COLUMNS, ((s.applicant_id, s.campaign, s.published_id) for s in same(everybody))),
        "follows.csv": _file(FOLLOWS_COLUMNS, ((one.campaign, one.calls) for one in followed)),
    }
    with tempfile.TemporaryDirectory() as name:
        trial = Path(name)
        shutil.copyfile(folder / "fairs.csv", trial / "fairs.csv")
        for file, content in files.items():
            if content is not None:
                (trial / file).write_bytes(content)
            elif file not in WRITTEN and (folder / file).exists():
                shutil.copyfile(folder / file, trial / file)
        check_carried(trial, rules, collected)
    unchanged = {"sites.csv", "applicants.csv"}
    return {name: content for name, content in files.items() if content is not None or name not in unchanged}


def write_carried(folder: Path, files: Mapping[str, bytes | None]) -> list[str]:
    """Put files into a folder, each in one step; gives the names of those that were changed."""
    changed = []
    for name, content in files.items():
        path = folder / name
        before = path.read_bytes() if path.exists() else None
        if content == before:
            continue
        if content is None:
            path.unlink()
        else:
            replace_file(path, content, path.stat().st_mode & 0o777 if path.exists() else 0o644)
        changed.append(name)
    return changed


def _require_own_hand(folder: Path) -> None:
    """Files that somebody else has put there are not written over."""
    there = [name for name in WRITTEN if (folder / name).exists()]
    if there and WRITTEN[-1] not in there:
        raise StateConflictError(
            "carry-over.files",
            f"{folder} has its own {', '.join(there)}",
            "what was known before the first campaign belongs to that one's folder; move these files away",
        )


def _closing(sheet: Sheet, left: Left) -> bytes | None:
    """sites.csv with the held stalls closed, and those opened that are held no more; None where nothing changes."""
    held, frame = Stalls(left.held), sheet.frame
    stalls = zip(frame["site_id"], frame["fair_id"], frame["period"], frame["number"], strict=True)
    closed = []
    for now, stall in zip(frame["closed"], stalls, strict=True):
        by_others = now != HELD and CLOSED.get(now, True)
        closed.append(now if by_others else HELD if held.has(*stall) else "" if now == HELD else now)
    if closed == frame["closed"].tolist():
        return None
    return csv_bytes(tuple(frame.columns), frame.assign(closed=closed).itertuples(index=False))


def _joined_by(sheet: Sheet, added: tuple[Applicant, ...]) -> bytes | None:
    """applicants.csv with more applicants after those who are there; None where there are none."""
    if not added:
        return None
    rows = [tuple(row) for row in sheet.frame[list(APPLICANT_COLUMNS)].itertuples(index=False)]
    rows += [(a.applicant_id, a.kind, a.region, a.owner_id, blank(a.first_season)) for a in added]
    return csv_bytes(APPLICANT_COLUMNS, rows)


def _file(columns: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> bytes | None:
    """A file, or None where it would have no rows."""
    rows = tuple(rows)
    return csv_bytes(columns, rows) if rows else None
