"""The city's keys: one for each role, in encrypted keystore files (Web3 Secret Storage, version 3).

Invariants:
- a key is written whole or not at all, readable by its owner only;
- the private key leaves this module only inside a signature.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount

from fairalloc.errors import ChainUnavailableError

ADMIN, REGISTRAR, CLERK, ALLOCATOR, DESK, PAUSER = "admin", "registrar", "clerk", "allocator", "desk", "pauser"
KEY_NAMES = (ADMIN, REGISTRAR, CLERK, ALLOCATOR, DESK, PAUSER)
_ITERATIONS = 10_000


class Keyring:
    """Signs with the key of a role. Use :meth:`open`."""

    def __init__(self, accounts: Mapping[str, LocalAccount]) -> None:
        self._accounts = accounts

    @classmethod
    def open(cls, folder: Path, password: str) -> Keyring:
        """The keys of a folder; those that are missing are made.

        Raises:
            ChainUnavailableError: when a keystore cannot be read with this password.
        """
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        return cls({name: _load_or_make(folder / f"{name}.json", password) for name in KEY_NAMES})

    def address(self, name: str) -> str:
        """The address of a role's key."""
        return str(self._accounts[name].address)

    def addresses(self) -> tuple[str, ...]:
        """All addresses, in order of the roles."""
        return tuple(self.address(name) for name in KEY_NAMES)

    def sign(self, name: str, transaction: Mapping[str, Any]) -> tuple[bytes, bytes]:
        """The raw bytes and the hash of a transaction signed with a role's key."""
        signed = self._accounts[name].sign_transaction(dict(transaction))
        return bytes(signed.raw_transaction), bytes(signed.hash)


def _load_or_make(path: Path, password: str) -> LocalAccount:
    if not path.exists():
        account: LocalAccount = Account.create()
        keystore = Account.encrypt(account.key, password, kdf="pbkdf2", iterations=_ITERATIONS)
        _write_private(path, json.dumps(keystore).encode())
    try:
        stored: LocalAccount = Account.from_key(Account.decrypt(json.loads(path.read_bytes()), password))
    except (ValueError, KeyError, TypeError, OSError):
        raise ChainUnavailableError(
            "keys.unreadable",
            f"the key in {path} cannot be read with this password",
            "set FAIRALLOC_KEY_PASSWORD to the password that it was made with",
        ) from None
    return stored


def _write_private(path: Path, content: bytes) -> None:
    """Write a file of mode 0600 in one step; where somebody was faster, theirs stays."""
    descriptor, name = tempfile.mkstemp(prefix=".", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(name, path)
        except FileExistsError:
            return
        _sync(path.parent)
    finally:
        Path(name).unlink()


def _sync(folder: Path) -> None:
    """Make a folder's new entries survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def default_password(folder: Path) -> str:
    """The password kept beside the embedded node's keys: it guards against copying a key file alone, no more."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    path = folder / "password"
    if not path.exists():
        _write_private(path, os.urandom(24).hex().encode())
    return path.read_text()
