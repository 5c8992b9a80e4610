"""The audit: does what the city published agree with itself, with its own rules, with the chain and with the database?

Three depths, each of them on top of the one before: the bundle alone, the chain's history, the database's standings.
Every function here is a plain function of what it is given; each finding names the place and both values.
"""

from fairalloc.audit.bundle import EXCHANGED, NOT_PROVEN, REFUSALS, audit_allocation, audit_bundle, audit_files
from fairalloc.audit.campaigns import audit_campaigns, to_replay
from fairalloc.audit.chain import audit_chain, audit_database, recorded_at
from fairalloc.audit.register import audit_stored_register
from fairalloc.audit.verdict import Audit

__all__ = [
    "EXCHANGED",
    "NOT_PROVEN",
    "REFUSALS",
    "Audit",
    "audit_allocation",
    "audit_bundle",
    "audit_campaigns",
    "audit_chain",
    "audit_database",
    "audit_files",
    "audit_stored_register",
    "recorded_at",
    "to_replay",
]
