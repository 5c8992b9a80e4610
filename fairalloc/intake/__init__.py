"""The intake: applications come in one at a time or in bursts, and each is answered once it is safely kept.

Invariants:
- nobody is answered "accepted" before the transaction that keeps the application has ended, its log on the disk;
- what waits at the same time is kept by one transaction;
- who cannot be served soon is told so at once, and what waits has a limit;
- nothing that an applicant handed in is written to a log.
"""

from fairalloc.intake.desk import BusyError, Desk
from fairalloc.intake.lines import bounded, serve_lines
from fairalloc.intake.reading import Malformed, read_request
from fairalloc.intake.server import IntakeServer

__all__ = ["BusyError", "Desk", "IntakeServer", "Malformed", "bounded", "read_request", "serve_lines"]
