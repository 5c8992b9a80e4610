"""What a bundle says of the time after the allocation: its acts, and where every application stands after them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from fairalloc.acts import Act, State, read_act
from fairalloc.canonical import csv_bytes
from fairalloc.numbering import application_label

ACTS, STANDINGS = "acts.jsonl", "standings.csv"
STANDING_COLUMNS = ("application_id", "status", "reason_code", "site_ids")


def acts_file(statements: Iterable[bytes]) -> bytes:
    """One statement a line, in order, each as it was committed to."""
    return b"".join(statement + b"\n" for statement in statements)


def published_acts(files: Mapping[str, bytes]) -> list[tuple[bytes, Act]]:
    """The acts of a bundle, each with its statement as published; none where it has none.

    Raises:
        ValueError: when one cannot be read.
        KeyError: when something is missing in one.
        TypeError: when something in one is of another kind.
    """
    return [(statement, read_act(statement)) for statement in files.get(ACTS, b"").split(b"\n")[:-1]]


def standings_file(states: Mapping[int, State], site_ids: Mapping[int, str]) -> bytes:
    """Where every application stands; ``site_ids`` by their numbers."""
    return csv_bytes(STANDING_COLUMNS, (_row(number, states[number], site_ids) for number in sorted(states)))


def _row(number: int, state: State, site_ids: Mapping[int, str]) -> Sequence[object]:
    run = range(state.site_no, state.site_no + state.width)
    return application_label(number), state.status.name, int(state.reason), "|".join(site_ids[site] for site in run)
