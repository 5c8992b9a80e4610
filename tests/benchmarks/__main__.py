"""Measures everything, prints a table, and writes `.bench/results.json`. A goal missed is said, not raised."""

from __future__ import annotations

import json
import math
import os
import platform
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parent.parent.parent
RESULTS = ROOT / ".bench" / "results.json"
SIZES = (2_000, 20_000, 200_000)
SEASON = 20_000
TRANSITIONS = 80_000
SUBMISSIONS = 12_600
RIVAL_SIZES = (2_000, 20_000)
SEVERAL_SIZES = (2_000, 20_000)
PROGRAMS = {
    "several": "A fifth ask for two or three adjacent stalls",
    "every-rule": "The same with needs, quotas, minimums and caps",
    "spacing": "The same with hard spacing too",
}
RIVALS = {
    "cp-sat": "CP-SAT, one model",
    "highs": "HiGHS, one model",
    "dense": "SciPy linear_sum_assignment",
    "sparse": "SciPy min_weight_full_bipartite_matching",
}


STOPPED = 180.0
"""Seconds after which another engine is stopped that did not heed the limit of its own."""


def stage(name: str, size: int, module: str = "one") -> dict:
    """One measurement in a process of its own; engines may print before the result, which is the last line."""
    words = [sys.executable, "-m", f"tests.benchmarks.{module}", name, str(size)]
    limit = STOPPED if module == "rivals" else None
    try:
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=limit)
    except subprocess.TimeoutExpired:
        return {"applications": size, "status": f"stopped after {limit:.0f} s"}
    if done.returncode:
        sys.exit(f"{name} {size} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    say = Console(stderr=True)
    results = {"machine": {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.machine()}}
    plan = [
        ("solve", "one", SIZES),
        *((name, "one", SEVERAL_SIZES) for name in PROGRAMS),
        ("queue", "one", SEVERAL_SIZES),
        ("season", "one", (SEASON,)),
        ("record", "one", (TRANSITIONS,)),
        ("explain", "one", (SEASON,)),
        ("intake", "one", (SUBMISSIONS,)),
    ]
    plan += [(name, "rivals", RIVAL_SIZES) for name in (*RIVALS, "deferred")]
    for name, module, sizes in plan:
        key = name.replace("-", "_")
        results[key] = []
        for size in sizes:
            say.print(f"{name} {size:,} ...")
            results[key].append(stage(name, size, module))
            write(results)  # whoever stops it has what was measured until then
    small, middle, large = results["solve"]
    season = results["season"][0]
    exponent, last = growth(small, large), growth(middle, large)
    results["growth_exponent"] = {"2k to 200k": exponent, "20k to 200k": last}
    results["aims"] = {
        "20k solved with certificate in at most 3 s": middle["solve_s"] <= 3,
        "growth exponent at most 1.3": exponent <= 1.3,
        "20k verified in at most 2 s": middle["verify_s"] <= 2,
        "every counterfactual sampled is true": all(
            row["true"] == sum(row["sampled"].values()) for row in results["explain"]
        ),
    }
    recorded = results["record"][0]
    results["aims"] |= {
        "20,000 transitions a second recorded": recorded["transitions_per_s"] >= 20_000,
        "at most 3,300 gas a transition": recorded["gas_per_transition"] <= 3_300,
        "the journal of 80,000 transitions in at most 10 MB": recorded["journal_bytes"] <= 10_000_000,
        "a node with it started in at most 2 s": recorded["node_start_s"] <= 2,
    }
    for name, row in intakes(results):
        results["aims"] |= {
            f"the intake on {name}: 200 acknowledged a second, within 1 s in 99 of 100 cases": (
                row["p99_s"] <= 1 and row["each_second"] >= 200
            ),
            f"nothing lost by {row['kills']} kills of the intake on {name}": row["lost"] == 0,
        }
    write(results)
    show(results, season)


def write(results: dict) -> None:
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")


def intakes(results: dict) -> list[tuple[str, dict]]:
    """The intake by database, where that is installed."""
    found = [(name, row) for row in results["intake"] for name, row in row.items() if isinstance(row, dict)]
    return [(name, row) for name, row in found if "skipped" not in row]


def growth(small: dict, large: dict) -> float:
    """The exponent by which the solver's time grows between two sizes."""
    return math.log(large["solve_s"] / small["solve_s"]) / math.log(large["applications"] / small["applications"])


def show(results: dict, season: dict) -> None:
    out = Console(width=110)
    solving = Table(
        "applications", "sites", "placed", "solve s", "verify s", "peak MB", title="Solve, with certificate"
    )
    for row in results["solve"]:
        solving.add_row(
            *(f"{row[name]:,}" for name in ("applications", "sites", "placed")),
            *(f"{row[name]:.2f}" for name in ("solve_s", "verify_s")),
            f"{row['peak_mb']:.0f}",
        )
    out.print(solving)
    for name, title in PROGRAMS.items():
        table = Table("applications", "placed", "solve s", "verify s", "certificate MB", "goals: value (bound if more)")
        table.title = title
        for row in results[name.replace("-", "_")]:
            proofs = (
                f"{goal} {value:,}" + ("" if row["bounds"][goal] == value else f" ({row['bounds'][goal]:,})")
                for goal, value in row["values"].items()
            )
            table.add_row(
                *(f"{row['applications']:,}", f"{row['placed']:,}", f"{row['solve_s']:.1f}", f"{row['verify_s']:.1f}"),
                *(f"{row['certificate_bytes'] / 1e6:.1f}", ", ".join(proofs)),
            )
        out.print(table)
    out.print(served(results["queue"]))
    for table in rivals(results):
        out.print(table)
    whole = Table("what", "measured", title=f"A season of {season['applications']:,} applications on {season['node']}")
    whole.add_row("import", f"{season['import_s']:.2f} s for {season['import_rows']:,} rows")
    whole.add_row("publish", f"{season['publish_s']:.2f} s, {season['transitions_per_s']:,.0f} transitions a second")
    by_kind = ", ".join(f"{kind} {gas:,.0f}" for kind, gas in season["gas_by_kind"].items())
    whole.add_row("gas per transition", f"{season['gas_per_transition']:,.0f} ({by_kind})")
    whole.add_row("replay", f"{season['replay_s']:.2f} s")
    whole.add_row("audit", f"{season['audit_s']:.2f} s for {season['audit_checks']:,} checks")
    whole.add_row("node start", f"{season['node_start_s']:.2f} s, {season['chain_bytes'] / 1e6:.1f} MB on disk")
    out.print(whole)
    for row in results["record"]:
        out.print(
            f"recorded: {row['transitions']:,} transitions in {row['publish_s']:.1f} s,"
            f" {row['transitions_per_s']:,.0f} a second, {row['gas_per_transition']:,.0f} gas each;"
            f" replayed in {row['audit_s']:.2f} s; journal {row['journal_bytes'] / 1e6:.1f} MB,"
            f" node started in {row['node_start_s']:.2f} s"
        )
    for row in results["explain"]:
        told, sampled = sum(row["told"].values()), sum(row["sampled"].values())
        out.print(
            f"counterfactuals: {told:,} for {row['waiting']:,} who wait in {row['explain_s']:.1f} s;"
            f" {row['true']} of {sampled} sampled are true when solved again ({row['solve_again_s']:.0f} s)"
        )
    for name, row in intakes(results):
        out.print(
            f"intake on {name}: {row['acknowledged']:,} acknowledged, {row['each_second']:.0f} a second, half within"
            f" {row['p50_s'] * 1000:.0f} ms, 99% within {row['p99_s'] * 1000:.0f} ms, all within {row['most_s']:.2f} s;"
            f" {row['lost']} of {row['acknowledged_in_all']:,} lost by {row['kills']} kills"
        )
    for name, exponent in results["growth_exponent"].items():
        out.print(f"growth exponent of the solver, {name}: {exponent:.2f}")
    for aim, met in results["aims"].items():
        out.print(f"{'met   ' if met else 'MISSED'} {aim}")


def served(rows: list[dict]) -> Table:
    """The queue with several stalls: what was found, and how its refusals were checked."""
    table = Table("applications", "placed", "solve s", "verify s", "certificate MB", "refusals checked")
    table.title = "A fifth ask for two or three adjacent stalls, by the mechanism `queue`"
    for row in rows:
        table.add_row(
            *(f"{row['applications']:,}", f"{row['placed']:,}", f"{row['solve_s']:.1f}", f"{row['verify_s']:.1f}"),
            f"{row['certificate_bytes'] / 1e6:.1f}",
            ", ".join(f"{number:,} {name}" for name, number in row["refusals"].items() if number),
        )
    return table


def rivals(results: dict) -> list[Table]:
    """Other engines on the same seasons in the same run, and how many times as long as ours they took."""
    ours = {row["applications"]: row["solve_s"] for row in results["solve"]}
    solving = Table("engine", "applications", "variables", "s", "status", "short of the optimum by", "ours s", "ratio")
    solving.title = "The same season and objective by other engines, at most 60 s of solving"
    for name, words in RIVALS.items():
        for row in results[name.replace("-", "_")]:
            size = row["applications"]
            if "solve_s" not in row:
                solving.add_row(words, f"{size:,}", "", "", row["status"], "no solution", f"{ours[size]:.2f}", "")
                continue
            short, seconds = row["missing_of_optimum"], row["build_s"] + row["solve_s"]
            solving.add_row(
                *(words, f"{size:,}", f"{row['variables']:,}", f"{seconds:.1f}", row["status"]),
                "no solution" if short is None else f"{short:.1e}" if short else "0",
                *(f"{ours[size]:.2f}", f"{seconds / ours[size]:.1f}"),
            )
    queue = Table("applications", "s", "status", "placed", "ours s", "ours placed", "ratio")
    queue.title = "The queue by the package `matching` (HospitalResident), at most 60 s"
    for row in results["deferred"]:
        if "seconds" not in row:
            queue.add_row(f"{row['applications']:,}", "", row["status"], "", "", "", "")
            continue
        queue.add_row(
            *(f"{row['applications']:,}", f"{row['seconds']:.1f}", row["status"], f"{row.get('placed', 0):,}"),
            *(f"{row['ours_s']:.2f}", f"{row['ours_placed']:,}", f"{row['seconds'] / row['ours_s']:.0f}"),
        )
    return [solving, queue]


if __name__ == "__main__":
    main()
