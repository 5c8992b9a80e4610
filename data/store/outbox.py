"""The outbox: calls on their way to the chain, every version that was signed of them, and where they were mined.

Each function works inside the transaction of :class:`data.store.store.SqlStore` that calls it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, func, select

from data.store import rows
from data.store.schema import OUTBOX, PIN, SIGNING, TRANSITION, insert
from fairalloc.errors import StateConflictError
from fairalloc.ledger import (
    ChainIdentity,
    Close,
    Commit,
    LedgerCall,
    MinedCall,
    Record,
    SignedCall,
    Submit,
    Transition,
    call_from_json,
)
from fairalloc.ports import OutboxEntry
from fairalloc.reasons import Reason
from fairalloc.status import Status

_PLACE = ("tx_hash", "block_number", "block_hash", "gas_used")


def entries(connection: Connection, season_no: int, *, unmined_only: bool) -> list[OutboxEntry]:
    """The calls of a season in order of their sequence numbers."""
    calls = select(OUTBOX).where(OUTBOX.c.season_no == season_no).order_by(OUTBOX.c.seq)
    same = (SIGNING.c.season_no == OUTBOX.c.season_no) & (SIGNING.c.seq == OUTBOX.c.seq)
    signings = select(SIGNING).join(OUTBOX, same).where(SIGNING.c.season_no == season_no)
    signings = signings.order_by(SIGNING.c.seq, SIGNING.c.version)
    if unmined_only:
        calls, signings = (each.where(OUTBOX.c.block_number.is_(None)) for each in (calls, signings))
    by_seq = groupby(connection.execute(signings).mappings(), key=lambda row: row["seq"])
    versions = {seq: list(group) for seq, group in by_seq}
    return [rows.entry_of(row, versions.get(row["seq"], ())) for row in connection.execute(calls).mappings()]


def next_seq(connection: Connection, season_no: int) -> int:
    """The sequence number of the next call of a season."""
    question = select(func.coalesce(func.max(OUTBOX.c.seq), -1) + 1).where(OUTBOX.c.season_no == season_no)
    return int(connection.execute(question).scalar_one())


def add_versions(connection: Connection, signed: Sequence[SignedCall]) -> None:
    """Keep signed bytes after the versions that are there."""
    for call in signed:
        here = (SIGNING.c.season_no == call.season_no) & (SIGNING.c.seq == call.seq)
        version = connection.execute(
            select(func.coalesce(func.max(SIGNING.c.version), -1) + 1).where(here)
        ).scalar_one()
        value = {"seq": call.seq, "version": version, "nonce": call.nonce, "raw": call.raw, "tx_hash": call.tx_hash}
        insert(connection, SIGNING, call.season_no, [value])


def set_places(connection: Connection, mined: Sequence[MinedCall]) -> None:
    """Keep where calls were mined."""
    if mined:
        change = (
            OUTBOX.update()
            .where(OUTBOX.c.season_no == bindparam("s"), OUTBOX.c.seq == bindparam("q"))
            .values({name: bindparam(name) for name in _PLACE})
        )
        values = [{"s": c.season_no, "q": c.seq, **{name: getattr(c, name) for name in _PLACE}} for c in mined]
        connection.execute(change, values)


def forget_places(connection: Connection, season_no: int, first_seq: int) -> None:
    """Take back where a call and all after it were mined."""
    lost = (OUTBOX.c.season_no == season_no) & (OUTBOX.c.seq >= first_seq)
    connection.execute(OUTBOX.update().where(lost).values(dict.fromkeys(_PLACE)))


def recut(connection: Connection, season_no: int, calls: Sequence[LedgerCall]) -> None:
    """Put the same content, cut otherwise, in the place of the last calls; the history's numbers follow."""
    first = calls[0].seq
    last = (OUTBOX.c.season_no == season_no) & (OUTBOX.c.seq >= first)
    there = [call_from_json(text) for (text,) in connection.execute(select(OUTBOX.c.call).where(last).order_by("seq"))]
    signed = (SIGNING.c.season_no == season_no) & (SIGNING.c.seq >= first)
    if connection.execute(select(SIGNING.c.seq).where(signed).limit(1)).first() is not None or (
        [what for _, what in _content(there)] != [what for _, what in _content(calls)]
    ):
        raise StateConflictError(
            "store.recut", "another process has gone on with this season", "start the command again"
        )
    earlier = (TRANSITION.c.season_no == season_no) & (TRANSITION.c.status == int(Status.SUBMITTED))
    before = select(func.count()).select_from(TRANSITION).where(earlier, TRANSITION.c.seq < first)
    number = int(connection.execute(before).scalar_one())
    connection.execute(OUTBOX.delete().where(last))
    connection.execute(TRANSITION.delete().where(TRANSITION.c.season_no == season_no, TRANSITION.c.seq >= first))
    insert(connection, OUTBOX, season_no, map(rows.outbox_row, calls))
    steps = []
    for seq, what in _content(calls):
        if isinstance(what, bytes):
            number += 1
            steps.append({"application_no": number, "seq": seq, **_RECEIVED})
        elif isinstance(what, Transition):
            steps.append(rows.step_row(seq, what))
    insert(connection, TRANSITION, season_no, steps)


_RECEIVED = {"status": int(Status.SUBMITTED), "reason": int(Reason.RECEIVED), "site_no": 0, "width": 0}


def _content(calls: Sequence[LedgerCall]) -> Iterator[tuple[int, object]]:
    """What calls carry, piece by piece, with their sequence numbers."""
    for call in calls:
        match call:
            case Submit(commitments=items):
                yield from ((call.seq, item) for item in items)
            case Record(transitions=steps):
                yield from ((call.seq, step) for step in steps)
            case Commit(topic=topic, digest=digest):
                yield call.seq, (topic, digest)
            case Close():
                yield call.seq, ()
            case _:
                yield call.seq, (call.rules_hash, call.site_count)


def pin(connection: Connection, season_no: int, identity: ChainIdentity) -> None:
    """Keep the chain and contract of a season, in the place of what was kept."""
    if not (there := pins(connection, season_no)) or rows.identity_of(there[0]) != replace(identity, node=""):
        connection.execute(PIN.delete().where(PIN.c.season_no == season_no))
        insert(connection, PIN, season_no, [rows.pin_row(identity)])


def pins(connection: Connection, season_no: int) -> Sequence[RowMapping]:
    """The chain and contract of a season, if they are kept."""
    found: Any = connection.execute(select(PIN).where(PIN.c.season_no == season_no)).mappings().all()
    return found  # type: ignore[no-any-return]
