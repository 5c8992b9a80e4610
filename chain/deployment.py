"""The contract of an installation: where it is, on which chain, and that the roles' keys have their rights.

Invariants:
- where a contract was deployed is kept in the state folder, so that it is found whoever is administrator later;
- a chain that has the id of a known one and another beginning is not written to;
- a right that was taken from a key is never given back without being asked for.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from eth_hash.auto import keccak
from eth_utils.address import to_checksum_address
from web3.contract import Contract
from web3.types import Nonce, TxReceipt
from web3.utils import get_create_address

from chain.client import fees, transaction
from chain.contract.artifact import artifact
from chain.keyring import ADMIN, Keyring
from chain.logs import keys_ever_given
from chain.node_port import Node
from chain.rights import RIGHTS
from chain.rpc import genesis_hash
from fairalloc.durable_files import replace_file
from fairalloc.errors import ChainUnavailableError, StateConflictError, VerificationFailedError
from fairalloc.logs import note

FILE = "contracts.json"
FORMAT = "fairalloc-contracts/1"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Deployment:
    """A contract of this installation, and the chain that it is on; an installation has one for each chain it used."""

    chain_id: int
    genesis_hash: str
    contract: str


def known_deployments(folder: Path) -> tuple[Deployment, ...]:
    """What a state folder knows; nothing where it is new, or older than this file.

    Raises:
        ChainUnavailableError: when the file is damaged.
    """
    path = folder / FILE
    if not path.exists():
        return ()
    try:
        content = json.loads(path.read_bytes())
        return tuple(Deployment(**each) for each in content[FORMAT])
    except (ValueError, KeyError, TypeError):
        raise ChainUnavailableError(
            "chain.contracts-file", f"{FILE} in the state folder cannot be read", "restore it from a backup"
        ) from None


def open_contract(node: Node, keyring: Keyring, folder: Path) -> str:
    """The address of the contract on a node; deployed, and then kept in the state folder, if it is not there yet.

    Raises:
        ChainUnavailableError: when the node refuses, or is of another chain than before.
        VerificationFailedError: when other code is at the contract's address.
    """
    here = chain_of(node)
    deployments = known_deployments(folder)
    known = next((each for each in deployments if (each.chain_id, each.genesis_hash) == here), None)
    if known is None and any(each.chain_id == here[0] for each in deployments):
        raise ChainUnavailableError(
            "chain.other-genesis",
            f"the node's chain has the id {here[0]} of the chain used before, and another first block",
            "check --rpc: this is another chain, or it was begun anew; for a new one on purpose use another --state",
        )
    address = _deployed(node, keyring, None if known is None else known.contract)
    if known is None:
        kept = (*deployments, Deployment(*here, address))
        content = {FORMAT: [asdict(each) for each in kept]}
        replace_file(folder / FILE, json.dumps(content, indent=2).encode())
    return address


def contract_there(node: Node, keyring: Keyring, folder: Path) -> str:
    """Where the contract on a node is, for whoever only reads: nothing is deployed."""
    known = deployment_there(node, folder)
    return contract_address(keyring) if known is None else known.contract


def deployment_there(node: Node, folder: Path) -> Deployment | None:
    """What a state folder knows of a contract on a node's chain."""
    here = chain_of(node)
    return next((each for each in known_deployments(folder) if (each.chain_id, each.genesis_hash) == here), None)


def deploy(node: Node, keyring: Keyring) -> str:
    """Deploy the contract and grant the roles' rights; what is there already is left as it is.

    Raises:
        ChainUnavailableError: when the node refuses.
        StateConflictError: when a key's rights were taken from it.
        VerificationFailedError: when other code is at the contract's address.
    """
    address = _deployed(node, keyring, None)
    grant_missing(node, keyring, address)
    return address


def grant_missing(node: Node, keyring: Keyring, address: str) -> None:
    """Give the roles' keys the rights that they never had.

    Raises:
        StateConflictError: when a key's rights were taken from it (it may be an old one, or one that was stolen), or
            when the administrator's key is not ours.
    """
    contract = bound(node, address)
    missing = [name for name in RIGHTS if rights_of(contract, keyring.address(name)) != RIGHTS[name]]
    if not missing:
        return
    admin = contract.functions.admin().call()
    if admin != keyring.address(ADMIN):
        raise not_admin(admin)
    given = keys_ever_given(node.w3, address)
    taken = [name for name in missing if keyring.address(name) in given]
    if taken:
        raise StateConflictError(
            "keys.revoked",
            f"the contract has taken rights from the key of: {', '.join(taken)}",
            f"if these keys come from an old backup, use the newer ones; else run `fairalloc keys rotate {taken[0]}`",
        )
    administer(node, keyring, ADMIN, address, [("grant", keyring.address(name), RIGHTS[name]) for name in missing])


def administer(node: Node, keyring: Keyring, signer: str, address: str, calls: Sequence[tuple[Any, ...]]) -> None:
    """Send calls of the administration (function and arguments) by one key, in order, and wait until they are mined.

    Raises:
        ChainUnavailableError: when the node or the contract refuses.
    """
    contract, sender = bound(node, address), keyring.address(signer)
    first, terms = node.w3.eth.get_transaction_count(to_checksum_address(sender)), fees(node)
    raws = []
    for nonce, (function, *arguments) in enumerate(calls, first):
        data = bytes.fromhex(contract.encode_abi(function, args=arguments)[2:])
        raws.append(keyring.sign(signer, transaction(terms, sender, address, data, nonce))[0])
    _succeeded(node.submit(raws), ", ".join(sorted({str(function) for function, *_ in calls})))
    for function, *arguments in calls:
        note(_log, logging.INFO, "contract.administered", call=function, arguments=[str(each) for each in arguments])


def not_admin(admin: str) -> StateConflictError:
    """The error where somebody else administers the contract."""
    return StateConflictError(
        "keys.not-admin",
        f"the contract's administrator is {admin}, whose key is not here",
        "restore the keys from the newest backup",
    )


def bound(node: Node, address: str) -> Contract:
    """The contract as web3 has it."""
    return node.w3.eth.contract(address=to_checksum_address(address), abi=artifact().abi)


def rights_of(contract: Contract, key: str) -> int:
    """The mask of a key."""
    return int(contract.functions.rights(to_checksum_address(key)).call())


def contract_address(keyring: Keyring) -> str:
    """Where the first administrator's first transaction creates a contract."""
    return str(get_create_address(to_checksum_address(keyring.address(ADMIN)), Nonce(0)))


def check_code(node: Node, address: str) -> None:
    """See that this program's contract is at an address.

    Raises:
        VerificationFailedError: when it is other code.
    """
    if keccak(bytes(node.w3.eth.get_code(to_checksum_address(address)))) != artifact().code_hash:
        raise VerificationFailedError(
            "chain.code",
            [f"the code at {address} is not this program's contract"],
            "use the keys and the program version that it was deployed with",
        )


def chain_of(node: Node) -> tuple[int, str]:
    """Chain id and genesis hash."""
    return node.w3.eth.chain_id, genesis_hash(node.w3)


def _deployed(node: Node, keyring: Keyring, known: str | None) -> str:
    address = known or contract_address(keyring)
    if not bytes(node.w3.eth.get_code(to_checksum_address(address))):
        admin = to_checksum_address(keyring.address(ADMIN))
        if address != contract_address(keyring) or node.w3.eth.get_transaction_count(admin):
            raise ChainUnavailableError(
                "chain.contract-gone",
                f"there is no contract at {address}, where this installation has it",
                f"check --rpc; if the chain is the right one, restore {FILE} and the keys from a backup",
            )
        terms: Mapping[str, Any] = fees(node)
        raw, tx_hash = keyring.sign(ADMIN, transaction(terms, admin, None, artifact().bytecode, 0))
        _succeeded(node.submit([raw]), "deploying the contract")
        note(_log, logging.INFO, "contract.deployed", contract=address, tx="0x" + tx_hash.hex())
    check_code(node, address)
    return address


def _succeeded(receipts: Sequence[TxReceipt], what: str) -> None:
    if not all(receipt["status"] == 1 for receipt in receipts):
        raise ChainUnavailableError("chain.reverted", f"{what} failed on chain", "see the node's own log")
