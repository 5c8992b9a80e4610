"""What the commands after the allocation share: the season they work on, whom and when, what they tell."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer

from fairalloc import console
from fairalloc.acts import Act, ActKind
from fairalloc.commands.workspace import Workspace
from fairalloc.errors import Defect, InvalidDataError, UsageError
from fairalloc.instants import Instant, format_instant, instant_of, parse_instant
from fairalloc.ledger import Transition
from fairalloc.numbering import application_label, parse_application_label
from fairalloc.ports import Store
from fairalloc.reasons import REASON_WORDS
from fairalloc.services.context import SeasonContext, find_application, find_season
from fairalloc.services.life import SeasonLife
from fairalloc.services.rounds import Rounds


def loaded(state: Path, db: str | None, season: str | None) -> tuple[Store, SeasonContext]:
    """The store and the season that the options name."""
    store = Workspace(state, db, None).store()
    return store, SeasonContext.load(store, find_season(store, season))


def loaded_rounds(state: Path, db: str | None, season: str | None) -> tuple[Store, SeasonLife, Rounds]:
    """The store, the life of the season that the options name, and what holds its rounds."""
    tools = Workspace(state, db, None).tools()
    context = SeasonContext.load(tools.store, find_season(tools.store, season))
    return tools.store, SeasonLife(tools.store, context), Rounds(tools.store, context, tools.solve, tools.check)


def moment(text: str | None, option: str) -> Instant:
    """The moment of an option; now where it is left out."""
    if text is None:
        return instant_of(datetime.now(UTC))
    try:
        return parse_instant(text)
    except ValueError as error:
        raise UsageError("act.time", f"{option} {text!r}: {error}", "mend it") from None


@dataclass(frozen=True, slots=True)
class Named:
    """The applications that a command is about; ``lines`` are those of the file that names them, where one does."""

    numbers: tuple[int, ...]
    file: str = ""
    lines: Mapping[int, int] = field(default_factory=dict)

    def require_possible(self, life: SeasonLife, kind: ActKind, at: Instant, steps: Iterable[Transition]) -> None:
        """Refuse a file with every line of it that is not possible; what the command line names is refused later.

        Raises:
            InvalidDataError: when there is such a line.
        """
        if not self.file:
            return
        defects = []
        for number, refusal in life.refusals(kind, at, steps):
            name = application_label(number)
            words, remedy = refusal.removeprefix(name).strip(), f"see `fairalloc status {name}`"
            defects.append(Defect(self.file, self.lines[number], "application_id", name, "act.refused", words, remedy))
        if defects:
            raise InvalidDataError(defects, "take these lines out, or give another time with --at; nothing was stored")


def named(context: SeasonContext, applications: Sequence[str] | None, file: Path | None) -> Named:
    """The applications that the command line names, or a file with the column application_id.

    Raises:
        UsageError: when it is neither or both.
        InvalidDataError: with every defect of the file.
    """
    require_one(applications, file)
    if file is None:
        return Named(tuple(dict.fromkeys(find_application(context, text) for text in applications or ())))
    from data.importers.lists import read_answers

    lines = read_answers(file, finder(context))
    return Named(tuple(lines), str(file), lines)


def require_one(applications: Sequence[str] | None, file: Path | None) -> None:
    """Refuse a command that names applications in both ways, or in none.

    Raises:
        UsageError: when it does.
    """
    if bool(applications) == (file is not None):
        raise UsageError("act.whom", "name applications, or a file that lists them", "e.g. A000042, or --file list.csv")


def finder(context: SeasonContext) -> Callable[[str], int | None]:
    """Looks applications up by the city's ids or the published ones; None for one that the season has not got."""
    from_city = {str(name): int(number) for name, number in context.numbers.applications.items()}

    def find(text: str) -> int | None:
        number = from_city.get(text) or parse_application_label(text)
        return number if number is not None and 1 <= number <= len(from_city) else None

    return find


def agreed(question: str, *, yes: bool) -> bool:
    """Whether what cannot be lightly taken back is meant: by --yes, or by an answer at a terminal."""
    return yes or (sys.stdin.isatty() and typer.confirm(question, err=True))


def finish(life: SeasonLife, act: Act, *, dry_run: bool, as_json: bool) -> None:
    """Take an act, unless it is only tried, and tell what it is."""
    if not dry_run:
        life.take(act)
    tell([act], dry_run=dry_run, as_json=as_json)


def tell_steps(context: SeasonContext, act: Act) -> None:
    """What becomes of each application by a decision, with the site that it is given."""
    sites = {number: str(site.site_id) for number, site in context.sites_by_number().items()}
    for step in act.transitions:
        given = ", ".join(sites[step.site_no + offset] for offset in range(step.width))
        place = f" on {given}" if given else ""
        console.say(f"{application_label(step.application_no)} {step.status.name}{place}: {REASON_WORDS[step.reason]}")


def tell(acts: Sequence[Act], *, dry_run: bool, as_json: bool) -> None:
    """What was done, or would be, act by act."""
    if as_json:
        console.show_json({"stored": not dry_run, "acts": [_act_json(act) for act in acts]})
        return
    rows = [
        (act.number, act.kind.value, format_instant(act.at), len({step.application_no for step in act.transitions}))
        for act in acts
    ]
    title = "What would happen" if dry_run else "Recorded"
    console.show_table(title, ("act", "what", "when", "applications"), rows)
    console.err.print("nothing was stored" if dry_run else "next: fairalloc publish")


def _act_json(act: Act) -> dict[str, Any]:
    """An act for programs; each application once, and what becomes of it step by step."""
    labels = [application_label(step.application_no) for step in act.transitions]
    return {
        "act": act.number,
        "kind": act.kind.value,
        "at": format_instant(act.at),
        "applications": list(dict.fromkeys(labels)),
        "becomes": [
            {"application_id": label, "status": step.status.name, "reason_code": int(step.reason)}
            for label, step in zip(labels, act.transitions, strict=True)
        ],
        "details": dict(act.details),
    }
