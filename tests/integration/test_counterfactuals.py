"""What is said to have changed an outcome is true when it is solved again, and nothing nearer is missed."""

from __future__ import annotations

import random
from collections import Counter
from copy import copy
from dataclasses import replace

from fairalloc.binding import Bind, bindings, headline
from fairalloc.counterfactuals import Counterfactuals, Sort, changed
from fairalloc.ground import Ground
from fairalloc.model import Choice
from solver.optimal import solve
from tests.scale import instances
from tests.serving import QueueSeason
from tests.small_seasons import SmallSeason, allowed_rank, small_season
from tests.stalls_and_caps import StallsAndCaps

INSTANCES = instances(240, at_least=240)
SEVERAL_INSTANCES = INSTANCES // 3
QUEUE = '[]\nname = "queue"'


def told_of(season, result, solver=solve):
    ground = Ground(season.request, result.placements)
    certificate = result.certified({number: site.site_id for number, site in season.request.sites.items()})
    fairs = {fair.fair_id: fair for fair in season.season.fairs}
    return Counterfactuals(ground, certificate, fairs, solver)


def seats_all(wanted: list[set[int]], taken: frozenset[int] = frozenset()) -> bool:
    """Whether everyone can have a site of their own, by trying."""
    return not wanted or any(seats_all(wanted[1:], taken | {site}) for site in wanted[0] - taken)


def served(season: SmallSeason, candidates, *, by_choice: bool) -> dict[int, int]:
    """Who is placed (by which choice) when the queue is served in order: the definitions, word for word.

    With ``by_choice`` each takes their best choice that can be seated with all before; else anyone is admitted who can
    be, by whatever choice, which is what the most points together come to where each takes one site.
    """
    admitted, placed = [], {}
    for candidate in sorted(candidates, key=lambda c: c.position):
        ranks = range(1, len(candidate.choices) + 1)
        reached = {
            rank: {
                number
                for number, site in season.request.sites.items()
                if allowed_rank(season, replace(candidate, choices=(candidate.choices[rank - 1],)), site)
            }
            for rank in ranks
        }
        for rank, sites in reached.items() if by_choice else [(1, set().union(*reached.values()))]:
            if seats_all([*admitted, sites]):
                admitted.append(sites)
                placed[candidate.application_no] = rank
                break
    return placed


def moved(candidates, mine, position):
    """The queue with one of them at a position, by taking out and putting in."""
    order = [c for c in sorted(candidates, key=lambda c: c.position) if c.application_no != mine.application_no]
    order.insert(position - 1, mine)
    return [replace(candidate, position=place) for place, candidate in enumerate(order, start=1)]


def with_fresh(candidates, fresh):
    return [fresh if c.application_no == fresh.application_no else c for c in candidates]


def nearest_by_hand(season: SmallSeason, mine, *, by_choice: bool):
    """Fairs not listed that would do, the fewest needs to drop, and the last position that would do (0: none)."""
    candidates, number = season.request.candidates, mine.application_no

    def does(fresh):
        return number in served(season, with_fresh(candidates, fresh), by_choice=by_choice)

    listed = {c.fair_id for c in mine.choices if c.number is None}
    fairs = [] if None in listed else sorted({s.fair_id for s in season.request.sites.values()} - listed)
    doing = {fair for fair in fairs if does(replace(mine, choices=(*mine.choices, Choice(fair))))}
    needs = [
        without
        for without in ({"power"}, {"water"}, {"power", "water"})
        if without <= mine.needs and does(replace(mine, needs=mine.needs - without))
    ]
    positions = [
        position
        for position in range(1, mine.position)
        if number in served(season, moved(candidates, mine, position), by_choice=by_choice)
    ]
    return doing, min(map(len, needs), default=0), max(positions, default=0)


def check_all_of_a_small_season(season: SmallSeason, number: int, *, by_choice: bool) -> Counter[Sort]:
    found: Counter[Sort] = Counter()
    result = solve(season.request)
    solved, certain = told_of(season, result), told_of(season, result, None)
    for candidate in season.request.candidates:
        if candidate.application_no in {p.application_no for p in result.placements}:
            continue
        told = {one.change.sort: one for one in solved.of(candidate.application_no)}
        fairs, needs, position = nearest_by_hand(season, candidate, by_choice=by_choice)
        at = f"instance {number}, application {candidate.application_no}"
        assert (Sort.FAIR in told) == bool(fairs), at
        assert not fairs or told[Sort.FAIR].change.fair in fairs, at
        assert (len(told[Sort.NEEDS].change.without) if Sort.NEEDS in told else 0) == needs, at
        assert (told[Sort.POSITION].change.position if Sort.POSITION in told else 0) == position, at
        assert all(one.solved and one.nearest for one in told.values()), at
        for one in certain.of(candidate.application_no):  # what is told without a solver is as true
            assert not one.solved
            if one.change.sort is Sort.FAIR:
                assert one.change.fair in fairs, at
            elif one.change.sort is Sort.POSITION:
                assert one.change.position == position, at
            else:
                assert solved.solved(candidate.application_no, one.change, solve) is not None, at
        found.update(list(told))
    return found


def test_where_each_takes_one_site_every_nearest_change_is_told():
    found: Counter[Sort] = Counter()
    for number in range(INSTANCES):
        season = small_season(
            random.Random(number), goals=random.Random(-number).choice(['["priority"]', '["priority", "choices"]'])
        )
        found += check_all_of_a_small_season(season, number, by_choice=False)
    assert all(found[sort] > INSTANCES / 50 for sort in (Sort.FAIR, Sort.NEEDS, Sort.POSITION)), found


def test_in_the_queue_every_nearest_change_is_told():
    found: Counter[Sort] = Counter()
    for number in range(INSTANCES):
        season = small_season(random.Random(number), goals=QUEUE)
        found += check_all_of_a_small_season(season, number, by_choice=True)
    assert all(found[sort] > INSTANCES / 50 for sort in (Sort.FAIR, Sort.NEEDS, Sort.POSITION)), found


def test_in_the_queue_a_better_choice_is_told_by_position():
    told = 0
    for number in range(INSTANCES):
        season = small_season(random.Random(number), goals=QUEUE)
        result = solve(season.request)
        finder = told_of(season, result)
        for placement in result.placements:
            mine = next(c for c in season.request.candidates if c.application_no == placement.application_no)
            better = [
                position
                for position in range(1, mine.position)
                if served(season, moved(season.request.candidates, mine, position), by_choice=True).get(
                    mine.application_no, 99
                )
                < placement.choice_rank
            ]
            found = finder.of(placement.application_no)
            assert [one.change.position for one in found] == ([max(better)] if better else [])
            told += len(found)
    assert told > INSTANCES / 50


def best_values(season: StallsAndCaps, request, number: int | None, fair: str = ""):
    """The best values by trying every allocation, or every one that places an application (at a fair)."""
    best = None
    for given in season.allocations(request.candidates):
        held = {c.application_no: run for c, run in given}
        if number is None or (number in held and fair in {"", held[number][0].fair_id}):
            worth = worth_of(season, request, given)
            best = worth if best is None else max(best, worth)
    return best


def worth_of(season: StallsAndCaps, request, given):
    of = {
        "placed": len(given),
        "priority": sum(len(request.candidates) - c.position + 1 for c, _ in given),
        "choices": -sum(season.rank(c, run) for c, run in given),
        "extra_stalls": sum(len(run) - c.stalls_min for c, run in given),
    }
    return tuple(of[goal] for goal in season.goals)


def test_with_several_stalls_and_caps_what_is_told_is_true_by_brute_force():
    found: Counter[Sort] = Counter()
    for number in range(SEVERAL_INSTANCES):
        season = StallsAndCaps(random.Random(number))
        result = solve(season.request)
        finder = told_of(season, result)
        for candidate in season.request.candidates:
            for one in finder.of(candidate.application_no):
                request = changed(season.request, candidate.application_no, one.change)
                everything = best_values(season, request, None)
                assert best_values(season, request, candidate.application_no, one.change.fair) == everything
                assert candidate.application_no in {p.application_no for p in solve(request).placements}
                found[one.change.sort] += 1
    assert all(found[sort] > 5 for sort in Sort), found


def test_in_the_queue_with_several_stalls_what_is_told_is_true_by_hand():
    found: Counter[Sort] = Counter()
    for number in range(SEVERAL_INSTANCES):
        season = QueueSeason(random.Random(number))
        result = solve(season.request)
        of = {p.application_no: p.choice_rank for p in result.placements}
        for finder in (told_of(season, result), told_of(season, result, None)):
            for candidate in season.request.candidates:
                for one in finder.of(candidate.application_no):
                    other = copy(season)
                    other.request = changed(season.request, candidate.application_no, one.change)
                    rank, fair = other.served_by_hand()[candidate.application_no]
                    assert 0 < rank < of.get(candidate.application_no, 99), number
                    assert rank == one.rank or not one.solved, number
                    assert fair == one.change.fair or one.change.sort is not Sort.FAIR, number
                    found[one.change.sort] += 1
    assert all(found[sort] > 5 for sort in Sort), found


def test_in_the_queue_with_places_kept_what_is_told_is_true_when_solved_again():
    found: Counter[Sort] = Counter()
    for number in range(SEVERAL_INSTANCES // 2):
        season = QueueSeason(random.Random(number), kept=True, first=True)
        finder = told_of(season, solve(season.request), None)
        for candidate in season.request.candidates:
            for one in finder.of(candidate.application_no):
                assert finder.solved(candidate.application_no, one.change, solve) is not None, number
                found[one.change.sort] += 1
    assert sum(found.values()) > SEVERAL_INSTANCES / 10, found


def test_what_is_told_without_a_solver_is_true_with_several_stalls_and_caps():
    certain = 0
    for number in range(SEVERAL_INSTANCES):
        season = StallsAndCaps(random.Random(number))
        finder = told_of(season, solve(season.request), None)
        for candidate in season.request.candidates:
            for one in finder.of(candidate.application_no):
                assert finder.solved(candidate.application_no, one.change, solve) is not None
                certain += 1
    assert certain > SEVERAL_INSTANCES / 20


def test_the_binding_rule_is_told_by_the_facts():
    """Each kind of binding is held against the allocation, looked at anew."""
    binds: Counter[Bind] = Counter()
    for number in range(2 * INSTANCES):
        season = StallsAndCaps(random.Random(number))
        result = solve(season.request)
        ground = Ground(season.request, result.placements)
        by_no = {c.application_no: c for c in season.request.candidates}
        sites = season.request.sites
        given = [
            (by_no[p.application_no], tuple(sites[p.site_no + offset] for offset in range(p.width)))
            for p in result.placements
        ]
        taken = {site.site_id for _, run in given for site in run}
        for candidate in season.request.candidates:
            if any(candidate is placed for placed, _ in given):
                continue
            found = bindings(ground, candidate)
            for choice, binding in zip(candidate.choices, found, strict=True):
                alone = replace(candidate, choices=(choice,))
                least = [run for run, _ in season.placements(alone) if len(run) == candidate.stalls_min]
                free = [run for run in least if not taken & {site.site_id for site in run}]
                allowed = [run for run in free if season.within_caps([*given, (candidate, run)])]
                assert not allowed, number  # whoever could be added would be
                binds[binding.bind] += 1
                if choice.fair_id is None:
                    continue
                apart = [run for run in free if not any(season.too_close((candidate, run), other) for other in given)]
                match binding.bind:
                    case Bind.NO_SITE:
                        assert not least
                    case Bind.CAP:
                        assert season.reason(candidate, given) == "62"
                        assert binding.rule_id == "cap"
                    case Bind.FAIR_CAP:
                        assert binding.rule_id == "fair-cap"
                        (cap,) = season.rules.fair_caps
                        counted = [
                            (c.application_no, run)
                            for c, run in given
                            if (run[0].fair_id, c.period) == (choice.fair_id, candidate.period)
                            and (c.category == cap.category or c.group == cap.group)
                        ]
                        assert set(binding.holders) == {no for no, _ in counted}
                        assert sum(len(run) for _, run in counted) + candidate.stalls_min > cap.max_stalls
                    case Bind.SPACING:
                        assert free
                        assert not apart
                    case Bind.QUEUE:
                        assert not free
                        assert all(by_no[no].position < candidate.position for no in binding.holders)
                    case Bind.GOALS:
                        assert any(by_no[no].position > candidate.position for no in binding.holders)
                    case _:
                        raise AssertionError(binding)
            assert (headline(found).bind is Bind.NO_SITE) == (candidate.application_no in result.unplaceable)
    assert {Bind.NO_SITE, Bind.CAP, Bind.FAIR_CAP, Bind.SPACING, Bind.QUEUE, Bind.GOALS} <= set(binds), binds
