"""The distribution of 2019 on a season of this program: what it is asked, and which stalls its counts become.

The season's screening takes the place of the status history, its queue that of submission time and registration
number; the first choice gives the fair. Stalls are numbered in the order of decision: each placed application takes the
first free site of its cell that suits it, else the first free one.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence

from fairalloc.allocation import AllocationRequest, AllocationResult, Candidate, Placement
from fairalloc.errors import FairallocError
from fairalloc.ledger import ApplicationNo, SiteNo
from fairalloc.model import Site
from fairalloc.rules import QuotaQueue, Rules, counted_category
from solver.problem import Signatures
from solver.quota_queue.distribution import distribute
from solver.quota_queue.forms import VEGETABLES, Cell, Distribution, Form, Kind, Places


def solve_quota_queue(request: AllocationRequest) -> AllocationResult:
    """Distribute by counts.

    Raises:
        FairallocError: when the rules have no table `[quota_queue]`, or somebody is sure of a site, or is to keep one.
    """
    started = time.perf_counter()
    table = request.rules.quota_queue
    if table is None:
        raise FairallocError("rules.quota-queue", "the rules have no table [quota_queue]", "add it to season.toml")
    if any(candidate.keeps for candidate in request.candidates):
        message = "the mechanism quota-queue counts places and cannot keep an application on a site"
        raise FairallocError("rules.decisions", message, "remove it from preallocations.csv, or take another mechanism")
    if request.standing:
        message = "the mechanism quota-queue leaves nothing open that holders could keep their sites by"
        raise FairallocError("rules.keep", message, "allocate without --keep")
    numbers = _category_numbers(request.rules, table)
    sites = _sites_by_cell(request, numbers)
    cells = {cell: _places(table, cell, [request.sites[site] for site in there]) for cell, there in sites.items()}
    candidates = sorted(request.candidates, key=lambda candidate: candidate.position)
    forms = [_form(candidate, table, numbers) for candidate in candidates]
    told = distribute(forms, cells)
    lists = told.lists.values()
    counted = {number for of_cell in lists for number in (*of_cell.placed, *of_cell.waiting, *of_cell.rejected)}
    return AllocationResult(
        placements=_numbered(request, told, sites),
        proofs=(),
        unplaceable=frozenset(c.application_no for c in candidates if str(c.application_no) not in counted),
        seconds={"quota-queue": time.perf_counter() - started},
        barred=frozenset(ApplicationNo(int(number)) for of_cell in lists for number in of_cell.rejected),
    )


def _category_numbers(rules: Rules, table: QuotaQueue) -> dict[str, int]:
    """Numbers for the categories: 1 for that of the vegetables, the others in the order of the rules."""
    others = (category.id for category in rules.categories if category.id != table.vegetables)
    return {table.vegetables: VEGETABLES} | {name: number for number, name in enumerate(others, start=VEGETABLES + 1)}


def _sites_by_cell(request: AllocationRequest, numbers: Mapping[str, int]) -> dict[Cell, list[SiteNo]]:
    """The open sites of every cell, by number."""
    declared = [(category.id, category.own_sites) for category in request.rules.categories]
    found: dict[Cell, list[SiteNo]] = defaultdict(list)
    for number, site in sorted(request.sites.items()):
        category = None if site.closed else counted_category(site.categories, declared)
        if category is not None:
            found[Cell(site.fair_id, site.period, numbers[category])].append(number)
    return dict(found)


def _places(table: QuotaQueue, cell: Cell, sites: Sequence[Site]) -> Places:
    """How many places the sites of a cell are for each pool."""
    individuals = sum(site.pool in table.individuals_pools for site in sites)
    farmers = sum(site.pool in table.farmers_pools for site in sites)
    free = sum(site.pool == "" for site in sites)
    companies = len(sites) - individuals - farmers - free
    shared = table.divided(free) if cell.category == VEGETABLES else (0, 0, free)
    return Places(individuals + shared[0], farmers + shared[1], companies + shared[2])


def _form(candidate: Candidate, table: QuotaQueue, numbers: Mapping[str, int]) -> Form:
    kind = Kind.COMPANY
    if candidate.kind in table.individuals:
        kind = Kind.INDIVIDUAL
    elif candidate.kind in table.farmers:
        kind = Kind.FARMER
    fair = candidate.choices[0].fair_id
    return Form(
        service_number=str(candidate.application_no),
        submitted=candidate.position,
        registration_no=0,
        applicant=candidate.applicant,
        kind=kind,
        fair=fair or "",
        category=numbers[candidate.category],
        periods=() if fair is None else (candidate.period,),
    )


def _numbered(
    request: AllocationRequest, told: Distribution, sites: Mapping[Cell, Sequence[SiteNo]]
) -> tuple[Placement, ...]:
    """A stall for every place that was given, in the order of decision."""
    free = {cell: list(there) for cell, there in sites.items()}
    signatures = Signatures(request.rules)
    candidates = {str(candidate.application_no): candidate for candidate in request.candidates}
    placements = []
    for cell, number in told.placed:
        candidate = candidates[number]
        signature = signatures.of(candidate)
        here = free[cell]
        site = next((site for site in here if signature.suits(request.sites[site])), here[0])
        here.remove(site)
        placements.append(Placement(candidate.application_no, site, choice_rank=1))
    return tuple(sorted(placements, key=lambda placement: placement.application_no))
