"""Collecting: applications are accepted before a campaign closes, from files and at the intake, and then counted.

Everything that is accepted together is one transaction; nobody is told of an acceptance before it has ended.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from fairalloc.collection import (
    Collected,
    HandedIn,
    Refusal,
    Settled,
    Shelf,
    Source,
    Terms,
    collected_root,
    counting,
    settle,
    ties,
)
from fairalloc.errors import Defect, InvalidDataError, StateConflictError, VerificationFailedError
from fairalloc.instants import Instant, format_instant, parse_instant
from fairalloc.logs import note
from fairalloc.model import Applicant, ApplicantId
from fairalloc.ports import Store, Wanted
from fairalloc.receipt.acknowledgement import Sign, acknowledgement, seal
from fairalloc.rules import Rules

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody hands in at the intake, as text.

    Attributes:
        application: its columns of applications.csv, those that the intake assigns left out.
        applicant: the columns of applicants.csv, where the applicant is new.
        received_at: when it came.
        request: what a repetition is known by; empty where no key was given.
    """

    application: Mapping[str, str]
    applicant: Mapping[str, str] | None
    received_at: Instant
    request: bytes = b""

    @property
    def application_id(self) -> str:
        """The city's id of the application."""
        return self.application["application_id"]

    @property
    def applicant_id(self) -> str:
        """Who applies."""
        return self.application["applicant_id"]


class CheckRequests(Protocol):
    """Holds requests against rules and places, each by itself, as an import does."""

    def __call__(
        self, requests: Sequence[Request], known: Mapping[ApplicantId, Applicant]
    ) -> Sequence[HandedIn | Sequence[Defect]]:
        """What was handed in, or what is wrong with it, request by request.

        Args:
            requests: no two of them about one application, or by one new applicant.
            known: who applied before, besides the season's own applicants.
        """


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said to a request: an acknowledgement, new or known already, or what is wrong."""

    acknowledgement: Mapping[str, object] | None = None
    fresh: bool = False
    defects: Sequence[Defect] = ()

    @property
    def closed(self) -> bool:
        """Whether it came too late."""
        return any(defect.code == "collect.closed" for defect in self.defects)


@dataclass(frozen=True, slots=True)
class Intake:
    """Accepts what is handed in at the intake of one season."""

    store: Store
    season_id: str
    terms: Terms
    check: CheckRequests
    sign: Sign

    def accept(self, requests: Sequence[Request]) -> list[Answer]:
        """Accept requests in one transaction, no two of them about one application or by one new applicant."""
        with self.store.collecting(self.season_id) as collection:
            last, since = collection.last
            shelf = Shelf(collection.versions(_wanted(requests)))
            checked = list(self.check(requests, shelf.applicants()))
            good = [one for one in checked if isinstance(one, HandedIn)]
            found = [what for _, what in settle(shelf, good, self.terms, last, since)]
            # What was collected from a file has no seal until somebody asks for it here.
            unsealed = [what for what in found if isinstance(what, Collected) and not what.seal]
            sealed = {version.arrival_no: version for version in seal(self.season_id, unsealed, self.sign)}
            collection.add([version for number, version in sorted(sealed.items()) if number > last])
        answers = iter([self._answer(what, sealed, last) for what in found])
        return [next(answers) if isinstance(one, HandedIn) else Answer(defects=one) for one in checked]

    def _answer(self, what: Settled, sealed: Mapping[int, Collected], last: int) -> Answer:
        if isinstance(what, Refusal):
            return Answer(defects=[defect_of(what, "application")])
        version = sealed.get(what.arrival_no, what)
        return Answer(acknowledgement(self.season_id, version), fresh=version.arrival_no > last)


@dataclass(frozen=True, slots=True)
class Gathered:
    """What came of collecting a file."""

    new: int
    amended: int
    known: int
    refused: Sequence[Refusal] = field(default=())


def collect(
    store: Store,
    season_id: str,
    handed: Sequence[HandedIn],
    terms: Terms,
    at: Instant,
    *,
    file: str = "applications.csv",
    leave_out: bool = False,
    dry_run: bool = False,
) -> Gathered:
    """Collect the rows of a file in one transaction: all of them or none.

    Args:
        store: the database.
        season_id: of the season.
        handed: the rows, each id once.
        terms: under what.
        at: when.
        file: its name, for whoever reads what is wrong with it.
        leave_out: leave out what cannot stand beside what was collected before.
        dry_run: keep nothing.

    Raises:
        StateConflictError: when the campaign has closed, the season is registered, or ``at`` lies before the last
            receipt.
        InvalidDataError: when rows are refused that may not be left out; nothing is stored then.
    """
    _require_open(terms.rules, at)
    refused: list[Refusal] = []
    with store.collecting(season_id) as collection:
        last, since = collection.last
        if at < since:
            raise StateConflictError(
                "collect.clock",
                f"the last application was received at {format_instant(since)}, this is said to come before that",
                "check --at, or the clock of this machine",
            )
        shelf = Shelf(collection.versions())
        while True:  # what is left out may be what others of its applicant were to agree with
            found = list(settle(shelf, handed, terms, last, at))
            wrong = [what for _, what in found if isinstance(what, Refusal)]
            refused += wrong
            if not wrong:
                break
            left_out = {refusal.handed.application.application_id for refusal in wrong}
            handed = [one for one in handed if one.application.application_id not in left_out]
        if refused and not leave_out:
            raise InvalidDataError([defect_of(refusal, file) for refusal in refused])
        fresh = [what for _, what in found if isinstance(what, Collected) and what.arrival_no > last]
        if not dry_run:
            collection.add(fresh)
    amended = sum(version.amends is not None for version in fresh)
    counts = {"new": len(fresh) - amended, "amended": amended}
    note(_log, logging.INFO, "season.collected", **counts, refused=len(refused), kept=not dry_run)
    return Gathered(**counts, known=len(found) - len(fresh), refused=refused)


def defect_of(refusal: Refusal, file: str) -> Defect:
    """A refusal as a defect of a file."""
    code = f"collect.{refusal.code}"
    return Defect(file, refusal.handed.line, refusal.column, refusal.value[:60], code, refusal.message, refusal.remedy)


def what_counts(rules: Rules, versions: Sequence[Collected], now: Instant, *, before_closing: bool) -> list[Collected]:
    """The versions that a season is registered with.

    Raises:
        StateConflictError: when the campaign has not closed yet.
        VerificationFailedError: when a record or salt in the database is not the one that was acknowledged.
    """
    closes = rules.campaign.closes
    if now < closes and not before_closing:
        raise StateConflictError(
            "collect.open",
            f"the campaign of season {rules.season.id} takes applications until {format_instant(closes)}",
            "wait until it has closed, or rehearse with --before-closing in another --state",
        )
    found = counting(versions, closes)
    # An erased salt is no alteration: without it the link to the person is gone, as it should be.
    altered = [
        f"arrival {one.arrival_no}: record and salt do not give its commitment"
        for one in found
        if one.salt and not one.intact
    ]
    if altered:
        raise VerificationFailedError(
            "collect.altered", altered, "the database was altered: restore the latest backup, and compare the receipts"
        )
    return found


def collection_facts(rules: Rules, rules_hash: bytes, versions: Sequence[Collected]) -> dict[str, object]:
    """What there is to be said of a collection: how much, by which way, and who came in the same instant."""
    if not versions:
        return {"applications collected": 0}
    found = counting(versions, rules.campaign.closes)
    moments = [parse_instant(version.fields()["submitted_at"]) for version in found]
    tied = ties(rules, moments)
    by_way = Counter(version.source.value for version in versions)
    return {
        "applications collected": len(found),
        "versions kept": len(versions),
        "amendments": sum(version.amends is not None for version in versions),
        "by way": ", ".join(f"{name} {count:,}" for name, count in sorted(by_way.items())),
        "first received": format_instant(versions[0].received_at),
        "last received": format_instant(versions[-1].received_at),
        "too late to count": sum(version.received_at >= rules.campaign.closes for version in versions),
        "accepted under other rules": sum(version.rules_hash != rules_hash for version in versions),
        "root of all versions": collected_root(version.commitment for version in versions).hex(),
        "share their instant": tied.applications,
        "instants shared": tied.moments,
        "most in one instant": tied.most,
        "ordered there by": ", ".join(tied.ordered_by),
    }


def require_open(rules: Rules, at: Instant) -> None:
    """Refuse what comes outside of the campaign's time.

    Raises:
        StateConflictError: when it has not opened yet, or has closed.
    """
    if at < rules.campaign.opens:
        raise StateConflictError(
            "collect.early",
            f"the campaign of season {rules.season.id} opens at {format_instant(rules.campaign.opens)}",
            "hand it in from then on",
        )
    _require_open(rules, at)


def _require_open(rules: Rules, at: Instant) -> None:
    if at >= rules.campaign.closes:
        raise StateConflictError(
            "collect.closed",
            f"the campaign of season {rules.season.id} closed at {format_instant(rules.campaign.closes)}",
            "only what was received before counts; go on with `fairalloc import`, `run` or `allocate`",
        )


def file_terms(rules: Rules, rules_hash: bytes, entropy: Callable[[int], bytes]) -> Terms:
    """Under what a file is collected."""
    return Terms(rules, rules_hash, Source.FILE, entropy)


def _wanted(requests: Sequence[Request]) -> Wanted:
    """Which versions matter; PostgreSQL cannot even be asked for a text with a NUL in it, which is never accepted."""
    return Wanted(
        [one.application_id for one in requests if "\0" not in one.application_id],
        [one.applicant_id for one in requests if "\0" not in one.applicant_id],
        [one.request for one in requests if one.request],
    )
