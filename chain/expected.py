"""A season's heads computed from its calls: what the contract must say, whatever a node says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from chain import heads
from chain.abi import address_at, count_at
from chain.records import pack
from chain.replay import SEASON_EVENTS
from fairalloc.keccak import opening_head
from fairalloc.ledger import Close, Commit, LedgerCall, OpenSeason, Record, SeasonHead, Submit


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the head of a call depends on besides the call: who sends it, and how many calls the administration made."""

    author: str
    admin_calls: int


def computed_heads(
    calls: Sequence[LedgerCall], by: Sequence[Circumstances], chain_id: int, contract: str
) -> list[SeasonHead]:
    """Where the season must stand after each of its calls, which begin with its opening.

    Args:
        calls: all of a season, or the first of them, in order.
        by: for each its circumstances.
        chain_id: of the chain.
        contract: its address.
    """
    head, applications = b"", 0
    found = []
    for call, each in zip(calls, by, strict=True):
        number, author = each.admin_calls, each.author
        match call:
            case OpenSeason():
                of_the_season = call.rules_hash, call.site_count
                head = opening_head(chain_id, contract, call.season_no, number, author, *of_the_season)
            case Submit():
                items = b"".join(call.commitments)
                head = heads.next_head(head, heads.submit_payload(call.seq, number, author, applications, items))
                applications += len(call.commitments)
            case Commit():
                payload = heads.commit_payload(call.seq, number, author, int(call.topic), call.digest)
                head = heads.next_head(head, payload)
            case Record():
                head = heads.next_head(head, heads.record_payload(call.seq, number, author, pack(call.transitions)))
            case Close():
                head = heads.next_head(head, heads.close_payload(call.seq, number, author))
        found.append(SeasonHead(call.seq + 1, head, applications))
    return found


def stated_circumstances(logs: Iterable[Mapping[str, Any]]) -> dict[int, Circumstances]:
    """The circumstances of calls by their numbers as logs state them: hearsay, until a head bears it out."""
    found = {}
    for log in logs:
        event, data = SEASON_EVENTS.get(bytes.fromhex(log["topics"][0][2:])), bytes.fromhex(log["data"][2:])
        with suppress(ValueError):
            if event == "SeasonOpened":
                found[0] = Circumstances(address_at(data, 1), count_at(data, 0))
            elif event is not None:
                found[count_at(data, 0)] = Circumstances(address_at(data, 2), count_at(data, 1))
    return found
