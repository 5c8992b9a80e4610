"""The desk: requests wait in the order in which they came, and those that wait together are accepted together."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace

from fairalloc.errors import FairallocError
from fairalloc.instants import Instant
from fairalloc.logs import note
from fairalloc.rules import Rules
from fairalloc.services.collecting import Answer, Request, require_open

MOST_WAITING = 256
MOST_TOGETHER = 256
_LINGER = 0.02
"""Seconds for which the first of a group waits for others: a commit to the disk serves them all."""

_log = logging.getLogger(__name__)

Accept = Callable[[Sequence[Request]], Sequence[Answer]]


class BusyError(Exception):
    """Too many wait; come back later."""


class Desk:
    """Accepts requests from many threads by one thread of its own, from :meth:`open` to :meth:`close`.

    Args:
        rules: of the season.
        accept: accepts requests in one transaction, no two of them about one application or by one new applicant.
        clock: the time.
        most_waiting: how many may wait.
    """

    def __init__(
        self, rules: Rules, accept: Accept, clock: Callable[[], Instant], most_waiting: int = MOST_WAITING
    ) -> None:
        self._rules, self._accept, self._clock, self._most = rules, accept, clock, most_waiting
        self._waiting: deque[tuple[Request, Future[Answer]]] = deque()
        self._changed = threading.Condition()
        self._last = Instant(0)
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="desk", daemon=True)

    @classmethod
    def open(cls, rules: Rules, accept: Accept, clock: Callable[[], Instant], most_waiting: int = MOST_WAITING) -> Desk:
        """A desk at work."""
        desk = cls(rules, accept, clock, most_waiting)
        desk._thread.start()
        return desk

    @property
    def waiting(self) -> int:
        """How many wait now."""
        return len(self._waiting)

    def submit(self, request: Request, *, patient: bool = False) -> Future[Answer]:
        """Put a request at the end of the line; it is stamped with the moment, which never decreases.

        Args:
            request: what was handed in.
            patient: wait where too many wait already.

        Raises:
            BusyError: too many wait, or the desk closes.
            StateConflictError: the campaign has not opened yet, or has closed.
        """
        with self._changed:
            if patient:
                self._changed.wait_for(lambda: self._closing or len(self._waiting) < self._most)
            if self._closing or len(self._waiting) >= self._most:
                raise BusyError
            self._last = moment = max(self._last, self._clock())
            require_open(self._rules, moment)
            told = Future[Answer]()
            self._waiting.append((replace(request, received_at=moment), told))
            self._changed.notify_all()
        return told

    def close(self) -> None:
        """Take no more requests; those that wait are still answered."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()

    def _work(self) -> None:
        while group := self._next():
            self._serve(group)

    def _next(self) -> list[tuple[Request, Future[Answer]]]:
        """The next requests, in their order, as far as they can be accepted together."""
        group: list[tuple[Request, Future[Answer]]] = []
        applications: set[str] = set()
        applicants: set[str] = set()
        new: set[str] = set()
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            self._changed.wait_for(lambda: self._closing or len(self._waiting) >= MOST_TOGETHER, _LINGER)
            while self._waiting and len(group) < MOST_TOGETHER:
                request = self._waiting[0][0]
                who, is_new = request.applicant_id, request.applicant is not None
                if request.application_id in applications or who in new or (is_new and who in applicants):
                    break
                group.append(self._waiting.popleft())
                applications.add(request.application_id)
                applicants.add(who)
                if is_new:
                    new.add(who)
            self._changed.notify_all()
        return group

    def _serve(self, group: Sequence[tuple[Request, Future[Answer]]]) -> None:
        try:
            answers = self._accept([request for request, _ in group])
        except Exception as error:  # noqa: BLE001  whatever it is, those who wait must hear of it
            code = error.code if isinstance(error, FairallocError) else type(error).__name__
            note(_log, logging.ERROR, "intake.failed", code=code, requests=len(group))
            if len(group) > 1 and code == "store.conflict":
                # One of them is at fault, and the others shall not suffer for it.
                for one in group:
                    self._serve([one])
                return
            for _, told in group:
                told.set_exception(error)
            return
        fresh = sum(answer.fresh for answer in answers)
        note(_log, logging.INFO, "intake.accepted", requests=len(group), fresh=fresh)
        for (_, told), answer in zip(group, answers, strict=True):
            told.set_result(answer)
