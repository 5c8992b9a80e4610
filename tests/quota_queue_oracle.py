"""The distribution of 2019 once more: slow, clause by clause, with maps and flags as a contract has them.

Written from the description of the contract, not from the program.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from solver.quota_queue import Cell, Form, Kind, Places

IND, FAR, COM = "individuals", "farmers", "companies"
LISTS = ("placed", "waiting", "rejected")


@dataclass
class Told:
    lists: dict[tuple[Cell, str], dict[str, tuple[str, ...]]]
    order: list[tuple[Cell, str]]
    moves: list[tuple[str, str]]
    zeroed: list[str]
    rounds: int


def takes_part(history: tuple[tuple[int, int], ...]) -> bool:
    latest = None
    for time, code in history:
        if code in {1040, 1050, 77061, 77062, 1066, 1086, 1080, 1190, 103099} and (latest is None or time >= latest[0]):
            latest = (time, code)
    return latest is not None and latest[1] not in {1080, 1190, 1086, 103099}


def pool_of(form: Form) -> str:
    if form.kind == "individual":
        return IND
    if form.kind == "farmer" and form.category == 1:
        return FAR
    return COM


def told_by_hand(forms: list[Form], cells: dict[Cell, Places]) -> Told:  # noqa: PLR0915 (the document, in one piece)
    in_order: list[Form] = []
    for form in forms:
        if takes_part(form.history):
            place = len(in_order)
            key = (form.submitted, form.registration_no)
            while place and (in_order[place - 1].submitted, in_order[place - 1].registration_no) > key:
                place -= 1
            in_order.insert(place, form)
    lists = {(cell, pool): {name: [] for name in LISTS} for cell in cells for pool in (IND, FAR, COM)}
    places = {(cell, pool): getattr(cells[cell], pool) for cell in cells for pool in (IND, FAR, COM)}
    requests = {pool: [form for form in in_order if pool_of(form) == pool] for pool in (IND, FAR, COM)}
    processed: dict[tuple[Cell, str, str], bool] = {}
    individual_holds: dict[tuple[str, str], str] = {}
    shared_memory: dict[tuple[str, str], bool] = {}
    holds_at_fair: dict[tuple[str, str, str, str], str] = {}
    skipping = {FAR: True, COM: True}
    order: list[tuple[Cell, str]] = []

    def cell_of(form: Form, period: str, pool: str) -> Cell | None:
        category = form.category if pool == COM else 1
        for cell in cells:
            if cell.fair == form.fair and cell.period == period and cell.category == category:
                return cell
        return None

    def requested(cell: Cell, pool: str) -> int:
        return sum(cell_of(form, period, pool) == cell for form in requests[pool] for period in form.periods)

    def settle(cell: Cell, pool: str, form: Form, name: str) -> None:
        lists[cell, pool][name].append(form.service_number)
        processed[cell, pool, form.service_number] = True
        if name == "placed":
            places[cell, pool] -= 1
            order.append((cell, form.service_number))

    def run_individuals() -> None:
        for form in requests[IND]:
            for period in form.periods:
                cell = cell_of(form, period, IND)
                if cell is None or processed.get((cell, IND, form.service_number)):
                    continue
                holder = individual_holds.get((form.applicant, period))
                if holder is not None and holder != form.service_number:
                    settle(cell, IND, form, "rejected")
                elif places[cell, IND] > 0:
                    individual_holds[form.applicant, period] = form.service_number
                    settle(cell, IND, form, "placed")

    def run_producers(pool: str) -> None:
        for form in requests[pool]:
            for period in form.periods:
                if skipping[pool] and shared_memory.get((form.applicant, period)):
                    continue
                cell = cell_of(form, period, pool)
                if cell is None or processed.get((cell, pool, form.service_number)):
                    continue
                holder = holds_at_fair.get((pool, form.fair, form.applicant, period))
                if holder is not None and holder != form.service_number:
                    settle(cell, pool, form, "rejected")
                elif places[cell, pool] > 0:
                    shared_memory[form.applicant, period] = True
                    holds_at_fair[pool, form.fair, form.applicant, period] = form.service_number
                    settle(cell, pool, form, "placed")
        if skipping[pool]:
            skipping[pool] = False
            run_producers(pool)

    vegetables = [cell for cell in cells if cell.category == 1]
    for cell in vegetables:
        for pool in (FAR, COM):
            if places[cell, pool] > requested(cell, pool):
                places[cell, IND] += places[cell, pool] - requested(cell, pool)
                places[cell, pool] = requested(cell, pool)

    got = {(cell, pool): 0 for cell in cells for pool in (IND, FAR, COM)}
    moves: list[tuple[str, str]] = []
    zeroed: list[str] = []
    rounds = 0
    while True:
        run_individuals()
        run_producers(FAR)
        run_producers(COM)
        rounds += 1
        after = dict(places)
        any_move = False
        for cell in vegetables:
            if places[cell, COM] > 0:
                giver, first, second = COM, IND, FAR
            elif places[cell, IND] > 0:
                giver, first, second = IND, FAR, COM
            elif places[cell, FAR] > 0:
                giver, first, second = FAR, IND, COM
            else:
                continue
            if got[cell, first] < 2:
                receiver = first
            elif got[cell, second] < 2:
                receiver = second
            else:
                if giver == COM:
                    after[cell, COM] = 0
                zeroed.append(giver)
                continue
            after[cell, giver] = 0
            after[cell, receiver] += places[cell, giver]
            got[cell, receiver] += 1
            moves.append((giver, receiver))
            any_move = True
        if not any_move:
            break
        places.update(after)

    for pool in (IND, FAR, COM):
        for form in requests[pool]:
            for period in form.periods:
                cell = cell_of(form, period, pool)
                if cell is not None and not processed.get((cell, pool, form.service_number)):
                    lists[cell, pool]["waiting"].append(form.service_number)
    final = {key: {name: tuple(numbers) for name, numbers in named.items()} for key, named in lists.items()}
    return Told(final, order, moves, zeroed, rounds)


CODES = (1010, 1040, 1050, 77061, 77062, 1066, 1086, 1080, 1190, 103099, 1075, 1052)


def random_case(rng: random.Random) -> tuple[list[Form], dict[Cell, Places]]:
    """A small case: few fairs, periods and applicants, many ties, some cells missing, every kind and code."""
    fairs = ["A", "B", "D"][: rng.randint(1, 3)]
    periods = ["p", "q", "r"][: rng.randint(1, 3)]
    crowded = rng.random() < 0.3  # one fair and few applicants: many are rejected, and leave places
    fairs, people = (fairs[:1], ["u0", "u1"]) if crowded else (fairs, [f"u{i}" for i in range(rng.randint(1, 8))])
    veg_share = 1.0 if crowded else rng.choice([0.4, 0.7, 0.95])
    most = rng.choice([1, 2, 4])
    cells = {
        Cell(fair, period, category): Places(*(rng.randint(0, most) for _ in range(3)))
        for fair in fairs
        for period in periods
        for category in (1, 2, 3, 4)
        if rng.random() < (0.9 if category == 1 else 0.5)
    }
    kind_of = {who: rng.choice(list(Kind)) for who in people}
    forms = []
    for number in range(rng.randint(0, 14)):
        who = rng.choice(people)
        asked = [rng.choice(periods) for _ in range(rng.randint(0, 3))]
        history = [(0, 1010), *((rng.randint(0, 3), rng.choice(CODES)) for _ in range(rng.randint(0, 3)))]
        if rng.random() < 0.7:
            history.append((4, rng.choice([1040, 1050, 77061, 77062, 1066])))
        forms.append(
            Form(
                service_number=f"n{number}",
                submitted=rng.randint(0, 2),
                registration_no=rng.randint(0, 2),
                applicant=who,
                # Mostly everybody keeps to one kind, but the form allows another.
                kind=kind_of[who] if rng.random() < 0.85 else rng.choice(list(Kind)),
                fair=rng.choice(fairs),
                category=1 if rng.random() < veg_share else rng.randint(2, 4),
                periods=tuple(asked if rng.random() < 0.1 else dict.fromkeys(asked)),
                history=tuple(history),
            )
        )
    return forms, cells
