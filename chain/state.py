"""The contract's state against its logs: whatever it holds that the logs do not lead to is a finding.

A node's storage can be overwritten without a transaction. That leaves no log, and no head tells; so everything that the
contract holds of a season and of its administration is read at one block, and compared with what was replayed.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from chain.abi import WORD, address_at, array_at, ends_after, flag_at, int_at, word_at
from chain.administration import named
from chain.rights import rights_words
from chain.rpc import Connection, view
from fairalloc.errors import ChainUnavailableError
from fairalloc.findings import Finding
from fairalloc.ledger import History, Topic

WORDS_PER_CALL = 1024
"""The most that the contract's views return at once."""

_NODE_ERROR = "chain.error"
"""The code where a node answers, with an error."""

_LANES, _SITES = 8, 256
"""Applications and sites to a word."""

_SITE_LIMIT = 2**24


def state_findings(at: Connection, contract: str, history: History, block: int) -> tuple[Finding, ...]:
    """What the contract held at a block and its history up to there does not lead to.

    Raises:
        ChainUnavailableError: when the node does not answer.
    """
    held = _Held(at, contract, block)
    try:
        return (
            *_administration(held, history),
            *_season(held, history),
            *_applications(held, history),
            *_sites(held, history),
        )
    except ChainUnavailableError as error:
        if error.code != _NODE_ERROR:
            raise
        reason = error.message
    except ValueError as error:
        reason = str(error)
    return (Finding("state.unreadable", contract, f"{contract}: the contract does not tell its state: {reason}"),)


class _Held:
    """Asks the contract's views, always at the same block."""

    def __init__(self, at: Connection, contract: str, block: int) -> None:
        self._at = at
        self._contract = contract
        self._block = hex(block)

    def ask(self, signature: str, *arguments: int) -> bytes:
        """What a view returns."""
        return view(self._at, self._contract, self._block, signature, *arguments)

    def many(self, name: str, season_no: int, count: int) -> bytes:
        """The first words of a view that returns many."""
        found = b""
        for first in range(0, count, WORDS_PER_CALL):
            part = min(WORDS_PER_CALL, count - first)
            items = array_at(self.ask(f"{name}(uint32,uint256,uint256)", season_no, first, part), 0)
            ends_after(items, part)
            found += items
        return found


def _administration(held: _Held, history: History) -> Iterator[Finding]:
    told = history.administration
    data = held.ask("administration_state()")
    ends_after(data, 5)
    pairs = (
        ("number of calls", int_at(data, 0), told.next_seq),
        ("head", word_at(data, 1).hex(), told.head.hex()),
        ("administrator", named(address_at(data, 2)), named(told.admin)),
        ("candidate", named(address_at(data, 3)), named(told.candidate)),
        ("pause", flag_at(data, 4), told.paused),
    )
    for name, found, expected in pairs:
        if found != expected:
            yield _differs("state.rights", "the administration", f"{name} {found}", str(expected))
    for key, mask in told.rights.items():
        data = held.ask("rights(address)", int(key, 16))
        ends_after(data, 1)
        if int_at(data, 0) != mask:
            yield _differs("state.rights", named(key), rights_words(int_at(data, 0)), rights_words(mask))


def _season(held: _Held, history: History) -> Iterator[Finding]:
    data = held.ask("season_state(uint32)", history.season_no)
    ends_after(data, 6)
    pairs = (
        ("number of calls", int_at(data, 0), history.next_seq),
        ("head", word_at(data, 1).hex(), (history.head or bytes(WORD)).hex()),
        ("number of applications", int_at(data, 2), len(history.commitments)),
        ("number of sites", int_at(data, 3), history.site_count),
        ("inputs fixed", flag_at(data, 4), bool(history.fixed(Topic.INPUTS))),
        ("closed", flag_at(data, 5), history.closed),
    )
    for name, found, expected in pairs:
        if found != expected:
            yield _differs("state.head", f"season {history.season_no}", f"{name} {found}", str(expected))


def _applications(held: _Held, history: History) -> Iterator[Finding]:
    count = -(-(len(history.status) - 1) // _LANES)
    data = held.many("standings", history.season_no, count)
    found = np.frombuffer(data, dtype=">u4").reshape(-1, _LANES)[:, ::-1].ravel().astype(np.int64)
    expected = np.zeros(len(found), dtype=np.int64)
    lanes = history.status | (history.width << 4) | (history.site_no << 8)
    expected[: len(lanes) - 1] = lanes[1:]
    for place in np.flatnonzero(found != expected).tolist():
        yield _differs(
            "state.status",
            f"application {place + 1}",
            _lane_words(int(found[place])),
            _lane_words(int(expected[place])),
        )


def _sites(held: _Held, history: History) -> Iterator[Finding]:
    count = min(history.site_count, _SITE_LIMIT - 1) // _SITES + 1
    data = held.many("sites_taken", history.season_no, count)
    octets = np.frombuffer(data, dtype=np.uint8).reshape(-1, WORD)[:, ::-1]
    found = np.unpackbits(octets, axis=1, bitorder="little").ravel().astype(bool)
    expected = _taken(history, len(found))
    for site in np.flatnonzero(found != expected).tolist():
        states = ("free", "taken")
        yield _differs("state.site", f"site {site}", states[int(found[site])], states[int(expected[site])])


def _taken(history: History, count: int) -> npt.NDArray[np.bool_]:
    """Which sites are held at the end of a history, by number."""
    taken = np.zeros(count, dtype=bool)
    for offset in range(int(history.width.max())):
        sites = history.site_no[history.width > offset] + offset
        taken[sites[sites < count]] = True
    return taken


def _lane_words(lane: int) -> str:
    status, width, site = lane & 15, (lane >> 4) & 15, lane >> 8
    return f"status {status}" + (f" with {width} site(s) from {site}" if width or site else "")


def _differs(code: str, place: str, found: str, expected: str) -> Finding:
    return Finding(code, place, f"{place}: the contract has {found}, its logs lead to {expected}")
