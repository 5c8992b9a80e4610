"""Before a campaign closes: `collect` takes applications from files, `intake` from whoever hands one in."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from fairalloc import console
from fairalloc.canonical import sha256
from fairalloc.collection import Collected, Source, Terms
from fairalloc.commands.options import DEFAULT_STATE, At, Db, Folder, Json, SkipInvalid, State
from fairalloc.commands.workspace import Workspace
from fairalloc.errors import UsageError
from fairalloc.forms import Form
from fairalloc.instants import Instant, format_instant, parse_instant
from fairalloc.model import SeasonInput
from fairalloc.receipt.acknowledgement import Sign, Signed
from fairalloc.rules import Rules, read_rules
from fairalloc.services import collecting
from fairalloc.services.collecting import Intake, collection_facts, what_counts

LISTEN = "127.0.0.1:8045"


def collect(
    season_dir: Folder,
    applications: Annotated[
        Path | None,
        typer.Option("--applications", help="A file with the columns of applications.csv; that one if left out."),
    ] = None,
    skip_invalid: SkipInvalid = None,
    report: Annotated[bool, typer.Option("--report", help="Collect nothing, tell what was collected.")] = False,
    at: At = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check only, store nothing.")] = False,
    state: State = DEFAULT_STATE,
    db: Db = None,
    as_json: Json = False,
) -> None:
    """Collect applications before the campaign closes, all or nothing: new ones, late documents, amendments.

    An id that was collected before makes a new version; the old one is kept. The same rows again change nothing.
    What was collected wrongly is mended by collecting it again as it should be.

    Example: fairalloc collect seasons/2026 --applications late.csv
    """
    from data.importers import read_handed, read_places

    rules, text = read_rules(season_dir)
    store = Workspace(state, db, None).store()
    facts: dict[str, object] = {}
    if not report:
        places = read_places(season_dir, rules)
        file = applications or season_dir / "applications.csv"
        handed = read_handed(file, rules, places, skip_invalid=skip_invalid is not None)
        terms = collecting.file_terms(rules, sha256(text.encode()), os.urandom)
        found = collecting.collect(
            store,
            rules.season.id,
            handed.handed,
            terms,
            moment(at),
            file=file.name,
            leave_out=skip_invalid is not None,
            dry_run=dry_run,
        )
        if skip_invalid is not None:
            handed.write_refused(skip_invalid, found.refused)
        facts = {"new": found.new, "amended": found.amended, "collected before": found.known}
        facts |= {"left out": len(handed.sheet.lines) - found.new - found.amended - found.known}
        facts["stored"] = "no" if dry_run else "yes"
    facts |= collection_facts(rules, sha256(text.encode()), store.collected(rules.season.id))
    console.show(f"Season {rules.season.id}", facts, as_json=as_json)


def intake(
    season_dir: Folder,
    listen: Annotated[
        str, typer.Option("--listen", help="Address and port to serve HTTP at; port 0 takes a free one.")
    ] = LISTEN,
    stdin: Annotated[
        bool, typer.Option("--stdin", help="Read one JSON object a line, and answer each on stdout.")
    ] = False,
    names: Annotated[
        list[str] | None, typer.Option("--name", help="A host name that clients call it by; repeatable.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="See that all is ready, and take nothing.")] = False,
    state: State = DEFAULT_STATE,
    db: Db = None,
    as_json: Json = False,
) -> None:
    """Take applications while the campaign is open; each is acknowledged, with a signature, once it is safely kept.

    What was accepted is amended by handing it in again; see docs/intake.md for what is sent and answered.

    Example: fairalloc intake seasons/2026 --listen 127.0.0.1:8045
    """
    from data.importers import Door, read_places

    rules, text = read_rules(season_dir)
    door = Door(rules, read_places(season_dir, rules))
    host, port = _address(listen)
    workspace = Workspace(state, db, None)
    store, sign, registrar = workspace.store(), *_registrar(workspace)
    terms = Terms(rules, sha256(text.encode()), Source.INTAKE, os.urandom)
    with store.collecting(rules.season.id):
        pass  # what cannot be collected for is refused before anybody asks
    facts: dict[str, object] = {"registrar": registrar, "opens": format_instant(rules.campaign.opens)}
    facts["closes"] = format_instant(rules.campaign.closes)
    if dry_run:
        console.show(f"Season {rules.season.id}", facts, as_json=as_json)
        return
    accept = Intake(store, rules.season.id, terms, door, sign).accept
    if stdin:
        _serve_stdin(rules, accept)
    else:
        _serve_http(rules, accept, (host, port, frozenset(names or ())), facts, as_json=as_json)
    store.close()


def _serve_stdin(rules: Rules, accept: Callable[..., Sequence[collecting.Answer]]) -> None:
    from fairalloc.intake import Desk, bounded, serve_lines

    desk = Desk.open(rules, accept, _now)
    counts = serve_lines(desk, bounded(sys.stdin.buffer), sys.stdout)
    desk.close()
    told = ", ".join(f"{count:,} with {status}" for status, count in sorted(counts.items())) or "none"
    console.say(f"answered: {told}")


def _serve_http(
    rules: Rules,
    accept: Callable[..., Sequence[collecting.Answer]],
    where: tuple[str, int, frozenset[str]],
    facts: dict[str, object],
    *,
    as_json: bool,
) -> None:
    from fairalloc.intake import Desk, IntakeServer

    desk = Desk.open(rules, accept, _now)
    server = IntakeServer(desk, *where)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    server.start()
    console.show(f"Season {rules.season.id}", {"listening": server.url, **facts}, as_json=as_json)
    sys.stdout.flush()
    if not server.is_loopback:
        console.say("others can reach it without encryption: let them come through a proxy that has TLS")
    ended.wait()
    server.close()
    desk.close()


def _registrar(workspace: Workspace) -> tuple[Sign, str]:
    """Signs with the registrar's key, and its address; a key that cannot be read is noticed here and not later.

    Raises:
        ChainUnavailableError: it cannot be read.
    """
    from chain.keyring import REGISTRAR

    keyring = workspace.chain().keyring()
    keyring.unlock(REGISTRAR)

    def sign(words: str) -> Signed:
        return Signed(*keyring.sign_words(REGISTRAR, words))

    return sign, keyring.address(REGISTRAR)


def _address(listen: str) -> tuple[str, int]:
    host, colon, port = listen.rpartition(":")
    if not colon or not host or not port.isdecimal():
        raise UsageError(
            "intake.listen", f"{listen!r} is no address and port", "give e.g. 127.0.0.1:8045 or [::1]:8045"
        )
    return host.removeprefix("[").removesuffix("]"), int(port)


@dataclass(frozen=True, slots=True)
class Given:
    """A season as it is registered: rules, their text, the input, and all versions that were collected, if any were."""

    rules: Rules
    rules_text: str
    season: SeasonInput
    collected: Sequence[Collected] = ()


def season_given(
    workspace: Workspace,
    season_dir: Path | None,
    synthetic: int | None,
    seed: int,
    skip_invalid: Path | None,
    *,
    form: Form,
    before_closing: bool,
) -> Given:
    """A season from a folder, with what was collected for it, or made up.

    Raises:
        StateConflictError: when its campaign has not closed yet, or the folder has applications never collected.
        UsageError: when rows are to be left out of what was collected, or requests stand beside it.
    """
    from data.source import collected_input, season_input

    if season_dir is not None and synthetic is None:
        rules, text = read_rules(season_dir)
        if versions := _collected(workspace, rules.season.id):
            if skip_invalid is not None:
                raise UsageError(
                    "collect.skip-invalid",
                    "what was collected was acknowledged: none of it can be left out",
                    "mend the season's files, or the applications by `fairalloc collect`",
                )
            if form is Form.REQUESTS:
                raise UsageError(
                    "collect.format",
                    "applications were collected for this season: requests.csv would not be read",
                    "leave out --format, or register the requests in another --state",
                )
            counted = what_counts(rules, versions, _now(), before_closing=before_closing)
            return Given(rules, text, collected_input(season_dir, rules, versions, counted), versions)
    return Given(*season_input(season_dir, synthetic, seed, skip_invalid, form))


def _collected(workspace: Workspace, season_id: str) -> Sequence[Collected]:
    """What was collected for a season; no database is made for that."""
    if not workspace.has_database():
        return ()
    with closing(workspace.store()) as store:
        return store.collected(season_id)


def given_facts(given: Given) -> dict[str, object]:
    """What there is to be said of a season's collection, if it has one."""
    if not given.collected:
        return {}
    return collection_facts(given.rules, sha256(given.rules_text.encode()), given.collected)


def moment(text: str | None) -> Instant:
    """The moment that a user names, or now.

    Raises:
        UsageError: it is none.
    """
    if text is None:
        return _now()
    try:
        return parse_instant(text)
    except ValueError as error:
        raise UsageError(
            "usage.time", f"{text!r} is no time: {error}", "write e.g. 2026-03-01T09:00:00+03:00"
        ) from None


def _now() -> Instant:
    return Instant(time.time_ns())
