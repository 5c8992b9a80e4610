"""The store: seasons, standings, history and outbox in SQL. Implements :class:`fairalloc.ports.Store`.

Invariants:
- every method that writes is one transaction, begun as a writer, so that two processes do not interleave;
- a standing changes only by a transition that the status machine has, together with its line in the history and the
  call in the outbox that carries it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, Select, bindparam, func, select

from data.store import inputs, outbox, rows
from data.store.collected import SqlCollection, require_count, require_unregistered
from data.store.failures import words
from data.store.schema import (
    ACT,
    APPLICATION,
    DOCUMENT,
    OUTBOX,
    SALT,
    SEASON,
    STANDING,
    TRANSITION,
    insert,
)
from fairalloc.collection import Collected
from fairalloc.errors import StateConflictError
from fairalloc.ledger import (
    ApplicationNo,
    ChainIdentity,
    LedgerCall,
    MinedCall,
    Record,
    SeasonNo,
    SignedCall,
    SiteNo,
    Submit,
    Transition,
)
from fairalloc.model import ApplicationId, SeasonInput
from fairalloc.ports import OutboxEntry, PastTransition, Registration, SeasonRecord, Stage, Standing
from fairalloc.reasons import Reason
from fairalloc.status import NO_STATUS, Status, is_legal

_FEW = 500
"""Applications that are asked for one by one rather than with all others; databases limit what a question names."""


class SqlStore:
    """A database that :func:`data.store.open_store` has opened."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def close(self) -> None:
        """Give up the connections."""
        self._engine.dispose()

    def find_season(self, season_id: str) -> SeasonRecord | None:
        """See :class:`fairalloc.ports.Store`."""
        found = self._read(select(SEASON).where(SEASON.c.season_id == season_id))
        return rows.record_of(found[0]) if found else None

    def seasons(self) -> Sequence[SeasonRecord]:
        """See :class:`fairalloc.ports.Store`."""
        return [rows.record_of(row) for row in self._read(select(SEASON).order_by(SEASON.c.season_no))]

    def next_season_no(self) -> SeasonNo:
        """See :class:`fairalloc.ports.Store`."""
        return SeasonNo(self._read(select((func.coalesce(func.max(SEASON.c.season_no), 0) + 1).label("n")))[0]["n"])

    def create_season(
        self,
        season_id: str,
        rules_text: str,
        season: SeasonInput,
        source_digest: bytes,
        registrations: Sequence[Registration],
        *,
        season_no: SeasonNo,
        calls: Sequence[LedgerCall],
        collected: int = 0,
    ) -> SeasonRecord:
        """See :class:`fairalloc.ports.Store`."""
        record = SeasonRecord(season_no, season_id, Stage.IMPORTED, rules_text, source_digest)
        by_id = {application.application_id: application for application in season.applications}
        submissions = [call for call in calls if isinstance(call, Submit)]
        seqs = [call.seq for call in submissions for _ in call.commitments]
        with self._write() as connection:
            require_count(connection, season_id, collected)
            head = {"season_id": season_id, "stage": Stage.IMPORTED.value, "rules_text": rules_text}
            insert(connection, SEASON, season_no, [{**head, "source_digest": source_digest}])
            inputs.put(connection, season_no, season)
            insert(
                connection,
                APPLICATION,
                season_no,
                (rows.application_row(by_id[r.application_id], r) for r in registrations),
            )
            numbers = [registration.application_no for registration in registrations]
            salts = ({"application_no": r.application_no, "salt": r.salt} for r in registrations)
            insert(connection, SALT, season_no, salts)
            received = {"status": int(Status.SUBMITTED), "reason": int(Reason.RECEIVED), "width": 0}
            insert(
                connection, STANDING, season_no, ({"application_no": n, "site_no": None, **received} for n in numbers)
            )
            steps = zip(numbers, seqs, strict=True)
            insert(
                connection,
                TRANSITION,
                season_no,
                ({"application_no": n, "seq": s, "site_no": 0, **received} for n, s in steps),
            )
            insert(connection, OUTBOX, season_no, map(rows.outbox_row, calls))
        return record

    @contextmanager
    def collecting(self, season_id: str) -> Iterator[SqlCollection]:
        """See :class:`fairalloc.ports.Store`.

        Raises:
            StateConflictError: when the season is registered.
        """
        with self._write() as connection:
            require_unregistered(connection, season_id)
            yield SqlCollection(connection, season_id)

    def collected(self, season_id: str) -> Sequence[Collected]:
        """See :class:`fairalloc.ports.Store`."""
        with self._connect() as connection:
            return SqlCollection(connection, season_id).versions()

    def load_input(self, season_no: SeasonNo) -> SeasonInput:
        """See :class:`fairalloc.ports.Store`."""
        with self._connect() as connection:
            return inputs.read(connection, season_no)

    def registrations(self, season_no: SeasonNo) -> Sequence[Registration]:
        """See :class:`fairalloc.ports.Store`."""
        same = (SALT.c.season_no == APPLICATION.c.season_no) & (SALT.c.application_no == APPLICATION.c.application_no)
        question = (
            select(APPLICATION.c.application_id, APPLICATION.c.application_no, SALT.c.salt, APPLICATION.c.commitment)
            .join(SALT, same, isouter=True)
            .where(APPLICATION.c.season_no == season_no)
            .order_by(APPLICATION.c.application_no)
        )
        return [
            Registration(
                ApplicationId(row["application_id"]),
                ApplicationNo(row["application_no"]),
                bytes(row["salt"] or b""),
                bytes(row["commitment"]),
            )
            for row in self._read(question)
        ]

    def advance(
        self,
        season_no: SeasonNo,
        stage: Stage,
        calls: Sequence[LedgerCall],
        documents: Mapping[str, bytes] | None = None,
    ) -> None:
        """See :class:`fairalloc.ports.Store`.

        Raises:
            StateConflictError: when another process was faster, or a transition is not legal; nothing is changed then.
        """
        with self._write() as connection:
            _go_on(connection, season_no, calls)
            _keep(connection, season_no, documents or {})
            connection.execute(SEASON.update().where(SEASON.c.season_no == season_no).values(stage=stage.value))

    def record_act(
        self,
        season_no: SeasonNo,
        number: int,
        statement: bytes,
        calls: Sequence[LedgerCall],
        documents: Mapping[str, bytes],
    ) -> None:
        """See :class:`fairalloc.ports.Store`.

        Raises:
            StateConflictError: when another process was faster, or a transition is not legal; nothing is changed then.
        """
        with self._write() as connection:
            _go_on(connection, season_no, calls)
            _keep(connection, season_no, documents)
            insert(connection, ACT, season_no, [{"number": number, "statement": statement}])

    def acts(self, season_no: SeasonNo) -> Sequence[bytes]:
        """See :class:`fairalloc.ports.Store`."""
        found = self._read(select(ACT.c.statement).where(ACT.c.season_no == season_no).order_by(ACT.c.number))
        return [bytes(row["statement"]) for row in found]

    def document(self, season_no: SeasonNo, name: str) -> bytes | None:
        """See :class:`fairalloc.ports.Store`."""
        found = self._read(select(DOCUMENT.c.content).where(DOCUMENT.c.season_no == season_no, DOCUMENT.c.name == name))
        return bytes(found[0]["content"]) if found else None

    def next_seq(self, season_no: SeasonNo) -> int:
        """See :class:`fairalloc.ports.Store`."""
        with self._connect() as connection:
            return outbox.next_seq(connection, season_no)

    def standings(self, season_no: SeasonNo) -> Sequence[Standing]:
        """See :class:`fairalloc.ports.Store`."""
        same = (STANDING.c.season_no == APPLICATION.c.season_no) & (
            STANDING.c.application_no == APPLICATION.c.application_no
        )
        question = (
            select(STANDING, APPLICATION.c.application_id)
            .join(APPLICATION, same)
            .where(STANDING.c.season_no == season_no)
            .order_by(STANDING.c.application_no)
        )
        return [
            Standing(
                ApplicationId(row["application_id"]),
                ApplicationNo(row["application_no"]),
                Status(row["status"]),
                Reason(row["reason"]),
                row["site_no"] or 0,
                row["width"],
            )
            for row in self._read(question)
        ]

    def history_of(self, season_no: SeasonNo, application_no: ApplicationNo) -> Sequence[PastTransition]:
        """See :class:`fairalloc.ports.Store`."""
        same = (OUTBOX.c.season_no == TRANSITION.c.season_no) & (OUTBOX.c.seq == TRANSITION.c.seq)
        question = (
            select(TRANSITION, OUTBOX.c.block_number, OUTBOX.c.tx_hash)
            .join(OUTBOX, same)
            .where(TRANSITION.c.season_no == season_no, TRANSITION.c.application_no == application_no)
            .order_by(TRANSITION.c.seq)
        )
        return [
            PastTransition(
                Transition(
                    application_no, Status(row["status"]), Reason(row["reason"]), SiteNo(row["site_no"]), row["width"]
                ),
                row["seq"],
                row["block_number"],
                row["tx_hash"],
            )
            for row in self._read(question)
        ]

    def outbox(self, season_no: SeasonNo, *, unmined_only: bool = True) -> Sequence[OutboxEntry]:
        """See :class:`fairalloc.ports.Store`."""
        with self._connect() as connection:
            return outbox.entries(connection, season_no, unmined_only=unmined_only)

    def mark_signed(self, signed: Sequence[SignedCall]) -> None:
        """See :class:`fairalloc.ports.Store`."""
        with self._write() as connection:
            outbox.add_versions(connection, signed)

    def mark_mined(self, mined: Sequence[MinedCall]) -> None:
        """See :class:`fairalloc.ports.Store`."""
        with self._write() as connection:
            outbox.set_places(connection, mined)

    def unmark_mined(self, season_no: SeasonNo, first_seq: int) -> None:
        """See :class:`fairalloc.ports.Store`."""
        with self._write() as connection:
            outbox.forget_places(connection, season_no, first_seq)

    def recut(self, season_no: SeasonNo, calls: Sequence[LedgerCall]) -> None:
        """See :class:`fairalloc.ports.Store`.

        Raises:
            StateConflictError: when one of the calls was signed meanwhile, or the calls are not those that were there.
        """
        with self._write() as connection:
            outbox.recut(connection, season_no, calls)

    def pin(self, season_no: SeasonNo, identity: ChainIdentity) -> None:
        """See :class:`fairalloc.ports.Store`."""
        with self._write() as connection:
            outbox.pin(connection, season_no, identity)

    def pinned(self, season_no: SeasonNo) -> ChainIdentity | None:
        """See :class:`fairalloc.ports.Store`."""
        with self._connect() as connection:
            found = outbox.pins(connection, season_no)
        return rows.identity_of(found[0]) if found else None

    def _read(self, question: Select[Any]) -> Sequence[RowMapping]:
        with self._connect() as connection:
            return connection.execute(question).mappings().all()

    @contextmanager
    def _connect(self) -> Iterator[Connection]:
        with words(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        with words(), self._engine.begin() as connection:
            yield connection


def _go_on(connection: Connection, season_no: int, calls: Sequence[LedgerCall]) -> None:
    """Put calls into the outbox, and their transitions into standings and history."""
    expected = outbox.next_seq(connection, season_no)
    if [call.seq for call in calls] != list(range(expected, expected + len(calls))):
        raise StateConflictError(
            "store.sequence", "another process has gone on with this season", "start the command again"
        )
    steps = [(call.seq, step) for call in calls if isinstance(call, Record) for step in call.transitions]
    _apply(connection, season_no, steps)
    insert(connection, OUTBOX, season_no, map(rows.outbox_row, calls))


def _keep(connection: Connection, season_no: int, documents: Mapping[str, bytes]) -> None:
    insert(connection, DOCUMENT, season_no, [{"name": name, "content": told} for name, told in documents.items()])


def _apply(connection: Connection, season_no: int, steps: Sequence[tuple[int, Transition]]) -> None:
    """Put transitions into standings and history, each checked against the status machine."""
    if not steps:
        return
    question = select(STANDING).where(STANDING.c.season_no == season_no)
    numbers = {step.application_no for _, step in steps}
    if len(numbers) <= _FEW:
        question = question.where(STANDING.c.application_no.in_(numbers))
    now = {row.application_no: (row.status, row.site_no, row.width) for row in connection.execute(question)}
    # Call by call: what one gives up, the next may give to others, and a site has one holder at every moment.
    for _, group in groupby(steps, key=lambda step: step[0]):
        changes = []
        for _, step in group:
            before, site_no, width = now.get(step.application_no, (NO_STATUS, 0, 0))
            if not is_legal(before, step.status):
                raise StateConflictError(
                    "store.illegal",
                    f"application {step.application_no} cannot go from status {before} to {step.status.name}",
                    "start the command again",
                )
            site_no, width = step.place_after(before, site_no or 0, width)
            now[step.application_no] = (int(step.status), site_no, width)
            new = {"new_status": int(step.status), "new_reason": int(step.reason)}
            changes.append(
                {"s": season_no, "n": step.application_no, **new, "new_site": site_no or None, "new_width": width}
            )
        connection.execute(_CHANGE, changes)
    insert(connection, TRANSITION, season_no, (rows.step_row(seq, step) for seq, step in steps))


_CHANGE = (
    STANDING.update()
    .where(STANDING.c.season_no == bindparam("s"), STANDING.c.application_no == bindparam("n"))
    .values(
        status=bindparam("new_status"),
        reason=bindparam("new_reason"),
        site_no=bindparam("new_site"),
        width=bindparam("new_width"),
    )
)
