"""Another key in a role's place: made, given the right on chain, the one before without any, however interrupted.

The order is what makes it safe to begin again at any point: the new key is on disk before anything is sent; the
contract's own state says what is left to send; and the keystores change places only when the contract knows the new
key alone. A rotation that has begun on chain is ended by whatever command opens the contract next.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from eth_utils.address import to_checksum_address

from chain.client import fees
from chain.deployment import administer, bound, not_admin, rights_of
from chain.keyring import ADMIN, KEY_NAMES, Keyring, next_of
from chain.node_port import Node
from chain.rights import RIGHTS
from fairalloc.errors import ChainUnavailableError
from fairalloc.logs import note

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rotation:
    """What a rotation did: the addresses of the key before and of the one that has the right now."""

    role: str
    before: str
    now: str


def rotate(node: Node, keyring: Keyring, address: str, role: str) -> Rotation:
    """Put a new key in a role's place, or end what an interrupted rotation of it has begun.

    Raises:
        ChainUnavailableError: when the node refuses, or the next administrator has no money where gas costs some.
        StateConflictError: when the administrator's key is not ours.
    """
    ended = end_rotations(node, keyring, address)
    if role in ended:
        return ended[role]
    if not keyring.has_next(role):
        keyring.make(next_of(role))
    return _go_on(node, keyring, address, role)


def end_rotations(node: Node, keyring: Keyring, address: str) -> dict[str, Rotation]:
    """End every rotation that has begun on chain; the administrator's first, whose key signs for the others."""
    waiting = [role for role in KEY_NAMES if keyring.has_next(role)]
    return {role: _go_on(node, keyring, address, role) for role in waiting if _has_begun(node, keyring, address, role)}


def _has_begun(node: Node, keyring: Keyring, address: str, role: str) -> bool:
    contract, new = bound(node, address), keyring.address(next_of(role))
    if role == ADMIN:
        return new in {contract.functions.admin().call(), contract.functions.proposed_admin().call()}
    return rights_of(contract, new) != 0 or rights_of(contract, keyring.address(role)) != RIGHTS[role]


def _go_on(node: Node, keyring: Keyring, address: str, role: str) -> Rotation:
    done = Rotation(role, keyring.address(role), keyring.address(next_of(role)))
    signer = ADMIN
    if role == ADMIN:
        _hand_over(node, keyring, address, done)
        signer = next_of(ADMIN)
    contract, calls = bound(node, address), []
    # The old key first: it may have been stolen.
    if rights_of(contract, done.before):
        calls.append(("grant", done.before, 0))
    if rights_of(contract, done.now) != RIGHTS[role]:
        calls.append(("grant", done.now, RIGHTS[role]))
    if calls:
        administer(node, keyring, signer, address, calls)
    keyring.promote(role)
    note(_log, logging.WARNING, "keys.rotated", role=role, before=done.before, now=done.now)
    return done


def _hand_over(node: Node, keyring: Keyring, address: str, done: Rotation) -> None:
    """The contract's two steps: the administrator proposes, the candidate accepts."""
    contract = bound(node, address)
    admin = contract.functions.admin().call()
    if admin == done.now:
        return
    if admin != done.before:
        raise not_admin(admin)
    terms = fees(node)
    most = int(terms["gas"]) * int(terms.get("maxFeePerGas", terms.get("gasPrice", 0)))
    if node.w3.eth.get_balance(to_checksum_address(done.now)) < 2 * most:
        raise ChainUnavailableError(
            "keys.no-money",
            f"the next administrator {done.now} has to accept and cannot pay for it",
            f"send it {2 * most} wei and run the same command again; until then nothing has changed",
        )
    if contract.functions.proposed_admin().call() != done.now:
        administer(node, keyring, ADMIN, address, [("propose_admin", done.now)])
    administer(node, keyring, next_of(ADMIN), address, [("accept_admin",)])
