"""The audit of the lottery: every freeze and every draw is published and on chain, in their order, one draw a freeze.

Offline: each freeze names a value of the rules' beacon, each draw is of the value that its freeze named, signed by the
network where that signs, and the seed follows. With the chain: what is published is what was fixed, a draw follows its
freeze and comes before the next, and no value could be known when its freeze was fixed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fairalloc.bundle.folder import MANIFEST
from fairalloc.bundle.statements import draw_statement, told
from fairalloc.canonical import json_bytes, sha256
from fairalloc.drand import NETWORKS, Beacon, is_signed
from fairalloc.findings import Finding
from fairalloc.instants import format_seconds
from fairalloc.ledger import History, RecordedCommit, Topic
from fairalloc.rules import DrandRound, Lottery, Rules

Statement = Mapping[str, Any]

CLOCKS = 60
"""Seconds by which a chain's clock may be slow: a draw right when its value came is not taken for an early one."""


@dataclass(frozen=True, slots=True)
class Draws:
    """What a bundle publishes of its lottery: freezes and draws, each in order, and what each freeze names.

    ``lotteries`` has None for a freeze that names no value of the rules' beacon.
    """

    freezes: Sequence[Statement]
    draws: Sequence[Statement]
    lotteries: Sequence[Lottery | None]

    @classmethod
    def of(cls, rules: Rules, statements: Mapping[str, Any]) -> Draws:
        """Read the statements of a manifest."""
        freezes = told(statements, "freeze")
        return cls(freezes, told(statements, "draw"), [_named(rules.lottery, freeze) for freeze in freezes])

    def number_of(self, draw: Statement) -> int:
        """The number of the freeze that a draw belongs to; 0 where that is not published."""
        digests = [_digest(freeze).hex() for freeze in self.freezes]
        return digests.index(draw["freeze"]) + 1 if draw.get("freeze") in digests else 0

    @property
    def value(self) -> str | None:
        """What counts: the value drawn for the last freeze, or, without any draw statement, the one in the rules."""
        if not self.draws and self.lotteries and self.lotteries[-1] is not None:
            return self.lotteries[-1].known
        counting = [draw for draw in self.draws if self.number_of(draw) == len(self.freezes)]
        return str(counting[0]["value"]) if counting else None


def draw_findings(draws: Draws) -> Iterator[Finding]:
    """What is wrong with freezes and draws by themselves."""
    for number, (freeze, lottery) in enumerate(zip(draws.freezes, draws.lotteries, strict=True), start=1):
        name = f"freeze {number}"
        if lottery is None:
            words = f"{name} names {freeze.get('lottery')}, which is no value of the rules' beacon"
            yield Finding("lottery.freeze", name, words)
        elif lottery.name in {one.name for one in draws.lotteries[: number - 1] if one is not None}:
            yield Finding("lottery.freeze", name, f"{name} names {lottery.words}, as a freeze before it")
        if number > 1 and not (freeze.get("number") == number and freeze.get("reason")):
            yield Finding("lottery.freeze", name, f"{name} does not give its number and the reason for it")
    drawn: list[int] = []
    for draw in draws.draws:
        number = draws.number_of(draw)
        if not number:
            yield Finding("lottery.order", MANIFEST, f"{MANIFEST}: a draw names a freeze that is not published")
            continue
        if number in drawn:
            yield Finding("lottery.twice", f"freeze {number}", f"freeze {number} is drawn twice")
        drawn.append(number)
        lottery = draws.lotteries[number - 1]
        if lottery is not None:
            yield from _drawn_wrong(f"the draw for freeze {number}", draws.freezes[number - 1], lottery, draw)
    if draws.value is None:
        words = f"the freeze that counts, the last of {len(draws.freezes)}, has no draw"
        yield Finding("lottery.undrawn", f"freeze {len(draws.freezes)}", words)


def draw_remarks(draws: Draws) -> Iterator[str]:
    """Every freeze and every draw in words, and what nothing here can prove of them."""
    values = {draws.number_of(draw): str(draw.get("value")) for draw in draws.draws}
    for number, (freeze, lottery) in enumerate(zip(draws.freezes, draws.lotteries, strict=True), start=1):
        if lottery is None:
            continue
        reason = f" because: {freeze.get('reason')}" if number > 1 else ""
        value = values.get(number, lottery.known)
        yield f"freeze {number} named {lottery.words}{reason}; drawn was {'nothing' if value is None else repr(value)}"
        if lottery.known is not None:
            yield (
                "the lottery's value stood in the rules before the inputs were fixed:"
                " whoever could still change an input could foresee the draw"
            )
        elif not isinstance(lottery, DrandRound):
            yield f"nothing here proves that the value drawn for freeze {number} is {lottery.words}: ask there"
        elif lottery.network not in NETWORKS:
            yield f"the key of the network {lottery.network} is that of the rules: ask whose it is"


def recorded_findings(draws: Draws, history: History, decided: int) -> Iterator[Finding]:
    """Where the chain's commitments to freezes and draws are not those that are published, or not in their order.

    Args:
        draws: what is published.
        history: the chain's.
        decided: the call that decided on what was drawn.
    """
    frozen = {_digest(freeze): number for number, freeze in enumerate(draws.freezes, start=1)}
    drawn = {_digest(draw): draws.number_of(draw) for draw in draws.draws}
    commits = [commit for commit in history.commits if commit.topic in (Topic.INPUTS, Topic.DRAW)]
    for topic, name, count in ((Topic.INPUTS, "freeze", len(draws.freezes)), (Topic.DRAW, "draw", len(draws.draws))):
        found = sum(commit.topic == topic for commit in commits)
        if found != count:
            words = f"the chain has {found} commitments to the {name} statement instead of {count}"
            yield Finding("commit.count", name, words)
    current, is_drawn, fixed = 0, False, 0
    for commit in commits:
        call = f"call {commit.seq}"
        if commit.seq > decided:
            yield Finding("commit.late", call, f"{call}: freeze or draw was fixed after call {decided} decided on it")
        if commit.topic == Topic.INPUTS:
            current, is_drawn, fixed = current + 1, False, commit.timestamp
            if frozen.get(commit.digest) != current:
                at = f"number {current}, {call}"
                words = f"{MANIFEST}: the freeze statement is not the one that the chain fixed ({at})"
                yield Finding("commit.digest", MANIFEST, words)
            continue
        number = drawn.get(commit.digest, 0)
        if not number:
            words = f"{MANIFEST}: the draw statement is not the one that the chain fixed ({call})"
            yield Finding("commit.digest", MANIFEST, words)
        elif number != current:
            words = f"{call}: drawn for freeze {number} while the latest on chain is freeze {current}"
            yield Finding("lottery.order", call, words)
        elif is_drawn:
            yield Finding("lottery.twice", call, f"{call}: drawn for freeze {number} again")
        else:
            yield from _out_of_time(draws.lotteries[number - 1], number, fixed, commit)
        is_drawn = True


def _named(lottery: Lottery, freeze: Statement) -> Lottery | None:
    try:
        return lottery.named_by(freeze["lottery"])
    except (KeyError, ValueError, TypeError, AttributeError):
        return None


def _digest(statement: Statement) -> bytes:
    return sha256(json_bytes(statement))


def _drawn_wrong(name: str, freeze: Statement, lottery: Lottery, draw: Statement) -> Iterator[Finding]:
    """The value is the one that was named, its signature the network's, and all else follows from the freeze."""
    try:
        value, beacon = _value(lottery, draw)
    except ValueError as error:
        yield Finding("lottery.seed", name, f"{name}: what is drawn cannot be a value of {lottery.words}: {error}")
        return
    if isinstance(lottery, DrandRound) and not (beacon and is_signed(lottery.signer, beacon)):
        yield Finding("lottery.signature", name, f"{name}: its signature is not that of {lottery.words}")
    expected = draw_statement(freeze, value, beacon)
    for key in sorted(expected.keys() | draw.keys()):
        if draw.get(key) != expected.get(key):
            words = f"{name}: its {key} is {draw.get(key)!r}, it follows that it is {expected.get(key)!r}"
            yield Finding("lottery.seed", name, words)


def _value(lottery: Lottery, draw: Statement) -> tuple[str, Beacon | None]:
    """The value that a draw should have, in its one form, and the beacon that proves it, where one does."""
    if isinstance(lottery, DrandRound):
        signature, previous = (bytes.fromhex(str(draw.get(key, ""))) for key in ("signature", "previous_signature"))
        beacon = Beacon(lottery.round, signature, previous)
        return beacon.value, beacon
    return lottery.known or lottery.canonical(str(draw.get("value"))), None


def _out_of_time(lottery: Lottery | None, number: int, fixed: int, commit: RecordedCommit) -> Iterator[Finding]:
    """A value that has its time comes after its freeze, and before its draw."""
    comes = None if lottery is None else lottery.time
    if comes is None:
        return
    name, due, call = f"freeze {number}", format_seconds(comes), f"call {commit.seq}"
    if comes <= fixed:
        words = f"{name}: on chain since {format_seconds(fixed)}, its value could be known at {due}"
        yield Finding("lottery.foreseen", name, words)
    if commit.timestamp + CLOCKS < comes:
        words = f"{call}: {name} was drawn at {format_seconds(commit.timestamp)}, its value came at {due}"
        yield Finding("lottery.early", call, words)
