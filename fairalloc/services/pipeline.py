"""A whole season, from a registered input to an audited bundle; every step may be interrupted and run again."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from fairalloc.allocation import Solve
from fairalloc.audit import Audit, audit_bundle, audit_chain, audit_database, audit_stored_register
from fairalloc.bundle.folder import PAGE, write_bundle, write_timings
from fairalloc.collection import Collected
from fairalloc.ledger import History, SeasonNo
from fairalloc.model import SeasonInput
from fairalloc.ports import CheckFiles, Ledger, Stage, Store
from fairalloc.progress import Progress
from fairalloc.rules import Rules
from fairalloc.services.bundling import bundle_files
from fairalloc.services.carrying import require_carried_over, same_findings
from fairalloc.services.context import SeasonContext
from fairalloc.services.drawing import draw_known, frozen_at, latest_freeze, waiting
from fairalloc.services.intake import import_season
from fairalloc.services.publishing import Pace, publish
from fairalloc.services.stages import allocate_season, freeze_season, screen_season
from fairalloc.summary import summarize


@dataclass(slots=True)
class Stopwatch:
    """Seconds by step; a step that is taken twice adds up."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def lap(self, name: str) -> Iterator[None]:
        """Time a step."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started


@dataclass(frozen=True, slots=True)
class Tools:
    """What a pipeline works with."""

    store: Store
    solve: Solve
    check: CheckFiles
    program: str
    progress: Progress
    pace: Pace = field(default_factory=Pace)


def register(
    store: Store, rules: Rules, rules_text: str, season: SeasonInput, collected: Sequence[Collected] = ()
) -> SeasonContext:
    """Store a season, where it is not there yet, with salts from the system's randomness or from its collection.

    Raises:
        StateConflictError: when it follows a campaign, and its files are not what that one left.
    """
    require_carried_over(store, rules, season)
    return SeasonContext.of(import_season(store, rules, rules_text, season, os.urandom, collected), rules, season)


def audit_own_database(found: Audit, store: Store, season_no: SeasonNo, history: History) -> None:
    """Hold the database's standings and records against the chain's history, where the database has the season."""
    if any(record.season_no == season_no for record in store.seasons()):
        audit_database(found, store.standings(season_no), history)
        season = store.load_input(season_no)
        audit_stored_register(found, store.registrations(season_no), season, history)
        if season.same:
            found.add("links to earlier campaigns", len(season.same), same_findings(store, season_no))


def allocate(tools: Tools, context: SeasonContext, ledger: Ledger | None, watch: Stopwatch) -> SeasonContext:
    """Screen, freeze, draw, allocate. With a ledger, freeze and draw are on chain before the solver starts.

    Raises:
        StateConflictError: when the lottery's value has not come yet; all until then is done and recorded.
    """
    with watch.lap("screen"):
        context = screen_season(tools.store, context)
        context = freeze_season(tools.store, context, tools.program)
        context = draw_known(tools.store, context)
    if ledger is not None and not context.reached(Stage.ALLOCATED):
        with watch.lap("publish"):
            publish(tools.store, ledger, context.record.season_no, tools.progress, tools.pace)
    if not context.reached(Stage.DRAWN):
        freeze = latest_freeze(tools.store, context)
        fixed = None if ledger is None else frozen_at(ledger, context.record.season_no, freeze)
        raise waiting(context, freeze, fixed)
    with watch.lap("allocate"):
        return allocate_season(tools.store, context, tools.solve, tools.check)


def run(
    tools: Tools, context: SeasonContext, ledger: Ledger, folder: Path, code_hash: str, watch: Stopwatch
) -> tuple[dict[str, int | str], Audit]:
    """All that is left of a season: allocate, record, write the bundle and its page, audit.

    Returns:
        The headline figures, and the audit.
    """
    context = allocate(tools, context, ledger, watch)
    files = publish_and_bundle(tools, context, ledger, watch)
    write_bundle(folder, files)
    found = audit(tools, context, ledger, files, code_hash, watch)
    from fairalloc.report.page import render_report  # noqa: PLC0415  its libraries are loaded by nobody else

    with watch.lap("page"):
        (folder / PAGE).write_text(render_report(files, found, watch.seconds), encoding="utf-8")
    write_timings(folder, watch.seconds)
    return summarize(files), found


def publish_and_bundle(tools: Tools, context: SeasonContext, ledger: Ledger, watch: Stopwatch) -> dict[str, bytes]:
    """Send what is left in the outbox, and put the bundle together."""
    with watch.lap("publish"):
        publish(tools.store, ledger, context.record.season_no, tools.progress, tools.pace)
    with watch.lap("bundle"):
        return bundle_files(tools.store, context, ledger)


def audit(
    tools: Tools, context: SeasonContext, ledger: Ledger, files: dict[str, bytes], code_hash: str, watch: Stopwatch
) -> Audit:
    """All three depths of the audit."""
    with watch.lap("audit"):
        season_no = context.record.season_no
        found = Audit()
        history = ledger.history(season_no)
        found.add("the chain's logs read and replayed", history.next_seq + history.administration.next_seq, ())
        audit_bundle(files, tools.check, found)
        audit_chain(found, files, ledger.identity(), history, code_hash)
        audit_own_database(found, tools.store, season_no, history)
    return found
