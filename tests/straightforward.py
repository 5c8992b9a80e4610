"""The straightforward model of a small season for CP-SAT: one variable for each application and run."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from ortools.sat.python import cp_model

from tests.placing import Placing


def cp_sat(season: Placing) -> tuple[int, ...]:
    """The best value of each step, one after the other, each held before the next."""
    model = cp_model.CpModel()
    n = len(season.request.candidates)
    gains: dict[str, list[Any]] = defaultdict(list)
    on_site, in_cap, in_stretch, towards, of_person = (defaultdict(list) for _ in range(5))
    sizes: dict[object, tuple[str, int]] = {}
    for candidate in season.request.candidates:
        mine = []
        for run, rank in season.placements(candidate):
            taken = model.new_bool_var("")
            mine.append(taken)
            gains["placed"].append(taken)
            gains["priority"].append((n - candidate.position + 1) * taken)
            gains["choices"].append(-rank * taken)
            gains["extra_stalls"].append((len(run) - candidate.stalls_min) * taken)
            gains["comfort"].append(int(season.own(candidate, run)) * taken)
            of_person[candidate.applicant].append(taken)
            for site in run:
                on_site[site.site_id].append(taken)
            for key in season.caps(candidate, run):
                in_cap[key].append(len(run) * taken)
            for stretch in season.stretches(candidate, run):
                in_stretch[stretch].append(taken)
            for step, where, size in season.targets(candidate, run[0].fair_id):
                sizes[where] = step, size
                towards[where].append(len(run) * taken)
        if candidate.keeps:
            model.add_exactly_one(mine)
        else:
            model.add_at_most_one(mine)
    for taken in on_site.values():
        model.add_at_most_one(taken)
    for (cap, *_), counted in in_cap.items():
        model.add(sum(counted) <= cap.max_stalls)
    spacing = season.rules.spacing
    for taken in in_stretch.values():
        if spacing.strength == "hard":
            model.add_at_most_one(taken)
        else:
            excess = model.new_int_var(0, len(taken), "")
            model.add(excess >= sum(taken) - 1)
            gains["comfort"].append(-excess)
    for where, (step, size) in sizes.items():
        filled = model.new_int_var(0, size, "")
        model.add(filled <= sum(towards[where]))
        gains[step].append(filled)
    for taken in of_person.values():
        present = model.new_bool_var("")
        model.add(present <= sum(taken))
        gains["distinct"].append(present)
    engine = cp_model.CpSolver()
    engine.parameters.num_workers = 1
    values = []
    for step in season.steps:
        model.maximize(sum(gains[step]))
        assert engine.solve(model) == cp_model.OPTIMAL
        values.append(round(engine.objective_value))
        model.add(sum(gains[step]) == values[-1])
    return tuple(values)
