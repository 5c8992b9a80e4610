"""Before the rules are published: `whatif`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fairalloc import console
from fairalloc.commands.options import Folder, Json
from fairalloc.durable_files import replace_file
from fairalloc.errors import UsageError

if TYPE_CHECKING:
    from fairalloc.services.whatif import Scenario
    from fairalloc.whatif.distributions import Share, Spread
    from fairalloc.whatif.past import Past
    from fairalloc.whatif.study import Study

SHOWN_FAIRS = 10
PAGE_MODE = 0o644


def whatif(
    season_dir: Folder,
    mechanisms: Annotated[list[str] | None, typer.Option("--mechanism", help="By this mechanism; repeatable.")] = None,
    goals: Annotated[
        list[str] | None, typer.Option("--goals", help="By these goals, e.g. placed,choices; repeatable.")
    ] = None,
    left_out: Annotated[list[str] | None, typer.Option("--without", help="Leave out this rule; repeatable.")] = None,
    runs: Annotated[int, typer.Option("--bootstrap", min=1, max=10_000, help="Seasons to draw in a situation.")] = 20,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of all that is drawn.")] = 1,
    demands: Annotated[
        list[str] | None, typer.Option("--demand", help="With more or fewer applicants: +20%, -10%; repeatable.")
    ] = None,
    closing: Annotated[
        list[str] | None, typer.Option("--close-fair", help="Without this fair, or these: F1,F2; repeatable.")
    ] = None,
    pasts: Annotated[
        list[Path] | None, typer.Option("--past", help="With the applicants of this season's folder; repeatable.")
    ] = None,
    periods: Annotated[
        list[str] | None, typer.Option("--period", help="A past period's id here: OLD=NEW; repeatable.")
    ] = None,
    to: Annotated[Path | None, typer.Option("--out", help="Write a page too, to this file.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Solve once by each variant only, to say how long it takes.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show what rules would come to if next season's applicants are like these: many seasons are drawn and solved.

    Drawn are whole applicants with all their applications, owner by owner. Nothing is stored.

    Example: fairalloc whatif seasons/2026 --goals placed,choices --demand +20% --close-fair F07 --out whatif.html
    """
    from data.source import season_input
    from fairalloc.report.whatif import render_what_if
    from fairalloc.services.comparing import Wanted
    from fairalloc.services.whatif import Asked, plan, what_if
    from solver.optimal import solve

    rules, rules_text, season = season_input(season_dir, None, 0, None)
    asked = Asked(
        variants=Wanted(mechanisms or (), goals or (), left_out or ()),
        demands=demands or (),
        closing=closing or (),
        pasts=[_past(folder) for folder in pasts or ()],
        periods=_periods(periods or ()),
        runs=runs,
        seed=seed,
    )
    study = plan(rules, rules_text, season, asked, solve, console.say)
    if dry_run:
        console.show(f"Season {rules.season.id}: nothing is drawn", _estimate(study), as_json=as_json)
        return
    scenarios = what_if(study, console.ConsoleProgress())
    if to is not None:
        replace_file(to, render_what_if(rules, runs, seed, scenarios).encode(), PAGE_MODE)
        console.err.print(f"page {to}", soft_wrap=True)
    if as_json:
        shown = [asdict(scenario) for scenario in scenarios]
        console.show_json({"season": rules.season.id, "runs": runs, "seed": seed, "scenarios": shown})
    else:
        _show(scenarios, runs, seed)


def _past(folder: Path) -> Past:
    from data.source import season_input
    from fairalloc.whatif.past import Past

    rules, _, season = season_input(folder, None, 0, None)
    return Past(rules.season.id, rules, season)


def _periods(pairs: Sequence[str]) -> dict[str, str]:
    periods = {}
    for pair in pairs:
        old, equals, new = pair.partition("=")
        if not (old and equals and new):
            raise UsageError("whatif.pair", f"{pair!r} names no two periods", "write OLD=NEW, e.g. 2025-04=2026-04")
        periods[old] = new
    return periods


def _estimate(study: Study) -> dict[str, object]:
    """What would be run, and how long it takes if each variant takes as long as with everybody there once."""
    from fairalloc.comparison import takes_one_core
    from fairalloc.whatif.study import AS_HANDED_IN, processes, solved

    season = study.season(study.situations[0], AS_HANDED_IN)
    drawn, cores = len(list(study.jobs())), processes()
    seconds = 0.0
    for variant in study.variants:
        started = time.perf_counter()
        solved(study, variant.rules, season, AS_HANDED_IN)
        took = time.perf_counter() - started
        seconds += took / cores if takes_one_core(variant.rules) else took
    return {
        "variants": "; ".join(variant.name for variant in study.variants),
        "situations": "; ".join(situation.name for situation in study.situations),
        "applications in a season": len(season.applications),
        "seasons drawn in each situation": study.runs,
        "solves": drawn * len(study.variants),
        "processes": cores,
        "seconds, about": round(seconds * drawn, 1),
    }


def _show(scenarios: Sequence[Scenario], runs: int, seed: int) -> None:
    from fairalloc.services.whatif import FIGURES
    from fairalloc.whatif.distributions import FEW

    for name, words in FIGURES.items():
        rows = []
        for scenario in scenarios:
            spread, once = scenario.figures[name], scenario.as_handed_in
            row: list[object] = [scenario.name, "" if once is None else f"{once[name]:,}", *_cells(spread)]
            rows.append([*row, "" if scenario.against is None else _range(scenario.against.changes[name])])
        console.show_table(words.capitalize(), ("scenario", "as handed in", "low", "median", "high", "change"), rows)
    uses = [
        (
            scenario.name,
            use.quota,
            use.kept,
            "" if use.as_handed_in is None else use.as_handed_in,
            *_cells(use.filled),
        )
        for scenario in scenarios
        for use in scenario.quotas
    ]
    if uses:
        columns = ("scenario", "quota", "kept", "as handed in", "low", "median", "high")
        console.show_table("Quota stalls filled", columns, uses)
    shares = [
        (
            scenario.name,
            scenario.against.what,
            _share(scenario.against.more_stalls),
            _share(scenario.against.more_first),
        )
        for scenario in scenarios
        if scenario.against is not None
    ]
    if shares:
        console.show_table("In how many runs", ("scenario", "against", "more stalls", "more first choices"), shares)
    first = scenarios[0]
    worst = [(f.name, f.open, f.expected_empty, _share(f.mostly_empty)) for f in first.fairs if f.expected_empty]
    of_fairs = ("fair", "open", "empty on average", "more than half empty")
    console.show_table(f"Emptiest fairs: {first.name}", of_fairs, worst[:SHOWN_FAIRS])
    cut = "low and high are the lowest and highest" if runs < FEW else "nine runs in ten lie from low to high"
    words = (
        f"{runs} drawn seasons each, people and lottery by seed {seed}: {cut}."
        " They show the spread if next season's applicants are like these."
        " Whoever is drawn twice wants the same twice, so drawn seasons fill somewhat less than `as handed in`: hold"
        " drawn ones against drawn ones, as `change` does. Shares of runs have 95 % intervals (Wilson). The other"
        " scenarios' fairs are on the page (--out) and in --json."
    )
    console.out.print(words, style="dim")


def _cells(spread: Spread) -> tuple[int, int, int]:
    return spread.low, spread.median, spread.high


def _range(spread: Spread) -> str:
    return f"{spread.median:+,} ({spread.low:+,} to {spread.high:+,})"


def _share(share: Share) -> str:
    return f"{share.runs} of {share.of} ({share.low:.0%} to {share.high:.0%})"
