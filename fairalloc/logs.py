"""What the program logs: events with fields, as lines of text or of JSON, on stderr.

Fields are numbers, hashes, addresses and names of stages, never what an applicant handed in: the log may leave the
house. Only this program's own loggers are turned up; a library's may quote database rows or a URL with a password.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from enum import StrEnum

LOGGERS = ("fairalloc", "chain", "data", "solver")
_FIELDS = "fairalloc_fields"


class LogFormat(StrEnum):
    """How a line looks."""

    TEXT = "text"
    JSON = "json"


class LogLevel(StrEnum):
    """The least that is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def note(logger: logging.Logger, level: int, event: str, /, **fields: object) -> None:
    """Log an event with its fields; the numbers and hashes that a reader may search for."""
    if logger.isEnabledFor(level):
        logger.log(level, event, extra={_FIELDS: fields})


def start_logging(form: LogFormat, level: LogLevel) -> None:
    """Send this program's events to stderr; calling it again replaces what was asked before."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLine() if form is LogFormat.JSON else _TextLine())
    for name in LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(level.upper())


class _JsonLine(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        fields = getattr(record, _FIELDS, {})
        head = {"time": _time(record), "level": record.levelname.lower(), "logger": record.name}
        line = {**head, "event": record.getMessage(), **fields}
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__  # its words may quote what a file holds
        return json.dumps(line, default=str)


class _TextLine(logging.Formatter):
    """Time, level, event, and the fields as name=value."""

    def format(self, record: logging.LogRecord) -> str:
        fields = " ".join(f"{name}={value}" for name, value in getattr(record, _FIELDS, {}).items())
        return f"{_time(record)} {record.levelname.lower():<7} {record.getMessage()} {fields}".rstrip()


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
