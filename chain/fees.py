"""What a transaction offers for its gas: by the node's own figures, raised where it does not get mined.

Three modes:
- ``auto``: EIP-1559, twice the base fee and the node's tip; the node's gas price where the chain has no base fee;
  nothing where the base fee is zero, as on the embedded chain and on consortium chains;
- ``legacy``: the node's gas price, for chains and signers that know no other;
- ``zero``: nothing, for consortium chains whose nodes would still name a price.

A raise is at least an eighth (nodes take a replacement from a tenth on), up to :data:`RAISED_AT_MOST` times what was
offered first: a season must not cost the city any sum because nobody looked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import rlp

from chain.rpc import Connection, request
from fairalloc.errors import ChainUnavailableError
from fairalloc.ledger import FeeMode

RAISED_AT_MOST = 10
"""How many times the first offer a later one may be."""


@dataclass(frozen=True, slots=True)
class Fee:
    """Wei for a unit of gas: at most ``most``; ``tip`` of it to who mines. No tip (None): a legacy gas price."""

    most: int
    tip: int | None = None

    def fields(self) -> dict[str, Any]:
        """A transaction's fields."""
        if self.tip is None:
            return {"gasPrice": self.most}
        return {"type": 2, "maxPriorityFeePerGas": self.tip, "maxFeePerGas": self.most}


def quote(at: Connection, mode: FeeMode) -> Fee:
    """What to offer now."""
    if mode is FeeMode.ZERO:
        return Fee(0)
    base_fee = request(at, "eth_getBlockByNumber", ["latest", False]).get("baseFeePerGas")
    if mode is FeeMode.LEGACY or base_fee is None:
        return Fee(int(request(at, "eth_gasPrice", []), 16))
    if int(base_fee, 16) == 0:
        return Fee(0)
    tip = int(request(at, "eth_maxPriorityFeePerGas", []), 16)
    return Fee(2 * int(base_fee, 16) + tip, tip)


def present_price(at: Connection, mode: FeeMode) -> int:
    """What a unit of gas costs in the next block, in wei."""
    offer = quote(at, mode)
    return offer.most if offer.tip is None else (offer.most - offer.tip) // 2 + offer.tip


def raised(first: Fee, last: Fee, now: Fee) -> Fee:
    """The offer after one that was too low.

    Args:
        first: the first that was more than nothing.
        last: the latest.
        now: what would be offered today; its kind, legacy or not, stays that of the latest.

    Raises:
        ChainUnavailableError: the next one would be over the cap; ``chain.free`` where nothing can be raised.
    """
    if max(last.most, now.most) == 0:
        raise ChainUnavailableError(
            "chain.free", "a transaction that offers nothing cannot be raised", "choose --fees auto or legacy"
        )
    most = max(now.most, _eighth_more(last.most))
    cap = RAISED_AT_MOST * (first.most or most)
    if most > cap and _eighth_more(last.most) <= cap:
        most = cap
    if most > cap:
        raise ChainUnavailableError(
            "chain.fee-cap",
            f"gas costs more than {cap} wei, {RAISED_AT_MOST} times what was offered first",
            "wait until the chain is cheaper, then start the command again: nothing is lost or sent twice",
        )
    if last.tip is None:
        return Fee(most)
    return Fee(most, min(most, max(now.tip or 0, _eighth_more(last.tip))))


def offered(raw: bytes) -> Fee:
    """What signed bytes offer."""
    if raw[0] >= 0xC0:
        return Fee(int.from_bytes(rlp.decode(raw)[1], "big"))
    fields = rlp.decode(raw[1:])
    return Fee(int.from_bytes(fields[3], "big"), int.from_bytes(fields[2], "big"))


def _eighth_more(value: int) -> int:
    return value + max(1, -(-value // 8))
