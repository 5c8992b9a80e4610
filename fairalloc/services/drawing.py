"""The lottery's draw: once for each freeze, of the value that the freeze named, and on record before the allocation.

Invariants:
- a freeze names one beacon value, and at most one draw is stored for it;
- a drand value is stored only with a signature that verifies, and only when the freeze stood on chain before its time;
- to draw again means to freeze again first, in public and with a reason.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import Any

from fairalloc.bundle.statements import draw_statement, frozen_again
from fairalloc.canonical import json_bytes, sha256
from fairalloc.drand import NETWORKS, Beacon, is_signed, read_beacon
from fairalloc.errors import StateConflictError, UsageError, VerificationFailedError
from fairalloc.instants import format_seconds
from fairalloc.ledger import Commit, SeasonNo, Topic
from fairalloc.logs import note
from fairalloc.lottery import lottery_seed
from fairalloc.ports import Ledger, Stage, Store
from fairalloc.rules import DrandRound, Lottery
from fairalloc.services.context import SeasonContext

_log = logging.getLogger(__name__)

AGAIN = "name another value in public: `fairalloc draw --again --reason TEXT --next VALUE`"

ALLOCATED = "allocated: nothing can be drawn any more"


@dataclass(frozen=True, slots=True)
class Freeze:
    """The freeze that counts, the latest one: its number from 1, its statement, and what it says is drawn."""

    number: int
    statement: dict[str, Any]
    lottery: Lottery

    @property
    def digest(self) -> bytes:
        """What stands on chain for it."""
        return sha256(json_bytes(self.statement))


def freezes(store: Store, season_no: SeasonNo) -> list[dict[str, Any]]:
    """The statements of all freezes, in order."""
    found: list[dict[str, Any]] = []
    while (content := store.document(season_no, freeze_name(len(found) + 1))) is not None:
        found.append(json.loads(content))
    return found


def draws(store: Store, season_no: SeasonNo) -> list[dict[str, Any]]:
    """The statements of all draws, in order; a freeze may have none."""
    numbers = range(1, len(freezes(store, season_no)) + 1)
    contents = (store.document(season_no, draw_name(number)) for number in numbers)
    return [json.loads(content) for content in contents if content is not None]


def freeze_name(number: int) -> str:
    """The document of a freeze."""
    return "freeze.json" if number == 1 else f"freeze-{number}.json"


def draw_name(number: int) -> str:
    """The document of the draw for a freeze."""
    return "draw.json" if number == 1 else f"draw-{number}.json"


def latest_freeze(store: Store, context: SeasonContext) -> Freeze:
    """The freeze that counts.

    Raises:
        StateConflictError: when nothing is frozen yet.
    """
    found = freezes(store, context.record.season_no)
    if not found:
        raise StateConflictError(
            "lottery.unfrozen",
            f"season {context.record.season_id} is {context.record.stage}: nothing is frozen that could be drawn for",
            "run `fairalloc allocate` first",
        )
    return Freeze(len(found), found[-1], context.rules.lottery.named_by(found[-1]["lottery"]))


def drawn_seed(store: Store, context: SeasonContext) -> bytes:
    """The seed of a season that is drawn; one of before there were draw statements has its value in the rules."""
    freeze = latest_freeze(store, context)
    content = store.document(context.record.season_no, draw_name(freeze.number))
    value = freeze.lottery.known if content is None else str(json.loads(content)["value"])
    if value is None:
        raise waiting(context, freeze, None)
    inputs_root, rules_hash = (bytes.fromhex(freeze.statement[name]) for name in ("inputs_root", "rules_hash"))
    return lottery_seed(inputs_root, rules_hash, value)


def draw_known(store: Store, context: SeasonContext) -> SeasonContext:
    """Draw where the rules tell the value beforehand; does nothing where they do not, or where it is done."""
    if context.reached(Stage.DRAWN):
        return context
    freeze = latest_freeze(store, context)
    return context if freeze.lottery.known is None else _record(store, context, freeze, freeze.lottery.known, None)


def draw(store: Store, context: SeasonContext, told: bytes | str, frozen_at: int | None, now: float) -> SeasonContext:
    """Draw by a value that came after the freeze.

    Args:
        store: the database.
        context: the season.
        told: a drand beacon as its API returns it, or a value in words.
        frozen_at: when the chain fixed the freeze; None where it has not.
        now: seconds since 1970.

    Raises:
        StateConflictError: when it is drawn already, or the value could be known before the freeze.
        UsageError: when that is no value of the beacon that was named.
        VerificationFailedError: when the beacon is not signed by the network.
    """
    freeze = latest_freeze(store, context)
    _refuse_from(Stage.ALLOCATED, context, ALLOCATED, "its draw stands")
    _refuse_from(Stage.DRAWN, context, f"drawn: freeze {freeze.number} has its one draw", AGAIN)
    if freeze.lottery.known is not None:
        raise UsageError("lottery.value", "the rules tell the value themselves", "run `fairalloc draw` without a value")
    if frozen_at is None or (freeze.lottery.time is not None and not frozen_at < freeze.lottery.time <= now):
        raise waiting(context, freeze, frozen_at)
    if isinstance(freeze.lottery, DrandRound):
        beacon = _signed(freeze.lottery, told)
        return _record(store, context, freeze, beacon.value, beacon)
    try:
        value = freeze.lottery.canonical(told if isinstance(told, str) else told.decode())
    except ValueError as error:
        raise UsageError(
            "lottery.value", f"not a value of {freeze.lottery.words}: {error}", "give it with --value TEXT"
        ) from None
    return _record(store, context, freeze, value, None)


def freeze_again(store: Store, context: SeasonContext, program: str, reason: str, named: str) -> SeasonContext:
    """Freeze once more, with a reason, naming another value of the same beacon; before the allocation only.

    Raises:
        StateConflictError: when the season is allocated.
        UsageError: when the reason is missing, or no other value is named.
    """
    _refuse_from(Stage.ALLOCATED, context, ALLOCATED, "its draw stands")
    before = freezes(store, context.record.season_no)
    freeze = latest_freeze(store, context)
    if not reason.strip():
        raise UsageError("lottery.reason", "a second draw needs a reason, which is published", "give --reason TEXT")
    try:
        lottery = freeze.lottery.again(named)
    except ValueError:
        raise UsageError("lottery.next", f"{named!r} names no {freeze.lottery.NAMES}", "mend --next") from None
    if lottery.name in {freeze.lottery.named_by(one["lottery"]).name for one in before}:
        raise UsageError("lottery.next", f"{lottery.words} was named before", "name another value with --next")
    statement = json_bytes(frozen_again(before[0], program, len(before) + 1, reason.strip(), lottery))
    season_no = context.record.season_no
    call = Commit(season_no, store.next_seq(season_no), Topic.INPUTS, sha256(statement))
    store.advance(season_no, Stage.FROZEN, (call,), {freeze_name(len(before) + 1): statement})
    note(_log, logging.WARNING, "season.frozen-again", season_no=season_no, seq=call.seq, digest=call.digest.hex())
    return context.at(Stage.FROZEN)


def frozen_at(ledger: Ledger, season_no: SeasonNo, freeze: Freeze) -> int | None:
    """When the chain fixed a freeze, in seconds since 1970; None where it has not."""
    commits = ledger.history(season_no).commits
    return next((commit.timestamp for commit in commits if commit.digest == freeze.digest), None)


def waiting(context: SeasonContext, freeze: Freeze, fixed: int | None) -> StateConflictError:
    """Why the lottery cannot be drawn yet, or never for this freeze, and what to do."""
    lottery, who = freeze.lottery, f"season {context.record.season_id}"
    if fixed is None:
        return StateConflictError(
            "lottery.unpublished",
            f"{who} draws {lottery.words}, and its freeze must be on chain before that is known",
            "run `fairalloc draw`, which puts it there",
        )
    if lottery.time is not None and lottery.time <= fixed:
        return StateConflictError(
            "lottery.foreseen",
            f"{who} draws {lottery.words}, but was frozen at {format_seconds(fixed)}, when that could be known",
            AGAIN,
        )
    remedy = "`fairalloc draw --value TEXT`"
    if isinstance(lottery, DrandRound):
        where = f"https://api.drand.sh/v2/beacons/{lottery.network}/rounds/{lottery.round}"
        remedy = f"`fairalloc draw --beacon FILE`{f' with what {where} says' if lottery.network in NETWORKS else ''}"
    return StateConflictError(
        "lottery.waiting", f"{who} is frozen and waits for {lottery.words}", f"then {remedy}, and this command again"
    )


def _refuse_from(closed: Stage, context: SeasonContext, words: str, remedy: str) -> None:
    if context.reached(closed):
        raise StateConflictError("lottery.drawn", f"season {context.record.season_id} is {words}", remedy)


def _signed(lottery: DrandRound, told: bytes | str) -> Beacon:
    """The beacon in a file, if it is the round that was named and its network has signed it."""
    try:
        beacon = read_beacon(told if isinstance(told, bytes) else told.encode())
    except ValueError as error:
        raise UsageError(
            "lottery.beacon", f"not a beacon as drand's HTTP API returns it: {error}", "give the file with --beacon"
        ) from None
    if beacon.round != lottery.round:
        raise UsageError("lottery.round", f"the beacon is that of round {beacon.round}, drawn is {lottery.words}", "")
    if not is_signed(lottery.signer, beacon):
        raise VerificationFailedError(
            "lottery.signature", [f"the signature is not that of {lottery.words}"], "fetch the beacon again"
        )
    return beacon


def _record(store: Store, context: SeasonContext, freeze: Freeze, value: str, beacon: Beacon | None) -> SeasonContext:
    statement = json_bytes(draw_statement(freeze.statement, value, beacon))
    season_no = context.record.season_no
    call = Commit(season_no, store.next_seq(season_no), Topic.DRAW, sha256(statement))
    store.advance(season_no, Stage.DRAWN, (call,), {draw_name(freeze.number): statement})
    note(_log, logging.INFO, "season.drawn", season_no=season_no, seq=call.seq, digest=call.digest.hex())
    return context.at(Stage.DRAWN)
