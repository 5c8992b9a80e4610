"""The errors a user can meet, each with a code, a message and a remedy.

Invariants:
- every error maps to exactly one documented exit code;
- a message says what is wrong and where, a remedy says what to do next;
- neither contains personal data: a defect quotes only the offending cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum


class ExitCode(IntEnum):
    """What the command line returns to its caller."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    INVALID_DATA = 3
    INFEASIBLE = 4
    VERIFICATION_FAILED = 5
    CHAIN_UNAVAILABLE = 6


class FairallocError(Exception):
    """Something the user can act on.

    Args:
        code: a stable, dotted identifier that scripts may match on, e.g. ``import.missing-file``.
        message: what is wrong and where.
        remedy: what to do about it.
    """

    exit_code = ExitCode.FAILURE

    def __init__(self, code: str, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} ({self.remedy})" if self.remedy else self.message


class UsageError(FairallocError):
    """The command was asked for something it cannot mean."""

    exit_code = ExitCode.USAGE


@dataclass(frozen=True, slots=True, order=True)
class Defect:
    """One thing wrong with one place of an input file.

    ``line`` counts physical lines from 1 (the header is line 1); 0 means the file as a whole.
    ``column`` is the name of the CSV column or the dotted path in a TOML file; empty means the whole line.
    """

    file: str
    line: int
    column: str
    value: str
    code: str
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        place = self.file + (f":{self.line}" if self.line else "") + (f" [{self.column}]" if self.column else "")
        quoted = f" {self.value!r}" if self.value else ""
        remedy = f" ({self.remedy})" if self.remedy else ""
        return f"{place}:{quoted} {self.message}{remedy}"


class InvalidDataError(FairallocError):
    """Input files that cannot be accepted; carries every defect found, none dropped."""

    exit_code = ExitCode.INVALID_DATA

    def __init__(self, defects: Sequence[Defect], remedy: str = "") -> None:
        # Files in the order in which they were read: a defect of one may explain those of the next.
        order = {name: place for place, name in enumerate(dict.fromkeys(defect.file for defect in defects))}
        self.defects = tuple(sorted(defects, key=lambda defect: (order[defect.file], defect)))
        first = str(self.defects[0]) if self.defects else "no defect given"
        more = f" and {len(self.defects) - 1} more" if len(self.defects) > 1 else ""
        super().__init__("data.invalid", first + more, remedy or "mend the files and run the command again")


class InfeasibleError(FairallocError):
    """Hard rules that cannot all hold; carries the smallest set of them that collides, in words."""

    exit_code = ExitCode.INFEASIBLE

    def __init__(self, code: str, rules: Sequence[str], remedy: str = "") -> None:
        self.rules = tuple(rules)
        super().__init__(code, f"{len(self.rules)} hard rules cannot all hold: {'; '.join(self.rules)}", remedy)


class VerificationFailedError(FairallocError):
    """A check of published or stored facts failed; carries the findings in words."""

    exit_code = ExitCode.VERIFICATION_FAILED

    def __init__(self, code: str, findings: Sequence[str], remedy: str = "") -> None:
        self.findings = tuple(findings)
        more = f" (and {len(self.findings) - 1} more)" if len(self.findings) > 1 else ""
        super().__init__(code, (self.findings[0] if self.findings else code) + more, remedy)


class ChainUnavailableError(FairallocError):
    """The node cannot be reached, started or trusted to be the right one."""

    exit_code = ExitCode.CHAIN_UNAVAILABLE


class StateConflictError(FairallocError):
    """What was asked contradicts what this installation has already done."""
