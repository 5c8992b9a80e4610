"""Applications as they come in before a campaign closes: every version kept, in the order of its acceptance.

Invariants:
- versions are numbered 1, 2, 3 ... for a season in the order in which they were accepted, and no moment of receipt lies
  before that of the version in front of it;
- a version is never changed: an amendment is another version that names the one it replaces, and each is replaced once;
- what counts is each application's last version that was received before the campaign closed;
- all versions of an applicant's applications that are the last ones say the same of the applicant;
- handing in the same again changes nothing.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from fairalloc.canonical import sha256
from fairalloc.commitment import SALT_BYTES, application_record, commitment
from fairalloc.instants import Instant, format_instant, parse_instant
from fairalloc.merkle import merkle_root
from fairalloc.model import Applicant, ApplicantId, Application, ApplicationId
from fairalloc.rules import Rules
from fairalloc.rules.model import PriorityKey

FACTS = ("kind", "region", "owner_id", "first_season")
"""What a record says of its applicant."""
_TIMES = ("submitted_at", "registration_no")


class Source(StrEnum):
    """By which way a version came in."""

    INTAKE = "intake"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class Collected:
    """A version of an application that was accepted.

    Attributes:
        arrival_no: its place in the order of acceptance, from 1.
        application_id: the city's id of the application.
        version: from 1 for each application.
        amends: the version that it replaces, by its arrival number.
        received_at: when it was received.
        source: by which way.
        record: the canonical bytes under the commitment, see :mod:`fairalloc.commitment`.
        salt: the secret half of the commitment.
        commitment: what binds the city to the record.
        rules_hash: SHA-256 of the season.toml under which it was accepted.
        request: what a repetition is known by; empty where only its content tells.
        seal: the registrar's signature with what leads to it, where it was acknowledged, see
            :mod:`fairalloc.receipt.acknowledgement`.
    """

    arrival_no: int
    application_id: ApplicationId
    version: int
    amends: int | None
    received_at: Instant
    source: Source
    record: bytes
    salt: bytes
    commitment: bytes
    rules_hash: bytes
    request: bytes = b""
    seal: bytes = b""

    def fields(self) -> dict[str, Any]:
        """What the record says, by name."""
        told: dict[str, Any] = json.loads(self.record)
        return told

    @property
    def intact(self) -> bool:
        """Whether record and salt still give the commitment."""
        return len(self.salt) == SALT_BYTES and commitment(self.salt, self.record) == self.commitment


@dataclass(frozen=True, slots=True)
class HandedIn:
    """An application as somebody handed it in, checked by itself; ``line`` is where it stands in its file.

    At the intake, time and registration number are not the applicant's to say: they are assigned.
    """

    application: Application
    applicant: Applicant
    line: int = 0
    request: bytes = b""
    received_at: Instant | None = None

    @property
    def record(self) -> bytes:
        """Its canonical bytes."""
        return application_record(self.application, self.applicant)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something that is right by itself cannot stand beside what was collected before."""

    handed: HandedIn
    column: str
    value: str
    code: str
    message: str
    remedy: str


Settled = Collected | Refusal


@dataclass(frozen=True, slots=True)
class Terms:
    """Under what versions are accepted: rules, the digest of their text, the way, and where salts come from."""

    rules: Rules
    rules_hash: bytes
    source: Source
    entropy: Callable[[int], bytes]


class Shelf:
    """What was collected before, as far as it matters for what is handed in now."""

    def __init__(self, versions: Iterable[Collected]) -> None:
        self.latest: dict[ApplicationId, Collected] = {}
        self._by_request: dict[bytes, Collected] = {}
        for version in versions:
            known = self.latest.get(version.application_id)
            if known is None or version.version > known.version:
                self.latest[version.application_id] = version
            if version.request:
                self._by_request[version.request] = version
        self._fields = {name: version.fields() for name, version in self.latest.items()}
        self._of_applicant: dict[str, set[ApplicationId]] = defaultdict(set)
        for name, fields in self._fields.items():
            self._of_applicant[fields["applicant_id"]].add(name)

    def applicants(self) -> dict[ApplicantId, Applicant]:
        """Those whose applications were collected."""
        return {ApplicantId(fields["applicant_id"]): applicant_in(fields) for fields in self._fields.values()}

    def known(self, handed: HandedIn) -> Collected | None:
        """The version that this repeats, if it was collected already."""
        for found in (self._by_request.get(handed.request), self.latest.get(handed.application.application_id)):
            if found is not None and _content(found.fields()) == _content(json.loads(handed.record)):
                return found
        return None

    def problem(self, handed: HandedIn, beside: Mapping[ApplicationId, Applicant]) -> Refusal | None:
        """Why a version cannot be accepted.

        Args:
            handed: what is handed in.
            beside: the applicants of all applications that are handed in together with it.
        """
        application, who = handed.application, handed.applicant
        if handed.request in self._by_request:
            message = "repeats a key under which something else was handed in"
            return Refusal(handed, "", "", "key-reused", message, "give every application and amendment its own key")
        if application.application_id in self.latest:
            before = self._fields[application.application_id]["applicant_id"]
            if before != who.applicant_id:
                message, remedy = "did not hand in the application that this amends", "give it an id of its own"
                return Refusal(handed, "applicant_id", who.applicant_id, "other-applicant", message, remedy)
        for name in self._of_applicant.get(who.applicant_id, ()):
            if (beside[name] if name in beside else applicant_in(self._fields[name])) != who:
                message = "was collected with another kind, region, owner or first season"
                remedy = "mend them, or hand in all applications of the applicant anew"
                return Refusal(handed, "applicant_id", who.applicant_id, "other-facts", message, remedy)
        return None

    def place(self, handed: HandedIn, terms: Terms, arrival_no: int, received_at: Instant) -> Application:
        """The application with the time and registration number by which the rules rank it."""
        given = handed.application
        from_file = terms.source is Source.FILE
        new = replace(given, submitted_at=received_at, registration_no=arrival_no)
        if given.application_id not in self.latest:
            return given if from_file else new
        before = self._fields[given.application_id]
        since = parse_instant(before["submitted_at"])
        if terms.rules.amendments_keep or _but_documents(before) == _but_documents(json.loads(handed.record)):
            return replace(given, submitted_at=since, registration_no=int(before["registration_no"]))
        return given if from_file and given.submitted_at > since else new


def settle(
    shelf: Shelf, handed: Sequence[HandedIn], terms: Terms, last: int, received_at: Instant
) -> Iterator[tuple[HandedIn, Settled]]:
    """What becomes of applications that are handed in together, each id once: a version, a known one, or a refusal.

    Args:
        shelf: what was collected before.
        handed: in the order of their arrival.
        terms: under what.
        last: the last arrival number that was given.
        received_at: when, where they do not say; never before the last version's.
    """
    beside = {one.application.application_id: one.applicant for one in handed}
    for one in handed:
        moment = max(received_at, one.received_at or received_at)
        application = one.application
        if (known := shelf.known(one)) is not None:
            yield one, known
        elif (problem := shelf.problem(one, beside)) is not None:
            yield one, problem
        elif moment >= terms.rules.campaign.closes:
            message = "was not received before the campaign closed"
            yield one, Refusal(one, "", "", "closed", message, "the campaign takes no more applications")
        elif terms.source is Source.FILE and application.submitted_at > moment:
            value, message = format_instant(application.submitted_at), "lies after the moment of its collection"
            yield one, Refusal(one, "submitted_at", value, "future", message, "mend the time, or the clock")
        else:
            last, received_at = last + 1, moment
            before = shelf.latest.get(application.application_id)
            record = application_record(shelf.place(one, terms, last, moment), one.applicant)
            salt = terms.entropy(SALT_BYTES)
            yield (
                one,
                Collected(
                    arrival_no=last,
                    application_id=application.application_id,
                    version=1 if before is None else before.version + 1,
                    amends=None if before is None else before.arrival_no,
                    received_at=moment,
                    source=terms.source,
                    record=record,
                    salt=salt,
                    commitment=commitment(salt, record),
                    rules_hash=terms.rules_hash,
                    request=one.request,
                ),
            )


def applicant_in(fields: Mapping[str, Any]) -> Applicant:
    """The applicant that a record tells of."""
    return Applicant(ApplicantId(fields["applicant_id"]), *(fields[name] for name in FACTS))


def row_request(record: bytes) -> bytes:
    """What a row of a file is known by when the file is collected again."""
    return sha256(b"row\0" + record)


def key_request(key: str) -> bytes:
    """What an idempotency key is known by."""
    return sha256(b"key\0" + key.encode())


def counting(versions: Iterable[Collected], closes: Instant) -> list[Collected]:
    """The versions that count, in the order of arrival: of each application the last one received before closing."""
    last = {version.application_id: version for version in versions if version.received_at < closes}
    return sorted(last.values(), key=lambda version: version.arrival_no)


def collected_root(commitments: Iterable[bytes]) -> bytes:
    """What goes on chain: the RFC 6962 root over the commitments of all versions ever collected, in their order."""
    return merkle_root(list(commitments))


@dataclass(frozen=True, slots=True)
class Ties:
    """How many applications share their moment with others, at how many moments, and what orders those."""

    applications: int
    moments: int
    most: int
    ordered_by: tuple[str, ...]


def ties(rules: Rules, moments: Collection[Instant]) -> Ties:
    """Who came in the same instant, and by which keys of the rules they are ordered.

    Args:
        rules: of the season.
        moments: when each application came in, as it counts.
    """
    shared = [count for count in Counter(moments).values() if count > 1]
    keys = [key.value for key in rules.priority.keys if key is not PriorityKey.SUBMITTED_AT]
    return Ties(sum(shared), len(shared), max(shared, default=0), (*keys, "lottery"))


def _content(fields: Mapping[str, Any]) -> dict[str, Any]:
    """A record without time and registration number."""
    return {name: value for name, value in fields.items() if name not in _TIMES}


def _but_documents(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in _content(fields).items() if name != "documents"}
