"""The monitor's judgement: what a source shows, held against what was verified before and what others show.

Invariants:
- a head that was verified is never forgotten or replaced: what contradicts it is an alert;
- a source that contradicts is not believed any further until it agrees again;
- the same thing is told once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from fairalloc.findings import Finding
from fairalloc.instants import NANOSECONDS, Instant, format_instant, format_seconds
from fairalloc.ledger import History, SeasonNo, Topic
from fairalloc.monitor.record import Record, Shown
from fairalloc.monitor.view import SeasonView, View

SHOWN = 20
"""How many alerts of one code and source are spelled out."""

_BY_PLACE = ("monitor.", "time.")
"""The codes whose words may change from look to look while the thing stays the same."""


class Level(StrEnum):
    """How much an alert matters: something is wrong; somebody has used a right; something is worth knowing."""

    ALERT = "alert"
    NOTICE = "notice"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Alert:
    """Something to tell, and where it was seen."""

    level: Level
    source: str
    finding: Finding


@dataclass(frozen=True, slots=True)
class Expected:
    """What is known without asking a node.

    Attributes:
        code_hash: of the contract's published source.
        chain_id: of the chain; None where it is taken from the first look.
        genesis_hash: of the chain; empty where it is taken from the first look.
        season_no: the season that the rules below are of.
        rules_hash: of the published rules; empty where they are not known.
        recorded_by: until when the outcome has to stand on chain.
    """

    code_hash: str
    chain_id: int | None = None
    genesis_hash: str = ""
    season_no: SeasonNo | None = None
    rules_hash: bytes = b""
    recorded_by: Instant | None = None


class Monitor:
    """Judges what sources show, look by look."""

    def __init__(self, record: Record, expected: Expected) -> None:
        self.record = record
        self.alerted: list[Alert] = []
        self._expected = expected
        self._told: set[tuple[str, str, str]] = set()
        self._counts: Counter[tuple[str, str]] = Counter()
        self._ahead: dict[tuple[str, SeasonNo], int] = {}

    def observe(self, source: str, view: View, now: Instant) -> list[Alert]:
        """Judge one look at a source, and keep what it verifies.

        Args:
            source: its name.
            view: what it shows.
            now: the time of the look.
        """
        conflicts = [*self._identity(view), *self._rewriting(source, view)]
        wrong = {season_no: list(_wrong(shown.history)) for season_no, shown in view.seasons.items()}
        found = [*conflicts, *view.strange, *self._promises(view, now)]
        found += [finding for of_one in wrong.values() for finding in of_one]
        before = self.record.sources.get(source)
        events = view.events[0 if before is None else before.events :]
        told = [Alert(Level.ALERT, source, finding) for finding in found]
        told += [Alert(Level.NOTICE, source, _administration(event.block, event.words)) for event in events]
        if view.moved:
            told.append(Alert(Level.NOTE, source, _moved(view)))
        if not conflicts:
            self._keep(source, view, {season_no for season_no, findings in wrong.items() if not findings})
        return self._once(told, now)

    def compare(self, name: str, other: Record, now: Instant) -> list[Alert]:
        """Hold the heads that another monitor has verified against ours."""
        found: list[Finding] = []
        if int(other.contract, 16) != int(self.record.contract, 16):
            words = f"{name}: its heads are of the contract {other.contract}"
            return self._once([Alert(Level.NOTE, name, Finding("monitor.other", "", words))], now)
        pins = (self.record.chain_id, self.record.genesis_hash)
        theirs = (other.chain_id, other.genesis_hash)
        if None not in {self.record.chain_id, other.chain_id} and pins != theirs:
            words = f"another monitor sees chain {theirs[0]}, genesis {theirs[1]}; here it is {pins[0]}, {pins[1]}"
            found.append(Finding("monitor.chain", "", words))
        told = []
        for season_no, heads in other.seasons.items():
            ours = self.record.seasons.get(season_no, [])
            common = _common(ours, heads)
            if common < min(len(ours), len(heads)):
                found.append(_split(season_no, common, heads[common], ours[common], "another monitor"))
            elif len(heads) > len(ours):
                seen = self._ahead.get((name, season_no))
                if seen is None or len(ours) > seen:
                    self._ahead[name, season_no] = len(heads) - 1  # the next look may find it here too
                    continue
                place = f"season {season_no}, call {seen}"
                words = (
                    f"season {season_no}: another monitor has seen call {seen}, the last one here is {len(ours) - 1}"
                )
                told.append(Alert(Level.NOTE, name, Finding("monitor.behind", place, words)))
        return self._once([*(Alert(Level.ALERT, name, finding) for finding in found), *told], now)

    def _identity(self, view: View) -> Iterator[Finding]:
        """Chain and code are those that are known."""
        record, expected = self.record, self._expected
        chain_id = expected.chain_id if record.chain_id is None else record.chain_id
        for name, known, found in (
            ("chain id", chain_id, view.chain_id),
            ("genesis", record.genesis_hash or expected.genesis_hash or None, view.genesis_hash),
        ):
            if known is not None and known != found:
                yield Finding("monitor.chain", name, f"the {name} is {found} now, it was {known}")
        if view.code_hash != expected.code_hash:
            words = (
                f"the code at {record.contract} has the hash {view.code_hash}, the published one {expected.code_hash}"
            )
            yield Finding("monitor.code", record.contract, words)

    def _rewriting(self, source: str, view: View) -> Iterator[Finding]:
        """What was verified is there still."""
        shown = self.record.sources.get(source)
        found = False
        for season_no, known in self.record.seasons.items():
            if view.only not in {None, season_no}:
                continue
            there = view.seasons.get(season_no)
            heads = () if there is None else there.heads
            had = 0 if shown is None else shown.calls.get(season_no, 0)
            common = _common(known, heads)
            if common < min(len(known), len(heads)):
                found = True
                if common >= had:
                    yield _split(season_no, common, heads[common], known[common], "this source")
                    continue
                words = (
                    f"season {season_no}, call {common}: its head was {known[common].hex()} when it was verified and"
                    f" is {heads[common].hex()} now; {_last_common(common)}"
                )
                yield Finding("monitor.rewritten", f"season {season_no}, call {common}", words)
            elif common < had:
                found = True
                words = f"season {season_no}: {had} calls were verified, the chain has {common} now"
                yield Finding("monitor.truncated", f"season {season_no}", f"{words}; {_last_common(common)}")
        if not found:
            yield from self._other_blocks(source, view)

    def _other_blocks(self, source: str, view: View) -> Iterator[Finding]:
        """Where the calls are the same, the blocks may not be: the times of calls or other parts of the chain."""
        for name, shown in self.record.sources.items():
            block, known = shown.anchor.block, shown.anchor.block_hash
            place, there = f"block {block}", view.hashes.get(block)
            if there == known:
                continue
            if there is not None:
                code = "monitor.rewritten" if name == source else "monitor.split-view"
                who = "when it was verified" if name == source else f"at {name}"
                words = f"{place}: its hash was {known} {who} and is {there} here; no verified call is another"
                yield Finding(code, place, words)
            elif name == source:
                words = f"{place}: it was verified, the chain ends at block {view.height}; every verified call is there"
                yield Finding("monitor.truncated", place, words)

    def blocks(self) -> set[int]:
        """The blocks whose hashes a look must bring: up to them, everything was verified."""
        return {shown.anchor.block for shown in self.record.sources.values()}

    def _promises(self, view: View, now: Instant) -> Iterator[Finding]:
        """The rules on chain are the published ones, and the outcome came in time."""
        expected = self._expected
        there = None if expected.season_no is None else view.seasons.get(expected.season_no)
        if there is not None and expected.rules_hash and there.history.rules_hash != expected.rules_hash:
            words = f"the chain fixed {there.history.rules_hash.hex()}, the file has {expected.rules_hash.hex()}"
            yield Finding("commit.rules", "season.toml", f"season.toml: {words}")
        if expected.recorded_by is not None:
            yield from _late(expected.season_no, there, expected.recorded_by, now)

    def _keep(self, source: str, view: View, sound: set[SeasonNo]) -> None:
        """Remember what a source without contradiction has shown; a season with findings is not verified."""
        record = self.record
        if record.chain_id is None:
            record.chain_id, record.genesis_hash = view.chain_id, view.genesis_hash
            record.code_hash = view.code_hash
        before = record.sources.get(source)
        calls = {} if before is None else dict(before.calls)
        for season_no in sound:
            heads = view.seasons[season_no].heads
            known = record.seasons.setdefault(season_no, [])
            known += heads[len(known) :]
            calls[season_no] = len(heads)
        record.sources[source] = Shown(view.last, calls, len(view.events))

    def _once(self, alerts: Iterable[Alert], now: Instant) -> list[Alert]:
        """Those that were not told yet; of many of one sort, the first, and that there are more."""
        fresh: list[Alert] = []
        for alert in alerts:
            finding = alert.finding
            by_place = alert.level is Level.ALERT and finding.code.startswith(_BY_PLACE)
            key = (alert.source, finding.code, finding.place if by_place else finding.words)
            if key in self._told:
                continue
            self._told.add(key)
            self._counts[key[:2]] += 1
            if alert.level is Level.ALERT and self._counts[key[:2]] > SHOWN:
                continue
            if alert.level is Level.ALERT and self._counts[key[:2]] == SHOWN:
                words = f"{finding.words} (more of this kind are not told)"
                alert = replace(alert, finding=replace(finding, words=words))  # noqa: PLW2901 - the same, with a remark
            fresh.append(alert)
        self.alerted += [alert for alert in fresh if alert.level is Level.ALERT]
        self.record.alerts += [
            {
                "time": format_instant(now),
                "source": alert.source,
                "code": alert.finding.code,
                "place": alert.finding.place,
                "words": alert.finding.words,
            }
            for alert in fresh
            if alert.level is Level.ALERT
        ]
        return fresh


def _common(known: Sequence[bytes], heads: Sequence[bytes]) -> int:
    """How many calls two sequences share; a head stands for all calls before it."""
    low, high = 0, min(len(known), len(heads))
    while low < high:
        middle = (low + high + 1) // 2
        if known[middle - 1] == heads[middle - 1]:
            low = middle
        else:
            high = middle - 1
    return low


def _last_common(common: int) -> str:
    return f"the last common call is {common - 1}" if common else "no call is common"


def _split(season_no: SeasonNo, common: int, theirs: bytes, ours: bytes, who: str) -> Finding:
    words = (
        f"season {season_no}, call {common}: {who} has the head {theirs.hex()}, elsewhere it is {ours.hex()};"
        f" {_last_common(common)}"
    )
    return Finding("monitor.split-view", f"season {season_no}, call {common}", words)


def _wrong(history: History) -> Iterator[Finding]:
    """What an audit of a season's history finds."""
    yield from (_of_season(history.season_no, finding) for finding in history.findings)
    if np.any(np.diff(history.transitions["timestamp"]) < 0):
        words = "the chain's blocks are not in the order of their times"
        yield _of_season(history.season_no, Finding("time.order", "", words))


def _of_season(season_no: SeasonNo, finding: Finding) -> Finding:
    """A finding that says which season it is of."""
    name = f"season {season_no}"
    if finding.place == name:
        return finding
    return Finding(finding.code, f"{name}, {finding.place}".removesuffix(", "), f"{name}: {finding.words}")


def _late(
    season_no: SeasonNo | None, there: SeasonView | None, recorded_by: Instant, now: Instant
) -> Iterator[Finding]:
    """The outcome stands on chain by the published deadline."""
    due, place = format_instant(recorded_by), f"season {season_no}"
    if now > recorded_by and (there is None or not there.history.fixed(Topic.ALLOCATION)):
        words = f"{place}: the outcome was due by {due} and is not on chain at {format_instant(now)}"
        yield Finding("monitor.late", place, words)
    if there is not None:
        last = there.history.last_decision
        if last is not None and last * NANOSECONDS > recorded_by:
            words = f"{place}: the last decision stands on chain since {format_seconds(last)}, due by {due}"
            yield Finding("time.late", place, words)


def _administration(block: int, words: str) -> Finding:
    return Finding("monitor.administration", f"block {block}", f"block {block}: {words}")


def _moved(view: View) -> Finding:
    words = f"{view.moved} blocks before block {view.height}, none of them final, were replaced"
    return Finding("monitor.reorg", f"block {view.height}", words)
