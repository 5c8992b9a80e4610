"""Were the places distributed by counts as the table `[quota_queue]` has it? The distribution is done once more.

Each eligible application stands for one wish: the fair of its first choice, its period, its category. Wishes of
individuals and farmers go to the vegetables' cell of that fair and period. A cell holds, for each of the three pools,
how many places are left; who is placed takes one, and what is left over is passed on between rounds.

The order of events decides stalls: each placed wish takes the first free site of its cell that suits it, else the first
free one.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from solver.verify.season import Row, Season, Tables

PLACED, BARRED, USED_UP, NOT_COUNTED = "50", "63", "70", "71"
INDIVIDUALS, FARMERS, COMPANIES = "individuals", "farmers", "companies"
PASSED_ON = {
    COMPANIES: (INDIVIDUALS, FARMERS),
    INDIVIDUALS: (FARMERS, COMPANIES),
    FARMERS: (INDIVIDUALS, COMPANIES),
}

CellName = tuple[str, str, str]


@dataclass(slots=True)
class Cell:
    """One category at one fair in one period."""

    vegetables: bool
    sites: list[Row] = field(default_factory=list)
    left: Counter[str] = field(default_factory=Counter)
    received: Counter[str] = field(default_factory=Counter)

    def pass_on(self) -> tuple[Counter[str], bool]:
        """What would be left for each pool in the next round, and whether places have moved to another pool."""
        giver = next((pool for pool in PASSED_ON if self.vegetables and self.left[pool] > 0), None)
        if giver is None:
            return self.left, False
        after = Counter({**self.left, giver: 0})
        for receiver in PASSED_ON[giver]:
            if self.received[receiver] < 2:
                self.received[receiver] += 1
                after[receiver] += self.left[giver]
                return after, True
        return after, False


@dataclass(slots=True)
class Wish:
    """An application in its cell; ``code`` is what is decided, ``site_id`` the stall it was numbered."""

    application: Row
    cell: Cell
    fair: str
    code: str = USED_UP
    site_id: str = ""

    @property
    def in_period(self) -> tuple[str, str]:
        """Its applicant and period."""
        return self.application["applicant_id"], self.application["period"]


def nobody_is_sure(tables: Tables) -> Iterator[str]:
    """No decision places an application: places are counted, and stalls numbered after that."""
    for row in tables.preallocations:
        if row["application_id"]:
            name, site_id = row["application_id"], row["site_id"]
            yield f"preallocations.csv: {name} is placed on {site_id}, which a distribution by counts cannot keep"


def counts_are_distributed(season: Season) -> Iterator[str]:
    """Every outcome is what the distribution, done anew, comes to."""
    table = season.rules["quota_queue"]
    cells = _cells(season, table)
    lines = sorted(season.outcome.values(), key=lambda row: int(row["queue_position"]))
    applications = (season.applications.get(line["application_id"]) for line in lines)
    queues, wishes = _queues(table, cells, [a for a in applications if a is not None])
    _give_surplus(cells, queues)
    _run_all(season, cells, queues)
    for line in lines:
        name = line["application_id"]
        wish = wishes.get(name)
        code, site_id = (NOT_COUNTED, "") if wish is None else (wish.code, wish.site_id)
        status, rank = ("ALLOCATED", "1") if code == PLACED else ("WAITLISTED", "")
        due = {"status": status, "site_ids": site_id, "choice_rank": rank, "reason_code": code}
        for column, value in due.items():
            if line[column] != value:
                yield f"outcome.csv: {name} has {column} {line[column]!r}; the distribution gives {value!r}"


def _cells(season: Season, table: Mapping[str, Any]) -> dict[CellName, Cell]:
    """Each open site in the cell of the first category that it takes, counted for the pool that it is kept for."""
    cells: dict[CellName, Cell] = {}
    for site in sorted(season.sites.values(), key=lambda site: int(site["site_no"])):
        named = site["categories"].split("|") if site["categories"] else []
        for category in season.rules["categories"]:
            if category["id"] in named or (not named and not category.get("own_sites", False)):
                if not site["closed"]:
                    name = (site["fair_id"], site["period"], category["id"])
                    cells.setdefault(name, Cell(category["id"] == table["vegetables"])).sites.append(site)
                break
    for cell in cells.values():
        pools = Counter(site["pool"] for site in cell.sites)
        unkept = pools.pop("", 0)
        for pool, number in pools.items():
            owners = (name for name in (INDIVIDUALS, FARMERS) if pool in table.get(f"{name}_pools", []))
            cell.left[next(owners, COMPANIES)] += number
        ours, theirs, others = table["shares"] if cell.vegetables else (0, 0, 1)
        upto = [unkept * share // (ours + theirs + others) for share in (ours, ours + theirs)]
        cell.left.update({INDIVIDUALS: upto[0], FARMERS: upto[1] - upto[0], COMPANIES: unkept - upto[1]})
    return cells


def _queues(
    table: Mapping[str, Any], cells: Mapping[CellName, Cell], applications: Sequence[Row]
) -> tuple[dict[str, list[Wish]], dict[str, Wish]]:
    """The wishes of each pool in order, and all by application; a wish without a cell is none."""
    queues: dict[str, list[Wish]] = {INDIVIDUALS: [], FARMERS: [], COMPANIES: []}
    wishes: dict[str, Wish] = {}
    for application in applications:
        pool, category = COMPANIES, application["category"]
        if application["kind"] in table["individuals"]:
            pool, category = INDIVIDUALS, table["vegetables"]
        elif application["kind"] in table["farmers"] and category == table["vegetables"]:
            pool = FARMERS
        fair = application["choices"].split("|")[0].split("/")[0]
        cell = cells.get((fair, application["period"], category))
        if cell is not None:
            wish = wishes[application["application_id"]] = Wish(application, cell, fair)
            queues[pool].append(wish)
    return queues, wishes


def _give_surplus(cells: Mapping[CellName, Cell], queues: Mapping[str, Sequence[Wish]]) -> None:
    """Farmers' and companies' places that nobody asks for are the individuals' from the start."""
    for pool in (FARMERS, COMPANIES):
        asked = Counter(id(wish.cell) for wish in queues[pool])
        for cell in cells.values():
            if cell.vegetables and cell.left[pool] > asked[id(cell)]:
                cell.left[INDIVIDUALS] += cell.left[pool] - asked[id(cell)]
                cell.left[pool] = asked[id(cell)]


def _run_all(season: Season, cells: Mapping[CellName, Cell], queues: Mapping[str, Sequence[Wish]]) -> None:
    """Rounds of the three pools; places left over are passed on after each, until none are."""
    producers: set[tuple[str, str]] = set()
    held: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    first_round = True
    while True:
        _serve(season, INDIVIDUALS, queues[INDIVIDUALS], held[INDIVIDUALS], set())
        for pool in (FARMERS, COMPANIES):
            if first_round:
                _serve_firsts(season, pool, queues[pool], held[pool], producers)
            _serve(season, pool, queues[pool], held[pool], producers)
        first_round = False
        passed_on = [(cell, *cell.pass_on()) for cell in cells.values()]
        if not any(moved for _, _, moved in passed_on):
            return
        for cell, after, _ in passed_on:
            cell.left = after


def _serve_firsts(
    season: Season, pool: str, wishes: Sequence[Wish], held: set[tuple[str, ...]], producers: set[tuple[str, str]]
) -> None:
    """The first pass: whoever holds no producer's place in the period when its turn comes."""
    for wish in wishes:
        if wish.in_period not in producers:
            _serve(season, pool, [wish], held, producers)


def _serve(
    season: Season, pool: str, wishes: Sequence[Wish], held: set[tuple[str, ...]], producers: set[tuple[str, str]]
) -> None:
    """Each open wish in order: rejected where its applicant's share is taken, else placed while places last.

    An individual's share is a place in the period, a producer's one at each fair in the period.
    """
    for wish in wishes:
        share = wish.in_period if pool == INDIVIDUALS else (*wish.in_period, wish.fair)
        if wish.code != USED_UP:
            continue
        if share in held:
            wish.code = BARRED
        elif wish.cell.left[pool] > 0:
            wish.cell.left[pool] -= 1
            wish.code = PLACED
            wish.site_id = _numbered(season, wish)
            held.add(share)
            producers.add(wish.in_period)


def _numbered(season: Season, wish: Wish) -> str:
    """Takes the wish's stall from the free sites of its cell."""
    signature = season.signature(wish.application)
    free = wish.cell.sites
    stall = next((site for site in free if season.suits(site, signature)), free[0])
    free.remove(stall)
    return stall["site_id"]
