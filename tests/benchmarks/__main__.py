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
CP_SAT_SIZES = (2_000, 20_000)
SEVERAL_SIZES = (2_000, 20_000)


def stage(name: str, size: int) -> dict:
    """One measurement in a process of its own."""
    words = [sys.executable, "-m", "tests.benchmarks.stages", name, str(size)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{name} {size} failed:\n{done.stderr}")
    return json.loads(done.stdout)


def main() -> None:
    say = Console(stderr=True)
    results = {"machine": {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.machine()}}
    for name, sizes in (
        ("solve", SIZES),
        ("several", SEVERAL_SIZES),
        ("cp-sat", CP_SAT_SIZES),
        ("season", (SEASON,)),
        ("explain", (SEASON,)),
    ):
        key = name.replace("-", "_")
        results[key] = []
        for size in sizes:
            say.print(f"{name} {size:,} ...")
            results[key].append(stage(name, size))
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
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    show(results, season)


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
    several = Table(
        "applications", "placed", "solve s", "verify s", "priority: value", "proven bound", "choices", "bound"
    )
    several.title = "A fifth ask for two or three adjacent stalls"
    for row in results["several"]:
        proofs = (f"{row[of][goal]:,}" for goal in ("priority", "choices") for of in ("values", "bounds"))
        several.add_row(
            f"{row['applications']:,}", f"{row['placed']:,}", f"{row['solve_s']:.1f}", f"{row['verify_s']:.1f}", *proofs
        )
    out.print(several)
    ours = {row["applications"]: row["solve_s"] for row in results["solve"]}
    rival = Table("applications", "variables", "CP-SAT s", "status", "short of the optimum by", "ours s", "ratio")
    rival.title = "CP-SAT, one model, the same objective, at most 60 s"
    for row in results["cp_sat"]:
        short, size = row["missing_of_optimum"], row["applications"]
        rival.add_row(
            *(f"{size:,}", f"{row['variables']:,}", f"{row['solve_s']:.1f}", row["status"]),
            "no solution" if short is None else f"{short:.2e}",
            *(f"{ours[size]:.2f}", f"{(row['build_s'] + row['solve_s']) / ours[size]:.0f}"),
        )
    out.print(rival)
    whole = Table("what", "measured", title=f"A season of {season['applications']:,} applications on {season['node']}")
    whole.add_row("import", f"{season['import_s']:.2f} s for {season['import_rows']:,} rows")
    whole.add_row("publish", f"{season['publish_s']:.2f} s, {season['transitions_per_s']:,.0f} transitions a second")
    by_kind = ", ".join(f"{kind} {gas:,.0f}" for kind, gas in season["gas_by_kind"].items())
    whole.add_row("gas per transition", f"{season['gas_per_transition']:,.0f} ({by_kind})")
    whole.add_row("replay", f"{season['replay_s']:.2f} s")
    whole.add_row("audit", f"{season['audit_s']:.2f} s for {season['audit_checks']:,} checks")
    whole.add_row("node start", f"{season['node_start_s']:.2f} s, {season['chain_bytes'] / 1e6:.1f} MB on disk")
    out.print(whole)
    for row in results["explain"]:
        told, sampled = sum(row["told"].values()), sum(row["sampled"].values())
        out.print(
            f"counterfactuals: {told:,} for {row['waiting']:,} who wait in {row['explain_s']:.1f} s;"
            f" {row['true']} of {sampled} sampled are true when solved again ({row['solve_again_s']:.0f} s)"
        )
    for name, exponent in results["growth_exponent"].items():
        out.print(f"growth exponent of the solver, {name}: {exponent:.2f}")
    for aim, met in results["aims"].items():
        out.print(f"{'met   ' if met else 'MISSED'} {aim}")


if __name__ == "__main__":
    main()
