"""Intake: a season's files become a season in the store, every application registered for the chain."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice

from fairalloc.collection import Collected, collected_root, counting
from fairalloc.commitment import SALT_BYTES, application_records, commitment
from fairalloc.errors import StateConflictError
from fairalloc.ledger import BATCH_SIZE, ApplicationNo, Commit, LedgerCall, OpenSeason, SeasonNo, Submit, Topic
from fairalloc.logs import note
from fairalloc.merkle import merkle_root
from fairalloc.model import Application, ApplicationId, SeasonInput, Site
from fairalloc.numbering import number_applications, submission_order
from fairalloc.ports import Registration, SeasonRecord, Store
from fairalloc.rules import Rules

_log = logging.getLogger(__name__)

Entropy = Callable[[int], bytes]
"""Gives that many unguessable bytes; ``os.urandom`` outside of tests."""


def import_season(
    store: Store,
    rules: Rules,
    rules_text: str,
    season: SeasonInput,
    entropy: Entropy,
    collected: Sequence[Collected] = (),
) -> SeasonRecord:
    """Store a season and queue its registration; importing the very same season again changes nothing.

    Args:
        store: the database.
        rules: of the season.
        rules_text: their text.
        season: the input.
        entropy: where the salts come from.
        collected: all versions of applications that were collected; those that count keep their salts.

    Raises:
        StateConflictError: when a different season of that id is already there, or its applications are not those
            that were collected.
    """
    known_records = application_records(season)
    ordered = sorted(season.applications, key=submission_order)
    records = [known_records[application.application_id] for application in ordered]
    root = collected_root(version.commitment for version in collected) if collected else None
    digest = _source_digest(rules_text, season, records, root)
    known = store.find_season(rules.season.id)
    if known is not None:
        if known.source_digest != digest:
            raise StateConflictError(
                "season.changed",
                f"season {rules.season.id} is already registered with other data",
                "a registered season cannot be changed; give the new one another id in season.toml, or another --state",
            )
        return known
    numbers = number_applications(season.applications)
    salts = _salts(known_records, counting(collected, rules.campaign.closes)) if collected else {}
    registrations = [
        _register(
            application,
            numbers[application.application_id],
            record,
            salts.get(application.application_id) or entropy(SALT_BYTES),
        )
        for application, record in zip(ordered, records, strict=True)
    ]
    season_no = store.next_season_no()
    rules_digest = hashlib.sha256(rules_text.encode()).digest()
    calls = tuple(_registration_calls(season_no, rules_digest, len(season.sites), registrations, root))
    record = store.create_season(
        rules.season.id,
        rules_text,
        season,
        digest,
        registrations,
        season_no=season_no,
        calls=calls,
        collected=len(collected),
    )
    counts = {"applications": len(registrations), "sites": len(season.sites), "calls": len(calls)}
    note(_log, logging.INFO, "season.imported", season_no=season_no, **counts)
    return record


def _salts(records: Mapping[ApplicationId, bytes], counted: Sequence[Collected]) -> dict[ApplicationId, bytes]:
    """The salts under which applications were acknowledged, so that the same commitments go on chain.

    Raises:
        StateConflictError: when what is registered is not, word for word, what was collected.
    """
    collected = {version.application_id: version for version in counted}
    if {name: version.record for name, version in collected.items()} != records:
        raise StateConflictError(
            "collect.other-records",
            "the season's applications are not those that were collected",
            "register it from its folder, with the files that it was collected with",
        )
    if erased := [version.arrival_no for version in counted if not version.salt]:
        raise StateConflictError(
            "collect.erased",
            f"the salt of arrival {erased[0]} was erased: the application cannot be registered as acknowledged",
            "erase a person's salts only once their season is registered",
        )
    return {name: version.salt for name, version in collected.items()}


def _register(application: Application, number: ApplicationNo, record: bytes, salt: bytes) -> Registration:
    return Registration(application.application_id, number, salt, commitment(salt, record))


def _registration_calls(
    season_no: SeasonNo,
    rules_digest: bytes,
    site_count: int,
    registrations: Sequence[Registration],
    collected: bytes | None,
) -> Iterator[LedgerCall]:
    """Open, register everybody, and close the register by its root: from then on nobody can be put in or left out.

    The root of what was collected follows, where anything was.
    """
    yield OpenSeason(season_no, rules_digest, site_count)
    rest = iter(registrations)
    seq = 1
    while batch := tuple(registration.commitment for registration in islice(rest, BATCH_SIZE)):
        yield Submit(season_no, seq, batch)
        seq += 1
    yield Commit(season_no, seq, Topic.REGISTER, merkle_root([one.commitment for one in registrations]))
    if collected is not None:
        yield Commit(season_no, seq + 1, Topic.COLLECTED, collected)


def _source_digest(rules_text: str, season: SeasonInput, records: Iterable[bytes], collected: bytes | None) -> bytes:
    """SHA-256 over everything that was handed in, each part with its length, so that no two inputs run together."""
    digest = hashlib.sha256()
    parts: Iterable[bytes] = (
        rules_text.encode(),
        repr(season.fairs).encode(),
        repr([_plain(site) for site in season.sites]).encode(),
        repr(season.applicants).encode(),
        repr(season.incumbents).encode(),
        *records,
        # What may be left out has no part where it is, so that a season without it keeps its digest.
        *(b"preallocations" + repr(decision).encode() for decision in season.preallocations),
        *(b"earlier" + repr(given).encode() for given in season.earlier),
        *(b"conduct" + repr(known).encode() for known in season.conduct),
        *(b"same" + repr(one).encode() for one in season.same),
        *(b"follows" + repr(one).encode() for one in season.followed),
        *(() if collected is None else (b"collected" + collected,)),
    )
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.digest()


def _plain(site: Site) -> tuple[object, ...]:
    """A site's fields with its sets sorted, so that their text does not depend on hashing."""
    return (
        site.site_id,
        site.fair_id,
        site.period,
        site.row,
        site.position,
        site.number,
        sorted(site.categories),
        sorted(site.features),
        site.pool,
        site.closed,
    )
