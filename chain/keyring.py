"""The city's keys: one for each role, in encrypted keystore files (Web3 Secret Storage, version 3).

Invariants:
- a key is written whole or not at all, readable by its owner only;
- the private key leaves this module only inside a signature, and is read only when something is to be signed;
- a key that comes next lies beside the present one until it takes its place; the one before is kept, never overwritten;
- all keys have the same password: a change of it that was interrupted is ended, or never happened.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eth_utils.address import to_checksum_address

from fairalloc.durable_files import make_private_folder, replace_file, sync_folder, write_private
from fairalloc.errors import ChainUnavailableError, StateConflictError

if TYPE_CHECKING:
    from eth_account import Account
    from eth_account.signers.local import LocalAccount

ADMIN, REGISTRAR, CLERK, ALLOCATOR, DESK, PAUSER = "admin", "registrar", "clerk", "allocator", "desk", "pauser"
KEY_NAMES = (ADMIN, REGISTRAR, CLERK, ALLOCATOR, DESK, PAUSER)

STRETCHED = 600_000
"""Rounds of PBKDF2-HMAC-SHA256 for a password that a person chose: what OWASP asks for, 0.5 s a key on one busy core.
A key is read when it first signs, so a command pays for those it uses."""
RANDOM_STRETCHED = 10_000
"""Rounds for the password that was drawn here: it has 192 bits, nobody guesses it, and no rounds would change that."""

PASSWORD_FILE = "password"  # noqa: S105  a file's name
RETIRED = "retired"
_CHANGE = "password-change.json"
_CHANGED = ".changed"


def next_of(name: str) -> str:
    """The name under which the key that follows a role's present one is kept."""
    return f"{name}.next"


class Keyring:
    """Signs with the key of a role. Use :meth:`open`."""

    def __init__(self, folder: Path, password: str) -> None:
        self.folder = folder
        self._password = password
        self._accounts: dict[str, LocalAccount] = {}

    @classmethod
    def open(cls, folder: Path, password: str) -> Keyring:
        """The keys of a folder; those that are missing are made.

        Raises:
            ChainUnavailableError: when keys are missing and those that are there have another password.
        """
        make_private_folder(folder)
        end_password_change(folder)
        keyring = cls(folder, password)
        missing = [name for name in KEY_NAMES if not keyring.path(name).exists()]
        if missing and len(missing) < len(KEY_NAMES):
            # A key made now under another password than the others' could never be used together with them.
            keyring.unlock(next(name for name in KEY_NAMES if name not in missing))
        for name in missing:
            keyring.make(name)
        return keyring

    def path(self, name: str) -> Path:
        """The keystore of a role, or of a role's next key."""
        return self.folder / f"{name}.json"

    def address(self, name: str) -> str:
        """The address of a role's key."""
        return stated_address(self.path(name))

    def addresses(self) -> tuple[str, ...]:
        """All addresses, in order of the roles."""
        return tuple(self.address(name) for name in KEY_NAMES)

    def sign(self, name: str, transaction: Mapping[str, Any]) -> tuple[bytes, bytes]:
        """The raw bytes and the hash of a transaction signed with a role's key.

        Raises:
            ChainUnavailableError: when the keystore cannot be read with this password.
        """
        signed = self.unlock(name).sign_transaction(dict(transaction))
        return bytes(signed.raw_transaction), bytes(signed.hash)

    def sign_words(self, name: str, words: str) -> tuple[str, bytes]:
        """The address of a role's key, and its signature over words (EIP-191, so that they can be no transaction).

        Raises:
            ChainUnavailableError: when the keystore cannot be read with this password.
        """
        from eth_account.messages import encode_defunct  # noqa: PLC0415  as in _accounts

        account = self.unlock(name)
        return account.address, bytes(account.sign_message(encode_defunct(text=words)).signature)

    def unlock(self, name: str) -> LocalAccount:
        """Read a role's key, for signing only.

        Raises:
            ChainUnavailableError: when the keystore cannot be read with this password.
        """
        if name not in self._accounts:
            self._accounts[name] = _read(self.path(name), self._password)
        return self._accounts[name]

    def has_next(self, name: str) -> bool:
        """Whether a key waits to take a role's place."""
        return self.path(next_of(name)).exists()

    def make(self, name: str) -> None:
        """Make a key and write it; one that is there stays."""
        account: LocalAccount = _accounts().create()
        write_private(self.path(name), _encrypted(account, self._password, self._rounds()))

    def promote(self, name: str) -> None:
        """Let the next key take a role's place; the present one is kept among the retired."""
        retired = self.folder / RETIRED
        make_private_folder(retired)
        write_private(retired / f"{name}-{self.address(name)}.json", self.path(name).read_bytes())
        self.path(next_of(name)).replace(self.path(name))
        sync_folder(self.folder)
        for held in (name, next_of(name)):
            self._accounts.pop(held, None)

    def change_password(self, password: str) -> int:
        """Encrypt every key anew, the retired too: all of them or none, whenever it is interrupted.

        Returns:
            How many keys there are.

        Raises:
            ChainUnavailableError: when one cannot be read with the present password; nothing is changed then.
        """
        if not password:
            raise StateConflictError("keys.no-password", "the new password is empty", "give one")
        paths = sorted((*self.folder.glob("*.json"), *self.folder.glob(f"{RETIRED}/*.json")))
        names = [str(path.relative_to(self.folder)) for path in paths if path.name != _CHANGE]
        for name in names:
            account = _read(self.folder / name, self._password)
            replace_file(self.folder / (name + _CHANGED), _encrypted(account, password, STRETCHED))
        # From here on the new password counts: whoever opens the folder next ends what is left to do.
        write_private(self.folder / _CHANGE, json.dumps(names).encode())
        end_password_change(self.folder)
        self._password = password
        return len(names)

    def _rounds(self) -> int:
        return RANDOM_STRETCHED if _stored_password(self.folder) == self._password else STRETCHED


def signer_of(words: str, signature: bytes) -> str:
    """The address whose key signed words (EIP-191); empty where the signature is none."""
    from eth_account.messages import encode_defunct  # noqa: PLC0415  as in _accounts
    from eth_keys.exceptions import BadSignature  # noqa: PLC0415

    try:
        return str(_accounts().recover_message(encode_defunct(text=words), signature=signature))
    except (ValueError, TypeError, BadSignature):
        return ""


def end_password_change(folder: Path) -> None:
    """Put the keystores of a change that was decided in place; two that do it at once do not disturb each other."""
    decided = folder / _CHANGE
    if not decided.exists():
        return
    for name in json.loads(decided.read_bytes()):
        with suppress(FileNotFoundError):  # it is in its place already
            Path(folder / (name + _CHANGED)).replace(folder / name)
            sync_folder((folder / name).parent)
    (folder / PASSWORD_FILE).unlink(missing_ok=True)
    sync_folder(folder)
    decided.unlink(missing_ok=True)
    sync_folder(folder)


@contextmanager
def keys_held(folder: Path) -> Iterator[None]:
    """Nobody else changes or copies the keys meanwhile.

    Raises:
        StateConflictError: when another process does.
    """
    make_private_folder(folder)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StateConflictError(
                "keys.busy", "another command changes or copies the keys now", "wait until it has ended"
            ) from None
        yield
    finally:
        os.close(descriptor)


def stated_address(path: Path) -> str:
    """The address that a keystore states; the key itself is not read.

    Raises:
        ChainUnavailableError: when the file is not a keystore.
    """
    try:
        return str(to_checksum_address("0x" + str(json.loads(path.read_bytes())["address"]).removeprefix("0x")))
    except (OSError, ValueError, KeyError, TypeError):
        raise ChainUnavailableError(
            "keys.damaged", f"{path.name} is not a readable keystore", "restore the keys from a backup"
        ) from None


def rounds_of(path: Path) -> int:
    """How often a keystore's password is stretched; 0 where it does not say."""
    try:
        return int(json.loads(path.read_bytes())["crypto"]["kdfparams"]["c"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def default_password(folder: Path) -> str:
    """The password kept beside the embedded node's keys: it guards against copying a key file alone, no more.

    Raises:
        ChainUnavailableError: when there are keys with a password of somebody's own.
    """
    make_private_folder(folder)
    end_password_change(folder)
    path = folder / PASSWORD_FILE
    if not path.exists():
        if any(folder.glob("*.json")):
            raise _unreadable("the keys")
        write_private(path, os.urandom(24).hex().encode())
    return path.read_text()


def _stored_password(folder: Path) -> str | None:
    path = folder / PASSWORD_FILE
    return path.read_text() if path.exists() else None


def signer(raw: bytes) -> str:
    """The address of the key that has signed a transaction, checksummed."""
    return str(_accounts().recover_transaction(raw))


def _accounts() -> type[Account]:
    """What makes, reads and uses keys."""
    from eth_account import Account  # noqa: PLC0415  a second of loading that whoever only reads does not wait for

    return Account


def _encrypted(account: LocalAccount, password: str, rounds: int) -> bytes:
    return json.dumps(_accounts().encrypt(account.key, password, kdf="pbkdf2", iterations=rounds)).encode()


def _read(path: Path, password: str) -> LocalAccount:
    stated = stated_address(path)
    try:
        account: LocalAccount = _accounts().from_key(_accounts().decrypt(json.loads(path.read_bytes()), password))
    except (ValueError, KeyError, TypeError, OSError):
        raise _unreadable(f"the key in {path}") from None
    if account.address != stated:
        raise ChainUnavailableError(
            "keys.damaged", f"{path.name} states another address than its key has", "restore the keys from a backup"
        )
    return account


def _unreadable(what: str) -> ChainUnavailableError:
    return ChainUnavailableError(
        "keys.unreadable",
        f"{what} cannot be read with this password",
        "set FAIRALLOC_KEY_PASSWORD to the password that it was made with",
    )
