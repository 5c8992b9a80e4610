"""What a second organisation keeps running: `monitor`."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn
from urllib.parse import urlsplit

import typer

from fairalloc import console
from fairalloc.commands.node import Waiting, stopping
from fairalloc.commands.options import Json
from fairalloc.commands.workspace import CODE_HASH
from fairalloc.errors import ChainUnavailableError, InvalidDataError, UsageError, VerificationFailedError
from fairalloc.instants import Instant, format_instant
from fairalloc.ledger import SeasonNo
from fairalloc.monitor import Alert, Expected, Level, Monitor, Record
from fairalloc.monitor.record import read_record, write_whole

if TYPE_CHECKING:
    from chain.watching import Watched


def monitor(
    contract: Annotated[str, typer.Option("--contract", help="Address of the contract.")],
    rpc: Annotated[list[str], typer.Option("--rpc", help="URL of a node; repeat it to compare nodes.")],
    season: Annotated[
        int | None, typer.Option("--season", min=0, help="Number of one season; all if left out.")
    ] = None,
    bundle: Annotated[
        Path | None, typer.Option("--bundle", help="Folder with the season's season.toml: rules, deadline; chain.json.")
    ] = None,
    finality: Annotated[int, typer.Option("--finality", min=0, help="Blocks that may still be replaced.")] = 0,
    heads: Annotated[
        list[Path] | None, typer.Option("--heads", help="Another monitor's heads to compare with; repeatable.")
    ] = None,
    write_heads: Annotated[Path | None, typer.Option("--write-heads", help="File for our heads, for others.")] = None,
    once: Annotated[bool, typer.Option("--once", help="Look once and end.")] = False,
    every: Annotated[float, typer.Option("--every", min=0.05, help="Seconds between two looks.")] = 5.0,
    state: Annotated[Path, typer.Option("--state", help="File for what was verified.")] = Path("monitor.json"),
    as_json: Json = False,
) -> None:
    """Watch a contract as anybody can: replay what is new, keep every verified head, and alert on what an audit would
    find, on a rewritten or shortened history, and on two nodes or monitors that were shown different ones.

    Ends with exit code 5 where there was an alert. A node that does not answer is waited for.

    Example: fairalloc monitor --rpc https://city.example/chain --contract 0x5FbD... --state city.json
    """
    from chain.watching import Watched

    record = _record(state, contract)
    judge = Monitor(record, _expected(bundle, season))
    only = None if season is None else SeasonNo(season)
    sources = {source_name(url): Watched(url, record.contract, only, finality) for url in rpc}
    watch = _Watch(judge, sources, tuple(heads or ()), as_json=as_json)
    with stopping() as asked:
        while True:
            before = json.dumps(record.to_json())
            gone = watch.look()
            if json.dumps(record.to_json()) != before:
                write_whole(state, record.to_json())
                _tell_progress(record)
            if write_heads is not None and record.chain_id is not None:
                write_whole(write_heads, record.heads_json())
            if once or asked.wait(every):
                break
    if judge.alerted:
        _refuse(judge.alerted)
    if once and gone is not None:
        raise gone


class _Watch:
    """All that is looked at, again and again."""

    def __init__(self, judge: Monitor, sources: Mapping[str, Watched], heads: Sequence[Path], *, as_json: bool) -> None:
        self._judge = judge
        self._sources = sources
        self._heads = heads
        self._as_json = as_json
        self._waiting = {name: Waiting(name) for name in sources}

    def look(self) -> ChainUnavailableError | None:
        """Look once at everything; why a source did not answer, where one did not."""
        gone = None
        for name, source in self._sources.items():
            with self._waiting[name]:
                try:
                    view = source.look(self._judge.blocks())
                except ChainUnavailableError as error:
                    gone = error
                    raise
                now = _now()
                _tell(self._judge.observe(name, view, now), now, as_json=self._as_json)
        for file in self._heads:
            try:
                other = read_record(file)
            except InvalidDataError as error:
                console.say(f"{file.name}: {error.defects[0].message}; it is read again at the next look")
                continue
            now = _now()
            _tell(self._judge.compare(file.name, other, now), now, as_json=self._as_json)
        return gone


def _now() -> Instant:
    return Instant(time.time_ns())


def source_name(url: str) -> str:
    """A node's name in files and messages: its host and port; what else its URL holds may be a secret."""
    place = urlsplit(url)
    name = place.netloc.rpartition("@")[2]
    rest = place.path.strip("/") + place.query
    return name + (f"#{hashlib.sha256(rest.encode()).hexdigest()[:8]}" if rest else "")


def _record(state: Path, contract: str) -> Record:
    """What was kept, or a beginning.

    Raises:
        UsageError: the address is none, or what was kept is of another contract.
    """
    digits = contract.removeprefix("0x")
    if len(digits) != 40 or not set(digits.lower()) <= set("0123456789abcdef"):
        raise UsageError("monitor.address", f"{contract!r} is no address", "give 0x and 40 hexadecimal digits")
    if not state.exists():
        return Record("0x" + digits.lower())
    record = read_record(state)
    if int(record.contract, 16) != int(digits, 16):
        raise UsageError(
            "monitor.other", f"{state} was kept of the contract {record.contract}", "name another file by --state"
        )
    return record


def _expected(bundle: Path | None, season: int | None) -> Expected:
    """What is known beforehand: from a bundle, or from a season's folder that has no chain.json yet.

    Raises:
        UsageError: nobody says which season the rules are of.
    """
    from fairalloc.bundle.statements import rules_hash
    from fairalloc.rules.reader import SEASON_FILE, read_rules

    if bundle is None:
        return Expected(CODE_HASH)
    rules, _ = read_rules(bundle)
    told = json.loads((bundle / "chain.json").read_bytes()) if (bundle / "chain.json").is_file() else {}
    number = told.get("season_no") if season is None else season
    if number is None:
        raise UsageError(
            "monitor.season", f"{bundle} has no chain.json with its season's number", "name it: --season N"
        )
    return Expected(
        code_hash=CODE_HASH,
        chain_id=told.get("chain_id"),
        genesis_hash=str(told.get("genesis_hash", "")),
        season_no=SeasonNo(int(number)),
        rules_hash=rules_hash({SEASON_FILE: (bundle / SEASON_FILE).read_bytes()}),
        recorded_by=rules.campaign.recorded_by,
    )


def _tell(alerts: list[Alert], now: Instant, *, as_json: bool) -> None:
    """Each alert at once: a line on stderr, and with JSON asked for one on stdout."""
    for alert in alerts:
        words = f"{format_instant(now)} {alert.level.upper()} {alert.finding.code} ({alert.source}): {alert.finding}"
        console.err.print(words, style="bold red" if alert.level is Level.ALERT else None, markup=False, soft_wrap=True)
        if as_json:
            told = {"time": format_instant(now), "level": str(alert.level), "source": alert.source}
            sys.stdout.write(json.dumps(told | asdict(alert.finding)) + "\n")
            sys.stdout.flush()


def _tell_progress(record: Record) -> None:
    """Up to where everything is verified."""
    blocks = max((shown.anchor.block for shown in record.sources.values()), default=0)
    seasons = ", ".join(f"season {number}: {len(heads)} calls" for number, heads in sorted(record.seasons.items()))
    console.say(f"verified up to block {blocks}" + (f"; {seasons}" if seasons else ""))


def _refuse(alerts: list[Alert]) -> NoReturn:
    raise VerificationFailedError(
        "monitor.alerts",
        [f"{alert.finding.code} ({alert.source}): {alert.finding}" for alert in alerts],
        "keep the state file: its heads are the evidence; ask the city what was done",
    )
