"""Two campaigns of one season as folders, and what happens at the fairs between them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from data.store import SqlStore, open_store
from fairalloc.acts import Act, ActKind, calls_of, read_act, wave_of
from fairalloc.bundle.folder import MANIFEST, manifest_file
from fairalloc.instants import Instant, parse_instant
from fairalloc.ledger import Transition
from fairalloc.reasons import Reason
from fairalloc.status import Status
from tests.rules_opening import opening

CLOSED, DAY = parse_instant("2026-03-01T00:00:00Z"), 86_400 * 10**9
OPEN = 120
"""Days after the campaign closed, by when all fairs have opened."""
_REASON = {
    Status.CONFIRMED: Reason.CONFIRMED_IN_TIME,
    Status.ATTENDED: Reason.CAME,
    Status.NO_SHOW: Reason.DID_NOT_COME,
    Status.REVOKED: Reason.REVOKED_BY_DECISION,
    Status.WITHDRAWN: Reason.WITHDRAWN_BY_APPLICANT,
}
_KIND = {
    Status.CONFIRMED: ActKind.CONFIRM,
    Status.ATTENDED: ActKind.ATTENDANCE,
    Status.NO_SHOW: ActKind.ATTENDANCE,
    Status.REVOKED: ActKind.REVOKE,
    Status.WITHDRAWN: ActKind.WITHDRAW,
}
RULES = """\
[mechanism]
id = "mechanism"
goals = ["priority", "choices"]
[priority]
id = "priority"
keys = ["submitted_at"]
[numbering]
id = "numbering"
returning = "ignore"
[[caps]]
id = "season-cap"
of = "owner"
per = "season"
max_stalls = 2
[[sanctions]]
id = "no-show"
no_shows = 1
effect = "refuse"
"""
FAIRS = "fair_id,name,district,area,latitude,longitude\nF1,Market Square,Inner,,,\n"
SITES = "site_id,fair_id,period,row,position,number,categories,features,pool,closed\n"
PEOPLE = "applicant_id,kind,region,owner_id,first_season\n"
ASKED = (
    "application_id,applicant_id,period,category,group,stalls_min,stalls_max,needs,choices,submitted_at,"
    "registration_no,documents\n"
)


def stall(number: int, period: str, closed: str = "") -> str:
    return f"F1-{number}-{period},F1,{period},A,{number},{number},,,,{closed}\n"


def asked(name: str, who: str, period: str, number: int, fair: str = "F1") -> str:
    return f"{name},{who},{period},bread,,1,1,,{fair},2026-02-02T09:{number:02}:00Z,{number},ok\n"


SPRING = {
    "season.toml": opening("spring", categories=("bread",), kinds=("farmer",)) + RULES,
    "fairs.csv": FAIRS,
    "sites.csv": SITES + "".join(stall(n, "may") for n in (1, 2, 3, 4)),
    "applicants.csv": f"{PEOPLE}anna,farmer,,,\nbert,farmer,,holding,\ncarl,farmer,,,\ndora,farmer,,,\n",
    "applications.csv": ASKED
    + asked("s1", "anna", "may", 1)
    + asked("s2", "bert", "may", 2)
    + asked("s3", "bert", "may", 3)
    + asked("s4", "carl", "may", 4),
}
AUTUMN = {
    "season.toml": SPRING["season.toml"]
    .replace('"spring"', '"autumn"')
    .replace("[campaign]", '[campaign]\nfollows = "spring"', 1),
    "fairs.csv": FAIRS,
    "sites.csv": SITES
    + stall(2, "may")
    + stall(4, "may")
    + stall(5, "may", "yes")
    + stall(1, "june")
    + stall(2, "june"),
    # Bert does not apply any more, but his firm does; Dora was known in spring and had not applied.
    "applicants.csv": f"{PEOPLE}anna,farmer,,,\nfirm,farmer,,holding,\ncarl,farmer,,,\ndora,farmer,,,\n",
    "applications.csv": ASKED
    + asked("a1", "anna", "june", 1)
    + asked("a2", "firm", "june", 2)
    + asked("a3", "dora", "june", 3)
    + asked("a4", "carl", "june", 4)
    + asked("a5", "carl", "may", 5),
}


def written(folder: Path, files: Mapping[str, str]) -> Path:
    """A season folder."""
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_text(content)
    return folder


def store_of(folder: Path) -> SqlStore:
    """The database of a workspace."""
    return open_store(f"sqlite:///{folder / '.fairalloc' / 'fairalloc.db'}")


def happened(folder: Path, season_id: str, *steps: Mapping[str, Status], days: int = 0) -> None:
    """Let applications, by the city's ids, come to statuses: each step is an act, a day after the one before.

    Act 1 is of one day after the campaign closed, or of so many ``days`` more; who came is known once all fairs opened.
    """
    store = store_of(folder)
    record = store.find_season(season_id)
    assert record is not None
    numbers = {one.application_id: one.application_no for one in store.registrations(record.season_no)}
    for step in steps:
        number = len(store.acts(record.season_no)) + 1
        statuses = sorted(set(step.values()))
        told = [
            wave_of(Transition(numbers[n], s, _REASON[s]) for n, s in step.items() if s is each) for each in statuses
        ]
        waves = tuple(wave for several in told for wave in several)
        kind, before = _KIND[statuses[0]], store.acts(record.season_no)
        soonest = CLOSED + (OPEN if kind is ActKind.ATTENDANCE else number + days) * DAY
        when = Instant(max(soonest, read_act(before[-1]).at if before else 0))
        act = Act(number, kind, when, "office", "as it happened", waves=waves)
        statement = act.statement(season_id)
        calls = calls_of(act, statement, record.season_no, store.next_seq(record.season_no))
        store.record_act(record.season_no, number, statement, calls, {})
    store.close()


def sealed(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """A bundle whose manifest is right again."""
    told = json.loads(files[MANIFEST])
    listed = {name: content for name, content in files.items() if name != MANIFEST}
    return {**listed, MANIFEST: manifest_file(listed, told["statements"], told["program"])}
