"""The rounds of the waiting list, held anew from the published files: the right round, rightly solved, in time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from fairalloc.acts import CLOCK, Act, State
from fairalloc.afterwards.rounds import Round, WaitingLists, round_files, waves_of
from fairalloc.bundle.published import Published
from fairalloc.canonical import csv_rows, sha256
from fairalloc.findings import Finding
from fairalloc.instants import Instant, format_instant
from fairalloc.ports import CheckFiles

OUTCOME, CERTIFICATE = "outcome.csv", "certificate.json"


class RoundAudit:
    """What has to be known of a season to judge its rounds, and when they were held.

    Args:
        book: the bundle's contents.
        files: the bundle.
        seed: of the season's lottery.
        check: the independent checker.
    """

    def __init__(self, book: Published, files: Mapping[str, bytes], seed: bytes, check: CheckFiles) -> None:
        self._book, self._files, self._seed, self._check = book, files, seed, check
        self._lists = WaitingLists(book, files["season.toml"].decode())
        self._timetable = book.rules.timetable()
        self._held: dict[str, Instant] = {}

    def findings(self, act: Act, place: str, states: Mapping[int, State]) -> Iterator[Finding]:
        """What is wrong with a round, from where everybody stood before it."""
        about, names = Round.of(act), round_files(act.number)
        for period in about.periods:
            if act.at >= self._timetable.openings[period]:
                yield Finding("round.time", place, f"act {act.number} is a round for {period} after its fairs opened")
            self._held[period] = act.at
        wanted = "rules" if self._book.rules.offers is None else self._book.rules.offers.order
        if act.actor == CLOCK and about.order != wanted:
            yield Finding("round.order", place, f"act {act.number} goes by {about.order}, the rules say {wanted}")
        told = {name: sha256(self._files[name]).hex() for name in names if name in self._files}
        if told != act.details["files"] or len(told) != len(names):
            yield Finding(
                "round.files", place, f"act {act.number}: {' and '.join(names)} are not those it was held with"
            )
            return
        posed = self._lists.pose(about, states)
        outcome, certificate = (self._files[name] for name in names)
        verdict = self._check({**posed.files, OUTCOME: outcome, CERTIFICATE: certificate})
        yield from (Finding("round.refuted", names[1], f"act {act.number}: {words}") for words in verdict.findings)
        rows = csv_rows(outcome)
        positions = {str(c.application_no): c.position for c in posed.request(self._seed).candidates}
        stated = {str(int(row["application_id"][1:])): int(row["queue_position"]) for row in rows}
        if stated != positions:
            yield Finding("round.queue", names[0], f"act {act.number}: its queue is not the one that the lottery gives")
        if act.waves != waves_of(rows, self._book.site_numbers):
            yield Finding("round.transitions", place, f"act {act.number} gives other sites than {names[0]} says")

    def ended(self, place: str, periods: Iterable[str]) -> Iterator[Finding]:
        """What is wrong where waiting lists end: the last round that the rules name was held, or a later one."""
        for period in periods:
            rounds = self._timetable.rounds(period)
            if rounds and self._held.get(period, Instant(0)) < rounds[-1]:
                words = f"the list for {period} ended without the round of {format_instant(rounds[-1])}"
                yield Finding("round.missing", place, words)
