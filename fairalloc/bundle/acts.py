"""What a bundle says of the time after the allocation: its acts, and where every application stands after them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from fairalloc.acts import State
from fairalloc.canonical import csv_bytes
from fairalloc.numbering import application_label

ACTS, STANDINGS = "acts.jsonl", "standings.csv"
STANDING_COLUMNS = ("application_id", "status", "reason_code", "site_ids")


def acts_file(statements: Iterable[bytes]) -> bytes:
    """One statement a line, in order, each as it was committed to."""
    return b"".join(statement + b"\n" for statement in statements)


def statements_of(content: bytes) -> list[bytes]:
    """The inverse of :func:`acts_file`."""
    return content.split(b"\n")[:-1]


def standings_file(states: Mapping[int, State], site_ids: Mapping[int, str]) -> bytes:
    """Where every application stands; ``site_ids`` by their numbers."""
    return csv_bytes(STANDING_COLUMNS, (_row(number, states[number], site_ids) for number in sorted(states)))


def _row(number: int, state: State, site_ids: Mapping[int, str]) -> Sequence[object]:
    run = range(state.site_no, state.site_no + state.width)
    return application_label(number), state.status.name, int(state.reason), "|".join(site_ids[site] for site in run)
