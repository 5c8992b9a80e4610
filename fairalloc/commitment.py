"""An application's commitment: what stands on chain for it from the moment of its registration.

``SHA-256(salt || RFC 8785 JSON of the record)`` with 32 random bytes of salt. Without the salt it says nothing about
the applicant; deleting the salt erases the link for good. SHA-256 rather than the chain's Keccak, so that a receipt
can be checked with any tool: the contract only stores the digest and never recomputes it.
"""

from __future__ import annotations

from fairalloc.canonical import record_bytes, sha256
from fairalloc.instants import format_instant
from fairalloc.model import Applicant, Application, ApplicationId, SeasonInput

SALT_BYTES = 32


def application_record(application: Application, applicant: Applicant) -> bytes:
    """The canonical bytes of an application as it was handed in, the applicant's facts that the rules use included."""
    return record_bytes(
        {
            "application_id": application.application_id,
            "applicant_id": application.applicant_id,
            "kind": applicant.kind,
            "region": applicant.region,
            "owner_id": applicant.owner_id,
            "first_season": applicant.first_season,
            "period": application.period,
            "category": application.category,
            "group": application.group,
            "stalls_min": application.stalls_min,
            "stalls_max": application.stalls_max,
            "needs": sorted(application.needs),
            "choices": [str(choice) for choice in application.choices],
            "submitted_at": format_instant(application.submitted_at),
            "registration_no": str(application.registration_no),
            "documents": list(application.missing_documents),
        }
    )


def application_records(season: SeasonInput) -> dict[ApplicationId, bytes]:
    """The record of every application of a season."""
    applicants = {applicant.applicant_id: applicant for applicant in season.applicants}
    return {
        application.application_id: application_record(application, applicants[application.applicant_id])
        for application in season.applications
    }


def commitment(salt: bytes, record: bytes) -> bytes:
    """The 32-byte commitment to a record.

    Raises:
        ValueError: when the salt has not 32 bytes.
    """
    if len(salt) != SALT_BYTES:
        raise ValueError(f"a salt has {SALT_BYTES} bytes")
    return sha256(salt + record)
