"""Between the core's types and the rows of the tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import RowMapping

from fairalloc.instants import Instant
from fairalloc.ledger import (
    ChainIdentity,
    LedgerCall,
    MinedCall,
    SeasonNo,
    SignedCall,
    Transition,
    call_from_json,
    call_to_json,
)
from fairalloc.model import (
    Applicant,
    ApplicantId,
    Application,
    ApplicationId,
    CategoryId,
    Choice,
    Conduct,
    Earlier,
    Fair,
    FairId,
    Followed,
    Incumbent,
    PeriodId,
    Preallocation,
    Same,
    Site,
    SiteId,
)
from fairalloc.ports import OutboxEntry, Registration, SeasonRecord, Stage

Row = RowMapping


def fair_row(fair: Fair) -> dict[str, Any]:
    """A fair as a row."""
    names = ("fair_id", "name", "district", "area", "latitude", "longitude")
    return {name: getattr(fair, name) for name in names}


def fair_of(row: Row) -> Fair:
    """A fair from its row."""
    return Fair(FairId(row["fair_id"]), row["name"], row["district"], row["area"], row["latitude"], row["longitude"])


def site_row(site: Site) -> dict[str, Any]:
    """A site as a row."""
    return {
        "site_id": site.site_id,
        "fair_id": site.fair_id,
        "period": site.period,
        "row": site.row,
        "position": site.position,
        "number": site.number,
        "categories": _joined(site.categories),
        "features": _joined(site.features),
        "pool": site.pool,
        "closed": site.closed,
    }


def site_of(row: Row) -> Site:
    """A site from its row."""
    return Site(
        site_id=SiteId(row["site_id"]),
        fair_id=FairId(row["fair_id"]),
        period=PeriodId(row["period"]),
        row=row["row"],
        position=row["position"],
        number=row["number"],
        categories=frozenset(_split(row["categories"])),
        features=frozenset(_split(row["features"])),
        pool=row["pool"],
        closed=bool(row["closed"]),
    )


def applicant_row(applicant: Applicant) -> dict[str, Any]:
    """An applicant as a row."""
    names = ("applicant_id", "kind", "region", "owner_id", "first_season")
    return {name: getattr(applicant, name) for name in names}


def applicant_of(row: Row) -> Applicant:
    """An applicant from its row."""
    return Applicant(ApplicantId(row["applicant_id"]), row["kind"], row["region"], row["owner_id"], row["first_season"])


def application_row(application: Application, registration: Registration) -> dict[str, Any]:
    """An application and its registration as a row; the salt is kept elsewhere."""
    return {
        "application_no": registration.application_no,
        "application_id": application.application_id,
        "applicant_id": application.applicant_id,
        "period": application.period,
        "category": application.category,
        "product_group": application.group,
        "stalls_min": application.stalls_min,
        "stalls_max": application.stalls_max,
        "needs": _joined(application.needs),
        "choices": "|".join(map(str, application.choices)),
        "submitted_at": application.submitted_at,
        "registration_no": application.registration_no,
        "missing_documents": "|".join(application.missing_documents),
        "commitment": registration.commitment,
    }


def application_of(row: Row) -> Application:
    """An application from its row."""
    return Application(
        application_id=ApplicationId(row["application_id"]),
        applicant_id=ApplicantId(row["applicant_id"]),
        period=PeriodId(row["period"]),
        category=CategoryId(row["category"]),
        group=row["product_group"],
        stalls_min=row["stalls_min"],
        stalls_max=row["stalls_max"],
        needs=frozenset(_split(row["needs"])),
        choices=tuple(Choice.parse(choice) for choice in _split(row["choices"])),
        submitted_at=Instant(row["submitted_at"]),
        registration_no=row["registration_no"],
        missing_documents=_split(row["missing_documents"]),
    )


def incumbent_row(incumbent: Incumbent) -> dict[str, Any]:
    """An incumbent as a row."""
    return {"site_id": incumbent.site_id, "applicant_id": incumbent.applicant_id}


def incumbent_of(row: Row) -> Incumbent:
    """An incumbent from its row."""
    return Incumbent(SiteId(row["site_id"]), ApplicantId(row["applicant_id"]))


def preallocation_row(decision: Preallocation) -> dict[str, Any]:
    """A decision as a row."""
    return {name: getattr(decision, name) for name in ("site_id", "application_id", "reason", "actor")}


def preallocation_of(row: Row) -> Preallocation:
    """A decision from its row."""
    name = row["application_id"]
    return Preallocation(
        SiteId(row["site_id"]), None if name is None else ApplicationId(name), row["reason"], row["actor"]
    )


def earlier_row(given: Earlier) -> dict[str, Any]:
    """What an earlier campaign gave as a row."""
    return {name: getattr(given, name) for name in ("applicant_id", "period", "fair_id", "category", "stalls")}


def earlier_of(row: Row) -> Earlier:
    """What an earlier campaign gave from its row."""
    return Earlier(
        ApplicantId(row["applicant_id"]),
        PeriodId(row["period"]),
        FairId(row["fair_id"]),
        CategoryId(row["category"]),
        row["stalls"],
    )


def conduct_row(known: Conduct) -> dict[str, Any]:
    """What earlier campaigns know of an applicant as a row."""
    return {name: getattr(known, name) for name in ("applicant_id", "attended", "no_shows", "revocations")}


def conduct_of(row: Row) -> Conduct:
    """What earlier campaigns know of an applicant from its row."""
    return Conduct(ApplicantId(row["applicant_id"]), row["attended"], row["no_shows"], row["revocations"])


def same_row(one: Same) -> dict[str, Any]:
    """Who an applicant was in an earlier campaign, as a row."""
    return {name: getattr(one, name) for name in ("applicant_id", "campaign", "published_id")}


def same_of(row: Row) -> Same:
    """Who an applicant was in an earlier campaign, from its row."""
    return Same(ApplicantId(row["applicant_id"]), row["campaign"], row["published_id"])


def followed_row(one: Followed) -> dict[str, Any]:
    """An earlier campaign as a row."""
    return {"campaign": one.campaign, "calls": one.calls}


def followed_of(row: Row) -> Followed:
    """An earlier campaign from its row."""
    return Followed(row["campaign"], row["calls"])


def record_of(row: Row) -> SeasonRecord:
    """A season's record from its row."""
    return SeasonRecord(
        SeasonNo(row["season_no"]),
        row["season_id"],
        Stage(row["stage"]),
        row["rules_text"],
        bytes(row["source_digest"]),
    )


def outbox_row(call: LedgerCall) -> dict[str, Any]:
    """A call that waits to be published, as a row."""
    return {"seq": call.seq, "call": call_to_json(call)}


def step_row(seq: int, step: Transition) -> dict[str, Any]:
    """A transition as a line of the history, with the call that carries it."""
    return {
        "application_no": step.application_no,
        "seq": seq,
        "status": int(step.status),
        "reason": int(step.reason),
        "site_no": step.site_no,
        "width": step.width,
    }


def entry_of(row: Row, signings: Iterable[Row]) -> OutboxEntry:
    """A call from its row, with all that was signed of it and where it was mined."""
    call = call_from_json(row["call"])
    where = (call.season_no, call.seq)
    versions = tuple(SignedCall(*where, bytes(s["raw"]), bytes(s["tx_hash"]), s["nonce"]) for s in signings)
    mined = None
    if row["block_number"] is not None:
        mined = MinedCall(*where, bytes(row["tx_hash"]), row["block_number"], bytes(row["block_hash"]), row["gas_used"])
    return OutboxEntry(call, versions, mined)


def pin_row(identity: ChainIdentity) -> dict[str, Any]:
    """A chain and contract as a row."""
    return {name: getattr(identity, name) for name in ("chain_id", "genesis_hash", "contract", "code_hash")}


def identity_of(row: Row) -> ChainIdentity:
    """The chain and contract of a season from their row; which node answered does not matter."""
    return ChainIdentity(row["chain_id"], row["genesis_hash"], row["contract"], row["code_hash"], "")


def _joined(values: frozenset[str]) -> str:
    return "|".join(sorted(values))


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.split("|")) if text else ()
