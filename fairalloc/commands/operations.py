"""What whoever runs an installation needs: `doctor`, `keys`, `backup`, `restore`."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from fairalloc import console
from fairalloc.commands.options import DEFAULT_STATE, Db, Json, Rpc, State
from fairalloc.commands.workspace import DATABASE, LOCK, Workspace
from fairalloc.errors import UsageError

NEW_PASSWORD = "FAIRALLOC_NEW_KEY_PASSWORD"  # noqa: S105  a variable's name

keys = typer.Typer(
    help="The city's keys: list them, put others in their place, change their password.", no_args_is_help=True
)


@keys.command(name="list")
def list_(state: State = DEFAULT_STATE, as_json: Json = False) -> None:
    """List each role's key by its address; `doctor` compares their rights on chain.

    Example: fairalloc keys list
    """
    from chain.keyring import KEY_NAMES, next_of, rounds_of, stated_address

    rows = []
    for role in KEY_NAMES:
        for name, words in ((role, "in use"), (next_of(role), "comes next")):
            path = state / "keys" / f"{name}.json"
            if path.exists():
                rows.append({"role": role, "address": stated_address(path), "is": words, "rounds": rounds_of(path)})
    if as_json:
        console.show_json(rows)
    else:
        console.show_table("Keys", ("role", "address", "is"), [(r["role"], r["address"], r["is"]) for r in rows])


@keys.command()
def rotate(
    role: Annotated[str, typer.Argument(help="registrar, clerk, allocator, desk, pauser, or admin.")],
    state: State = DEFAULT_STATE,
    rpc: Rpc = None,
    as_json: Json = False,
) -> None:
    """Put a new key in a role's place: it gets the right on chain, the old one loses it.

    Run it again after an interruption: it ends with one key that has the right.

    Example: fairalloc keys rotate clerk
    """
    from chain.keyring import KEY_NAMES

    if role not in KEY_NAMES:
        raise UsageError("keys.unknown-role", f"there is no role {role!r}", f"name one of {', '.join(KEY_NAMES)}")
    done = Workspace(state, None, rpc).chain().rotate(role)
    console.show(f"Key of the {role}", {"before": done.before, "now": done.now}, as_json=as_json)
    console.err.print("back up the new key: fairalloc backup FILE", soft_wrap=True)


@keys.command()
def pause(state: State = DEFAULT_STATE, rpc: Rpc = None, as_json: Json = False) -> None:
    """Stop all writing to the contract, with the pauser's key, such as when another key may be stolen.

    Nothing is lost: what waits is published after `keys resume`, which ends the pause. Every audit lists both.

    Example: fairalloc keys pause
    """
    _pause(state, rpc, paused=True, as_json=as_json)


@keys.command()
def resume(state: State = DEFAULT_STATE, rpc: Rpc = None, as_json: Json = False) -> None:
    """Let the contract be written to again after `keys pause`.

    Example: fairalloc keys resume
    """
    _pause(state, rpc, paused=False, as_json=as_json)


def _pause(state: Path, rpc: str | None, *, paused: bool, as_json: bool) -> None:
    changed = Workspace(state, None, rpc).chain().pause(paused=paused)
    facts = {"paused": "yes" if paused else "no", "changed": "yes" if changed else "no"}
    console.show("Contract", facts, as_json=as_json)


@keys.command()
def revoke(
    address: Annotated[str, typer.Argument(help="The key's address.")], state: State = DEFAULT_STATE, rpc: Rpc = None
) -> None:
    """Take all rights from a key that is in no role's place here, such as `doctor` finds after an old backup.

    Example: fairalloc keys revoke 0x52908400098527886E0F7030069857D2E4169EE7
    """
    from eth_utils.address import is_address, to_checksum_address

    if not is_address(address):
        raise UsageError("chain.bad-address", f"{address!r} is not an address", "give 0x and 40 hexadecimal digits")
    Workspace(state, None, rpc).chain().revoke(to_checksum_address(address))
    console.out.print(f"{address} has no rights", soft_wrap=True)


@keys.command()
def password(state: State = DEFAULT_STATE) -> None:
    """Encrypt all keys with another password: all of them or none.

    The present one is read from FAIRALLOC_KEY_PASSWORD, the new one from FAIRALLOC_NEW_KEY_PASSWORD or asked for.

    Example: fairalloc keys password
    """
    from chain.keyring import keys_held

    if not any((state / "keys").glob("*.json")):
        raise UsageError("keys.none-here", f"there are no keys in {state}", "name the state folder by --state")
    new = os.environ.get(NEW_PASSWORD, "")
    if not new:
        if not sys.stdin.isatty():
            raise UsageError("keys.no-password", "no new password was given", f"set {NEW_PASSWORD}, or use a terminal")
        new = typer.prompt("new password", hide_input=True, confirmation_prompt=True, err=True)
    keyring = Workspace(state, None, None).chain().keyring()
    with keys_held(keyring.folder):
        count = keyring.change_password(new)
    console.out.print(f"{count} keys have the new password; set FAIRALLOC_KEY_PASSWORD to it", soft_wrap=True)


def doctor(
    deep: Annotated[bool, typer.Option("--deep", help="Execute a copy of the embedded chain too.")] = False,
    state: State = DEFAULT_STATE,
    db: Db = None,
    rpc: Rpc = None,
    as_json: Json = False,
) -> None:
    """Look at everything that an installation needs, say what is wrong and what to do; changes nothing.

    Ends with exit code 1 where anything has failed.

    Example: fairalloc doctor --deep
    """
    from chain.health import ChainHealth
    from data.store.health import database_checks
    from fairalloc.health import Health, examine, packages, state_folder

    workspace, mined = Workspace(state, db, rpc), dict[int, int]()
    chain = ChainHealth(state, rpc, os.environ.get("FAIRALLOC_KEY_PASSWORD"), deep, mined)
    url = db or f"sqlite:///{state / DATABASE}"
    found = examine(
        (
            ("packages", lambda: packages(LOCK)),
            ("state", lambda: state_folder(state)),
            ("anvil", chain.engine),
            ("database", lambda: database_checks(url, workspace.database_file(), mined)),
            ("keys", chain.keys),
            ("journal", chain.journal),
            ("node", chain.chain),
        )
    )
    if as_json:
        console.show_json([asdict(check) for check in found])
    else:
        console.show_table("Health", ("check", "is", "what"), [(c.name, c.health.value, c.words) for c in found])
        for check in found:
            if check.remedy and check.health in {Health.WARNING, Health.FAILURE}:
                console.err.print(f"{check.health} {check.name}: {check.remedy}", soft_wrap=True, markup=False)
    if any(check.health is Health.FAILURE for check in found):
        raise typer.Exit(1)


def backup(
    file: Annotated[Path, typer.Argument(help="File to write.")],
    without_keys: Annotated[bool, typer.Option("--without-keys", help="Leave the keys out.")] = False,
    state: State = DEFAULT_STATE,
    db: Db = None,
    as_json: Json = False,
) -> None:
    """Write the whole installation to one file: database, chain, keys, contracts. Other commands may run meanwhile.

    The file holds what must stay secret: keep it as the keys themselves.

    Example: fairalloc backup backups/2026-05-01.tar.gz
    """
    from fairalloc.commands.backups import back_up

    workspace = Workspace(state, db, None)
    facts = back_up(workspace, file, without_keys=without_keys)
    console.show(f"Backup {file}", facts, as_json=as_json)
    if workspace.database_file() is None:
        words = "the database is not in it: while no other command runs, `pg_dump --format=custom`, then this"
        console.err.print(words, soft_wrap=True)


def restore(
    file: Annotated[Path, typer.Argument(help="A file that `backup` wrote.")], state: State, as_json: Json = False
) -> None:
    """Bring a backup back into an empty folder, once it is checked: all of it or nothing.

    The installation that it was taken from must not go on: two would sign with the same keys.

    Example: fairalloc restore backups/2026-05-01.tar.gz --state /srv/fairalloc
    """
    from fairalloc.commands.backups import bring_back

    facts = bring_back(file, state)
    console.show(f"Restored {state}", facts, as_json=as_json)
    console.err.print("next: fairalloc doctor, then fairalloc publish", soft_wrap=True)
